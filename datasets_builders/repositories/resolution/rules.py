"""What the rules of all languages share."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.statements import Import

MAX_PACKAGE_FILES = 50
# What lies in these is there for tests or as an example: its packages are not meant elsewhere, whatever their names.
SIDE_FOLDERS = frozenset(
    (
        *("test", "tests", "__tests__", "testing", "testdata", "test-data", "spec", "specs", "e2e", "fixtures"),
        *("__fixtures__", "example", "examples", "sample", "samples", "demo", "demos", "benchmark", "benchmarks"),
        *("playground", "templates", "template"),
    )
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


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

    def nearest(self, path: str, tails: Iterable[str], rule: str) -> Resolution | None:
        """Return the file nearest to `path` of those whose path ends so; `AMBIGUOUS` where several are as near."""
        return chosen(path, {file for tail in tails for file in self.files.ending_in(tail)}, rule)

    def in_any_case(self, path: str, exact: str | None, tail: str | None, rule: str) -> Resolution | None:
        """Return the one file at `exact` but for capital letters, else the nearest that ends in `tail`."""
        found = [file for file in self.files.ending_in_any_case(exact) if len(file) == len(exact)] if exact else []
        if len(found) > 1:
            return AMBIGUOUS
        return chosen(path, found or (self.files.ending_in_any_case(tail) if tail else []), rule)


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


def is_visible(path: str, folder: str) -> bool:
    """Return whether code at a path may know the packages below a folder: fixtures are known among themselves alone."""
    around = ""
    for name in folder.split("/"):
        around = f"{around}{name}/"
        if name.lower() in SIDE_FOLDERS and not path.startswith(around):
            return False
    return True


def chosen(path: str, candidates: Iterable[str], rule: str) -> Resolution | None:
    """Return the candidate nearest to `path`, `AMBIGUOUS` where several are as near, None where there is none."""
    found = nearest(path, candidates)
    if len(found) > 1:
        return AMBIGUOUS
    return Resolution((found[0],), rule) if found else None


def nearest(path: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates nearest to a path, sorted; several where they are as near.

    A repository may hold the same thing twice: two modules of a build, a copy beside it. Near is what shares most
    leading folders, then what goes on in a folder called alike (`jvmTest` and `jvmMain`, `lib-tests` and `lib`), then
    what lies less deep.
    """
    found = list(candidates)
    if len(found) < 2:
        return found
    folders = path.split("/")[:-1]
    keys = {candidate: _nearness(folders, candidate) for candidate in found}
    best = max(keys.values())
    return sorted(candidate for candidate, key in keys.items() if key == best)


def _nearness(folders: list[str], candidate: str) -> tuple[int, int, int]:
    others = candidate.split("/")[:-1]
    shared = 0
    for here, there in zip(folders, others, strict=False):
        if here != there:
            break
        shared += 1
    alike = 0
    if shared < min(len(folders), len(others)):
        for here, there in zip(_words(folders[shared]), _words(others[shared]), strict=False):
            if here != there:
                break
            alike += 1
    return shared, alike, -len(others)


@cache
def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
