"""Section 2.2.1: what a user may set for source code, for its files one by one."""

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
from datasets_builders.languages.detection import type_of_language
from datasets_builders.sources.configured import SourcesFields

REPOSITORY_FILES = "repository_files"  # limited like a column; counted for that alone


@dataclass
class SourceCodeConfig(
    NearDedupFields,
    DecontaminationFields,
    QualityFields,
    ToxicityFields,
    RuleFields,
    LanguageFields,
    LicenseFields,
    SourcesFields,
):
    """Configuration of `source_code`."""

    language_limits: dict[str, float] = field(
        default_factory=dict,
        metadata={"help": "language to the bytes that are kept of it, drawn at random: {Java: 2e11, JavaScript: 2e11}"},
    )

    limited_columns: ClassVar[tuple[str, ...]] = (
        *("comment_fraction", "error_fraction", "effective_lines", "num_functions", "max_nesting"),
        *("num_bytes", "num_lines", "stars", "forks", REPOSITORY_FILES),
    )

    def validate(self) -> None:
        """Check the languages that are limited."""
        super().validate()
        for name, limit in self.language_limits.items():
            if type_of_language(name) is None:
                raise ConfigError(f"language_limits: Linguist knows no {name!r}; names are such as 'C++' and 'Shell'")
            if limit < 0:
                raise ConfigError(f"language_limits: {name} is {limit:g}, but bytes are at least 0")
