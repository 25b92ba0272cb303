"""The model known to transformers' Auto classes, without importing torch or transformers before someone else does.

`AutoConfig.register` and its like want classes, and those need torch. So the model is entered as transformers enters
its own: by name, in the tables from which the Auto classes import a model when one is loaded. The tables are filled
as soon as transformers has made them, by a hook on the import of their two modules.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

MODEL_TYPE = "bailing_moe"
_CONFIGURATIONS, _MODELS = "transformers.models.auto.configuration_auto", "transformers.models.auto.modeling_auto"
# Module -> its tables, by model type, and the name of our class in each.
_TABLES = {
    _CONFIGURATIONS: {"CONFIG_MAPPING_NAMES": "BailingMoeConfig"},
    _MODELS: {
        "MODEL_MAPPING_NAMES": "BailingMoeModel",
        "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES": "BailingMoeForCausalLM",
        "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES": "BailingMoeForQuestionAnswering",
        "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES": "BailingMoeForSequenceClassification",
        "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES": "BailingMoeForTokenClassification",
    },
}


def register() -> None:
    """Make AutoConfig and the AutoModel classes know `bailing_moe`, whether transformers is imported already or not."""
    if _MODELS in sys.modules:
        _register_classes()
        return
    # Where transformers looks for a model's classes: our package finds them by name, on demand.
    sys.modules[f"transformers.models.{MODEL_TYPE}"] = importlib.import_module("modeling_ling")
    if _CONFIGURATIONS in sys.modules:
        _enter_names(sys.modules[_CONFIGURATIONS])
    if not any(isinstance(finder, _AutoModulesFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AutoModulesFinder())


def _enter_names(module: ModuleType) -> None:
    for table, class_name in _TABLES[module.__name__].items():
        getattr(module, table)[MODEL_TYPE] = class_name


def _register_classes() -> None:
    import transformers

    from . import modeling_bailing_moe
    from .configuration_bailing_moe import AUTO_MAP, BailingMoeConfig

    transformers.AutoConfig.register(MODEL_TYPE, BailingMoeConfig, exist_ok=True)
    for auto_class, name in AUTO_MAP.items():
        if auto_class != "AutoConfig":
            model_class = getattr(modeling_bailing_moe, name.partition(".")[2])
            getattr(transformers, auto_class).register(BailingMoeConfig, model_class, exist_ok=True)


class _AutoModulesFinder(importlib.abc.MetaPathFinder):
    """Find transformers' two modules of tables as Python does, and fill the tables when a module has been executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _TABLES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _FillingLoader(spec.loader)
        return spec


class _FillingLoader(importlib.abc.Loader):
    """Execute a module with its own loader, then fill its tables."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _enter_names(module)

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)  # get_source and the like: inspect and tracebacks ask for them


__all__ = ["MODEL_TYPE", "register"]
