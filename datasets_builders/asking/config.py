"""Section 2.4: what a user may set about teachers; a builder's config mixes it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets_builders.asking.asker import ATTEMPTS, Asking
from datasets_builders.asking.budget import Budget
from datasets_builders.asking.teacher import read_teachers
from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import checked_fields

ANSWERS_SUFFIX = ".answers"  # beside the dataset: neither a rebuild nor an upload touches it
# How long a build is allowed to go on, and where it keeps what it was told, decides no row.
FIELDS_WITHOUT_EFFECT = ("budget_requests", "budget_tokens", "budget_dollars", "answers_dir")


@dataclass
class _StepFields:
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    teachers: list[str] | None = None


@dataclass
class TeacherFields(BuilderConfig):
    """Which teachers are asked, how, and for how much."""

    teachers: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "help": "models behind OpenAI-compatible servers: [{model, base_url, weight, temperature, ...}]; all of "
            "their fields stand in asking/README.md"
        },
    )
    steps: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata={"help": "by step: temperature, top_p, max_tokens, extra, teachers (names); wins over the step's own"},
    )
    attempts: int = field(
        default=ATTEMPTS, metadata={"help": "number of answers asked for until one is of the asked form"}
    )
    budget_requests: int = field(default=0, metadata={"help": "most answers, earlier runs included; 0: no bound"})
    budget_tokens: int = field(
        default=0, metadata={"help": "most tokens of questions and answers, earlier runs included; 0: no bound"}
    )
    budget_dollars: float = field(
        default=0.0, metadata={"help": "most dollars by the teachers' prices, earlier runs included; 0: no bound"}
    )
    answers_dir: str = field(
        default="",
        metadata={
            "help": f"folder that keeps what was answered; by default OUTPUT{ANSWERS_SUFFIX}, beside the dataset"
        },
    )

    def validate(self) -> None:
        """Check teachers, steps and ranges."""
        super().validate()
        if self.attempts < 1:
            raise ConfigError(f"attempts is {self.attempts}, but must be at least 1")
        for name in ("budget_requests", "budget_tokens", "budget_dollars"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be 0 (no bound) or more")
        teachers = read_teachers(self.teachers)
        if self.budget_dollars and teachers and not all(teacher.price_output for teacher in teachers):
            raise ConfigError("budget_dollars needs price_input and price_output (dollars per million tokens) of each")
        for step, values in self.steps.items():
            checked = checked_fields(_StepFields, values, f"steps: {step}")
            temperature, top_p = checked.get("temperature"), checked.get("top_p")
            if temperature is not None and temperature < 0:
                raise ConfigError(f"steps: {step}: temperature is {temperature}, but must be 0 or more")
            if top_p is not None and not 0 < top_p <= 1:
                raise ConfigError(f"steps: {step}: top_p is {top_p}, but must be above 0 and at most 1")
            if (checked.get("max_tokens") or 1) < 1:
                raise ConfigError(f"steps: {step}: max_tokens is {values['max_tokens']}, but must be at least 1")
            unknown = set(checked.get("teachers") or ()) - {teacher.called for teacher in teachers}
            if unknown:
                raise ConfigError(f"steps: {step}: no teacher is called {min(unknown)!r}")

    def asking(self, output_folder: Path) -> Asking:
        """Return who is asked, for the steps of a builder.

        Args:
            output_folder (`Path`): of the dataset.
        """
        beside = output_folder.with_name(f"{output_folder.name}{ANSWERS_SUFFIX}")
        folder = Path(self.answers_dir).expanduser().absolute() if self.answers_dir else beside
        return Asking(
            teachers=read_teachers(self.teachers),
            folder=str(folder),
            attempts=self.attempts,
            seed=self.seed,
            budget=Budget(self.budget_requests, self.budget_tokens, self.budget_dollars),
            steps=self.steps,
            ranks_at_once=min(self.workers, self.num_tasks),
        )

    def fields_with_effect(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the dataset: of a teacher not where it stands or what it costs."""
        kept = super().fields_with_effect()
        for name in FIELDS_WITHOUT_EFFECT:
            del kept[name]
        return kept | {"teachers": [teacher.fields_of_answers() for teacher in read_teachers(self.teachers)]}
