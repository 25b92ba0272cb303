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
from datasets_builders.repositories.concatenation import DOCUMENTATION, TESTS, UNITS, Arrangement
from datasets_builders.repositories.ordering import CYCLE_POLICIES
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
            ("separators", SEPARATORS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; known: {', '.join(known)}")
        if not 0 <= self.min_resolved <= 1:
            raise ConfigError(f"min_resolved is {self.min_resolved}, but must be in [0, 1]")
        for name in ("max_sample_bytes", "min_files"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")

    def arrangement(self) -> Arrangement:
        """Return how files are placed."""
        return Arrangement(
            cycle_policy=self.cycle_policy,
            unit=self.unit,
            tests=self.tests,
            documentation=self.documentation,
            separators=self.separators,
            max_bytes=self.max_sample_bytes,
        )
