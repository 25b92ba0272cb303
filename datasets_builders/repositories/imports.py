"""Section 2.2.2, phase 1: the import statements of a file, from its syntax tree and never by regular expressions.

One query per language lies in `queries/`. A file with syntax errors still gives the imports that its tree holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builders.curation.syntax import load_parser, parse

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

QUERIES = {
    "Python": "python",
    "JavaScript": "javascript",
    "TypeScript": "typescript",
    "TSX": "typescript",
    "C": "c",
    "C++": "c",
    "Java": "java",
    "Go": "go",
    "Ruby": "ruby",
    "Lua": "lua",
    "Shell": "bash",
}


@dataclass(frozen=True, order=True)
class Import:
    """One import of a file.

    Args:
        line (`int`): from 1.
        target (`str`): what is imported, as it is written, without quotes; empty where it is computed at run time.
        form (`str`): how: `import`, `from`, `call`, `quoted`, `angled`, `wildcard`, or the function's name.
        names (tuple of `str`): what is taken from the target (Python).
    """

    line: int
    target: str
    form: str = "import"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileImports:
    """What a file imports, in order, and the package that it says it is in (Java)."""

    imports: tuple[Import, ...]
    package: str = ""


@cache
def _tools(language: str) -> "tuple[Parser, Query]":
    from tree_sitter import Query

    parser = load_parser(language)
    assert parser is not None, f"no grammar for {language}"
    assert parser.language is not None
    text = Path(__file__).with_name("queries").joinpath(f"{QUERIES[language]}.scm").read_text(encoding="utf-8")
    return parser, Query(parser.language, text)


def find_imports(language: str, source: bytes) -> FileImports:
    """Return the imports of a file.

    Args:
        language (`str`): Linguist's name, one of `QUERIES`.
        source (`bytes`): UTF-8.

    Raises:
        ParseTooCostly: the file was made to keep a parser busy.

    Source: paper 2.2.2.
    """
    from tree_sitter import QueryCursor

    parser, query = _tools(language)
    root = parse(parser, source).root_node
    found: list[Import] = []
    package = ""
    for _, captures in QueryCursor(query).matches(root):
        if "package" in captures:
            package = _text(captures["package"][0])
        elif "statement" in captures and "target" not in captures:
            found += _of_statement(language, captures["statement"][0])
        elif "target" in captures:
            function = captures.get("function")
            found.append(_of_target(captures["target"][0], _text(function[0]) if function else "import"))
    # The order of matches differs between grammars.
    return FileImports(tuple(sorted(set(found))), package)


def _of_statement(language: str, node: "Node") -> Iterator[Import]:
    line = node.start_point.row + 1
    if language == "Java":
        name = next((child for child in node.named_children if child.type in ("scoped_identifier", "identifier")), None)
        if name is not None:
            is_wildcard = any(child.type == "asterisk" for child in node.named_children)
            yield Import(line, _text(name), "wildcard" if is_wildcard else "import")
        return
    names = tuple(_imported_name(child) for child in node.children_by_field_name("name"))
    module = node.child_by_field_name("module_name")
    if module is None:
        yield from (Import(line, name) for name in names)
    else:
        yield Import(line, _text(module).replace(" ", ""), "from", names)


def _imported_name(node: "Node") -> str:
    """Return the name without `as ...`."""
    name = node.child_by_field_name("name") if node.type == "aliased_import" else node
    return _text(name) if name is not None else ""


def _of_target(node: "Node", form: str) -> Import:
    line, text = node.start_point.row + 1, _text(node)
    if node.type == "system_lib_string":
        return Import(line, text.strip("<>"), "angled")
    if form in ("source", "."):  # the shell's words need no quotes, and may hold variables
        return Import(line, text.strip("\"'"), form)
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'`" and "${" not in text and "#{" not in text:
        return Import(line, text[1:-1], "quoted" if node.type == "string_literal" else form)
    return Import(line, "", form)


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")
