"""Section 4.1: a model loaded here by transformers, and asked by lighteval.

Importing this module turns torch's gradients off, as importing lighteval's does.
"""

from __future__ import annotations

from pathlib import Path

import torch
from lighteval.models.abstract_model import ModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.transformers import transformers_model
from lighteval.models.transformers.transformers_model import TransformersModel, TransformersModelConfig
from lighteval.utils.cache_management import SampleCache

from evals.models.model_folder import model_fingerprint
from evals.models.options import ModelOptions
from evals.models.prompts import PromptWriter


class LoadedModel(TransformersModel):
    """lighteval's model, kept from one task's pipeline to the next."""

    def __init__(self, options: ModelOptions) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        top_p = options.top_p if options.temperature else None
        parameters = GenerationParameters(temperature=options.temperature, top_p=top_p, seed=options.seed)
        config = TransformersModelConfig(
            model_name=options.model,
            trust_remote_code=True,
            dtype="bfloat16" if device == "cuda" else "float32",
            device=device,
            batch_size=options.batch_size,
            override_chat_template=not options.base,
            generation_parameters=parameters,
            system_prompt=options.system_prompt,
            # lighteval keys its cache of generations by the model's name: another training run has the same one.
            cache_dir=str(options.output / "cache" / model_fingerprint(options.model)),
        )
        super().__init__(config=config)
        self.prompt_manager = PromptWriter(self.tokenizer, chat=not options.base, system_prompt=options.system_prompt)
        self._add_special_tokens = self.prompt_manager.add_special_tokens
        if options.temperature:
            # lighteval never asks transformers to sample: several answers would be refused, and one would be greedy.
            self.generation_config_dict["do_sample"] = True
            torch.manual_seed(options.seed)

    def cleanup(self) -> None:
        """Keep the model: a pipeline drops its own at the end, and ours goes on to the next task."""


class CacheBesideResults(SampleCache):
    """lighteval's cache of generations, below the folder that it was given.

    lighteval joins cache folder and model name; where the name is an absolute path, that is the model's own folder.
    """

    def __init__(self, model_config: ModelConfig) -> None:
        super().__init__(model_config.model_copy(update={"model_name": Path(model_config.model_name).name}))


setattr(transformers_model, SampleCache.__name__, CacheBesideResults)  # where TransformersModel looks its cache up
