"""Section 2.3.3: what the builders of text from files share: their sources, and the columns that a source fills."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from datatrove.data import Document

from datasets_builders.building.builder import Builder
from datasets_builders.building.steps import Outcome, Step
from datasets_builders.code_related.config import TextFilesConfig
from datasets_builders.curation.pipeline import Curation
from datasets_builders.sources.configured import ConfiguredSources

if TYPE_CHECKING:
    from datasets import Value

TextConfig = TypeVar("TextConfig", bound=TextFilesConfig)

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


class TextFilesBuilder(Builder[TextConfig], Generic[TextConfig]):
    """Base of the builders that read text from files: what their sources need, not their steps."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.sources = ConfiguredSources(config, self.output_folder)
        self.curation = Curation(config, self.output_folder)

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        self.curation.inputs.check()
        self.sources.check()

    def inputs(self) -> list[str]:
        """Return the sources, what is left out of them, and what is kept out."""
        return [*self.sources.describe(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return what identifies the sources, lists, models and benchmarks, as hashes."""
        return self.sources.fingerprint() | self.curation.inputs.fingerprint()


class MeasureText(Step):
    """Fill in a text's size."""

    name = "measure_text"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Count bytes and lines."""
        doc.metadata["num_bytes"] = len(doc.text.encode("utf-8", "replace"))
        doc.metadata["num_lines"] = len(doc.text.splitlines())
        yield doc
