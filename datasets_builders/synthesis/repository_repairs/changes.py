"""Section 2.4: changes of an interface that a repository makes in one file and forgets in the files that use it.

Each change is one that keeps the meaning where every file follows: a name, the order or the keywords of parameters, the
order of what is returned. The file of the definition follows, its callers do not; the repair is to make them follow.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datasets_builders.synthesis.program_analysis.other_languages.syntax import Edit, edited
from datasets_builders.synthesis.repository_repairs.files import CutFile, CutFunction

# Verbs that name the same in most projects.
_VERBS = {"get": "fetch", "make": "build", "create": "make", "parse": "read", "compute": "calculate", "find": "locate"}
_VERBS |= {"to": "as", "is": "check", "check": "validate", "format": "render", "load": "read", "split": "divide"}
# Attributes that values of the language have too.
_COMMON = frozenset(
    attribute for kind in (str, bytes, list, dict, set, int, float, tuple, Exception, type) for attribute in dir(kind)
)

Edits = list[Edit]


@dataclass(frozen=True)
class Change:
    """A change of an interface.

    Args:
        kind (`str`): what was changed.
        name (`str`): of what was changed.
        faulty: the files with the definition changed and its callers left as they were.
        repaired: the files with both changed.
    """

    kind: str
    name: str
    faulty: tuple[CutFile, ...]
    repaired: tuple[CutFile, ...]


@dataclass(frozen=True)
class _File:
    """A file with its syntax, and what it calls a definition of another: bare names, and modules it stands behind."""

    file: CutFile
    tree: ast.Module
    data: bytes
    starts: tuple[int, ...]

    def at(self, line: int, column: int) -> int:
        """Return a place in bytes; columns of the syntax are bytes too."""
        return self.starts[line - 1] + column

    def span(self, node: ast.expr | ast.keyword | ast.arg | ast.alias) -> tuple[int, int]:
        """Return where a node begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr | ast.keyword | ast.arg) -> str:
        """Return a node's text."""
        start, end = self.span(node)
        return self.data[start:end].decode()

    def swapped(self, first: ast.expr | ast.arg, second: ast.expr | ast.arg) -> Edits:
        """Return edits that let two nodes change places."""
        return [Edit(*self.span(first), self.text(second)), Edit(*self.span(second), self.text(first))]


def _read(file: CutFile) -> _File:
    data = file.text.encode()
    starts = [0]
    for line in file.text.split("\n"):
        starts.append(starts[-1] + len(line.encode()) + 1)
    return _File(file, ast.parse(file.text), data, tuple(starts))


def changes_of(function: CutFunction) -> Iterator[Change]:
    """Yield the changes of what one of a function's files defines and another one uses."""
    files = [_read(file) for file in function.files]
    for home in files:
        users = [file for file in files if file is not home]
        for node in home.tree.body:
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                for make in _FUNCTION_CHANGES:
                    yield from _change(make, node, home, users, function.files)
            if isinstance(node, ast.ClassDef):
                for attribute in _own_attributes(node):
                    yield from _renamed_attribute(attribute, home, users, function.files)


_Make = Callable[[ast.FunctionDef, _File, Mapping[int, list[ast.Call]], Sequence[_File]], "dict[int, Edits] | None"]


def _change(
    make: tuple[str, _Make], node: ast.FunctionDef, home: _File, users: list[_File], files: tuple[CutFile, ...]
) -> Iterator[Change]:
    """Yield the change of a function, where every use of it is a call."""
    kind, edits_of = make
    every = [home, *users]
    calls: dict[int, list[ast.Call]] = {}
    for number, file in enumerate(every):
        found = _calls_of(file, home.file.name, node.name, is_home=number == 0)
        if found is None:
            return
        calls[number] = found
    if not any(calls[number] for number in range(1, len(every))):
        return
    edits = edits_of(node, home, calls, every)
    if edits:
        yield from _made(kind, node.name, every, edits, files)


def _made(
    kind: str, name: str, every: Sequence[_File], edits: Mapping[int, Edits], files: tuple[CutFile, ...]
) -> Iterator[Change]:
    changed = {every[number].file.name: edited(every[number].data, found) for number, found in edits.items() if found}
    home = every[0].file.name
    if home not in changed or len(changed) < 2:
        return
    if any(file.is_test and file.name in changed for file in files):
        return  # tests say what is right; they are not what is repaired
    faulty = tuple(CutFile(file.name, changed[home] if file.name == home else file.text) for file in files)
    yield Change(kind, name, faulty, tuple(CutFile(file.name, changed.get(file.name, file.text)) for file in files))


def _calls_of(file: _File, module: str, name: str, is_home: bool) -> list[ast.Call] | None:
    """Return the calls of a function in a file, None where it is used in another way than by calling it."""
    bare, modules = ({name}, set[str]()) if is_home else _known_as(file.tree, module, name)
    uses = [node for node in ast.walk(file.tree) if _is_use(node, bare, modules, name)]
    calls = [node for node in ast.walk(file.tree) if isinstance(node, ast.Call) and node.func in uses]
    rebound = [
        node
        for node in ast.walk(file.tree)
        if (isinstance(node, ast.arg) and node.arg in bare | modules)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in bare | modules)
    ]
    return None if rebound or len(calls) != len(uses) else calls


def _known_as(tree: ast.Module, module: str, name: str) -> tuple[set[str], set[str]]:
    """Return the names of a function of another module in a file, and those of that module."""
    bare, modules = set(), set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if node.module == module and alias.name == name:
                    bare.add(alias.asname or alias.name)
                elif f"{node.module}.{alias.name}" == module:
                    modules.add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == module}
    return bare, modules


def _is_use(node: ast.AST, bare: set[str], modules: set[str], name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id in bare
    is_member = isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)
    return is_member and node.value.id in modules  # type: ignore[attr-defined]


def _plain(node: ast.FunctionDef) -> list[ast.arg] | None:
    """Return the parameters of a function that takes them by place and by name, None for any other."""
    arguments = node.args
    if arguments.posonlyargs or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        return None
    return arguments.args


def _swapped_parameters(
    node: ast.FunctionDef, home: _File, calls: Mapping[int, list[ast.Call]], every: Sequence[_File]
) -> dict[int, Edits] | None:
    parameters = _plain(node)
    if parameters is None or len(parameters) - len(node.args.defaults) < 2:
        return None
    edits: dict[int, Edits] = {0: home.swapped(*parameters[:2])}
    for number, found in calls.items():
        for call in found:
            if len(call.args) < 2 or any(isinstance(argument, ast.Starred) for argument in call.args):
                return None
            if _is_within(call, found):
                return None
            edits.setdefault(number, []).extend(every[number].swapped(*call.args[:2]))
    return edits


def _keyword_only(
    node: ast.FunctionDef, home: _File, calls: Mapping[int, list[ast.Call]], every: Sequence[_File]
) -> dict[int, Edits] | None:
    parameters = _plain(node)
    if not parameters or len(parameters) < 2:
        return None
    last, place = parameters[-1], len(parameters) - 1
    start = home.span(last)[0]
    edits: dict[int, Edits] = {0: [Edit(start, start, "*, ")]}
    for number, found in calls.items():
        for call in found:
            if any(isinstance(argument, ast.Starred) for argument in call.args):
                return None
            if len(call.args) > place:
                at = every[number].span(call.args[place])[0]
                edits.setdefault(number, []).append(Edit(at, at, f"{last.arg}="))
    return edits


def _renamed_function(
    node: ast.FunctionDef, home: _File, calls: Mapping[int, list[ast.Call]], every: Sequence[_File]
) -> dict[int, Edits] | None:
    name = renamed(node.name)
    if any(name in file.file.text or _is_quoted(node.name, file) for file in every):
        return None
    start = home.at(node.lineno, node.col_offset) + len("def ")
    edits: dict[int, Edits] = {0: [Edit(start, start + len(node.name.encode()), name)]}
    for number, found in calls.items():
        file = every[number]
        for call in found:
            function = call.func
            if isinstance(function, ast.Name) and function.id == node.name:
                edits.setdefault(number, []).append(Edit(*file.span(function), name))
            elif isinstance(function, ast.Attribute):
                end = file.span(function)[1]
                edits.setdefault(number, []).append(Edit(end - len(node.name.encode()), end, name))
        for statement in file.tree.body if number else ():
            if isinstance(statement, ast.ImportFrom) and statement.module == home.file.name:
                for alias in statement.names:
                    if alias.name == node.name:
                        start = file.span(alias)[0]
                        edits.setdefault(number, []).append(Edit(start, start + len(node.name.encode()), name))
    return edits


def _swapped_return(
    node: ast.FunctionDef, home: _File, calls: Mapping[int, list[ast.Call]], every: Sequence[_File]
) -> dict[int, Edits] | None:
    returns = [part for part in ast.walk(node) if isinstance(part, ast.Return)]
    inner = [part for part in ast.walk(node) if isinstance(part, ast.FunctionDef | ast.Lambda)]
    if not returns or len(inner) > 1:
        return None
    edits: dict[int, Edits] = {0: []}
    for part in returns:
        if not isinstance(part.value, ast.Tuple) or len(part.value.elts) != 2:
            return None
        edits[0] += home.swapped(*part.value.elts)
    for number, found in calls.items():
        file = every[number]
        targets = {
            id(part.value): part.targets[0]
            for part in ast.walk(file.tree)
            if isinstance(part, ast.Assign) and len(part.targets) == 1
        }
        for call in found:
            target = targets.get(id(call))
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                return None
            edits.setdefault(number, []).extend(file.swapped(*target.elts))
    return edits


_FUNCTION_CHANGES: tuple[tuple[str, _Make], ...] = (
    ("swapped_parameters", _swapped_parameters),
    ("swapped_return", _swapped_return),
    ("keyword_only", _keyword_only),
    ("renamed_function", _renamed_function),
)


def _is_within(call: ast.Call, others: Sequence[ast.Call]) -> bool:
    """Return whether a call is an argument of another, whose text would be moved with it."""
    return any(other is not call and call in ast.walk(other) for other in others)


def _own_attributes(node: ast.ClassDef) -> Iterator[str]:
    """Yield the methods and attributes of a class whose names belong to it alone."""
    names: dict[str, None] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef):
            names.setdefault(part.name)
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            names.setdefault(part.attr)
    yield from (name for name in names if not name.startswith("__") and name not in _COMMON)


def _renamed_attribute(attribute: str, home: _File, users: list[_File], files: tuple[CutFile, ...]) -> Iterator[Change]:
    every = [home, *users]
    name = renamed(attribute)
    edits: dict[int, Edits] = {}
    for number, file in enumerate(every):
        if name in file.file.text or _is_quoted(attribute, file):
            return
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Attribute) and node.attr == attribute:
                end = file.span(node)[1]
                edits.setdefault(number, []).append(Edit(end - len(attribute.encode()), end, name))
            elif isinstance(node, ast.FunctionDef) and node.name == attribute:
                start = file.at(node.lineno, node.col_offset) + len("def ")
                edits.setdefault(number, []).append(Edit(start, start + len(attribute.encode()), name))
            elif isinstance(node, ast.Name | ast.arg | ast.keyword | ast.alias) and attribute in (
                getattr(node, "id", None), getattr(node, "arg", None), getattr(node, "name", None)
            ):  # fmt: skip
                return  # the name means something else too
    yield from _made("renamed_attribute", attribute, every, edits, files)


def _is_quoted(name: str, file: _File) -> bool:
    """Return whether a name stands in quotes: it may be looked up by that."""
    return any(isinstance(node, ast.Constant) and node.value == name for node in ast.walk(file.tree))


def renamed(name: str) -> str:
    """Return another name that a project might choose."""
    stem = name.lstrip("_")
    first, *rest = stem.split("_")
    new = "_".join([_VERBS[first], *rest]) if first in _VERBS and rest else f"{stem}_of" if rest else f"get_{stem}"
    return name[: len(name) - len(stem)] + new
