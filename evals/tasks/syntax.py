"""Section 4.4.1: what a program defines and uses, in nine languages, by their grammars; nothing is run."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Language, Node, Parser

GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "cpp": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "rust": ("tree_sitter_rust", "language"),
    "go": ("tree_sitter_go", "language"),
}
# The grammar of Bash takes some valid functions for errors: `*" "[[:alpha:]]` in a test, `${list[*]:0:$1 + 1}`.
BASH_FUNCTION = r"(?:^|;)[ \t]*(?:function[ \t]+{name}(?![\w-])|{name}[ \t]*\([ \t]*\))"
FUNCTION_NODES = {
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "function_item",
    "method_declaration",
    "method_definition",
    "variable_declarator",
    "constructor_declaration",
    "local_function_statement",  # C#, outside of a class
}
CLASS_NODES = {"class_declaration", "record_declaration", "struct_declaration", "interface_declaration"}
# What binds a name, beside functions and classes.
BINDING_NODES = {
    *("class_definition", "class_specifier", "struct_specifier", "enum_specifier", "enum_declaration", "type_spec"),
    *("struct_item", "enum_item", "trait_item", "const_item", "static_item", "type_item", "macro_definition"),
    *("type_alias_declaration", "alias_declaration", "type_definition", "init_declarator", "const_spec", "var_spec"),
    *("preproc_def", "preproc_function_def", "trait_declaration", "abstract_class_declaration"),
}
# An assignment binds its left side: Python's, and JavaScript's without a declaration.
ASSIGNMENTS = {"assignment", "assignment_expression"}
IMPORT_NODES = {
    *("import_statement", "import_from_statement", "future_import_statement", "import_declaration", "preproc_include"),
    *("using_directive", "using_declaration", "use_declaration", "namespace_use_declaration"),
}
IDENTIFIERS = {"identifier", "type_identifier", "field_identifier", "name", "property_identifier", "package_identifier"}
IDENTIFIERS |= {"shorthand_property_identifier", "shorthand_property_identifier_pattern", "variable_name"}
DECLARATIONS = {"use_declaration", "const_item", "struct_item", "impl_item", "enum_item", "const_declaration"}
DECLARATIONS |= {
    "comment",
    "line_comment",
    "block_comment",
    "import_declaration",
    "type_declaration",
    "var_declaration",
    "preproc_include",
    "struct_specifier",
    "attribute_item",
    ";",
    "\n",
}


@dataclass(frozen=True)
class Statement:
    """A statement at a program's top level.

    Args:
        text (`str`): of it.
        names (`frozenset`): that it binds: of functions, classes, variables; of an import, all that it mentions.
        kind (`str`): "import", "definition" (of functions and classes, or a variable), or "other".
    """

    text: str
    names: frozenset[str]
    kind: str


@functools.cache
def _parser(language: str) -> Parser:
    module, function = GRAMMARS[language]
    return Parser(Language(getattr(importlib.import_module(module), function)()))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def text_of(node: Node) -> str:
    """Return a node's text."""
    return (node.text or b"").decode("utf-8", "replace")


def name_of(node: Node) -> str:
    """Return the name that a node defines; C++ hides it below declarators, an assignment has it on its left."""
    if node.type in ASSIGNMENTS:
        left = node.child_by_field_name("left")
        return text_of(left) if left is not None else ""
    for field in ("name", "declarator"):
        child = node.child_by_field_name(field)
        if child is not None:
            return name_of(child) if child.child_count and field == "declarator" else text_of(child)
    return text_of(node) if node.child_count == 0 else ""


def tree_of(code: str, language: str) -> Node:
    """Return the syntax tree of a program; PHP may lack its opening tag."""
    text = f"<?php\n{code}" if language == "php" and "<?php" not in code else code
    return _parser(language).parse(text.encode("utf-8", "surrogatepass")).root_node


def is_whole(code: str, language: str) -> bool:
    """Return whether the code is a program without an error, as far as its grammar knows."""
    return not tree_of(code, language).has_error


def defines(code: str, language: str, name: str) -> bool:
    """Return whether the code defines a function, method or variable of that name; always for SQL."""
    if language == "bash":
        return re.search(BASH_FUNCTION.format(name=re.escape(name)), code, re.MULTILINE) is not None
    if language not in GRAMMARS:
        return True
    kinds = FUNCTION_NODES | ASSIGNMENTS
    return any(node.type in kinds and name_of(node) == name for node in walk(tree_of(code, language)))


def statements(code: str, language: str) -> list[Statement]:
    """Return the statements at the top level of a program, but for what has an error."""
    nodes = tree_of(code, language).named_children
    return [_statement(node) for node in nodes if not node.has_error and node.type != "php_tag"]


def _statement(node: Node) -> Statement:
    if node.type in IMPORT_NODES:
        return Statement(text_of(node), frozenset(identifiers(node)), "import")
    names: set[str] = set()
    stack = [node]
    defined = False
    while stack:
        inner = stack.pop()
        if inner.type in FUNCTION_NODES | CLASS_NODES | BINDING_NODES:
            pattern = inner.child_by_field_name("name") if inner.type == "variable_declarator" else None
            names |= identifiers(pattern) if pattern is not None and pattern.child_count else {name_of(inner)}
            defined = True
        elif inner.type in ASSIGNMENTS:
            left = inner.child_by_field_name("left")
            names |= identifiers(left) if left is not None else set()
            defined = True
        elif inner.type not in ("call", "call_expression", "arguments", "block", "statement_block"):
            stack.extend(inner.children)
    kind = "definition" if defined or node.type in ("impl_item", "preproc_def") else "other"
    return Statement(text_of(node), frozenset(names), kind)


def identifiers(node: Node) -> set[str]:
    """Return the identifiers in a node; those of an object's keys too."""
    return {text_of(inner) for inner in walk(node) if inner.child_count == 0 and inner.type in IDENTIFIERS}


def names_used(code: str, language: str) -> set[str]:
    """Return the identifiers in the code; comments and strings hold none."""
    return identifiers(tree_of(code, language))


def without(code: str, language: str, drop: Callable[[str, str], bool]) -> str:
    """Return the code without the outermost functions and classes for which `drop(node's type, name)` is true."""
    content = code.encode("utf-8", "surrogatepass")
    cuts: list[tuple[int, int]] = []
    for node in walk(_parser(language).parse(content).root_node):
        if cuts and node.start_byte < cuts[-1][1]:
            continue
        if node.type in FUNCTION_NODES | CLASS_NODES and drop(node.type, name_of(node)):
            cuts.append((node.start_byte, node.end_byte))
    return cut(content, cuts)


def cut(content: bytes, cuts: list[tuple[int, int]], put: bytes = b"") -> str:
    """Return the text with something else, or nothing, in the place of the ranges of bytes, which are in order."""
    for start, end in reversed(cuts):
        content = content[:start] + put + content[end:]
    return content.decode("utf-8", "surrogatepass")


def without_function(code: str, language: str, name: str) -> str:
    """Return the code without functions and methods of that name: a chat model's own main, say."""
    return without(code, language, lambda kind, found: kind not in CLASS_NODES and found == name)


def definitions(code: str, language: str, name: str) -> str:
    """Return the code up to the last definition that stands before something else, once `name` is defined.

    A base model goes on after the function: with helpers that it calls, with prose, with a main of its own.
    """
    content = code.encode("utf-8", "surrogatepass")
    end, found = 0, False
    for node in _parser(language).parse(content).root_node.children:
        functions = [inner for inner in walk(node) if inner.type in FUNCTION_NODES]
        if found and not functions and node.type not in DECLARATIONS:
            break
        found = found or any(name_of(function) == name for function in functions)
        end = node.end_byte if found and "comment" not in node.type else end
    return content[:end].decode("utf-8", "surrogatepass") if found else code


def functions_beside(code: str, language: str, name: str) -> str:
    """Return the functions of the code but for those of that name."""
    nodes = _parser(language).parse(code.encode("utf-8", "surrogatepass")).root_node.children
    beside = [node for node in nodes if node.type in FUNCTION_NODES and name_of(node) != name and not node.has_error]
    return "\n".join(text_of(node) for node in beside)


def class_body(code: str, language: str, name: str) -> tuple[str, str] | None:
    """Return (what stands before it, the members) of the class that has a method of that name; None without one.

    Of a class that breaks off, the members that are whole.
    """
    content = code.encode("utf-8", "surrogatepass")
    tree = _parser(language).parse(content).root_node
    for node in walk(tree):
        body = node.child_by_field_name("body") if node.type in CLASS_NODES else None
        if body is None:
            continue
        members = [child for child in body.children if child.type in FUNCTION_NODES]
        if any(name_of(child) == name for child in members):
            end = body.end_byte - 1 if content[body.start_byte : body.end_byte].endswith(b"}") else body.end_byte
            around = content[: node.start_byte] + b"\n" + content[body.end_byte :]
            inner = content[body.start_byte + 1 : end]
            if node.has_error:
                inner = b"\n".join(child.text or b"" for child in body.named_children if not child.has_error)
            return around.decode("utf-8", "surrogatepass"), inner.decode("utf-8", "surrogatepass")
    return _broken_class(tree, name) if tree.has_error else None


def _broken_class(tree: Node, name: str) -> tuple[str, str] | None:
    """Return class_body's answer where no class closes: imports and whole classes, and the methods that are whole."""
    kinds = FUNCTION_NODES - {"variable_declarator"} | {"field_declaration"}
    methods, around = [], []
    stack = [tree]
    while stack:
        node = stack.pop()
        if node.type in kinds and not node.has_error:
            methods.append(node)
        elif node.type in CLASS_NODES | IMPORT_NODES and not node.has_error:
            around.append(node)
        else:
            stack.extend(reversed(node.children))
    if not any(name_of(method) == name for method in methods):
        return None
    return "\n".join(map(text_of, around)) + "\n", "\n".join(map(text_of, methods))


def packages_used(code: str) -> set[str]:
    """Return the names before a dot and an exported name in Go code; comments and strings do not count."""
    used = set()
    for node in walk(tree_of(code, "go")):
        if node.type in ("selector_expression", "qualified_type"):
            package, name = node.children[0], node.children[-1]
            if package.child_count == 0 and text_of(name)[:1].isupper():
                used.add(text_of(package))
    return used
