r"""C and C++; a backslash in an include is a slash, as on Windows.

| rule | means |
| --- | --- |
| c_folder | the including file's folder |
| c_include_root | below the root and folders called include, inc or src |
| c_suffix | the one file whose path ends so |
| c_case | in quotes: but for capital letters, the file in the including file's folder, else the one that ends so |
"""

import posixpath
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    ancestors,
    with_slashes,
)
from datasets_builders.repositories.statements import Import

INCLUDE_FOLDERS = ("include", "inc", "src")


class CRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _include_roots(self) -> list[str]:
        folders = {ancestor for folder in self.files.folders for ancestor in ancestors(folder)}
        roots = [folder for folder in folders if posixpath.basename(folder) in INCLUDE_FOLDERS]
        return ["", *sorted(roots, key=lambda root: (root.count("/"), root))]

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an include of a file means."""
        target = with_slashes(found.target)
        nearby = within(posixpath.dirname(path), target) if found.form != "angled" else None
        if resolved := self.first([nearby], "c_folder"):
            return resolved
        if resolved := self.first((within(root, target) for root in self._include_roots), "c_include_root"):
            return resolved
        tail = posixpath.normpath(target).lstrip("./")
        if resolved := self.unique([tail], "c_suffix"):
            return resolved
        if found.form == "angled":
            return EXTERNAL
        return self.in_any_case(nearby, tail, "c_case") or MISSING
