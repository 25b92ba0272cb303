"""Section 2.4: a function of a repository with what it needs of several files, each of which stays a file.

As for questions about one function, statements are taken that it reaches, and nothing else; here they are followed
through the imports of the repository, and stand in files of the names that theirs have.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from datasets_builders.synthesis.program_analysis.extraction import (
    PythonModule,
    Unusable,
    bound_names,
    check_imports,
    check_purity,
    import_line,
    module_name,
)

# Folders that projects keep their packages in, and that are no packages.
ROOTS = ("src", "lib")
_BUILTINS = frozenset(dir(builtins)) | {"__name__"}
MAX_AGAIN = 8  # imports of imports that are followed


@dataclass(frozen=True)
class CutFile:
    """A part of a file: the module's name, and what is left of its text."""

    name: str
    text: str

    @property
    def path(self) -> str:
        """Where it stands."""
        return f"{self.name.replace('.', '/')}.py"

    @property
    def is_test(self) -> bool:
        """Whether it holds tests."""
        *folders, stem = self.name.split(".")
        return stem.startswith("test_") or stem.endswith("_test") or "tests" in folders


@dataclass(frozen=True)
class CutFunction:
    """A function with the files that it needs.

    Args:
        name, module (`str`): of the function.
        text (`str`): of the function.
        files: those that others import first; the function's own is the last.
    """

    name: str
    module: str
    text: str
    files: tuple[CutFile, ...]

    @property
    def is_test(self) -> bool:
        """Whether it is a test of the project, which needs no arguments."""
        return self.name.startswith("test") and self.files[-1].is_test


@dataclass
class _Wanted:
    """What is needed of a module: its statements, names of its pure imports, and lines that import from others."""

    statements: set[int] = field(default_factory=set)
    pure: dict[int, set[str]] = field(default_factory=dict)
    lines: dict[str, None] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)


class RepositoryModules:
    """The Python files of one repository.

    Args:
        texts: of its files, by path.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts, self._packages = dict[str, str](), set[str]()
        for path, text in sorted(texts.items()):
            for name in self.names_of(path):
                self._texts.setdefault(name, text)
                if PurePosixPath(path).name == "__init__.py":
                    self._packages.add(name)
        self._modules: dict[str, PythonModule] = {}

    @staticmethod
    def names_of(path: str) -> list[str]:
        """Return the name by which a file is imported; none where it is not, or where another would be."""
        pure = PurePosixPath(path)
        if pure.suffix != ".py" or not all(part.isidentifier() for part in (*pure.parts[:-1], pure.stem)):
            return []
        parts = module_name(path).split(".")
        parts = parts[1:] if len(parts) > 1 and parts[0] in ROOTS else parts
        return [] if parts[0] in sys.stdlib_module_names else [".".join(parts)]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._texts if name not in self._packages)

    def module(self, name: str) -> PythonModule:
        """Return a module.

        Raises:
            Unusable: it does not parse.
        """
        if name not in self._modules:
            try:
                self._modules[name] = PythonModule(self._texts[name])
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise Unusable("syntax_error", name) from error
        return self._modules[name]

    def functions(self, name: str, max_files: int, max_chars: int) -> Iterator[CutFunction]:
        """Yield the functions of a module that need other files of the repository and nothing outside of it."""
        try:
            module = self.module(name)
        except Unusable:
            return
        for index, node in enumerate(module.tree.body):
            if isinstance(node, ast.FunctionDef) and len(module.bindings.get(node.name, ())) == 1:
                try:
                    files = self._cut(name, index, max_files, max_chars)
                except Unusable:
                    continue
                if len(files) > 1:
                    yield CutFunction(node.name, name, module.text(node), files)

    def _cut(self, name: str, index: int, max_files: int, max_chars: int) -> tuple[CutFile, ...]:
        wanted: dict[str, _Wanted] = {}
        queue = [(name, index)]
        num_chars = 0
        while queue:
            home, number = queue.pop()
            need = wanted.setdefault(home, _Wanted())
            if number in need.statements:
                continue
            need.statements.add(number)
            module = self.module(home)
            node = module.tree.body[number]
            num_chars += len(module.text(node))
            if len(wanted) > max_files or num_chars > max_chars:
                raise Unusable("too_large", name)
            check_purity(node)
            check_imports(node)
            own = {node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else bound_names(node)
            for used in sorted(module.uses(number) - own):
                queue += self._binders(home, module, node, used, need)
        order = self._order(name, wanted)
        return tuple(CutFile(each, self._text(each, wanted[each])) for each in order)

    def _binders(
        self, home: str, module: PythonModule, user: ast.stmt, used: str, need: _Wanted
    ) -> Iterator[tuple[str, int]]:
        binders = module.bindings.get(used)
        if binders is None:
            if used not in _BUILTINS:
                raise Unusable("unresolved_name", used)
            return
        for binder in binders:
            node = module.tree.body[binder]
            if not isinstance(node, ast.Import | ast.ImportFrom):
                yield home, binder
                continue
            target = self._imported(home, node, used)
            if target is None:
                check_imports(ast.parse(import_line(node, used)))
                need.pure.setdefault(binder, set()).add(used)
                continue
            other, name = target
            need.others.setdefault(other)
            if name:
                need.lines.setdefault(f"from {other} import {name}" + (f" as {used}" if used != name else ""))
                yield from ((other, number) for number in self._definitions(other, name))
                continue
            package, _, last = other.rpartition(".")
            origin = f"from {package} import {last}" if package else f"import {last}"
            need.lines.setdefault(origin + (f" as {used}" if used != last else ""))
            for member in _members(user, used):
                yield from ((other, number) for number in self._definitions(other, member))

    def _imported(self, home: str, node: ast.Import | ast.ImportFrom, used: str) -> tuple[str, str] | None:
        """Return module and name that an import means, an empty name for a module, None for what is not here."""
        for _ in range(MAX_AGAIN):
            if isinstance(node, ast.Import):
                alias = next(alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) == used)
                if alias.name not in self._texts:
                    return None
                if "." in alias.name and not alias.asname:
                    raise Unusable("import_by_path", alias.name)
                return alias.name, ""
            alias = next(alias for alias in node.names if (alias.asname or alias.name) == used)
            base = self._base(home, node)
            if alias.name == "*":
                raise Unusable("star_import", base)
            inner = f"{base}.{alias.name}" if base else alias.name
            if inner in self._texts and inner not in self._packages:
                return inner, ""
            if base not in self._texts:
                if node.level:
                    raise Unusable("import_not_found", base)
                return None
            binders = self.module(base).bindings.get(alias.name, [])
            again = self.module(base).tree.body[binders[0]] if binders else None
            if not isinstance(again, ast.Import | ast.ImportFrom):
                if base in self._packages:
                    raise Unusable("defined_in_package", base)
                return base, alias.name
            home, node, used = base, again, alias.name  # a name that the other module imports itself
        raise Unusable("import_not_found", used)

    def _base(self, home: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = home.split(".") + ([""] if home in self._packages else [])
        return ".".join([*parts[: -node.level], *([node.module] if node.module else [])])

    def _definitions(self, name: str, member: str) -> list[int]:
        module = self.module(name)
        binders = module.bindings.get(member, [])
        if not binders or any(isinstance(module.tree.body[at], ast.Import | ast.ImportFrom) for at in binders):
            raise Unusable("import_not_found", f"{name}.{member}")
        return binders

    def _order(self, name: str, wanted: Mapping[str, _Wanted]) -> list[str]:
        order: dict[str, None] = {}
        begun, open_ = set[str](), set[str]()
        waiting = [(name, False)]
        while waiting:
            current, is_done = waiting.pop()
            if is_done:
                open_.discard(current)
                order.setdefault(current)
            elif current in open_:
                raise Unusable("import_circle", current)
            elif current not in begun:
                begun.add(current)
                open_.add(current)
                waiting.append((current, True))
                waiting += [(other, False) for other in reversed(wanted[current].others) if other not in order]
        return list(order)

    def _text(self, name: str, wanted: _Wanted) -> str:
        module = self.module(name)
        lines = ["from __future__ import annotations"] if module.postponed_annotations else []
        pure = [
            import_line(_as_import(module, at), used) for at in sorted(wanted.pure) for used in sorted(wanted.pure[at])
        ]
        heads = ["\n".join(group) for group in (lines, dict.fromkeys(pure), sorted(wanted.lines)) if group]
        body = ""
        for number in sorted(wanted.statements):
            node = module.tree.body[number]
            gap = "\n\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else "\n"
            body += (gap if body else "") + module.text(node)
        head = "\n\n".join(heads)
        starts_with_definition = body.startswith(("def ", "class ", "@"))
        return (head + ("\n\n\n" if starts_with_definition else "\n\n") if head else "") + body + "\n"


def _as_import(module: PythonModule, number: int) -> ast.Import | ast.ImportFrom:
    node = module.tree.body[number]
    assert isinstance(node, ast.Import | ast.ImportFrom)
    return node


def _members(user: ast.stmt, name: str) -> list[str]:
    """Return the members of a module that a statement reads."""
    members = {
        part.attr
        for part in ast.walk(user)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == name
    }
    num_uses = sum(isinstance(part, ast.Name) and part.id == name for part in ast.walk(user))
    num_members = sum(
        isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == name
        for part in ast.walk(user)
    )
    if num_uses != num_members:
        raise Unusable("module_as_value", name)
    return sorted(members)
