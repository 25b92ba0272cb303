"""Section 2.4: what the builders of synthesized instructions share beside their steps: columns, card, samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from datasets_builders.asking import Ask, AskingBuilder, TeacherFields
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.description import DatasetDescription
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import digest
from datasets_builders.building.rows_page import NUM_SAMPLES, write_rows_page
from datasets_builders.building.stages import BuildResult
from datasets_builders.building.steps import Step
from datasets_builders.curation.config import DecontaminationFields, NearDedupFields, ToxicityFields
from datasets_builders.curation.pipeline import Curation
from datasets_builders.synthesis.instructions.rating import RATING_PROMPT, RateInstructions
from datasets_builders.synthesis.instructions.rows import instruction_features
from datasets_builders.synthesis.instructions.steps import InstructionFields
from datasets_builders.synthesis.instructions.verified_answers import (
    TESTABLE,
    TESTS_PROMPT,
    AttemptAnswers,
    WriteTests,
)
from datasets_builders.synthesis.verification.steps import VerifyAnswers

if TYPE_CHECKING:
    from datasets import Features

_LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}


@dataclass
class SynthesisFields(InstructionFields, DecontaminationFields, NearDedupFields, ToxicityFields, TeacherFields):
    """Fields of every builder of synthesized instructions."""


SynthesisConfig = TypeVar("SynthesisConfig", bound=SynthesisFields)


def language_name(natural_language: str) -> str:
    """Return what a prompt calls a natural language."""
    return _LANGUAGE_NAMES[natural_language]


def check_natural_languages(weights: Mapping[str, float]) -> None:
    """Raise `ConfigError` for an unknown language or a weight that is not above 0."""
    if not weights:
        raise ConfigError("natural_languages is empty; give en, zh or both with weights, such as {en: 1}")
    for name, weight in weights.items():
        if name not in _LANGUAGE_NAMES:
            raise ConfigError(f"natural_languages: unknown {name!r}; known: {', '.join(_LANGUAGE_NAMES)}")
        if not weight > 0:
            raise ConfigError(f"natural_languages: the weight of {name} is {weight}, but must be above 0")


class SynthesisBuilder(AskingBuilder[SynthesisConfig]):
    """Base of the builders whose instructions and answers teachers write; each writes out its own stages."""

    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "scenario"
    # Files that are sent to a teacher, in whole or in part.
    prompt_files: ClassVar[Sequence[Path]] = ()

    def __init__(self, config: SynthesisConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    def verified_answers(self) -> list[Step]:
        """Answer what can be tested by several attempts that tests judge, where the config asks for it."""
        config = self.config
        if not config.num_attempts:
            return []
        verify = VerifyAnswers(config.min_pass_share, config.max_pass_share, isolation=config.isolation)
        return [
            WriteTests(self.asking),
            AttemptAnswers(self.asking, config.num_attempts),
            verify.only_for(TESTABLE),
        ]

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        return instruction_features()

    @property
    def prompts(self) -> str:
        """Short hash of the prompts, which stands in every row."""
        return digest({path.name: file_digest(path) for path in self._all_prompts})

    @property
    def _all_prompts(self) -> list[Path]:
        rating = [RATING_PROMPT] if self.config.min_quality else []
        return [*self.prompt_files, *rating, *([TESTS_PROMPT] if self.config.num_attempts else [])]

    def rating(self) -> list[RateInstructions]:
        """Tag instructions, where the config asks for it."""
        return [RateInstructions(self.asking, self.config.min_quality)] if self.config.min_quality else []

    def check(self) -> None:
        """Raise `ConfigError` when teachers or what the curation needs are missing."""
        super().check()
        self.curation.inputs.check()

    def inputs(self) -> list[str]:
        """Return a line per input, and what is kept out."""
        return [*super().inputs(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of inputs, prompts, lists and benchmarks."""
        return super().input_fingerprint() | self.curation.inputs.fingerprint() | {"prompts": self.prompts}

    def run(self) -> BuildResult:
        """Build the dataset; show some of its rows beside it, for the person who made it."""
        result = super().run()
        write_rows_page(DatasetFolder(self.output_folder), num_rows=NUM_SAMPLES)
        return result

    def _description(self) -> DatasetDescription:
        """Describe the dataset in the languages that its rows have."""
        found = sorted(DatasetFolder(self.output_folder).counts("natural_language"))
        return replace(super()._description(), language=", ".join(found))

    def sections(self) -> dict[str, str]:
        """Return the parts of the card that say what became of what was asked, and by which prompts."""
        return {
            "From asked to kept": self._waterfall(),
            "Prompts": "\n".join(
                ["| file | sha256 |", "| --- | --- |"]
                + [
                    f"| `{path.parent.parent.name}/{path.name}` | `{file_digest(path)[:16]}` |"
                    for path in self._all_prompts
                ]
            ),
        }

    def _asking_steps(self) -> list[str]:
        return [step.name for stage in self.stages() for step in stage.pipeline if isinstance(step, Ask)]

    def _waterfall(self) -> str:
        """Return, step by step, what came in, what was lost and why, what passed on."""
        steps = json.loads((self.output_folder / "ledger.json").read_text(encoding="utf-8"))["steps"]
        asking = set(self._asking_steps())
        lines = ["| step | in and made | lost | passed on | why |", "| --- | ---: | ---: | ---: | --- |"]
        for step in steps:
            lost = step["removed"] + step["merged"]
            reasons = sorted(step["reasons"].items(), key=lambda item: (-item[1], item[0]))
            why = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
            name = f"`{step['name']}`" + (" (asks)" if step["name"] in asking else "")
            lines.append(f"| {name} | {step['input'] + step['created']:,} | {lost:,} | {step['output']:,} | {why} |")
        return "\n".join(lines)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a prompt file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
