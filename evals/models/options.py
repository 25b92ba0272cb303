"""Section 4.1: which model is asked, where it runs, and how its answers are sampled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What `evals.models` needs to know of a run; fields as the flags of `python -m evals run`.

    Args:
        model (`str`): a model folder, or org/name on the Hub.
        output (`Path`): caches of generations lie below it.
        base (`bool`): complete the prompt, without a chat template.
        backend (`str`): "accelerate" or "endpoint".
        batch_size (`int`): prompts at once, with accelerate.
        num_samples (`int`): answers to each problem.
        temperature (`float`): 0 is greedy.
        seed (`int`): of the first answer to each problem.
        base_url (`str`): of an OpenAI-compatible server with /v1, with endpoint.
        api_key_variable (`str`): the environment variable that holds its key, so that it stands in no command line.
        concurrency (`int`): requests at once, with endpoint.
    """

    model: str
    output: Path
    base: bool = False
    backend: str = "accelerate"
    batch_size: int = 16
    max_new_tokens: int | None = None
    num_samples: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0
    base_url: str = ""
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16
