"""Section 4.4.1: an answer in JavaScript, TypeScript or PHP as a part of a script that its tests end.

What a module says to others has no place in a script: imports become `require`, exports are left out, and so is what
the answer shows of itself, or ends. Names that the tests declare too are kept apart by a function around the answer.
"""

from __future__ import annotations

import re

from tree_sitter import Node

from evals.tasks.syntax import identifiers, name_of, statements, text_of, tree_of, walk

SHOWING = re.compile(r"(?:console|process\.stdout|process\.stderr|assert|chai|expect)\b|(?:process\.)?exit\Z")
RUNNERS = {"test", "tests", "runTests", "describe", "it"}
PHP_SHOWING = {"echo_statement", "exit_statement", "print_intrinsic"}
PHP_CALLS = re.compile(r"(?:var_dump|print_r|print|printf|exit|die|assert|var_export)\b")
PHP_OUTSIDE = {"php_tag", "text_interpolation", "text", "php_end_tag"}


def as_script(code: str, language: str, entry_point: str, tests: str) -> str:
    """Return an answer in JavaScript or TypeScript as the beginning of a script.

    Args:
        code (`str`): of the answer.
        language (`str`): "javascript" or "typescript".
        entry_point (`str`): the function that the tests call.
        tests (`str`): that follow.
    """
    content = code.encode("utf-8", "surrogatepass")
    theirs = {name for statement in statements(tests, language) for name in statement.names} - {entry_point}
    nodes = tree_of(code, language).children
    used = set().union(*(identifiers(node) for node in nodes if node.type != "import_statement"))
    edits: list[tuple[int, int, str]] = []
    for node in nodes:
        put = _in_script(node, entry_point, theirs, used)
        if put is not None:
            edits.append((node.start_byte, node.end_byte, put))
    for start, end, put in reversed(edits):
        content = content[:start] + put.encode("utf-8", "surrogatepass") + content[end:]
    script = content.decode("utf-8", "surrogatepass")
    own = {name for statement in statements(script, language) for name in statement.names}
    if not own & theirs or entry_point not in own:
        return script
    return f"const {entry_point} = (() => {{\n{script}\nreturn {entry_point};\n}})();\n"


def _in_script(node: Node, entry_point: str, theirs: set[str], used: set[str]) -> str | None:
    """Return what stands for a statement in a script; None where it stays as it is."""
    if node.type == "import_statement":
        return _required(node, used - theirs)
    if node.type == "export_statement":
        return _exported(node)
    if node.type in ("lexical_declaration", "variable_declaration") and _requires(node, theirs):
        return ""
    if node.type == "if_statement" and "require.main" in text_of(node.child_by_field_name("condition") or node):
        return ""
    if node.type == "expression_statement" and node.children:
        call = node.children[0]
        function = call.child_by_field_name("function") if call.type == "call_expression" else None
        if function is not None:
            called = text_of(function)
            if SHOWING.match(called) or called in {entry_point, *RUNNERS}:
                return ""
    return None


def _required(node: Node, wanted: set[str]) -> str:
    """Return an import as a `require` of what is wanted: nothing of types, or where nobody uses it."""
    source = node.child_by_field_name("source")
    clause = next((child for child in node.children if child.type == "import_clause"), None)
    if source is None or clause is None or any(child.type == "type" for child in node.children):
        return ""
    module, lines = text_of(source), []
    for part in clause.named_children:
        name = text_of(part.named_children[0]) if part.type == "namespace_import" else text_of(part)
        if part.type == "named_imports":
            names = [text_of(child) for child in part.named_children if child.type == "import_specifier"]
            names = [re.sub(r"\s+as\s+", ": ", each) for each in names if not each.startswith("type ")]
            names = [each for each in names if each.rpartition(": ")[2] in wanted]
            name = f"{{ {', '.join(names)} }}" if names else ""
        elif name not in wanted:
            name = ""
        lines += [f"const {name} = require({module});"] if name else []
    return "\n".join(lines)


def _exported(node: Node) -> str:
    """Return what an export declares."""
    declared = node.child_by_field_name("declaration")
    if declared is None:  # an expression, which may be the function itself
        declared = node.child_by_field_name("value")
        named = declared is not None and declared.type in ("function_expression", "class") and name_of(declared)
        return text_of(declared) if declared is not None and named else ""
    return text_of(declared)


def _requires(node: Node, theirs: set[str]) -> bool:
    """Return whether a declaration loads what the tests load under the same name."""
    declared = [child for child in node.named_children if child.type == "variable_declarator"]
    return bool(declared) and all(
        name_of(each) in theirs and text_of(each.child_by_field_name("value") or each).startswith("require(")
        for each in declared
    )


def as_php(code: str, entry_point: str) -> str:
    """Return the PHP of an answer without its marks, the text around it, and what it prints or ends.

    The tests stand behind it in the same file.
    """
    text = code if "<?" in code else f"<?php\n{code}"
    text = re.sub(r"<\?(?!php|=|xml)", "<?php ", text)
    content = text.encode("utf-8", "surrogatepass")
    cuts = []
    for node in tree_of(text, "php").children:
        if node.type in PHP_OUTSIDE or node.type in PHP_SHOWING or _shows_php(node, entry_point):
            cuts.append((node.start_byte, node.end_byte))
    for start, end in reversed(cuts):
        content = content[:start] + b"\n" + content[end:]
    return "<?php\n" + content.decode("utf-8", "surrogatepass")


def _shows_php(node: Node, entry_point: str) -> bool:
    if node.type != "expression_statement":
        return False
    text = text_of(node)
    calls = [inner.child_by_field_name("function") for inner in walk(node) if inner.type == "function_call_expression"]
    assigned = any(inner.type == "assignment_expression" for inner in walk(node))
    return bool(PHP_CALLS.match(text)) or (
        not assigned and any(call is not None and text_of(call) == entry_point for call in calls)
    )
