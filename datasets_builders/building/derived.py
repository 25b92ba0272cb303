"""Section 1: builders whose input is a dataset that another builder made."""

from typing import Any, ClassVar

from datasets_builders.building.builder import Builder
from datasets_builders.building.config import ConfigType
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError


class DerivedBuilder(Builder[ConfigType]):
    """Base of the builders that read built datasets: define `input_paths`."""

    # Whose output is the input, for the message when there is none.
    input_builder: ClassVar[str] = ""

    @property
    def input_paths(self) -> list[str]:
        """Folders of the datasets that are read, in order."""
        raise TypeError(f"builder {self.name} must define input_paths")

    @property
    def input_datasets(self) -> list[DatasetFolder]:
        """The datasets that are read, in order."""
        return [DatasetFolder(path) for path in self.input_paths]

    @property
    def license(self) -> str:
        """The licence that the config states, else the licences of all inputs together, as an SPDX expression."""
        return self.config.license or " AND ".join(sorted({dataset.license for dataset in self.input_datasets}))

    def check(self) -> None:
        """Raise `ConfigError` when an input is not named, or holds no shards."""
        if not self.input_paths or not all(self.input_paths):
            raise ConfigError(f"input is not set; give the output folder of the {self.input_builder} builder")
        for dataset in self.input_datasets:
            dataset.check()

    def inputs(self) -> list[str]:
        """Return a line per dataset."""
        return [f"dataset {path}" for path in self.input_paths]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs' shards."""
        return {"shards": [dataset.fingerprint() for dataset in self.input_datasets]}
