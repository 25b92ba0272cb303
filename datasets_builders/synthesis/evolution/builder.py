"""Section 3.2.3: problems by domain: composed of fragments of code, made harder round by round, answered.

Read top to bottom: fragments and problems of other datasets are seeds; OSS-Instruct composes, Evol-Instruct evolves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.synthesis.evolution.methods import DOMAINS, PROMPT_FOLDER
from datasets_builders.synthesis.evolution.steps import (
    ComposeProblems,
    DropSeeds,
    EvolveProblems,
    ReadSeeds,
    TakeFragments,
)
from datasets_builders.synthesis.instructions.answering import AnswerInstructions
from datasets_builders.synthesis.instructions.builder import SynthesisBuilder, SynthesisFields, check_natural_languages
from datasets_builders.synthesis.instructions.neighbors import NeighborFilter
from datasets_builders.synthesis.instructions.rows import COLUMNS
from datasets_builders.synthesis.instructions.steps import (
    CheckAnswerSyntax,
    FilterAnswers,
    FilterInstructions,
    MakeRows,
)

GROUP = ("natural_language", "scenario")


@dataclass
class EvolutionConfig(SynthesisFields):
    """Fields of `evolution`."""

    code: list[str] = field(
        default_factory=list, metadata={"help": "folders of source_code datasets, whose fragments inspire problems"}
    )
    problems: list[str] = field(
        default_factory=list,
        metadata={
            "help": "folders of datasets with messages (magpie, bottom_up, top_down, ...), whose problems evolve"
        },
    )
    domains: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(DOMAINS, 1.0),
        metadata={"help": f"weights of the domains of composed problems: {', '.join(DOMAINS)}"},
    )
    num_fragments: int = field(default=1, metadata={"help": "fragments that are cut out of a file"})
    max_fragment_lines: int = field(default=15, metadata={"help": "most lines of a fragment"})
    num_rounds: int = field(
        default=1, metadata={"help": "rounds of Evol-Instruct, each of which makes the problems of the last one harder"}
    )
    natural_languages: dict[str, float] = field(
        default_factory=lambda: {"en": 1.0, "zh": 1.0},
        metadata={"help": "weights of en and zh for composed problems; evolved ones stay in their language"},
    )

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        check_natural_languages(self.natural_languages)
        for name, weight in self.domains.items():
            if name not in DOMAINS:
                raise ConfigError(f"domains: unknown {name!r}; known: {', '.join(DOMAINS)}")
            if not weight > 0:
                raise ConfigError(f"domains: the weight of {name} is {weight}, but must be above 0")
        if not self.domains:
            raise ConfigError(f"domains is empty; give some of {', '.join(DOMAINS)} with weights")
        for name in ("num_fragments", "max_fragment_lines"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.num_rounds < 0:
            raise ConfigError(f"num_rounds is {self.num_rounds}, but must be 0 (none) or more")


class EvolutionBuilder(SynthesisBuilder[EvolutionConfig], DerivedBuilder[EvolutionConfig]):
    """Problems of the domains that code models are asked about most, composed and evolved.

    Source: paper 3.2.3; OSS-Instruct, Evol-Instruct; rules and their limits are ours.
    """

    name: ClassVar[str] = "evolution"
    summary: ClassVar[str] = "problems by domain, composed of fragments of code and made harder, with answers"
    config_class: ClassVar[type[BuilderConfig]] = EvolutionConfig
    input_builder: ClassVar[str] = "source_code"
    prompt_files = sorted(PROMPT_FOLDER.glob("*.txt"))

    def stages(self) -> list[Stage]:
        """Compose and evolve problems, keep one of similar ones, answer those without an answer, check."""
        config, curation = self.config, self.curation
        neighbors = NeighborFilter(config.min_neighbor_distance, GROUP)
        rounds = range(1, config.num_rounds + 1)
        return [
            Stage(
                "problems",
                [
                    ReadSeeds(config.code, config.problems),
                    TakeFragments(
                        config.num_fragments,
                        config.max_fragment_lines,
                        config.domains,
                        config.natural_languages,
                        config.seed,
                    ),
                    ComposeProblems(self.asking),
                    *(EvolveProblems(self.asking, generation, config.seed) for generation in rounds),
                    DropSeeds(),
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
                    FilterAnswers(config.min_answer_chars, config.max_answer_chars),
                    CheckAnswerSyntax(config.requires_valid_syntax),
                    MakeRows(self.name, self.prompts),
                    *curation.toxicity(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
            ),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The datasets of code and of problems, in order."""
        return [*self.config.code, *self.config.problems]

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to begin with, or problems are not to be evolved."""
        if not self.input_paths:
            raise ConfigError("code and problems are empty; give folders of datasets in one of them, or in both")
        if self.config.problems and not self.config.num_rounds:
            raise ConfigError("problems are seeds of Evol-Instruct, but num_rounds is 0; leave one of the two")
        super().check()

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Evolution: problems composed and made harder",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "synthetic"],
            sections=self.sections(),
        )


_DESCRIPTION = """
Problems for programmers in four domains (code from a description, reasoning about code, SQL, programming competitions):
a teacher composes them, with their solutions, inspired by fragments of code (`oss_instruct`), or makes problems harder
by one of five methods, round by round (`evol_instruct`, with the method in `evolution`), and answers them.

What an answer was checked by stands in `verified_by`: tests that a teacher wrote without seeing it, where the config
asks for attempts, or the syntax of its code, or nothing. None of it proves that an answer is right.
"""
