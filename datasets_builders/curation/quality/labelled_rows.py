"""Section 2.2.1: rows of code from wherever a user has them, to grade or to learn from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.intermediate import DEFAULT_SPLIT
from modeling_ling.hub_reading import read_failure


def rows_of(source: str) -> Iterator[dict[str, Any]]:
    """Give the rows of a Parquet or JSON Lines file, of a dataset folder's train split, or of a dataset on the Hub.

    Raises:
        ConfigError: it cannot be read.
    """
    from datasets import load_dataset

    path = Path(source).expanduser()
    if (path / "data").is_dir():
        yield from DatasetFolder(path).rows(split=DEFAULT_SPLIT)
        return
    try:
        if path.is_file():
            kind = "parquet" if path.suffix == ".parquet" else "json"
            rows = load_dataset(kind, data_files=str(path), split=DEFAULT_SPLIT)
        else:
            rows = load_dataset(str(path) if path.is_dir() else source, split=DEFAULT_SPLIT)
    except Exception as error:  # datasets, pyarrow and the Hub's client: each has errors of its own
        raise ConfigError(f"--input {source} cannot be read: {read_failure(error)}") from None
    yield from rows
