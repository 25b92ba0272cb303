"""Section 2.4: how the number of executed lines grows with the size of an argument, where measuring makes it plain."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import pairwise

from datasets_builders.synthesis.program_analysis.arguments import guess_types
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

SIZES = (8, 16, 32, 64)
LOGARITHMIC, LINEAR, QUADRATIC = "O(log n)", "O(n)", "O(n^2)"
GROWTHS = ("O(1)", LOGARITHMIC, LINEAR, QUADRATIC)


def growing_calls(sample: FunctionSample) -> list[list[str]]:
    """Return families of calls whose argument grows, a call for each of `SIZES`; none where it is not plain how.

    Args:
        sample (`FunctionSample`): the function; it has to have a loop, one parameter that must be given, of which the
            text says that it is a list or an integer, and no helpers.
    """
    node = ast.parse(sample.function).body[0]
    if not isinstance(node, ast.FunctionDef) or sample.helpers:
        return []
    arguments = node.args
    num_required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    has_others = arguments.vararg or arguments.kwarg or arguments.kwonlyargs
    has_loop = any(isinstance(part, ast.For | ast.While) for part in ast.walk(node))
    if num_required != 1 or has_others or not has_loop:
        return []
    name = [*arguments.posonlyargs, *arguments.args][0].arg
    kinds = guess_types(node)[0][name][:1]
    if kinds == ["int"]:
        # Next to a power of two, and not: what looks at the bits of a number differs.
        return [[f"{node.name}({size + extra})" for size in SIZES] for extra in (0, -1, 1)]
    if kinds == ["list"]:
        families = [
            [list(range(size)) for size in SIZES],
            [list(range(size))[::-1] for size in SIZES],
            [[(7 * number) % size // 2 for number in range(size)] for size in SIZES],
            [[3] * size for size in SIZES],
        ]
        return [[f"{node.name}({values})" for values in family] for family in families]
    return []


def growth_of(families: Sequence[Sequence[int]]) -> str:
    """Return the growth that all families of numbers of executed lines show, or an empty text.

    A constant number is none: it mostly says that these arguments went past the loop.

    Args:
        families: numbers of lines for `SIZES`, each size twice the one before.
    """
    found = {_growth(numbers) for numbers in families}
    return found.pop() if len(found) == 1 else ""


def _growth(numbers: Sequence[int]) -> str:
    steps = [after - before for before, after in pairwise(numbers)]
    if min(steps) <= 0:
        return ""
    if max(steps) - min(steps) <= 1:
        return LOGARITHMIC
    ratios = [after / before for before, after in pairwise(steps)]
    for growth, ratio in ((LINEAR, 2.0), (QUADRATIC, 4.0)):
        if all(abs(each / ratio - 1) < 0.1 for each in ratios):
            return growth
    return ""
