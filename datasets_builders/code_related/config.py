"""Section 2.3: what a user may set for code-related text that is read from files."""

from dataclasses import dataclass
from typing import ClassVar

from datasets_builders.curation.config import (
    DecontaminationFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.sources.configured import SourcesFields


@dataclass
class TextFilesConfig(
    NearDedupFields,
    DecontaminationFields,
    QualityFields,
    ToxicityFields,
    TextRuleFields,
    LicenseFields,
    SourcesFields,
):
    """Fields of the builders that read text from files."""

    limited_columns: ClassVar[tuple[str, ...]] = ("num_bytes", "num_lines", "stars", "forks")
