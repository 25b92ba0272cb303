"""Section 2.1, data collection: the sources that a config names."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.tagging import TaggingFields
from datasets_builders.sources.entry import Source
from datasets_builders.sources.folder_config import (
    FolderConfig,
    always_excluded,
    check_folder,
    exclusions,
    folder_source,
    repository_name,
)
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.opening import FORMS, open_sources
from datasets_builders.sources.opt_out import OptOuts, read_opt_outs
from datasets_builders.sources.tables import TableSource


@dataclass
class SourcesFields(TaggingFields, FolderConfig):
    """Fields of the builders that read any sources."""

    sources: list[str] = field(
        default_factory=list, metadata={"help": f"what is read instead of input_dir, each one of: {FORMS}"}
    )
    columns: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "names of columns in tables that differ from ours, such as {content: body}"},
    )
    opt_out_file: str = field(
        default="", metadata={"help": "text file of repositories (owner/name) and owners whose files are removed"}
    )

    def validate(self) -> None:
        """Check that the fields fit together."""
        super().validate()
        if self.sources and (self.input_dir or self.repository):
            raise ConfigError("sources and input_dir (or repository) are both set; put the folder among the sources")
        if self.columns and not self.sources:
            raise ConfigError("columns are those of tables among the sources, of which there are none")


class ConfiguredSources:
    """What a builder reads: the config's sources, or its folder.

    Args:
        config (`SourcesFields`): of the builder.
        output_folder (`Path`): of its dataset, which is never read back.
    """

    def __init__(self, config: SourcesFields, output_folder: Path) -> None:
        self.config, self.output_folder = config, output_folder
        self.max_bytes = config.max_bytes

    @cached_property
    def opened(self) -> list[Source]:
        """The sources.

        Raises:
            ConfigError: one is missing, of no known kind, or named twice.
        """
        config = self.config
        if config.tagged:  # its rows are what is read
            return []
        if not config.sources:
            return [folder_source(config, self.output_folder)]
        return open_sources(config.sources, self.left_out, config.max_bytes, config.columns, config.license)

    @property
    def opt_outs(self) -> OptOuts | None:
        """Repositories and owners that asked to be left out."""
        return read_opt_outs(self._opt_out_path) if self.config.opt_out_file else None

    @property
    def _opt_out_path(self) -> Path:
        return Path(self.config.opt_out_file).expanduser()

    @property
    def left_out(self) -> list[str]:
        """Patterns of what is not read."""
        if self.config.sources:
            return [*always_excluded(self.config), *self.config.exclude]
        return exclusions(self.config, self.output_folder)

    @property
    def title(self) -> str:
        """What the data are called on the card."""
        if self.config.tagged:
            return Path(self.config.tagged).name
        if not self.config.sources:
            return repository_name(self.config)
        return self.opened[0].repository if len(self.opened) == 1 else f"{len(self.opened)} sources"

    def check(self, needs_repositories: bool = False) -> None:
        """Raise `ConfigError` when there is nothing to read, or the dataset would lie inside a source.

        Args:
            needs_repositories (`bool`): whether it matters which repository a file is of.
        """
        if self.config.tagged:
            return
        if not self.config.sources:
            check_folder(self.config, self.output_folder)
        for source in self.opened:
            if needs_repositories and isinstance(source, TableSource):
                source.check_repositories()
            if self.config.sources and isinstance(source, FolderSource):
                root = Path(source.root).resolve()
                if self.output_folder.resolve().is_relative_to(root):
                    raise ConfigError(f"output_dir {self.output_folder} lies inside the source {root}; name another")

    def describe(self) -> list[str]:
        """Return a line per source, and one on what is left out of them."""
        if self.config.tagged:
            return [f"tagged dataset {self.config.tagged}"]
        return [*(source.describe() for source in self.opened), f"left out: {', '.join(self.left_out)}"]

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the sources and the list of those that are left out, as JSON."""
        found: dict[str, Any] = {"sources": [source.fingerprint() for source in self.opened]}
        if self.config.opt_out_file and not self.config.tagged:
            found["opt_out_sha256"] = file_sha256(self._opt_out_path)
        return found
