"""Section 4: finding the code in a chat model's answer, in ten languages, and saying how it was found.

How often an answer held code of the right language is reported beside its score: the paper saw Python in answers to
TypeScript questions, and a harness that cannot read an answer looks like a model that cannot program.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from tree_sitter import Language, Node, Parser

ALIASES = {
    "python": ("python", "py", "python3"),
    "java": ("java",),
    "javascript": ("javascript", "js", "node"),
    "typescript": ("typescript", "ts"),
    "cpp": ("cpp", "c++", "cc", "cxx"),
    "csharp": ("csharp", "c#", "cs"),
    "php": ("php",),
    "rust": ("rust", "rs"),
    "go": ("go", "golang"),
    "bash": ("bash", "sh", "shell"),
    "sql": ("sql", "sqlite"),
}
TITLES = {
    "python": "Python",
    "java": "Java",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "cpp": "C++",
    "csharp": "C#",
    "php": "PHP",
    "rust": "Rust",
    "go": "Go",
    "bash": "Bash",
}
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
    "function_item",
    "method_declaration",
    "method_definition",
    "variable_declarator",
    "constructor_declaration",
    "local_function_statement",  # C#, outside of a class
}
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
CLASS_NODES = {"class_declaration", "record_declaration", "struct_declaration", "interface_declaration"}
FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Extraction:
    """Code found in an answer.

    Args:
        code (`str`): what is run.
        how (`str`): "fenced"; "unclosed" (the answer ended inside its block); "no_fence" (all of it is taken as code);
            "other_language" (every block names another language; the last one is taken); "nothing" (an empty answer).
    """

    code: str
    how: str


def extract(answer: str, language: str = "python", entry_point: str | None = None) -> Extraction:
    """Return the code in an answer.

    Of several blocks in the language, the last that defines `entry_point` counts (a later one corrects an earlier one);
    one that only calls it is an example of use. If none defines it, the last block that is no shell transcript counts.

    Args:
        answer (`str`): as the model wrote it.
        language (`str`): a key of ALIASES.
        entry_point (`str`, *optional*): the function that the tests call.

    Source: ours.
    """
    if not answer.strip():
        return Extraction("", "nothing")
    blocks = [(match[1].lower(), match[2], match[0]) for match in FENCE.finditer(answer)]
    if not blocks:
        return Extraction(answer, "no_fence")
    fitting = [block for block in blocks if block[0] in ALIASES[language] or not block[0]]
    how = "fenced" if fitting else "other_language"
    fitting = fitting or blocks
    if entry_point:
        fitting = [block for block in fitting if defines(block[1], language, entry_point)] or fitting
    _, code, whole = fitting[-1]
    if how == "fenced" and not whole.rstrip().endswith(("```", "~~~")):
        how = "unclosed"
    return Extraction(code, how)


@functools.cache
def _parser(language: str) -> Parser:
    module, function = GRAMMARS[language]
    return Parser(Language(getattr(importlib.import_module(module), function)()))


def _walk(node: Node):
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _named(node: Node) -> str:
    """Return the name that a node defines; C++ hides it below declarators."""
    for field in ("name", "declarator"):
        child = node.child_by_field_name(field)
        if child is not None:
            return (
                _named(child) if child.child_count and field == "declarator" else child.text.decode("utf-8", "replace")
            )
    return node.text.decode("utf-8", "replace") if node.child_count == 0 else ""


def _tree(code: str, language: str) -> Node:
    text = f"<?php\n{code}" if language == "php" and "<?php" not in code else code
    return _parser(language).parse(text.encode("utf-8", "surrogatepass")).root_node


def defines(code: str, language: str, name: str) -> bool:
    """Return whether the code defines a function, method or variable of that name; always for SQL."""
    if language == "bash":
        return re.search(BASH_FUNCTION.format(name=re.escape(name)), code, re.MULTILINE) is not None
    if language not in GRAMMARS:
        return True
    return any(node.type in FUNCTION_NODES and _named(node) == name for node in _walk(_tree(code, language)))


def without(code: str, language: str, drop: Callable[[str, str], bool]) -> str:
    """Return the code without the outermost functions and classes for which `drop(node's type, name)` is true."""
    content = code.encode("utf-8", "surrogatepass")
    cuts: list[tuple[int, int]] = []
    for node in _walk(_parser(language).parse(content).root_node):
        if cuts and node.start_byte < cuts[-1][1]:
            continue
        if node.type in FUNCTION_NODES | CLASS_NODES and drop(node.type, _named(node)):
            cuts.append((node.start_byte, node.end_byte))
    for start, end in reversed(cuts):
        content = content[:start] + content[end:]
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
        named = [one for one in _walk(node) if one.type in FUNCTION_NODES]
        if found and not named and node.type not in DECLARATIONS:
            break
        found = found or any(_named(one) == name for one in named)
        end = node.end_byte if found and "comment" not in node.type else end
    return content[:end].decode("utf-8", "surrogatepass") if found else code


def functions_beside(code: str, language: str, name: str) -> str:
    """Return the functions of the code but for those of that name."""
    nodes = _parser(language).parse(code.encode("utf-8", "surrogatepass")).root_node.children
    beside = [node for node in nodes if node.type in FUNCTION_NODES and _named(node) != name and not node.has_error]
    return "\n".join(node.text.decode("utf-8", "surrogatepass") for node in beside)


def class_body(code: str, language: str, name: str) -> tuple[str, str] | None:
    """Return (what stands before it, the members) of the class that has a method of that name; None without one."""
    content = code.encode("utf-8", "surrogatepass")
    for node in _walk(_parser(language).parse(content).root_node):
        body = node.child_by_field_name("body") if node.type in CLASS_NODES else None
        if body is None:
            continue
        members = [child for child in body.children if child.type in FUNCTION_NODES]
        if any(_named(child) == name for child in members):
            end = body.end_byte - 1 if content[body.start_byte : body.end_byte].endswith(b"}") else body.end_byte
            before, inner, after = (
                content[: node.start_byte],
                content[body.start_byte + 1 : end],
                content[body.end_byte :],
            )
            return (before + b"\n" + after).decode("utf-8", "surrogatepass"), inner.decode("utf-8", "surrogatepass")
    return None


def packages_used(code: str) -> set[str]:
    """Return the names before a dot and an exported name in Go code; comments and strings do not count."""
    used = set()
    for node in _walk(_tree(code, "go")):
        if node.type in ("selector_expression", "qualified_type"):
            package, name = node.children[0], node.children[-1]
            if package.child_count == 0 and name.text[:1].isupper():
                used.add(package.text.decode("utf-8", "replace"))
    return used
