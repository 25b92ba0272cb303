"""Section 2.4: functions cut out of curated files so that they run on their own.

The paper's synthesis asks a model for the answers. Here the answers are computed, and for that a function must run
outside its module: it is taken together with the module-level constants, helpers and imports it reaches, and with
nothing else. What cannot be cut out that way is refused with a reason.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath


def word_list(text: str) -> list[str]:
    """Split a table of words written as running text."""
    return text.split()


# Modules whose functions depend on their arguments only. `random`, `time` and `datetime` are admitted because a
# function may use them purely; the ones that do not are found by running twice (observation.py).
PURE_MODULES = frozenset(
    word_list("""
        __future__ abc ast base64 binascii bisect calendar cmath codecs collections colorsys contextlib copy
    dataclasses datetime decimal difflib enum fnmatch fractions functools genericpath hashlib heapq hmac html
    ipaddress itertools json keyword math ntpath numbers operator posixpath pprint quopri random re reprlib
    shlex stat statistics string stringprep struct textwrap time token tokenize types typing
    unicodedata urllib warnings zlib
    """)
)
# `os` and `sys` are half pure: these attributes are constants or plain conversions.
PURE_ATTRIBUTES = {
    "os": frozenset(
        word_list("PathLike altsep curdir extsep fsdecode fsencode fspath linesep name pardir path pathsep sep")
    ),
    "sys": frozenset(word_list("byteorder float_info intern maxsize maxunicode version_info")),
}
# What the path modules ask of the file system or the environment: `os.path.exists(3)` is about an open descriptor of
# the process, which is the same in every run on one machine and another on the next.
PATH_MODULES = frozenset({"path", "os.path", "posixpath", "ntpath", "genericpath"})
FILE_SYSTEM_ATTRIBUTES = frozenset(
    word_list("""
        abspath exists expanduser getatime getctime getmtime getsize isdir isfile islink ismount lexists realpath
    relpath samefile sameopenfile
    """)
)
# Names that reach outside the arguments, or make the closure unknowable.
IMPURE_BUILTINS = frozenset(
    word_list(
        "__debug__ __import__ breakpoint compile delattr eval exec exit globals help input locals open print quit vars"
    )
)
_BUILTIN_NAMES = frozenset(dir(builtins)) - {"__name__"} | {"__doc__"}
# What a program says of its own text and of the interpreter that reads it: where it stands, how it was compiled.
INTROSPECTION = frozenset(
    word_list("""
        __code__ __module__ __globals__ __builtins__ __subclasses__ __sizeof__ __weakref__ __loader__ __spec__
    cr_code cr_frame f_back f_code f_globals f_lineno gi_code gi_frame tb_frame tb_lasti tb_lineno
    """)
)


def source_lines(source: str) -> list[str]:
    """Split a program into lines as the compiler counts them: a form feed, say, ends none."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@dataclass(frozen=True)
class ExtractionLimits:
    """How large a function and its closure may be.

    Source: ours; short programs are the ones whose result can be predicted by reading.
    """

    max_code_chars: int = 3000
    max_function_lines: int = 60
    min_function_lines: int = 2
    max_class_lines: int = 90


@dataclass(frozen=True)
class FunctionSample:
    """A function with everything it needs: `code` runs on its own.

    `context` holds imports, constants and helpers, `function` the function itself; `code` is both. `helpers` are the
    names of the module's own functions and classes inside the context. Of a class that is asked about, `function` is
    the text of the class. `known_calls` are calls that people wrote: where each stands (doctest, test, call_site), and
    its text.
    """

    name: str
    module: str
    path: str
    function: str
    context: str
    docstring: str
    helpers: tuple[str, ...] = field(default_factory=tuple)
    is_class: bool = False
    known_calls: tuple[tuple[str, str], ...] = ()

    @property
    def code(self) -> str:
        """The program: what the function needs, then the function."""
        return f"{self.context}\n\n\n{self.function}" if self.context else self.function


@dataclass(frozen=True)
class Refusal:
    """A function that cannot be cut out of its file, and why."""

    name: str
    reason: str
    detail: str = ""


class Unusable(Exception):
    """Carry a reason and a detail out of the closure computation."""


def module_name(path: str) -> str:
    """Return the dotted module name of a relative file path.

    Args:
        path (`str`): for example `json/decoder.py` or `json/__init__.py`.

    Returns:
        `str`: `json.decoder` or `json`.
    """
    parts = list(PurePosixPath(path.replace("\\", "/")).with_suffix("").parts)
    parts = [part for part in parts if part not in ("/", ".", "..")]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


class PythonModule:
    """The top-level statements of a file, by the names they bind."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self._lines = source_lines(source)
        self.bindings: dict[str, list[int]] = {}
        self.postponed_annotations = False
        for index, node in enumerate(self.tree.body):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                self.postponed_annotations |= any(alias.name == "annotations" for alias in node.names)
            elif not _is_main_guard(node):
                for name in bound_names(node):
                    self.bindings.setdefault(name, []).append(index)
        self._uses: dict[int, frozenset[str]] = {}

    def text(self, node: ast.stmt) -> str:
        """Return the statement's lines as written, decorators and inner comments included."""
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        return "\n".join(self._lines[first - 1 : node.end_lineno]).rstrip()

    def uses(self, index: int) -> frozenset[str]:
        """Return the module-level names that statement number `index` reads, at once or when called."""
        if index not in self._uses:
            self._uses[index] = _free_names(self.text(self.tree.body[index]))
        return self._uses[index]


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def bound_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds in its module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name.split(".")[0]) for alias in node.names}
    table = symtable.symtable(ast.unparse(node), "<statement>", "exec")
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}


def _free_names(text: str) -> frozenset[str]:
    names: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() if top else symbol.is_global():
                names.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(text, "<statement>", "exec"))
    return frozenset(names)


def import_line(node: ast.Import | ast.ImportFrom, name: str) -> str:
    """Return the import that binds `name` alone, so that a shared import line draws in nothing else."""
    alias = next(alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) == name)
    single = type(node)(**{**dict(ast.iter_fields(node)), "names": [alias]})
    return ast.unparse(ast.fix_missing_locations(ast.copy_location(single, node)))


def check_imports(node: ast.AST) -> None:
    """Refuse imports of anything but the pure part of the standard library."""
    for part in ast.walk(node):
        if isinstance(part, ast.ImportFrom):
            if part.level:
                raise Unusable("relative_import", ast.unparse(part))
            _check_module(part.module or "", [alias.name for alias in part.names])
        elif isinstance(part, ast.Import):
            for alias in part.names:
                _check_module(alias.name, [])


def _check_module(module: str, names: list[str]) -> None:
    if module in PURE_ATTRIBUTES:
        for name in names:
            if name not in PURE_ATTRIBUTES[module]:
                raise Unusable("impure_module", f"{module}.{name}")
    elif module != "os.path" and module.split(".")[0] not in PURE_MODULES:
        raise Unusable("import_not_pure", module)
    if module.startswith("urllib.") and module != "urllib.parse":
        raise Unusable("impure_module", module)
    if "*" in names:
        raise Unusable("star_import", module)
    if module in PATH_MODULES and FILE_SYSTEM_ATTRIBUTES.intersection(names):
        raise Unusable("asks_the_file_system", f"{module}: {', '.join(names)}")


def check_purity(node: ast.AST) -> None:
    """Refuse what is impure on sight; the rest is found by running."""
    for part in ast.walk(node):
        if isinstance(part, ast.Global):
            raise Unusable("global_statement", ", ".join(part.names))
        if isinstance(part, ast.AsyncFunctionDef | ast.Await):
            raise Unusable("asynchronous")
        if isinstance(part, ast.Name) and part.id in IMPURE_BUILTINS:
            raise Unusable("impure_builtin", part.id)
        if isinstance(part, ast.Attribute) and (part.attr in INTROSPECTION or part.attr.startswith("co_")):
            raise Unusable("looks_at_itself", part.attr)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            allowed = PURE_ATTRIBUTES.get(part.value.id)
            if allowed is not None and part.attr not in allowed:
                raise Unusable("impure_module", f"{part.value.id}.{part.attr}")
        if isinstance(part, ast.Attribute) and part.attr in FILE_SYSTEM_ATTRIBUTES:
            owner = ast.unparse(part.value)
            if owner in PATH_MODULES:
                raise Unusable("asks_the_file_system", f"{owner}.{part.attr}")


def _closure(module: PythonModule, target: int) -> tuple[list[int], dict[int, list[str]]]:
    """Return the statements that statement `target` needs, in source order, and the names wanted of each import."""
    wanted: dict[int, list[str]] = {}
    queue, seen = [target], {target}
    while queue:
        index = queue.pop()
        node = module.tree.body[index]
        check_purity(node)
        check_imports(node)
        own = {node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else bound_names(node)
        for name in sorted(module.uses(index) - own):
            binders = module.bindings.get(name)
            if binders is None:
                if name in _BUILTIN_NAMES:
                    continue
                raise Unusable("unresolved_name", name)
            for binder in binders:
                wanted.setdefault(binder, []).append(name)
                if binder in seen:
                    continue
                seen.add(binder)
                if not isinstance(module.tree.body[binder], ast.Import | ast.ImportFrom):
                    queue.append(binder)
    return sorted(seen - {target}), wanted


def _context(module: PythonModule, indices: list[int], wanted: dict[int, list[str]]) -> str:
    lines = ["from __future__ import annotations"] if module.postponed_annotations else []
    imports, others = [], []
    for index in indices:
        node = module.tree.body[index]
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in sorted(set(wanted[index])):
                line = import_line(node, name)
                check_imports(ast.parse(line))
                imports.append(line)
        else:
            others.append(node)
    head = "\n".join([*lines, *dict.fromkeys(imports)])
    body = ""
    for node in others:
        # Definitions stand two lines apart as in any module; runs of constants stay together.
        gap = "\n\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else "\n"
        body += (gap if body else "") + module.text(node)
    return "\n\n".join(part for part in (head, body) if part)


def _extract(module: PythonModule, index: int, path: str, limits: ExtractionLimits) -> FunctionSample:
    node = module.tree.body[index]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    if len(module.bindings[node.name]) > 1:
        raise Unusable("bound_more_than_once", node.name)
    num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
    is_class = isinstance(node, ast.ClassDef)
    if num_lines < limits.min_function_lines:
        raise Unusable("too_short", f"{num_lines} lines")
    if isinstance(node, ast.ClassDef) and not any(public_methods(node)):
        raise Unusable("no_methods", node.name)
    if num_lines > (limits.max_class_lines if is_class else limits.max_function_lines):
        raise Unusable("too_long", f"{num_lines} lines")
    indices, wanted = _closure(module, index)
    sample = FunctionSample(
        name=node.name,
        module=module_name(path),
        path=path,
        function=module.text(node),
        context=_context(module, indices, wanted),
        docstring=ast.get_docstring(node) or "",
        helpers=tuple(
            helper.name
            for helper in (module.tree.body[i] for i in indices)
            if isinstance(helper, ast.FunctionDef | ast.ClassDef)
        ),
        is_class=is_class,
    )
    if len(sample.code) > limits.max_code_chars:
        raise Unusable("closure_too_large", f"{len(sample.code)} characters")
    return sample


def public_methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield the methods of a class that are meant to be called by name."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
            yield part


def extract_functions(
    source: str, path: str, limits: ExtractionLimits | None = None
) -> Iterator[FunctionSample | Refusal]:
    """Yield every module-level function and class of a Python file, cut out with its closure, or the reason why not.

    Nested functions are not looked at: their meaning depends on a scope.

    Args:
        source (`str`): text of the file.
        path (`str`): its path relative to the root of the code, from which the module name is derived.
        limits (`ExtractionLimits`, *optional*): sizes.

    Yields:
        `FunctionSample` or `Refusal`, in source order.

    Raises:
        ValueError: the text is no Python of the running version.
    """
    limits = limits or ExtractionLimits()
    try:
        module = PythonModule(source)
    except (SyntaxError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} does not parse as Python: {error}. Curate the files first.") from error
    for index, node in enumerate(module.tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            try:
                yield _extract(module, index, path, limits)
            except Unusable as unusable:
                reason, *detail = unusable.args
                yield Refusal(node.name, reason, *detail)
