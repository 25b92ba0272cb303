"""What the rules of all languages share."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.statements import Import

MAX_PACKAGE_FILES = 50


class Resolution(NamedTuple):
    """What an import means.

    Args:
        paths (tuple of `str`): files of the repository; empty when there are none.
        rule (`str`): by which rule they were found, or why not: `external` (another package's), `missing` (should be
            here), `ambiguous` (several fit), `dynamic` (computed at run time), `unused` (a package that is here, of
            which nothing is used).
    """

    paths: tuple[str, ...]
    rule: str


EXTERNAL, MISSING, DYNAMIC, AMBIGUOUS, UNUSED = (
    Resolution((), rule) for rule in ("external", "missing", "dynamic", "ambiguous", "unused")
)


class Rules:
    """Resolves the imports of one family of languages in one repository.

    Args:
        files (`RepositoryFiles`): the repository.
        imports (dict): of each file of these languages.
    """

    def __init__(self, files: RepositoryFiles, imports: Mapping[str, FileImports]) -> None:
        self.files, self.imports = files, imports

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        raise TypeError(f"{type(self).__name__} must define resolve()")

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give what a file uses without importing it: names of its own package or namespace."""
        return iter(())

    def first(self, candidates: Iterable[str | None], rule: str) -> Resolution | None:
        """Return the first candidate that is a file."""
        path = next((candidate for candidate in candidates if candidate in self.files.contents), None)
        return Resolution((path,), rule) if path is not None else None

    def unique(self, tails: Iterable[str], rule: str) -> Resolution | None:
        """Return the one file whose path ends so; `AMBIGUOUS` for several."""
        found = sorted({path for tail in tails for path in self.files.ending_in(tail)})
        if len(found) > 1:
            return AMBIGUOUS
        return Resolution((found[0],), rule) if found else None

    def in_any_case(self, path: str | None, tail: str | None, rule: str) -> Resolution | None:
        """Return the one file at `path` but for capital letters, else the one that ends in `tail`, or `AMBIGUOUS`."""
        exact = [file for file in self.files.ending_in_any_case(path) if len(file) == len(path)] if path else []
        found = exact or (self.files.ending_in_any_case(tail) if tail else [])
        if len(found) > 1:
            return AMBIGUOUS
        return Resolution((found[0],), rule) if found else None


def with_slashes(target: str) -> str:
    r"""Return a path as it is written, with forward slashes; in a string `\\` may be one backslash."""
    return re.sub(r"\\+", "/", target)


def files_by_name(
    imports: Mapping[str, FileImports], names_of: Callable[[str, FileImports], Iterable[str]]
) -> dict[str, list[str]]:
    """Return the files, sorted, that declare each full name.

    Args:
        imports (dict): of each file.
        names_of (function): a file's path and imports to the full names that it declares.
    """
    found: dict[str, list[str]] = {}
    for path, file in sorted(imports.items()):
        for name in set(names_of(path, file)):
            found.setdefault(name, []).append(path)
    return found


def in_package(package: str, name: str, dot: str = ".") -> str:
    """Return the full name of something in a package, which may have no name."""
    return f"{package}{dot}{name}" if package else name


def ancestors(folder: str) -> Iterable[str]:
    """Give a folder and those around it, without the repository's own."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def nearest(path: str, candidates: Iterable[str]) -> str | None:
    """Return the one candidate that shares most leading folders with a path, or None when several do.

    A repository may hold the same thing twice: two modules of a build, a copy beside it.
    """
    parts = path.split("/")

    def shared(other: str) -> int:
        others = other.split("/")
        pairs = zip(parts, others, strict=False)
        return next((at for at, (here, there) in enumerate(pairs) if here != there), min(len(parts), len(others)))

    ranked = sorted(candidates, key=lambda candidate: (-shared(candidate), candidate))
    if len(ranked) > 1 and shared(ranked[0]) == shared(ranked[1]):
        return None
    return ranked[0] if ranked else None
