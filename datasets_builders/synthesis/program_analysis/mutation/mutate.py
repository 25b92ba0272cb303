"""Section 2.4: bugs put into working functions, for code repair.

Each mutation is an edit of a span of the source text, so that formatting and comments stay as they were and the
faulty function looks like one that somebody wrote. Whether it is a bug at all is decided by running it.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from datasets_builders.synthesis.program_analysis.mutation.expressions import expression_edits, walk_code
from datasets_builders.synthesis.program_analysis.mutation.smells import smells
from datasets_builders.synthesis.program_analysis.mutation.statements import statement_edits
from datasets_builders.synthesis.program_analysis.mutation.variables import variable_edits
from datasets_builders.synthesis.program_analysis.source_text import Edit, SourceText, blocks

COMBINED = "combined"
# How many of the single edits are tried in pairs.
_MAX_COMBINED = 6


@dataclass(frozen=True)
class Mutant:
    """A function with one faulty place, or with two where `operator` is "combined".

    `operator` names the kind of mutation, `function` is the whole faulty text, `line` its first changed line (from 1).
    `halves` are, of one with two faulty places, the functions with one of them alone.
    """

    operator: str
    function: str
    line: int
    halves: tuple[str, ...] = ()


def mutate(function: str, num_mutants: int = 12, seed: int = 0) -> list[Mutant]:
    """Return faulty versions of a function or class, of operators as varied as the text allows.

    Args:
        function (`str`): source text of one function, or of one class with its methods.
        num_mutants (`int`): how many to return at most.
        seed (`int`): chooses among the places; the same seed gives the same mutants.

    Returns:
        `list[Mutant]`: all compile, all differ from the original and from each other in their syntax tree, and none
            does what a linter would name and the original does not.

    Raises:
        ValueError: the text is not one function or class.
    """
    source = SourceText(function)
    root = source.tree.body[0]
    if len(source.tree.body) != 1 or not isinstance(root, ast.FunctionDef | ast.ClassDef):
        raise ValueError(f"mutate() takes the text of one function or class, got a {type(root).__name__}.")
    edits = list(dict.fromkeys(_all_edits(root, source)))
    edits.sort(key=lambda edit: hashlib.sha256(f"{seed}\0{function}\0{edit}".encode()).digest())
    mutants: list[Mutant] = []
    seen = {ast.dump(root)}
    known = smells(root)
    for group in _varied([*([edit] for edit in edits), *_pairs(edits)]):
        if len(mutants) == num_mutants:
            break
        tree = _parsed(text := source.apply(group))
        if tree is not None and (dumped := ast.dump(tree)) not in seen:
            seen.add(dumped)
            if smells(tree) - known:
                continue
            halves = tuple(source.apply([edit]) for edit in group) if len(group) > 1 else ()
            mutants.append(Mutant(_operator(group), text, first_difference(function, text), halves))
    return mutants


def _all_edits(root: ast.FunctionDef | ast.ClassDef, source: SourceText) -> Iterator[Edit]:
    for block in (next(blocks(root), []),):
        for statement in block:
            for node in walk_code(statement):
                yield from expression_edits(node, source)
    yield from statement_edits(root, source)
    for function in ast.walk(root):
        if isinstance(function, ast.FunctionDef):
            yield from variable_edits(function, source)


def _parsed(text: str) -> ast.stmt | None:
    """Return the only statement of a text that compiles."""
    try:
        tree = ast.parse(text)
        compile(tree, "<mutant>", "exec")
    except (SyntaxError, ValueError):
        return None
    return tree.body[0] if len(tree.body) == 1 else None


def _pairs(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Yield two edits of different kinds at places that do not touch."""
    found = (
        [first, second]
        for index, first in enumerate(edits)
        for second in edits[index + 1 :]
        if first.operator != second.operator and (first.end < second.start or second.end < first.start)
    )
    return islice(found, _MAX_COMBINED)


def _operator(group: Sequence[Edit]) -> str:
    return group[0].operator if len(group) == 1 else COMBINED


def _varied(groups: Sequence[list[Edit]]) -> Iterator[list[Edit]]:
    """Take turns over the operators, so that none crowds out the others."""
    queues: dict[str, list[list[Edit]]] = {}
    for group in groups:
        queues.setdefault(_operator(group), []).append(group)
    while queues:
        for operator in list(queues):
            yield queues[operator].pop(0)
            if not queues[operator]:
                del queues[operator]


def changed_lines(first: str, second: str) -> list[tuple[str, int, int, int, int]]:
    """Return where two texts differ, in lines: kind, from and to in the first, from and to in the second (from 0)."""
    matcher = difflib.SequenceMatcher(None, first.splitlines(), second.splitlines(), autojunk=False)
    return [part for part in matcher.get_opcodes() if part[0] != "equal"]


def first_difference(first: str, second: str) -> int:
    """Return the number (from 1) of the first line of the second text that differs from the first text."""
    lines, others = first.splitlines(), second.splitlines()
    same = next(
        (i for i, (a, b) in enumerate(zip(lines, others, strict=False)) if a != b), min(len(lines), len(others))
    )
    return min(same + 1, max(len(others), 1))
