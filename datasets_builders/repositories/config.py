"""Section 2.2.2: what a user may set for repository-level code."""

from dataclasses import dataclass, field
from typing import ClassVar

from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.config import (
    DecontaminationFields,
    LanguageFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    RuleFields,
    ToxicityFields,
)
from datasets_builders.curation.quality.agreement import MEAN_PREFIX
from datasets_builders.repositories.concatenation import DOCUMENTATION, SPLITS, TESTS, UNITS, Arrangement
from datasets_builders.repositories.ordering import CYCLE_POLICIES, ORDERS
from datasets_builders.repositories.separators import SEPARATORS
from datasets_builders.sources.configured import SourcesFields


@dataclass
class RepositoriesConfig(
    NearDedupFields,
    DecontaminationFields,
    QualityFields,
    ToxicityFields,
    RuleFields,
    LanguageFields,
    LicenseFields,
    SourcesFields,
):
    """Configuration of `repositories`."""

    cycle_policy: str = field(
        default="scc",
        metadata={
            "help": "how cycles are broken: paper (its rule to the letter), scc (never an import outside a cycle)"
        },
    )
    order: str = field(
        default="imports",
        metadata={"help": "what decides the order of code: imports; to compare with: paths, random, dfs (depth first)"},
    )
    implicit_imports: bool = field(
        default=True, metadata={"help": "whether names of its own package that a file uses without an import count too"}
    )
    unit: str = field(
        default="repository", metadata={"help": "what is one sample: repository, component (of its graph)"}
    )
    tests: str = field(
        default="last", metadata={"help": "where tests stand: last, with_tested (behind what they import), in_order"}
    )
    documentation: str = field(
        default="readme_first",
        metadata={"help": "where documentation stands: readme_first (others last), first, last, none"},
    )
    separators: str = field(default="comment", metadata={"help": f"what stands between files: {', '.join(SEPARATORS)}"})
    max_sample_bytes: int = field(
        default=10_000_000, metadata={"help": "size from which on samples are split between two files"}
    )
    max_sample_tokens: int = field(
        default=0, metadata={"help": "the same in tokens of `tokenizer`, in place of bytes; 0: bytes hold"}
    )
    tokenizer: str = field(
        default="", metadata={"help": "folder with the tokenizer that max_sample_tokens counts with"}
    )
    split: str = field(
        default="order",
        metadata={
            "help": "how too long samples are split: order, components (no part of the graph is cut that would fit)"
        },
    )
    min_files: int = field(default=2, metadata={"help": "files in supported languages that a repository must have"})
    min_resolved: float = field(
        default=0.5,
        metadata={"help": "fraction of the imports that should lead to files of the repository that must do so"},
    )
    near_dedup: bool = field(default=True, metadata={"help": "whether one of samples that are near-duplicates is kept"})

    limited_columns: ClassVar[tuple[str, ...]] = (
        *("mean_quality", "mean_comment_fraction", "mean_effective_lines", "resolved_fraction"),
        *("num_files", "num_bytes", "stars", "forks"),
    )
    score_prefix: ClassVar[str] = MEAN_PREFIX

    def validate(self) -> None:
        """Check names and ranges."""
        super().validate()
        for name, known in (
            ("cycle_policy", CYCLE_POLICIES),
            ("unit", UNITS),
            ("tests", TESTS),
            ("documentation", DOCUMENTATION),
            ("order", ORDERS),
            ("split", SPLITS),
            ("separators", SEPARATORS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; known: {', '.join(known)}")
        if not 0 <= self.min_resolved <= 1:
            raise ConfigError(f"min_resolved is {self.min_resolved}, but must be in [0, 1]")
        for name, minimum in (("max_sample_bytes", 1), ("max_sample_tokens", 0), ("min_files", 1)):
            if getattr(self, name) < minimum:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least {minimum}")
        if bool(self.max_sample_tokens) != bool(self.tokenizer):
            raise ConfigError("max_sample_tokens counts with tokenizer: set both of them, or none")

    def arrangement(self) -> Arrangement:
        """Return how files are placed."""
        return Arrangement(
            cycle_policy=self.cycle_policy,
            unit=self.unit,
            tests=self.tests,
            documentation=self.documentation,
            separators=self.separators,
            max_size=self.max_sample_tokens or self.max_sample_bytes,
            order=self.order,
            split=self.split,
        )
