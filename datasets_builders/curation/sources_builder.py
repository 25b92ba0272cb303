"""Section 2.1: what the builders that curate the files of any sources share: the sources, not the steps."""

from typing import Any, ClassVar, Generic, TypeVar

from datasets_builders.building.builder import Builder
from datasets_builders.curation.pipeline import Curation
from datasets_builders.sources.configured import ConfiguredSources, SourcesFields

SourcesConfig = TypeVar("SourcesConfig", bound=SourcesFields)


class SourcesBuilder(Builder[SourcesConfig], Generic[SourcesConfig]):
    """Base of the builders that read files of the sources that their config names."""

    # Whether it matters which repository a file is of.
    needs_repositories: ClassVar[bool] = False

    def __init__(self, config: SourcesConfig) -> None:
        super().__init__(config)
        self.sources = ConfiguredSources(config, self.output_folder)
        self.curation = Curation(config, self.output_folder)

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        self.curation.inputs.check()
        self.sources.check(self.needs_repositories)

    def inputs(self) -> list[str]:
        """Return the sources, what is left out of them, and what is kept out."""
        return [*self.sources.describe(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return what identifies the sources, lists, models and benchmarks, as hashes."""
        return self.sources.fingerprint() | self.curation.inputs.fingerprint()
