"""Section 2.4.2: top-down synthesis: problems from trees of knowledge that titles of books grow into.

Read top to bottom: titles, their chapters, sections and subsections, the knowledge of each leaf, paths, problems,
answers. The trees are saved and can be read again in place of the titles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage, Step
from datasets_builders.building.identity import digest, file_sha256
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
from datasets_builders.synthesis.top_down.steps import (
    PROMPT_FOLDER,
    ExtractPaths,
    ListTitles,
    ReadTrees,
    RecordLeaves,
    WriteChapters,
    WriteKnowledge,
    WriteProblems,
    WriteSections,
    recorded_trees,
)
from datasets_builders.synthesis.top_down.titles import TITLES, Title, read_titles
from datasets_builders.synthesis.top_down.tree import PAGE_FILE, TREES_FILE, read_trees, write_trees

GROUP = ("natural_language", "languages")


@dataclass
class TopDownConfig(SynthesisFields):
    """Fields of `top_down`."""

    titles: str = field(
        default="", metadata={"help": "file with a title a line, `title | language | field`; empty: a list of 208"}
    )
    title_fields: list[str] = field(
        default_factory=list,
        metadata={"help": "groups of titles: python, python_library, language, database, systems, foundations; all"},
    )
    max_titles: int = field(default=0, metadata={"help": "most titles, the first of the list; 0: all"})
    trees: str = field(
        default="", metadata={"help": "trees.json of an earlier build, or its folder, in place of the titles"}
    )
    max_points: int = field(default=8, metadata={"help": "most knowledge points of a section or subsection"})
    path_fraction: float = field(default=1.0, metadata={"help": "share of the paths about which problems are written"})
    num_problems: int = field(default=3, metadata={"help": "number of problems of a path"})
    extra_topics_fraction: float = field(
        default=0.5,
        metadata={"help": "share of the paths whose problems draw on further topics, which makes them harder"},
    )
    natural_languages: dict[str, float] = field(
        default_factory=lambda: {"en": 1.0, "zh": 1.0}, metadata={"help": "weights of en and zh"}
    )

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        check_natural_languages(self.natural_languages)
        for name in ("max_points", "num_problems"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.max_titles < 0:
            raise ConfigError(f"max_titles is {self.max_titles}, but must be 0 (all) or more")
        if not 0 < self.path_fraction <= 1:
            raise ConfigError(f"path_fraction is {self.path_fraction}, but must be above 0 and at most 1")
        if not 0 <= self.extra_topics_fraction <= 1:
            raise ConfigError(f"extra_topics_fraction is {self.extra_topics_fraction}, but must be from 0 to 1")
        if self.trees and (self.titles or self.title_fields or self.max_titles):
            raise ConfigError("trees take the place of titles, title_fields and max_titles; give one of the two")


class TopDownBuilder(SynthesisBuilder[TopDownConfig]):
    """Problems about paths of knowledge, from a subtopic up to a book.

    Source: paper 2.4.2; the titles, rules and their limits are ours.
    """

    name: ClassVar[str] = "top_down"
    summary: ClassVar[str] = "problems from trees of knowledge that titles of books grow into"
    config_class: ClassVar[type[BuilderConfig]] = TopDownConfig
    prompt_files = sorted(PROMPT_FOLDER.glob("*.txt"))

    @cached_property
    def titles(self) -> list[Title]:
        """The titles; raises `ConfigError` where they cannot be read."""
        path = Path(self.config.titles).expanduser() if self.config.titles else TITLES
        titles = read_titles(path, self.config.title_fields)
        return titles[: self.config.max_titles or None]

    def stages(self) -> list[Stage]:
        """Grow trees, or read them; write problems about their paths, keep one of similar ones, answer, check."""
        config, curation = self.config, self.curation
        neighbors = NeighborFilter(config.min_neighbor_distance, GROUP)
        return [
            Stage("trees", [*self._trees(), RecordLeaves(self._leaves_folder)], tasks=config.num_tasks),
            Stage(
                "problems",
                [
                    ExtractPaths(config.path_fraction, config.extra_topics_fraction, config.seed),
                    WriteProblems(self.asking, config.num_problems),
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

    def _trees(self) -> list[Step]:
        config = self.config
        if config.trees:
            return [ReadTrees(read_trees(Path(config.trees).expanduser()))]
        return [
            ListTitles(self.titles, config.natural_languages, config.seed),
            WriteChapters(self.asking),
            WriteSections(self.asking),
            WriteKnowledge(self.asking, config.max_points),
        ]

    @property
    def _leaves_folder(self) -> Path:
        return self.curation.stage_folder / "leaves"

    def _before_problems(self) -> None:
        write_trees(self.output_folder, recorded_trees(self._leaves_folder))
        self.curation.index_benchmarks()

    def inputs(self) -> list[str]:
        """Return a line on titles or trees, and one per teacher."""
        if self.config.trees:
            told = f"{len(read_trees(Path(self.config.trees).expanduser()))} trees of {self.config.trees}"
        else:
            told = f"{len(self.titles)} titles of {self.config.titles or 'the list of this repository'}"
        return [told, *super().inputs()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of titles or trees, prompts, lists and benchmarks."""
        found = super().input_fingerprint()
        if self.config.trees:
            path = Path(self.config.trees).expanduser()
            return found | {"trees_sha256": file_sha256(path / TREES_FILE if path.is_dir() else path)}
        return found | {"titles": digest([[title.name, title.language, title.field] for title in self.titles])}

    def card(self) -> CardParts:
        """Return the card's text."""
        trees = read_trees(self.output_folder)
        num_leaves = sum(len(tree.leaves) for tree in trees)
        num_paths = sum(1 for tree in trees for leaf in tree.leaves for _ in leaf.paths())
        told = (
            f"{len(trees)} books, {num_leaves} leaves, {num_paths} paths: `{TREES_FILE}`, to look at in `{PAGE_FILE}`. "
            f"`trees={TREES_FILE}` writes other problems from them without asking for them again."
        )
        return CardParts(
            title="Top-down: problems from trees of knowledge",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.config.license or "unknown",
            columns=COLUMNS,
            tags=["code", "synthetic"],
            sections={"Trees": told} | self.sections(),
        )


_DESCRIPTION = """
Problems from trees of knowledge: for each title of a book, which need not exist, a teacher writes chapters, sections
and subsections, then the knowledge of each leaf with its whole path in view, then problems about each path from a
subtopic up to the book, some of which draw on further topics, and answers. No text of a book is reproduced.

What an answer was checked by stands in `verified_by`: tests that a teacher wrote without seeing it, where the config
asks for attempts, or the syntax of its code, or nothing. None of it proves that an answer is right.
"""
