"""Section 4.4.1: a Python answer as a module that tests import: what its author shows or asks at its end is not run.

The texts are changed by their syntax trees and never parsed or run by this interpreter.
"""

from __future__ import annotations

import re

from tree_sitter import Node

from evals.tasks.syntax import cut, defines, name_of, text_of, tree_of, walk

BODY_NODES = {"function_definition", "class_definition", "lambda"}
DEFINING_NODES = {"function_definition", "class_definition", "decorated_definition"}
SHOWING = re.compile(
    r"(?:print|unittest\.main|doctest\.testmod|pytest\.main|sys\.stdout\.write|pprint|pprint\.pprint)\Z"
)
READING = re.compile(r"\b(?:input|raw_input)\s*\(|\b(?:sys\.)?stdin\b|\bopen\(\s*0\s*[,)]")


def as_module(source: str) -> str:
    """Return a program whose main guards do not hold, and whose imports from __future__ stand first.

    Official judges run answers under another name than `__main__`, too.
    """
    guards = [node for node in _outside_of_bodies(tree_of(source, "python")) if _is_guard(node)]
    return with_futures_first(_put(source, [(node, "False" if "==" in text_of(node) else "True") for node in guards]))


def with_futures_first(source: str) -> str:
    """Return a program whose imports from __future__ stand first, as they must, whatever was put before it."""
    futures = [node for node in tree_of(source, "python").children if node.type == "future_import_statement"]
    head = "".join(f"{text_of(node)}\n" for node in futures)
    return head + _put(source, [(node, "pass") for node in futures])


def _put(source: str, edits: list[tuple[Node, str]]) -> str:
    """Return the source with other texts in the places of nodes."""
    content = source.encode("utf-8", "surrogatepass")
    for node, text in sorted(edits, key=lambda edit: -edit[0].start_byte):
        content = content[: node.start_byte] + text.encode() + content[node.end_byte :]
    return content.decode("utf-8", "surrogatepass")


def _outside_of_bodies(tree: Node) -> list[Node]:
    found, stack = [], [tree]
    while stack:
        node = stack.pop()
        found.append(node)
        if node.type not in BODY_NODES:
            stack.extend(node.children)
    return found


def _is_guard(node: Node) -> bool:
    if node.type != "comparison_operator" or node.child_count != 3 or node.children[1].type not in ("==", "!="):
        return False
    sides = {text_of(node.children[0]), text_of(node.children[2])}
    return "__name__" in sides and bool(sides & {"'__main__'", '"__main__"'})


def without_demonstration(code: str, entry_point: str | None) -> str:
    """Return the code without the statements at its top level that show or ask something.

    Left out are assertions, calls of `print`, of test runners and of the function itself, what reads standard input,
    calls of functions that do, and what needs those values. The tests call `entry_point` alone; everything that it may
    need is left.
    """
    if entry_point is None or not defines(code, "python", entry_point):
        return code
    content = code.encode("utf-8", "surrogatepass")
    tree = tree_of(code, "python")
    bodies = [node for node in tree.children if node.type in DEFINING_NODES]
    needed = {name for body in bodies for name in _identifiers(body) - _own_names(body)}
    asked: set[str] = set()  # names bound by what is left out
    cuts: list[tuple[int, int]] = []
    for node in tree.children:
        text = text_of(node)
        names = _identifiers(node)
        if node.type in DEFINING_NODES:
            name = next((name_of(inner) for inner in walk(node) if inner.type in BODY_NODES), "")
            if name != entry_point and (READING.search(text) or names & asked):
                asked.add(name)
            continue
        if node.type in ("import_statement", "import_from_statement", "future_import_statement", "comment"):
            continue
        bound = _assigned(node)
        reads = (bool(READING.search(text)) and "input" not in bound) or bool(names & asked)
        calls = _calls(node, entry_point) and not bound & needed
        if reads or calls or _shows(node):
            asked |= bound - {entry_point}
            cuts.append((node.start_byte, node.end_byte))
    return cut(content, cuts, b"pass")


def _identifiers(node: Node) -> set[str]:
    return {text_of(inner) for inner in walk(node) if inner.type == "identifier"}


def _own_names(body: Node) -> set[str]:
    """Return the parameters and variables of a function, which are nobody else's."""
    return _assigned(body).union(*(_identifiers(node) for node in walk(body) if node.type == "parameters"))


def _assigned(node: Node) -> set[str]:
    """Return the names that a statement binds."""
    assignments = [inner for inner in walk(node) if inner.type in ("assignment", "augmented_assignment")]
    lefts = [left for inner in assignments if (left := inner.child_by_field_name("left")) is not None]
    return {text_of(name) for left in lefts for name in walk(left) if name.type == "identifier"}


def _calls(node: Node, name: str) -> bool:
    functions = [inner.child_by_field_name("function") for inner in walk(node) if inner.type == "call"]
    return any(function is not None and text_of(function) == name for function in functions)


def _shows(node: Node) -> bool:
    if node.type == "assert_statement":
        return True
    call = node.children[0] if node.type == "expression_statement" and node.child_count == 1 else None
    if call is None or call.type != "call":
        return False
    function = call.child_by_field_name("function")
    return function is not None and SHOWING.match(text_of(function)) is not None


def as_body(code: str, entry_point: str | None) -> str:
    """Return an answer that is the body of the function, without its margin, with one; other code as it is."""
    if entry_point is None or defines(code, "python", entry_point):
        return code
    tree = tree_of(code, "python")
    returns = any(node.type in ("return_statement", "yield") for node in _outside_of_bodies(tree))
    lines = code.strip("\n").split("\n")
    if not returns or lines[0][:1] in (" ", "\t"):
        return code
    return "\n".join(f"    {line}" if line.strip() else line for line in lines)
