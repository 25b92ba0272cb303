"""Section 2.1: which benchmarks a builder keeps its data clear of, and that none of them is left out unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex
from evals.benchmarks.protected import PROTECTED, ProtectedText, protected_texts
from evals.benchmarks.rows import BenchmarkDataError, read_rows

ALL = "all"


@dataclass(frozen=True)
class ProtectedData:
    """What a builder's config says about decontamination.

    Args:
        benchmarks: names in `PROTECTED`, or "all"; none means that nothing is decontaminated, which the card then says.
        files: "PATH:COLUMN" of further texts; .jsonl, .json or .parquet.
        data_dir (`str`): folder with the benchmarks' files; empty: LING_BENCHMARKS_DIR, else the Hub.
    """

    benchmarks: Sequence[str]
    files: Sequence[str]
    data_dir: str

    def check(self) -> None:
        """Raise `ConfigError` for a name that is unknown, or a file that is not of the form PATH:COLUMN."""
        for name in self.benchmarks:
            if name != ALL and name not in PROTECTED:
                raise ConfigError(f"decontaminate: unknown benchmark {name!r}; known: {ALL}, {', '.join(PROTECTED)}")
        for file in self.files:
            if not all(file.rpartition(":")[::2]):
                raise ConfigError(f"decontaminate_with: {file!r} is not of the form PATH:COLUMN")

    @property
    def names(self) -> list[str]:
        """The benchmarks, "all" written out, and the files."""
        chosen = list(PROTECTED) if ALL in self.benchmarks else list(dict.fromkeys(self.benchmarks))
        return [*chosen, *self.files]

    def index(self) -> BenchmarkIndex:
        """Read all texts and index them.

        Raises:
            ConfigError: one cannot be read: data that were not compared must not pass for clean.
        """
        texts, missing = {}, {}
        for name in self.names:
            try:
                texts[name] = list(self._texts(name))
            except BenchmarkDataError as error:
                missing[name] = str(error)
                if isinstance(error.__cause__, ConnectionError):  # its client has tried for half a minute
                    missing |= dict.fromkeys(
                        self.names[self.names.index(name) + 1 :], "not tried: the Hub is not there"
                    )
                    break
        if missing:
            have = ", ".join(texts) or "none of them"
            lines = "\n".join(f"  {name}: {reason}" for name, reason in missing.items())
            raise ConfigError(
                f"decontaminate names {len(missing)} benchmarks whose texts cannot be read:\n{lines}\n"
                "Give benchmarks_dir=DIR with their files, or name those that can be read "
                f"(decontaminate=[...]; here: {have}), or decontaminate=[] for none; the dataset card says which."
            )
        index = BenchmarkIndex.build(texts)
        if self.names and not len(index):
            raise ConfigError("decontaminate: the benchmarks named have no text of three words or more")
        return index

    def _texts(self, name: str) -> Iterator[ProtectedText]:
        if name in PROTECTED:
            yield from protected_texts(name, Path(self.data_dir).expanduser() if self.data_dir else None)
            return
        path, _, column = name.rpartition(":")
        for number, row in enumerate(read_rows(Path(path).expanduser())):
            if column not in row:
                raise BenchmarkDataError(f"row {number} has no column {column!r}, but {', '.join(row)}")
            yield ProtectedText(str(number), str(row[column]), is_question=True)
