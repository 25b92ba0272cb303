"""Section 2.1: from the words of a config to sources."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.archives import ArchiveSource, is_archive
from datasets_builders.sources.entry import Source
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.git_trees import GitSource
from datasets_builders.sources.hub import SCHEME, hub_tables
from datasets_builders.sources.table_rows import TableFile, is_table, local_table
from datasets_builders.sources.tables import TableSource

GIT = "git:"
FORMS = (
    "a folder, an archive (.tar.*, .zip, .whl, .deb, ...), a table (.parquet, .jsonl), a pattern of those with *, "
    "git:PATH[@REVISION], hf://datasets/ORG/NAME[@REVISION][/PATTERN]"
)


def open_sources(
    words: Sequence[str],
    exclude: Sequence[str],
    max_bytes: int,
    columns: Mapping[str, str] | None = None,
    license: str = "",
) -> list[Source]:
    """Return the sources that a config names, in its order; tables of one word are one source.

    Args:
        words: each one of `FORMS`.
        exclude: patterns of what is left out.
        max_bytes: larger files are not read.
        columns: of tables, our names to theirs.
        license: of all that states none itself.

    Raises:
        ConfigError: a source is missing, of no known kind, or named twice.

    Source: ours.
    """
    sources: list[Source] = []
    for word in words:
        if word.startswith(SCHEME):
            sources.append(_tables(*hub_tables(word), columns, exclude, license))
        elif word.startswith(GIT):
            path, _, revision = word.removeprefix(GIT).partition("@")
            sources.append(GitSource(Path(path).expanduser(), revision or "HEAD", exclude, license))
        else:
            sources += _local(word, exclude, max_bytes, columns, license)
    _check_names(sources)
    return sources


def _local(
    word: str, exclude: Sequence[str], max_bytes: int, columns: Mapping[str, str] | None, license: str
) -> list[Source]:
    pattern = str(Path(word).expanduser())
    paths = [Path(pattern)] if Path(pattern).exists() else [Path(one) for one in sorted(glob.glob(pattern))]  # noqa: PTH207 (of absolute patterns)
    if not paths:
        raise ConfigError(f"sources: nothing lies at {word}")
    tables = [path for path in paths if path.is_file() and is_table(path.name)]
    found: list[Source] = []
    for path in paths:
        if path.is_dir():
            found.append(FolderSource(path.absolute(), exclude, license=license))
        elif is_archive(path):
            found.append(ArchiveSource(path.absolute(), exclude, max_bytes, license=license))
        elif path not in tables:
            raise ConfigError(f"sources: {path} is none of these: {FORMS}")
    if tables:
        name = tables[0].name.partition(".")[0] if len(tables) == 1 else tables[0].absolute().parent.name
        found.append(_tables(name, [local_table(path.absolute()) for path in tables], columns, exclude, license))
    return found


def _tables(
    name: str, files: list[TableFile], columns: Mapping[str, str] | None, exclude: Sequence[str], license: str
) -> TableSource:
    source = TableSource(name, files, columns, exclude, license)
    source.check()
    return source


def _check_names(sources: Sequence[Source]) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        line = source.describe()
        if line in seen:
            raise ConfigError(f"sources: {line} is named twice")
        seen[line] = line
