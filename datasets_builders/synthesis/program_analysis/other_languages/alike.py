"""Sections 2.4 and 3.2.3: what two functions of a language have in common, whatever their names are."""

from __future__ import annotations

from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.other_languages.syntax import nodes_of, text_of, tree_of

_NAMES = frozenset(("identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"))


def normalized(sample: ProgramSample) -> str:
    """Return a function's tokens without comments and layout, its own names numbered in the order of their use."""
    start, end = len(sample.before.encode()), len((sample.before + sample.function).encode())
    numbers: dict[str, str] = {}
    tokens = []
    for node in nodes_of(tree_of(sample.language, sample.code)):
        if node.child_count or node.start_byte < start or node.end_byte > end or "comment" in node.type:
            continue
        text = text_of(node)
        tokens.append(numbers.setdefault(text, f"v{len(numbers)}") if node.type in _NAMES else text)
    return " ".join(tokens)
