"""Section 2.3.3: what the builders of text from files share: columns, and the step that measures."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Step

if TYPE_CHECKING:
    from datasets import Value

# Null where the source does not know them; `quality` is filled in later.
COLUMNS_OF_SOURCES = ("stars", "forks", "date", "commit", "repository_url", "is_fork", "quality")
FILE_COLUMNS = {
    "id": "first 32 hex digits of the SHA-256 of the text",
    "text": "the text; e-mail addresses, public IP addresses and secrets are placeholders",
    "path": "path in the repository; of equal texts that of the best copy",
    "repository": "name of the code base",
    "license": "licence of the file, else of its repository (SPDX name)",
    "license_type": "permissive, non_permissive or no_license",
    "stars": "of the repository; null, as the next five, where the source does not know",
    "forks": "of the repository",
    "date": "of the last change",
    "commit": "revision of the repository that the file was read at",
    "repository_url": "where the repository was cloned from",
    "is_fork": "whether the repository is a fork",
    "num_bytes": "size in UTF-8",
    "num_lines": "lines",
    "quality": "probability of high quality by the quality model; null without one",
    "num_placeholders": "different values that were replaced",
    "cluster_size": "near-duplicates that this text stands for, itself included",
}
_NUMBERS = frozenset({"stars", "forks", "num_bytes", "num_lines", "num_placeholders", "cluster_size"})


def file_features() -> dict[str, "Value"]:
    """Return the types of `FILE_COLUMNS`."""
    from datasets import Value

    types = dict.fromkeys(_NUMBERS, "int64") | {"quality": "float64", "is_fork": "bool"}
    return {name: Value(types.get(name, "string")) for name in FILE_COLUMNS}


class MeasureText(Step):
    """Fill in a text's size."""

    name = "measure_text"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Count bytes and lines."""
        doc.metadata["num_bytes"] = len(doc.text.encode("utf-8", "replace"))
        doc.metadata["num_lines"] = len(doc.text.splitlines())
        yield doc
