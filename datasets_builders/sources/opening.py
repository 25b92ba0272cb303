"""Section 2.1: from the words of a config to sources."""

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.archives import ArchiveSource, is_archive
from datasets_builders.sources.entry import Source
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.git_trees import GitSource
from datasets_builders.sources.hub import SCHEME, hub_tables
from datasets_builders.sources.listed import LIST, ListSource
from datasets_builders.sources.stores import is_in_store, store_tables
from datasets_builders.sources.table_rows import TableFile, is_table, local_table
from datasets_builders.sources.tables import TableSource

GIT = "git:"
FORMS = (
    "a folder, an archive (.tar.*, .zip, .whl, .deb, ...), a table (.parquet, .jsonl, .csv), a pattern "
    "of those with *, git:PATH[@REVISION], list:FILE, hf://datasets/ORG/NAME[@REVISION][/PATTERN], "
    "a table at s3://, gs://, az:// or https://"
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
    """
    sources: list[Source] = []
    for word in words:
        if word.startswith(SCHEME):
            sources.append(_tables(*hub_tables(word), columns, exclude, license))
        elif word.startswith(GIT):
            path, _, revision = word.removeprefix(GIT).partition("@")
            sources.append(GitSource(Path(path).expanduser(), revision or "HEAD", exclude, license))
        elif word.startswith(LIST):
            sources.append(
                ListSource(Path(word.removeprefix(LIST)).expanduser().absolute(), exclude, max_bytes, license)
            )
        elif is_in_store(word):
            name, files = store_tables(word)
            sources.append(_tables(name, files, columns, exclude, license))
        elif "://" in word:
            raise ConfigError(f"sources: {word} is not read from there; fetch it first, then name one of: {FORMS}")
        else:
            sources += _local(word, exclude, max_bytes, columns, license)
    _check_twice(sources)
    tell_apart(sources)
    return sources


def _local(
    word: str, exclude: Sequence[str], max_bytes: int, columns: Mapping[str, str] | None, license: str
) -> list[Source]:
    pattern = str(Path(word).expanduser())
    dataset = Path(pattern)
    if (dataset / "ledger.json").is_file() and (shards := sorted((dataset / "data").glob("*.parquet"))):
        built = _tables(dataset.name, [local_table(path.absolute()) for path in shards], columns, exclude, license)
        built.place = str(dataset.absolute())
        return [built]
    found_by = glob.glob(pattern, recursive=True)  # noqa: PTH207 (of absolute patterns)
    paths = [Path(pattern)] if Path(pattern).exists() else [Path(path) for path in sorted(found_by)]
    if not paths:
        deeper = str(Path(pattern).parent / "**" / Path(pattern).name)
        hint = f"; folders there hold such files, give {deeper}" if glob.glob(deeper, recursive=True) else ""  # noqa: PTH207
        raise ConfigError(f"sources: nothing lies at {word}{hint}")
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
        folder = os.path.commonpath([path.absolute().parent for path in tables])
        name = tables[0].name.partition(".")[0] if len(tables) == 1 else Path(folder).name
        source = _tables(name, [local_table(path.absolute()) for path in tables], columns, exclude, license)
        source.place = str(tables[0].absolute()) if len(tables) == 1 else folder
        found.append(source)
    return found


def _tables(
    name: str, files: list[TableFile], columns: Mapping[str, str] | None, exclude: Sequence[str], license: str
) -> TableSource:
    source = TableSource(name, files, columns, exclude, license)
    source.check()
    return source


def _check_twice(sources: Sequence[Source]) -> None:
    seen = set()
    for source in sources:
        line = source.describe()
        place = Path(source.place).resolve() if isinstance(source, FolderSource) else line
        if place in seen:
            raise ConfigError(f"sources: {line} is named twice")
        seen.add(place)


def tell_apart(sources: Sequence[Source]) -> None:
    """Give sources of one name, such as two clones called `app`, the names of the folders around them too.

    Two sources with one name would become one repository, which keeps one of two files with the same path.

    Raises:
        ConfigError: two sources lie in one place, such as two revisions of one repository.
    """
    by_name: dict[str, list[Source]] = {}
    for source in sources:
        by_name.setdefault(source.repository, []).append(source)
    for name, group in by_name.items():
        if len(group) == 1:
            continue
        folders = [Path(source.place).parent.parts[1:] for source in group]
        depths = range(1, max(map(len, folders)) + 1)
        choices = [["/".join([*folder[-depth:], name]) for folder in folders] for depth in depths]
        choices.append([Path(source.place).name for source in group])  # app-1.0.tar.gz beside app-1.0.zip
        told = next((names for names in choices if len(set(names)) == len(names)), None)
        for source, longer in zip(group, told or [name] * len(group), strict=True):
            source.repository = longer
    first_by_name: dict[str, Source] = {}
    for source in sources:
        first = first_by_name.setdefault(source.repository, source)
        if first is not source:
            raise ConfigError(
                f"sources: these would be one repository, {source.repository!r}, and lose files of the same path; "
                f"name one of them: {first.describe()}; {source.describe()}"
            )
