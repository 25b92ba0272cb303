"""Where a benchmark's rows come from, a local folder or the Hub, and what is checked of them."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row, check_columns, content_hash, read_rows
from modeling_ling.hub_reading import hub_failure

DATA_VARIABLE = "LING_BENCHMARKS_DIR"


def data_folder(data_dir: Path | None) -> Path | None:
    """Return the folder with benchmark files: the one given, else what LING_BENCHMARKS_DIR names, else None."""
    return data_dir or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)


@dataclass(frozen=True)
class BenchmarkSource:
    """A benchmark's rows: names, schema and size, so that a renamed column or a short file is an error and not a score.

    Args:
        name (`str`): of the folder below the data folder.
        file_names: the first that exists is read: .jsonl, .jsonl.gz, .json, .json.gz or .parquet.
        hub_id, hub_config, split, revision (`str`): on the Hub; without a revision, main's commit, which is recorded.
        columns: that every row must have.
        num_rows (`int`): after `ids` is applied.
        license (`str`): of the rows.
        sha256 (`str`): of the columns' content (`content_hash`), whatever file they came from; empty where unknown.
        ids: the range of `task_id` that the benchmark is, where the file holds more.
    """

    name: str
    file_names: tuple[str, ...]
    hub_id: str
    columns: tuple[str, ...]
    num_rows: int
    license: str
    hub_config: str = "default"
    split: str = "test"
    revision: str = ""
    sha256: str = ""
    ids: range | None = None

    def load(self, data_dir: Path | None = None) -> tuple[list[Row], str]:
        """Load and check the rows.

        Args:
            data_dir (`Path`, *optional*): has a folder of this name with one of the files; default: what the
                environment variable LING_BENCHMARKS_DIR names.

        Returns:
            (rows, where they came from).

        Raises:
            BenchmarkDataError: no such file, the Hub cannot be reached, other columns, another number of rows, or
                (of a local file; from the Hub a warning) other content.

        Source: columns and splits as on the Hub.
        """
        folder = data_folder(data_dir)
        rows, where = self._from_folder(folder / self.name) if folder else self._from_hub()
        check_columns(rows, self.columns, where)
        if self.ids is not None:
            rows = [row for row in rows if row["task_id"] in self.ids]
        if len(rows) != self.num_rows:
            raise BenchmarkDataError(f"{where} has {len(rows)} rows, {self.name} has {self.num_rows}")
        found = content_hash(rows, self.columns)
        if self.sha256 and found != self.sha256:
            text = (
                f"{where}: the content is not that of {self.name} as it is known (sha256 {found}, expected "
                f"{self.sha256}): another version of a benchmark gives other scores."
            )
            if folder:
                raise BenchmarkDataError(f"{text} {self.how_to_get()}")
            warnings.warn(text, stacklevel=2)  # the known hash is of the published files; the Hub may have moved on
        return rows, where

    def how_to_get(self) -> str:
        """Return a sentence that says where the rows can be had."""
        return (
            f"let the Hub be reached ({self.hub_id}), or put {self.file_names[0]} into DIR/{self.name} and give "
            f"--data-dir DIR or {DATA_VARIABLE}=DIR"
        )

    def _from_folder(self, folder: Path) -> tuple[list[Row], str]:
        for name in self.file_names:
            if (folder / name).is_file():
                return read_rows(folder / name), str(folder / name)
        raise BenchmarkDataError(f"{folder} holds none of {', '.join(self.file_names)}; {self.how_to_get()}")

    def _from_hub(self) -> tuple[list[Row], str]:
        from datasets import load_dataset

        try:
            revision = self.revision or current_revision(self.hub_id)
            rows = load_dataset(self.hub_id, self.hub_config, split=self.split, revision=revision).to_list()
        except Exception as error:  # whatever the Hub's client raises: offline, a proxy, a renamed repository
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = hub_failure(error) or lines[0]
            raise BenchmarkDataError(f"{self.hub_id} cannot be loaded ({reason}); {self.how_to_get()}") from error
        return rows, f"hf://datasets/{self.hub_id}" + (f"@{revision}" if revision else "")


def current_revision(hub_id: str) -> str | None:
    """Return the commit that a dataset's main branch is at.

    None where the Hub cannot be reached: the cache is then read.
    """
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        return HfApi().dataset_info(hub_id).sha
    except (OfflineModeIsEnabled, httpx.TransportError):
        return None


__all__ = ["DATA_VARIABLE", "BenchmarkSource", "data_folder"]
