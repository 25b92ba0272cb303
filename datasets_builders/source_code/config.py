"""Section 2.2.1: what a user may set for source code, for its files one by one."""

from dataclasses import dataclass
from typing import ClassVar

from datasets_builders.curation.config import (
    DecontaminationFields,
    LanguageFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    RuleFields,
    ToxicityFields,
)
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

    limited_columns: ClassVar[tuple[str, ...]] = (
        *("comment_fraction", "error_fraction", "effective_lines", "num_functions", "max_nesting"),
        *("num_bytes", "num_lines", "stars", "forks", REPOSITORY_FILES),
    )
