"""The Ling mixture-of-experts model: importing this package makes it known to transformers' Auto classes.

    >>> import modeling_ling
    >>> from transformers import AutoModelForCausalLM
    >>> model = AutoModelForCausalLM.from_config(modeling_ling.load_preset("tiny"))

Section 3.1 of the paper. Released checkpoints load without copying any file into them. torch and transformers are
imported when a class of the model is first used, not before: counting parameters needs neither.
"""

import importlib
from typing import TYPE_CHECKING

from .auto_classes import register
from .presets import PRESETS, load_preset

if TYPE_CHECKING:
    from .configuration_bailing_moe import BailingMoeConfig
    from .modeling_bailing_moe import (
        BailingMoeForCausalLM,
        BailingMoeForQuestionAnswering,
        BailingMoeForSequenceClassification,
        BailingMoeForTokenClassification,
        BailingMoeModel,
    )

# Class -> the module that defines it, imported when the class is asked for.
_CLASSES = {
    "BailingMoeConfig": "configuration_bailing_moe",
    "BailingMoeForCausalLM": "modeling_bailing_moe",
    "BailingMoeForQuestionAnswering": "modeling_bailing_moe",
    "BailingMoeForSequenceClassification": "modeling_bailing_moe",
    "BailingMoeForTokenClassification": "modeling_bailing_moe",
    "BailingMoeModel": "modeling_bailing_moe",
}


def __getattr__(name: str) -> object:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_CLASSES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLASSES})


register()

__all__ = [
    "PRESETS",
    "BailingMoeConfig",
    "BailingMoeForCausalLM",
    "BailingMoeForQuestionAnswering",
    "BailingMoeForSequenceClassification",
    "BailingMoeForTokenClassification",
    "BailingMoeModel",
    "load_preset",
]
