"""Section 2.2.2, phase 1: the import statements of a file, from its syntax tree; of C and C++ from its lines.

One query per language lies in `queries/`; patterns of the node of the whole file stand before its line `; anywhere`. It
captures `@target` (a literal that names a file or module, with the `@function` that takes it) or a whole `@statement`,
which `statements.py` takes apart; where a file also sees others without importing them (the same package or namespace),
the `@package`, the names `@declared` and the names `@used`; and the `@items` behind the name of a macro, which are
tokens in the file's tree and are parsed in their turn.
A file with syntax errors still gives the imports that its tree holds.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import re2

from datasets_builders.curation.syntax.metrics import found_in_tree, meter_of
from datasets_builders.curation.syntax.parsing import load_grammar, parse
from datasets_builders.languages.grammars import GRAMMARS, SCRIPTS_WITHIN
from datasets_builders.repositories import statements
from datasets_builders.repositories.statements import GLOB, Import, line_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

MAX_PLACES, PLACES_APART = 64, 512
# The shell's words need no quotes, and may hold variables.
SHELL_COMMANDS = ("source", ".")
MAX_MACROS_WITHIN = 3
MAX_TABLE_BYTES, TABLE_HEAD_BYTES = 20_000, 200
# What is used of a Go package; only what follows one that a file imports is kept.
_GO_MEMBER = re2.compile(rb"\b([A-Za-z_]\w*)\.([A-Z]\w*)")
# C and C++: directives are lines for the compiler too; what else may hold such a line is taken for one token. Macros
# that break the grammar do not matter so, and nothing need be parsed.
C_FAMILY = frozenset(("C", "C++"))
_C_TOKEN = re2.compile(
    rb"(?m)^[ \t]*#[ \t]*(include|include_next|import)\b(?:[ \t]|/\*[^\n*]*\*/)*(<[^>\n]+>|\"[^\"\n]+\"|[^\n]*)"
    rb"|//[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/|\bu?8?[uUL]?R\"([^\s()\\\"]{0,16})\("
    rb"|\"(?:[^\"\\\n]|\\.|\\\n)*\"|'(?:[^'\\\n]|\\.)*'"
)
_SCRIPT = re2.compile(r"(?is)<script\b[^>]*>(.*?)</script\s*>")
_NOT_A_LINE_END = re2.compile(r"[^\n]")
# Lines of nothing but numbers: of what is imported they say nothing, and most of some packages is made of them.
_NUMBER = r"(?:0x[0-9a-fA-F]+|-?[0-9]+)"
_NUMBERS = rf"(?:{_NUMBER}|\{{(?:(?:[a-z]\w*: )?{_NUMBER}(?:, )?)+\}})"
_GO_NUMBERS = re2.compile(
    rf"(?m)^[ \t]*(?:(?:{_NUMBER}(?: - {_NUMBER})?:[ \t]*)?{_NUMBERS},[ \t]*)+(?://[^\n]*)?$".encode()
)
# C++20's modules, which the grammar does not know, stand alone on their lines.
_CPP_MODULE = re2.compile(
    rb"(?m:^[ \t]*(?:export[ \t]+)?(import|module)[ \t]*(:?[\w.]+(?::[\w.]+)?|<[^>\n]+>|\"[^\"\n]+\")[ \t]*;)"
)
# The Kotlin grammar takes a declaration behind annotations on lines of their own for an expression.
_KOTLIN_DECLARED = re2.compile(r"\b(?:class|interface|object|fun|va[lr]|typealias)\s+(?:<[^>]*>\s*)?(?:\w+\.)?`?(\w+)")
MAX_ANNOTATED_CHARACTERS = 2_000
NAMESPACES = frozenset(("namespace_declaration", "file_scoped_namespace_declaration", "package_object"))


# An argument of `define`, `new URL` or `new Worker`: only a path is an import.
LISTED = "listed"
# What a query may capture, beside whole statements and targets.
KINDS = ("package", "declared", "extension", "annotated", "used", "called", "items")
GO_LIBRARY = frozenset(
    (
        *("archive", "compress", "container", "crypto", "database", "debug", "encoding", "go", "hash", "html", "image"),
        *("index", "internal", "io", "log", "math", "mime", "net", "os", "path", "runtime", "sync", "testing", "text"),
        *("time", "unicode"),
    )
)


@dataclass(frozen=True)
class FileImports:
    """What a file imports, and by what other files see it.

    Args:
        imports (tuple of `Import`): in order.
        package (`str`): package or namespace that it says it is in.
        declared (tuple of `str`): names that others can use, sorted; in C# with their namespaces.
        used (tuple of (name, line)): names that it uses and does not declare, sorted, with their first line.
    """

    imports: tuple[Import, ...] = ()
    package: str = ""
    declared: tuple[str, ...] = ()
    used: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "FileImports":
        """Return what `as_json` gave."""
        imports = tuple(Import(line, target, form, tuple(names)) for line, target, form, names in given["imports"])
        return cls(imports, given["package"], tuple(given["declared"]), tuple((name, at) for name, at in given["used"]))


@dataclass(frozen=True)
class _Tools:
    """What finds the imports of a language.

    Args:
        parser: of the language.
        of_file, anywhere: queries of the whole file's node, and of any.
        words: see `Grammar.import_words`.
        take_apart (function): whole statement to its imports.
    """

    parser: "Parser"
    of_file: "Query | None"
    anywhere: "Query"
    words: "re.Pattern[bytes] | None"
    take_apart: "Callable[[Node], Iterator[Import]] | None"


@cache
def _tools(language: str) -> _Tools:
    from tree_sitter import Parser, Query

    grammar, parsed = GRAMMARS[language], load_grammar(language)
    text = Path(__file__).with_name("queries").joinpath(f"{grammar.imports}.scm").read_text(encoding="utf-8")
    of_file, _, anywhere = text.rpartition("; anywhere\n")
    return _Tools(
        Parser(parsed),
        Query(parsed, of_file) if of_file else None,
        Query(parsed, anywhere),
        _words(language),
        getattr(statements, grammar.statements) if grammar.statements else None,
    )


@cache
def _words(language: str) -> "re.Pattern[bytes] | None":
    words = GRAMMARS[SCRIPTS_WITHIN.get(language, language)].import_words
    return re2.compile(words.encode()) if words else None


def find_imports(language: str, text: str) -> FileImports:
    """Return the imports of a file.

    Args:
        language (`str`): Linguist's name, one that `has_query`.
        text (`str`): the file.

    Raises:
        ParseTooCostly: the file was made to keep a parser busy.

    Source: paper 2.2.2.
    """
    source = text.encode("utf-8", "replace")
    if not may_import(language, source):
        return FileImports()
    if language in C_FAMILY:
        return _c_imports(language, source)
    if language == "Go" and len(source) > MAX_TABLE_BYTES:
        source = _GO_NUMBERS.sub(b"", source)
    return _imports_of(language, parse(_tools(language).parser, source).root_node, source)


def may_import(language: str, source: bytes) -> bool:
    """Return whether a file holds a word without which it imports nothing; never in a language without a query."""
    if not has_query(language):
        return False
    words = _words(language)
    return words is None or words.search(source) is not None


def has_query(language: str) -> bool:
    """Return whether imports are found in a language."""
    return language in SCRIPTS_WITHIN or (language in GRAMMARS and bool(GRAMMARS[language].imports))


def parsed_as(language: str, text: str) -> tuple[str, str]:
    """Return language and text in which the imports of a file are found.

    Of a component (Vue, Svelte) that is what its `<script>` holds, at its place: all else becomes blank.
    """
    if language not in SCRIPTS_WITHIN:
        return language, text
    pieces, place = [], 0
    for match in _SCRIPT.finditer(text):
        pieces += [_NOT_A_LINE_END.sub(" ", text[place : match.start(1)]), match[1]]
        place = match.end(1)
    return SCRIPTS_WITHIN[language], "".join(pieces)


def imports_as_json(language: str, text: str) -> dict[str, Any]:
    """Return the imports of a file as JSON; for `ParserProcess`."""
    return find_imports(language, text).as_json()


def metrics_and_imports(language: str, text: str) -> dict[str, Any]:
    """Return the metrics of a file and, under `imports`, its imports, from one parse; for `ParserProcess`."""
    meter = meter_of(language)
    return _with_imports(language, text, lambda *parsed: asdict(meter.measure_tree(*parsed)))


def metrics_imports_and_prose(language: str, text: str) -> dict[str, Any]:
    """Return what `metrics_and_imports` does and the texts of comments and strings; for `ParserProcess`."""
    return _with_imports(language, text, meter_of(language).measure_with_prose)


def _with_imports(
    language: str, text: str, measure: "Callable[[Node, bytes, float], dict[str, Any]]"
) -> dict[str, Any]:
    def find(root: "Node", source: bytes, error_fraction: float) -> dict[str, Any]:
        if not may_import(language, source):
            found = FileImports()
        elif language in C_FAMILY:
            found = _c_imports(language, source)
        else:
            found = _imports_of(language, root, source)
        return measure(root, source, error_fraction) | {"imports": found.as_json()}

    return found_in_tree(language, text, find)


def _imports_of(language: str, root: "Node", source: bytes, depth: int = 0) -> FileImports:
    take_apart = _tools(language).take_apart
    found: set[Import] = set()
    names: dict[str, list[Node]] = {kind: [] for kind in KINDS}
    for captures in _matches(language, root, source):
        if "target" in captures:
            function = captures.get("function")
            found.add(_of_target(captures["target"][0], text_of(function[0]) if function else "import"))
        elif "listed" in captures:
            found.update(_of_target(node, LISTED) for node in captures["listed"])
        elif "reference" in captures:
            found.update(_of_reference(captures["reference"][0]))
        elif "statement" in captures and take_apart:
            found.update(take_apart(captures["statement"][0]))
        else:
            for name, nodes in captures.items():
                if name in names:
                    names[name] += nodes
    for node in names["items"] if depth < MAX_MACROS_WITHIN else ():
        within = _parsed_within(language, node, source)
        if not within.has_error:  # else it holds something that is no items
            found.update(_imports_of(language, within, source, depth + 1).imports)
    packages = [text_of(node) for node in sorted(names["package"], key=lambda node: node.start_byte)]
    package = ".".join(packages if GRAMMARS[language].packages_add_up else packages[:1])
    declared = {_qualified(node) for node in names["declared"]}
    declared |= {f"{_qualified(node)}()" for node in names["extension"]}
    if language == "PHP" and len(packages) > 1:
        declared = {_with_namespace(node, package) for node in names["declared"]}
    for node in names["annotated"]:
        if match := _KOTLIN_DECLARED.search(text_of(node)[:MAX_ANNOTATED_CHARACTERS]):
            declared.add(match[1])
    own = {name.rpartition(".")[2] for name in declared}
    used: dict[str, int] = {}
    for node in names["used"]:
        # `Node.text` asks back for the source, which takes longer than the query.
        name, line = source[node.start_byte : node.end_byte].decode("utf-8", "replace"), line_of(node)
        if language == "Ruby":
            name = _with_modules(node, name)
        if name and line < used.get(name, line + 1) and name not in own and not _is_behind_a_dot(node):
            used[name] = line
    for node in names["called"]:
        used.setdefault(f"{text_of(node)}()", line_of(node))
    if language == "Go":
        used |= _go_members(found, source)
    # Sorted, since the order of matches differs between grammars.
    return FileImports(tuple(sorted(found)), package, tuple(sorted(declared)), tuple(sorted(used.items())))


def _go_members(imports: Iterable[Import], source: bytes) -> dict[str, int]:
    """Return what a file uses of the packages that it imports as `package.Name`, with the first line of each."""
    called: set[str] = set()
    for found in imports:
        first, *rest = found.target.split("/")
        if found.names:
            called.update(found.names)
        elif "." in first or (rest and first not in GO_LIBRARY):
            called.update(found.target.split("/")[-2:])
    alike = "/".join(sorted(called))
    used: dict[str, int] = {}
    line, at = 1, 0
    for match in _GO_MEMBER.finditer(source) if called else ():
        package, name = match[1].decode(), match[2].decode()
        if package in alike and f"{package}.{name}" not in used:
            line += source.count(b"\n", at, match.start())
            at = match.start()
            used[f"{package}.{name}"] = line
    return used


def _c_imports(language: str, source: bytes) -> FileImports:
    """Return what a file of C or C++ includes, and the modules that it imports and is."""
    found: set[Import] = set()
    line, at, place = 1, 0, 0
    while match := _C_TOKEN.search(source, place):
        place = max(match.end(), place + 1)
        if match[3] is not None:
            end = source.find(b")" + match[3] + b'"', place)
            place = len(source) if end < 0 else end + len(match[3]) + 2
        elif match[1]:
            line += source.count(b"\n", at, match.start())
            at = match.start()
            target = match[2].decode("utf-8", "replace")
            is_quoted = target.startswith('"') and len(target) > 1
            name = target[1:-1] if is_quoted or target.startswith("<") else ""
            # `#include_next` looks in the folders behind the one of the file.
            form = "quoted" if is_quoted and match[1] != b"include_next" else "angled" if name else "import"
            found.add(Import(line, name, form))
    modules, package = _cpp_modules(source) if language == "C++" else ([], "")
    return FileImports(tuple(sorted(found.union(modules))), package)


def _cpp_modules(source: bytes) -> tuple[list[Import], str]:
    """Return the modules that a file of C++ imports, and the one that it exports or is a part of."""
    found, package = [], ""
    for match in _CPP_MODULE.finditer(source):
        line, name = source.count(b"\n", 0, match.start()) + 1, match[2].decode("utf-8", "replace")
        if match[1] == b"module":
            package = package or name
        elif name[0] in '<"':
            found.append(Import(line, name[1:-1], "angled" if name[0] == "<" else "quoted"))
        else:
            found.append(Import(line, name, "module"))
    return found, package


def _parsed_within(language: str, braces: "Node", source: bytes) -> "Node":
    """Return the tree of what stands in braces that the file's own tree does not take apart."""
    from tree_sitter import Range

    first, last = braces.children[0], braces.children[-1]
    parser = _tools(language).parser
    parser.included_ranges = [Range(first.end_point, last.start_point, first.end_byte, last.start_byte)]
    try:
        return parse(parser, source).root_node
    finally:
        parser.included_ranges = []


def _matches(language: str, root: "Node", source: bytes) -> "Iterator[dict[str, list[Node]]]":
    """Give the captures of each match of a language's queries; of a match at several places more than once."""
    from tree_sitter import QueryCursor

    tools = _tools(language)
    if tools.of_file:
        cursor = QueryCursor(tools.of_file)
        cursor.set_max_start_depth(0)
        yield from (captures for _, captures in cursor.matches(root))
    cursor = QueryCursor(tools.anywhere)
    tables = GRAMMARS[language].tables
    if tables and len(source) > MAX_TABLE_BYTES:
        for node in root.children:
            if node.type == tables and node.end_byte - node.start_byte > MAX_TABLE_BYTES:
                cursor.set_byte_range(node.start_byte, node.start_byte + TABLE_HEAD_BYTES)
            else:
                cursor.set_byte_range(node.start_byte, node.end_byte)
            yield from (captures for _, captures in cursor.matches(node))
        return
    if tools.words is None or not GRAMMARS[language].words_mark_nodes:
        yield from (captures for _, captures in cursor.matches(root))
        return
    for start, end in _places(tools.words, source):
        cursor.set_byte_range(start, end)
        yield from (captures for _, captures in cursor.matches(root))


def _places(words: "re.Pattern[bytes]", source: bytes) -> list[tuple[int, int]]:
    """Return where words stand, those near each other as one place; at most some `MAX_PLACES`."""
    apart = max(PLACES_APART, len(source) // MAX_PLACES)
    places: list[tuple[int, int]] = []
    for match in words.finditer(source):
        is_near = places and match.start() - places[-1][1] < apart
        start = places.pop()[0] if is_near else match.start()
        places.append((start, match.end()))
    return places


def _is_behind_a_dot(node: "Node") -> bool:
    """Return whether a name is a later part of one such as `java.util.Map`: it means nothing by itself."""
    around = node.parent
    if around is None or around.type not in ("scoped_type_identifier", "qualified_type"):
        return False
    return around.named_children[0] != node


def _qualified(node: "Node") -> str:
    """Return a name with the namespaces (C#) or package objects (Scala) that it is declared in, outermost first."""
    parts, declaration = [text_of(node)], node.parent
    ancestor = declaration.parent if declaration else None
    while ancestor is not None:
        if ancestor.type in NAMESPACES and (name := ancestor.child_by_field_name("name")):
            parts.insert(0, text_of(name))
        if ancestor.type == "compilation_unit":
            spaces = (child for child in ancestor.children if child.type == "file_scoped_namespace_declaration")
            parts[:0] = [text_of(name) for space in spaces if (name := space.child_by_field_name("name"))]
        ancestor = ancestor.parent
    return ".".join(parts)


def _of_reference(node: "Node") -> Iterator[Import]:
    """Give what `/// <reference path="a.d.ts" />` names, a path from the file's folder."""
    _, _, behind = text_of(node).partition("path")
    parts = re.split(r"[\"']", behind)
    if len(parts) > 2:
        yield Import(line_of(node), parts[1] if parts[1].startswith((".", "/")) else f"./{parts[1]}", LISTED)


def _with_namespace(node: "Node", package: str) -> str:
    """Return a name of a PHP file with several namespaces: in the first as it is, in others from the global one on."""
    space, ancestor = "", node.parent
    while ancestor is not None and ancestor.type != "namespace_definition":
        before = ancestor.prev_named_sibling
        while before is not None and ancestor.parent is not None and ancestor.parent.type == "program":
            if before.type == "namespace_definition" and before.child_by_field_name("body") is None:
                space = text_of(before.child_by_field_name("name") or before)
                return text_of(node) if space == package else f"\\{space}\\{text_of(node)}"
            before = before.prev_named_sibling
        ancestor = ancestor.parent
    if ancestor is not None and (name := ancestor.child_by_field_name("name")):
        space = text_of(name)
    return text_of(node) if space == package else f"\\{space}\\{text_of(node)}".replace("\\\\", "\\")


def _with_modules(node: "Node", name: str) -> str:
    """Return a constant of Ruby behind the modules around its use and a `>`; nothing for one that is being declared."""
    around = node.parent
    if around is not None and around.type == "scope_resolution":
        return ""
    if around is not None and around.type in ("class", "module") and around.child_by_field_name("name") == node:
        return ""
    spaces: list[str] = []
    ancestor = around.parent if around is not None and around.type == "superclass" else around
    if around is not None and around.type == "superclass" and ancestor is not None:
        ancestor = ancestor.parent
    while ancestor is not None:
        if ancestor.type in ("class", "module") and (space := ancestor.child_by_field_name("name")):
            spaces.insert(0, text_of(space))
        ancestor = ancestor.parent
    return f"{'::'.join(spaces)}>{name}"


def _of_target(node: "Node", form: str) -> Import:
    line, text = line_of(node), text_of(node)
    if node.parent is not None and any(child.type == "type" for child in node.parent.children):
        form = "typing"  # TypeScript's `import type ... from`
    if form in SHELL_COMMANDS:
        return Import(line, text.strip("\"'"), form)
    is_literal = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'`" and node.type != "binary_expression"
    if is_literal and "${" not in text and "#{" not in text:
        return Import(line, text[1:-1], form)
    if pattern := statements.computed_path(node):
        return Import(line, pattern, GLOB)
    return Import(line, "", form)
