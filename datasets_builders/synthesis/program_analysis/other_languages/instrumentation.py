"""Section 2.4: programs that count the blocks they enter, so that endless ones end and branches taken are known.

Blocks are counted and not seconds, so that every machine gives up on the same calls. The text keeps its lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datasets_builders.synthesis.program_analysis.extraction import word_list
from datasets_builders.synthesis.program_analysis.other_languages.syntax import Edit, edited, nodes_of, tree_of

if TYPE_CHECKING:
    from tree_sitter import Node

_BLOCKS = frozenset(("statement_block", "block", "compound_statement"))
_LOOPS = frozenset(
    word_list("for_statement for_in_statement while_statement do_statement enhanced_for_statement for_range_loop")
)
_CASES = frozenset(
    word_list("switch_case switch_default switch_block_statement_group case_statement expression_case default_case")
)


def instrumented(language: str, code: str, call: str = "__step({number});") -> str:
    """Return a program that says which blocks it enters.

    Args:
        language (`str`): of the program.
        code (`str`): the program.
        call (`str`): the statement that is put in; `{number}` stands for the block's.
    """
    data = code.encode()
    edits: list[Edit] = []

    def statement() -> str:
        return " " + call.replace("{number}", str(len(edits)))

    for node in nodes_of(tree_of(language, code)):
        if node.type in _BLOCKS:
            edits.append(Edit(node.start_byte + 1, node.start_byte + 1, statement()))
        elif node.type in _CASES:
            colon = next((child for child in reversed(node.children) if child.type == ":"), None)
            if colon is not None:
                edits.append(Edit(colon.end_byte, colon.end_byte, statement()))
        for body in _bare_bodies(node):
            edits.append(Edit(body.start_byte, body.start_byte, "{" + statement() + " "))
            edits.append(Edit(body.end_byte, body.end_byte, " }"))
    return edited(data, edits)


def _bare_bodies(node: Node) -> list[Node]:
    """Return the statements that a loop or condition runs without a block around them."""
    if node.type in _LOOPS:
        bodies = [node.child_by_field_name("body")]
    elif node.type == "if_statement":
        bodies = [node.child_by_field_name("consequence"), node.child_by_field_name("alternative")]
    else:
        return []
    bare = []
    for body in bodies:
        if body is not None and body.type == "else_clause":
            body = next((child for child in body.named_children if "comment" not in child.type), None)
        if body is not None and body.type not in _BLOCKS and body.type != "if_statement" and body.type != ";":
            bare.append(body)
    return bare
