"""Section 2.4.1: Magpie: question-answer pairs about code that aligned models write by themselves.

Read top to bottom: a scenario is drawn, a model writes the user's message of it, bad and similar messages go, the same
model answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.identity import digest
from datasets_builders.synthesis.instructions.answering import AnswerInstructions
from datasets_builders.synthesis.instructions.builder import SynthesisBuilder, SynthesisFields
from datasets_builders.synthesis.instructions.neighbors import NeighborFilter
from datasets_builders.synthesis.instructions.rows import COLUMNS
from datasets_builders.synthesis.instructions.steps import (
    CheckAnswerSyntax,
    FilterAnswers,
    FilterInstructions,
    MakeRows,
)
from datasets_builders.synthesis.magpie.pre_query import ChatTemplate
from datasets_builders.synthesis.magpie.scenarios import DEFAULT_LANGUAGES, PROMPT_FOLDER, SCENARIOS, ScenarioDraw
from datasets_builders.synthesis.magpie.steps import ContinueConversations, DrawScenarios, SampleInstructions

GROUP = ("scenario", "natural_language", "languages")


@dataclass
class MagpieConfig(SynthesisFields):
    """Fields of `magpie`."""

    num_samples: int = field(default=1000, metadata={"help": "number of instructions that are sampled"})
    scenarios: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(SCENARIOS, 1.0),
        metadata={"help": f"weights of the kinds of conversations: {', '.join(SCENARIOS)}"},
    )
    languages: dict[str, float] = field(
        default_factory=lambda: dict(DEFAULT_LANGUAGES),
        metadata={"help": "weights of programming languages, by Linguist's names"},
    )
    natural_languages: dict[str, float] = field(
        default_factory=lambda: {"en": 1.0, "zh": 1.0}, metadata={"help": "weights of en and zh"}
    )
    tokenizers: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "by a teacher's name, the folder or Hub id of its tokenizer, whose chat template is used; the "
            "teacher's model by default"
        },
    )
    num_turns: int = field(default=1, metadata={"help": "most messages of the user in a conversation"})

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        for name in ("num_samples", "num_turns"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        self.draw()

    def draw(self) -> ScenarioDraw:
        """Return what draws scenarios.

        Raises:
            ConfigError: an unknown name, or a weight that is not above 0.
        """
        return ScenarioDraw(self.scenarios, self.languages, self.natural_languages, self.seed)


class MagpieBuilder(SynthesisBuilder[MagpieConfig]):
    """Conversations about code that an aligned model writes when it is given the head of a user's turn alone.

    Source: paper 2.4.1; rules and their limits are ours.
    """

    name: ClassVar[str] = "magpie"
    summary: ClassVar[str] = "question-answer pairs about code that aligned models write by themselves"
    config_class: ClassVar[type[BuilderConfig]] = MagpieConfig
    prompt_files: ClassVar[list[Path]] = sorted(PROMPT_FOLDER.glob("*.txt"))

    @cached_property
    def templates(self) -> dict[str, ChatTemplate]:
        """The chat template of each teacher, by its name.

        Raises:
            ConfigError: a tokenizer cannot be loaded, or its template cannot be cut.
        """
        known = {teacher.called: teacher for teacher in self.asking.teachers}
        if unknown := sorted(set(self.config.tokenizers) - set(known)):
            raise ConfigError(f"tokenizers: no teacher is called {unknown[0]!r}; there are {', '.join(known)}")
        return {
            name: ChatTemplate.of(
                self.config.tokenizers.get(name, teacher.model), bool(teacher.extra.get("add_special_tokens", True))
            )
            for name, teacher in known.items()
        }

    def stages(self) -> list[Stage]:
        """Sample and filter instructions; keep one of equal and of similar ones; answer, check and decontaminate."""
        config, curation = self.config, self.curation
        neighbors = NeighborFilter(config.min_neighbor_distance, GROUP)
        return [
            Stage(
                "sample",
                [
                    DrawScenarios(config.draw(), config.num_samples),
                    SampleInstructions(self.asking, self.templates),
                    FilterInstructions(config.max_instruction_chars),
                    *curation.decontamination("decontaminate_instructions"),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(),
            Stage("compare", [neighbors], tasks=config.num_tasks, key=neighbors.group_of),
            Stage(
                "answer",
                [
                    *self.rating(),
                    *self.verified_answers(),
                    AnswerInstructions(self.asking),
                    *self._further_turns(),
                    FilterAnswers(config.min_answer_chars, config.max_answer_chars),
                    CheckAnswerSyntax(config.requires_valid_syntax),
                    MakeRows(self.name, self.prompts),
                    *curation.toxicity(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
            ),
        ]

    def _further_turns(self) -> list[ContinueConversations]:
        if self.config.num_turns == 1:
            return []
        return [ContinueConversations(self.asking, self.templates, self.config.num_turns)]

    def check(self) -> None:
        """Raise `ConfigError` when a teacher is missing, or its chat template cannot be cut."""
        if self.config.teachers:  # without any, what says so comes first
            for template in self.templates.values():
                template.pre_query(self.config.draw().draw(0).system_prompt)
        super().check()

    def inputs(self) -> list[str]:
        """Return a line per teacher, with the end of the head that it is given."""
        told = []
        for name, template in self.templates.items():
            found = template.pre_query("SYSTEM")
            told.append(
                f"chat template of {name}: system prompt in {found.system_place}, cut at {found.prompt[-40:]!r}"
            )
        return [*super().inputs(), *told]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of prompts, lists, benchmarks and chat templates."""
        templates = {
            name: [found.text, found.special_tokens, found.adds_bos, found.adds_eos]
            for name, found in self.templates.items()
        }
        return super().input_fingerprint() | {"templates": digest(templates)}

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Magpie: conversations about code",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.config.license or "unknown",
            columns=COLUMNS,
            tags=["code", "synthetic"],
            sections=self.sections(),
        )


_DESCRIPTION = """
Question-answer pairs about code that aligned language models wrote by themselves, after Magpie (Xu et al., 2024): a
model is given the head of a user's turn in its own chat template, behind a system prompt that names one of six kinds
of conversations (code from a description, tests, explanation, repair, refactoring, execution predicted), and goes on
with the user's message; then it answers that message, greedily.

What an answer was checked by stands in `verified_by`: tests that a teacher wrote without seeing it, where the config
asks for attempts, or the syntax of its code, or nothing. None of it proves that an answer is right.
"""
