"""Do something behind the import of a module that most commands do without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType


class _Finder(MetaPathFinder):
    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self.name, self.action = name, action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == self.name else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            sys.meta_path.remove(self)
            spec.loader = _Loader(fullname, spec.loader.path, self.action)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, action: Callable[[], None]) -> None:
        super().__init__(name, path)
        self.action = action

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self.action()


def after_import(name: str, action: Callable[[], None]) -> None:
    """Run `action` as soon as a module is imported, now where it is; of one module, one action."""
    if name in sys.modules:
        action()
    elif not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, action))
