"""Section 4.1: what a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evals.errors import UsageError
from evals.models.options import ModelOptions


@dataclass(frozen=True, kw_only=True)
class RunOptions(ModelOptions):
    """What `python -m evals run` was asked for; fields as its flags."""

    tasks: tuple[str, ...]
    baseline_model: str | None = None
    held_out: Path | None = None
    data_dir: Path | None = None
    preset: str = "standard"
    limit: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend == "endpoint" and self.baseline_model:
            raise UsageError(
                "--baseline-model is compared with --backend accelerate only; `evals report` compares runs"
            )
