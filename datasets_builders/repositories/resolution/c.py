"""C and C++.

| rule | means |
| --- | --- |
| c_folder | the including file's folder |
| c_include_root | below the root and folders called include, inc or src |
| c_suffix | the one file whose path ends so |
"""

import posixpath
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import EXTERNAL, MISSING, Resolution, Rules, ancestors
from datasets_builders.repositories.statements import Import

INCLUDE_FOLDERS = ("include", "inc", "src")


class CRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _include_roots(self) -> list[str]:
        folders = {ancestor for folder in self.files.folders for ancestor in ancestors(folder)}
        roots = [folder for folder in folders if posixpath.basename(folder) in INCLUDE_FOLDERS]
        return ["", *sorted(roots, key=lambda one: (one.count("/"), one))]

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an include of a file means."""
        nearby = [within(posixpath.dirname(path), found.target)] if found.form != "angled" else []
        if resolved := self.first(nearby, "c_folder"):
            return resolved
        if resolved := self.first((within(root, found.target) for root in self._include_roots), "c_include_root"):
            return resolved
        if resolved := self.unique([posixpath.normpath(found.target).lstrip("./")], "c_suffix"):
            return resolved
        return EXTERNAL if found.form == "angled" else MISSING
