"""Section 2.4.2, Figure 4: bottom-up synthesis: problems that grow from code and from text about code.

Read top to bottom: seeds, their knowledge, its variations, their problems, stated, compared, answered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.deduplication.near import NearDedup, SignatureWriter, find_clusters
from datasets_builders.synthesis.bottom_up.knowledge import Expansion, expansion_of
from datasets_builders.synthesis.bottom_up.steps import (
    PROMPT_FOLDER,
    QUESTION,
    EvolveKnowledge,
    ExtractKnowledge,
    StateProblems,
    TakeSeeds,
    WriteProblems,
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

GROUP = ("natural_language", "seed_language")


@dataclass
class BottomUpConfig(SynthesisFields):
    """Fields of `bottom_up`."""

    input: str = field(default="", metadata={"help": "folder of a dataset of seeds: code, or text about code"})
    more_inputs: list[str] = field(
        default_factory=list, metadata={"help": "further datasets of seeds, read as if they were one with input"}
    )
    preset: str = field(
        default="paper",
        metadata={
            "help": "paper: (7 + 1) problems of each of 5 variations; card: 10 of each of 7, as the released set"
        },
    )
    num_variations: int = field(default=0, metadata={"help": "variations of a seed's knowledge; 0: the preset's"})
    num_unique_problems: int = field(default=0, metadata={"help": "unique problems of a variation; 0: the preset's"})
    seed_fraction: float = field(default=1.0, metadata={"help": "share of the rows that become seeds"})
    min_seed_chars: int = field(default=200, metadata={"help": "shortest seed, in characters"})
    max_seed_chars: int = field(default=6000, metadata={"help": "longest part of a row that is shown, in characters"})
    seed_dedup_threshold: float = field(
        default=0.5, metadata={"help": "smallest Jaccard similarity of seeds of which one stays; 1 keeps all"}
    )
    natural_languages: dict[str, float] = field(
        default_factory=lambda: {"en": 1.0, "zh": 1.0}, metadata={"help": "weights of en and zh"}
    )

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        _ = self.expansion
        check_natural_languages(self.natural_languages)
        if not 0 < self.seed_fraction <= 1:
            raise ConfigError(f"seed_fraction is {self.seed_fraction}, but must be above 0 and at most 1")
        if not 0 < self.seed_dedup_threshold <= 1:
            raise ConfigError(f"seed_dedup_threshold is {self.seed_dedup_threshold}, but must be in (0, 1]")
        if not 0 < self.min_seed_chars <= self.max_seed_chars:
            raise ConfigError(
                f"min_seed_chars is {self.min_seed_chars} and max_seed_chars {self.max_seed_chars}, but they must be "
                "above 0, the first at most the second"
            )

    @property
    def expansion(self) -> Expansion:
        """How many problems grow from a seed."""
        return expansion_of(self.preset, self.num_variations, self.num_unique_problems)


class BottomUpBuilder(SynthesisBuilder[BottomUpConfig], DerivedBuilder[BottomUpConfig]):
    """Problems about the knowledge that code and text about code hold, and about what lies near it.

    Source: paper 2.4.2, Figure 4; rules and their limits are ours.
    """

    name: ClassVar[str] = "bottom_up"
    summary: ClassVar[str] = "problems that grow from code: knowledge extracted, evolved, asked about, answered"
    config_class: ClassVar[type[BuilderConfig]] = BottomUpConfig
    input_builder: ClassVar[str] = "source_code"
    prompt_files = sorted(PROMPT_FOLDER.glob("*.txt"))

    def stages(self) -> list[Stage]:
        """Extract the knowledge of seeds, evolve it, write problems, keep one of similar ones, answer, check."""
        config, curation = self.config, self.curation
        neighbors = NeighborFilter(config.min_neighbor_distance, GROUP)
        seeds_folder = self._seeds_folder
        return [
            Stage(
                "seeds",
                [
                    ReadRows(self.input_paths),
                    TakeSeeds(
                        config.min_seed_chars,
                        config.max_seed_chars,
                        config.seed_fraction,
                        config.natural_languages,
                        config.seed,
                    ),
                ],
                tasks=config.num_tasks,
            ),
            Stage(
                "compare_seeds",
                [SeedExact(), SeedSignatures(seeds_folder, threshold=config.seed_dedup_threshold)],
                tasks=config.num_tasks,
            ),
            Stage(
                "problems",
                [
                    SeedDedup(seeds_folder),
                    ExtractKnowledge(self.asking),
                    EvolveKnowledge(self.asking, config.expansion),
                    WriteProblems(self.asking, config.expansion),
                    StateProblems(self.asking).only_for(QUESTION),
                    FilterInstructions(config.max_instruction_chars),
                    *curation.decontamination("decontaminate_instructions"),
                ],
                tasks=config.num_tasks,
                before=self._before_problems,
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

    def _before_problems(self) -> None:
        find_clusters(self._seeds_folder, self.config.num_tasks, self.config.seed_dedup_threshold)
        self.curation.index_benchmarks()

    @property
    def _seeds_folder(self) -> Path:
        return self.curation.stage_folder / "seed_signatures"

    @property
    def input_paths(self) -> list[str]:
        """The datasets of seeds, in order."""
        return [self.config.input, *self.config.more_inputs]

    def inputs(self) -> list[str]:
        """Return a line per dataset and teacher, and the arithmetic."""
        return [*super().inputs(), f"expansion {self.config.expansion.formula}"]

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Bottom-up: problems that grow from code",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "synthetic"],
            sections={"Expansion": self._expansion()} | self.sections(),
        )

    def _expansion(self) -> str:
        """Return what the arithmetic promises for the seeds that had knowledge, and what came."""
        ledger = json.loads((self.output_folder / "ledger.json").read_text(encoding="utf-8"))["steps"]
        counts: dict[str, dict[str, Any]] = {step["name"]: step for step in ledger}
        expansion = self.config.expansion
        seeds = counts[ExtractKnowledge.name]["output"]
        kept = counts[MakeRows.name]["output"]
        rows = [
            ("seeds with knowledge", seeds, seeds),
            (f"variations (N = {expansion.num_variations})", seeds * expansion.num_variations,
             counts[EvolveKnowledge.name]["output"]),
            (f"problems ({expansion.formula})", seeds * expansion.problems_per_seed,
             counts[WriteProblems.name]["output"]),
            ("rows after filters", "", kept),
        ]  # fmt: skip
        table = "\n".join(f"| {name} | {wanted} | {got} |" for name, wanted, got in rows)
        return (
            f"Preset `{self.config.preset}`: {expansion.formula}. {_READING}\n\n"
            f"| what | by the arithmetic | got |\n| --- | ---: | ---: |\n{table}"
        )


class SeedExact(ExactDedup):
    """Keep one of equal seeds."""

    name = "seed_exact"


class SeedSignatures(SignatureWriter):
    """Write the signatures by which seeds that are nearly the same are found."""

    name = "seed_signatures"


class SeedDedup(NearDedup):
    """Keep one of seeds that are nearly the same.

    Source: paper 2.4.2 follows work that near-deduplicates its seeds; the threshold of 0.5 is ours.
    """

    name = "seed_dedup"


_READING = (
    "The paper says (K + 1) x N, its released dataset's card seven sets with ten questions each. Here the + 1 is a "
    "problem that tests a variation in the most direct way, beside K others."
)

_DESCRIPTION = """
Problems that grow from seeds, which are pieces of code and text about code: a teacher names the topics of a seed with
their key points, writes variations of that knowledge, writes problems about each variation, puts questions as
statements, and answers. Every row names its seed, the topic and the teachers.

What an answer was checked by stands in `verified_by`: tests that a teacher wrote without seeing it, where the config
asks for attempts, or the syntax of its code, or nothing. None of it proves that an answer is right.
"""
