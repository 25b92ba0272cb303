"""Section 4: a model loaded here by transformers, and asked by lighteval."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.models.options import ModelOptions

if TYPE_CHECKING:
    from lighteval.models.abstract_model import LightevalModel


@contextlib.contextmanager
def gradients_kept() -> Iterator[None]:
    """Put torch's gradient mode back afterwards.

    lighteval turns gradients off for the whole process when its transformers model is imported: whoever scored a model
    could train none.
    """
    import torch

    enabled = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_grad_enabled(enabled)


def load_accelerate(options: ModelOptions) -> LightevalModel:
    """Load a folder or a model of the Hub with transformers."""
    import torch
    from lighteval.models.model_input import GenerationParameters
    from lighteval.models.model_loader import load_model
    from lighteval.models.transformers.transformers_model import TransformersModelConfig

    keep_cache_out_of_the_model()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parameters = {"temperature": options.temperature, "top_p": options.top_p if options.temperature else None}
    config = TransformersModelConfig(
        model_name=options.model,
        trust_remote_code=True,
        dtype="bfloat16" if device == "cuda" else "float32",
        device=device,
        batch_size=options.batch_size,
        override_chat_template=not options.base,
        generation_parameters=GenerationParameters(**parameters, seed=options.seed),
        # lighteval keys its cache of generations by the model's name: another training run has the same one.
        cache_dir=str(options.output / "cache" / model_fingerprint(options.model)),
    )
    model = load_model(config)
    if options.temperature:
        # lighteval never asks transformers to sample: several answers would be refused, and one would be greedy.
        model.generation_config_dict["do_sample"] = True
        torch.manual_seed(options.seed)
    model.cleanup = lambda: None  # a pipeline drops its model at the end; ours goes on to the next task
    return model


def keep_cache_out_of_the_model() -> None:
    """Make lighteval name a model's cache by the last part of its path.

    It joins cache folder and model name; where the name is an absolute path, that is the model's own folder.
    """
    from lighteval.models.transformers import transformers_model
    from lighteval.utils.cache_management import SampleCache

    class CacheBesideResults(SampleCache):
        """lighteval's cache of generations, below the folder that it was given."""

        def __init__(self, model_config: Any) -> None:
            super().__init__(model_config.model_copy(update={"model_name": Path(model_config.model_name).name}))

    transformers_model.SampleCache = CacheBesideResults


def check_model(model: str) -> None:
    """Raise FileNotFoundError for a path that is no model folder; names of the Hub pass."""
    folder = Path(model)
    looks_like_path = folder.is_absolute() or model.count("/") != 1 or folder.exists()
    if looks_like_path and not (folder / "config.json").is_file():
        raise FileNotFoundError(f"--model {model}: no config.json there; give a model folder, or org/name on the Hub")


def model_fingerprint(model: str) -> str:
    """Return a hash that changes when the files of a local model do; of its name for a model on the Hub."""
    files = sorted(path for path in Path(model).glob("*") if path.is_file()) if Path(model).is_dir() else []
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([model, facts]).encode()).hexdigest()[:16]
