"""Section 4.1: which model is asked, where it runs, and how its answers are sampled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.errors import UsageError
from evals.models.openai_server import check_url


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
        system_prompt (`str`): stands before each question in the chat template.
        prefill (`str`): how each answer begins already; the model continues it. `{language}` in it stands for the
            language that the task asks for.
        reasoning_effort (`str`): asked of the server, with endpoint: "low", say.
        extra_body (`dict`): put into each request to the server; None takes a parameter out.

    Raises:
        UsageError: they contradict each other; the message says how.
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
    system_prompt: str | None = None
    prefill: str = ""
    reasoning_effort: str | None = None
    extra_body: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.num_samples > 1 and self.temperature <= 0:
            raise UsageError(
                f"--num-samples {self.num_samples} needs --temperature above 0: greedy answers are all the same"
            )
        if self.base and self.system_prompt is not None:
            raise UsageError("--system-prompt has no place in a completion; leave --base or the prompt out")
        if self.base and self.prefill:
            raise UsageError("--prefill begins the answer of a chat model; leave --base or the prefill out")
        if self.prefill and self.prefill != self.prefill.rstrip(" \t"):
            # A tokenizer joins a space with the word that follows: no model has seen it alone before a word.
            raise UsageError(f"--prefill {self.prefill!r} ends with a space, which belongs to the word that follows it")
        if self.base and self.reasoning_effort:
            raise UsageError("--reasoning-effort is asked of chat models; leave --base or the effort out")
        if self.backend == "endpoint":
            check_url(self.base_url)
