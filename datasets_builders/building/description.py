"""Section 2: a finished dataset in its builder's words and by its parts, for the card and the report."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builders.building.columns import largest_clusters, numeric_values
from datasets_builders.building.dataset_folder import DatasetFolder

if TYPE_CHECKING:
    import numpy as np
    from datasets import Features
    from numpy.typing import NDArray

SEVERAL_LICENSES = "other"
MAX_COUNTED_VALUES = 40
# What the card calls a dataset that has no name on the Hub yet; publishing puts the name there.
UNPUBLISHED = "path/or/org/name"


@dataclass
class CardParts:
    """What a builder says about its dataset.

    Args:
        title (`str`): first heading.
        description (`str`): Markdown under it: what a row is, where it comes from.
        license (`str`): of the rows, which is the input's; `SEVERAL_LICENSES` where they have not one alone.
        columns (dict): a line on each column.
        tags (`list[str]`): for the Hub's search.
        task_categories (`list[str]`): Hub task categories.
        sections (dict): heading to Markdown, put before the ledger.
        usage (`str`): lines of Python behind the one that loads `dataset`; they run as they stand.
    """

    title: str
    description: str
    license: str
    columns: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    task_categories: list[str] = field(default_factory=lambda: ["text-generation"])
    sections: dict[str, str] = field(default_factory=dict)
    usage: str = ""


@dataclass(frozen=True)
class DatasetDescription:
    """A finished dataset, for its card and its report.

    Args:
        builder (`str`): name of the builder that made it.
        folder (`Path`): its folder, the shards complete.
        features (`Features`): its columns.
        text_column (`str`, *optional*): whose bytes are counted.
        counted_column (`str`, *optional*): by which rows are counted.
        language (`str`): natural language, or several with commas between.
        inputs (list of `str`): a line per input.
        parts (`CardParts`): the builder's own words.
        configs (dict): name of a config of some of the rows to the label of their files.
    """

    builder: str
    folder: Path
    features: "Features"
    text_column: str | None
    counted_column: str | None
    language: str
    inputs: list[str]
    parts: CardParts
    configs: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> DatasetFolder:
        """The rows of the dataset."""
        return DatasetFolder(self.folder)

    @cached_property
    def numeric_values(self) -> "dict[str, NDArray[np.float64]]":
        """The values of each numeric column, read once for the card and the report."""
        return numeric_values(self.rows, self.features)

    @cached_property
    def largest_clusters(self) -> list[tuple[int, str, str]]:
        """The rows that stand for most near-duplicates, read once for the card and the report."""
        return largest_clusters(self.rows) if "cluster_size" in self.features else []
