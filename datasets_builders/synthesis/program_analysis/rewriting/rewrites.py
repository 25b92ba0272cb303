"""Section 2.4 (refactoring): one function written another way, by edits of its text that keep the author's layout.

Each kind of rewrite looks for its pattern and gives the changed text. Patterns are narrow, but whether a rewrite
behaves as the original is decided by running both.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from datasets_builders.synthesis.program_analysis.rewriting import branches, loops, texts, variables
from datasets_builders.synthesis.program_analysis.rewriting.patterns import Found
from datasets_builders.synthesis.program_analysis.source_text import SourceText

_KINDS: dict[str, Callable[[ast.FunctionDef, SourceText], Found]] = {
    "loop_to_comprehension": loops.loop_to_comprehension,
    "comprehension_to_loop": loops.comprehension_to_loop,
    "loop_to_any": loops.loop_to_any,
    "loop_to_sum": loops.loop_to_sum,
    "index_to_enumerate": loops.index_to_enumerate,
    "while_to_for": loops.while_to_for,
    "for_to_while": loops.for_to_while,
    "early_return": branches.early_return,
    "if_to_conditional": branches.if_to_conditional,
    "conditional_to_if": branches.conditional_to_if,
    "de_morgan": branches.de_morgan,
    "format_to_f_string": texts.format_to_f_string,
    "f_string_to_format": texts.f_string_to_format,
    "inline_variable": variables.inline_variable,
    "extract_variable": variables.extract_variable,
    "rename_variable": variables.rename_variable,
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True)
class Rewrite:
    """A function written another way.

    `kind` names the rewrite, whose wordings lie in `prompts/refactoring.txt`; `words` fill them.
    """

    kind: str
    function: str
    words: dict[str, str] = field(default_factory=dict)


def rewrites_of(function: str) -> list[Rewrite]:
    """Return the rewrites that a function allows, the first of each kind, all of which parse.

    Args:
        function (`str`): source text of one function.

    Raises:
        ValueError: the text is not one function.
    """
    source = SourceText(function)
    root = source.tree.body[0]
    if not isinstance(root, ast.FunctionDef):
        raise ValueError(f"rewrites_of() takes the text of one function, got a {type(root).__name__}.")
    found: dict[str, Rewrite] = {}
    for kind, find in _KINDS.items():
        for edits, words in find(root, source):
            try:
                text = source.apply(edits)
                tree = ast.parse(text)
            except (SyntaxError, ValueError):
                continue
            if ast.dump(tree) != ast.dump(source.tree):
                found[kind] = Rewrite(kind, text, words)
                break
    return list(found.values())
