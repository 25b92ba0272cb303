"""Section 2.4: how far a trivial text rule gets in finding faults: the measure that mutation must stay below.

A rule is "a line with this run of tokens is the faulty line". Rules are chosen on half of the faults and judged on the
other half. A rule that is right half of the time has found a mark of the mutation, not a fault: a line taken at
random is right about once in ten times.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_TOKENS = 4
MIN_FUNCTIONS = 10
MIN_PRECISION = 0.5
_KNOWN = frozenset(keyword.kwlist) | frozenset(dir(builtins))


@dataclass(frozen=True)
class TellReport:
    """What text rules find.

    `found_fraction` is the part of the judged faults whose line a rule points out; `precision` how often such a
    pointer is right; `rules` the rules, those that find the most first; `chance` what a random line finds.
    """

    num_faults: int
    found_fraction: float
    precision: float
    chance: float
    rules: tuple[str, ...]


@dataclass(frozen=True)
class _Lines:
    """A fault: the features of the lines of its function, and which of them changed."""

    name: str
    features: list[set[str]]
    changed: set[int]


def line_features(line: str) -> set[str]:
    """Return the runs of up to four tokens of a line; names other than keywords and built-ins are all alike."""
    tokens = re.findall(r"\w+|[^\w\s]+?|\S", line.partition("  #")[0])
    tokens = ["x" if token.isidentifier() and token not in _KNOWN else token for token in tokens]
    return {
        " ".join(tokens[start : start + length])
        for length in range(1, MAX_TOKENS + 1)
        for start in range(len(tokens) - length + 1)
    }


def surface_tells(faults: Sequence[tuple[str, str, Iterable[int]]]) -> TellReport:
    """Measure how many faults a rule about the text of a line finds.

    Args:
        faults: a name of the right function, the faulty function, and its changed lines, from 1. Faults of one
            function are all on one side: else a rule could know the function.

    Returns:
        `TellReport`: over the half of the faults that the rules were not chosen on.
    """
    halves: list[list[_Lines]] = [[], []]
    for name, function, lines in faults:
        side = hashlib.sha256(name.encode()).digest()[0] % 2
        # The head and the docstring hold no fault.
        first = _first_body_line(function)
        numbered = [(number, line) for number, line in enumerate(function.splitlines(), 1) if number >= first]
        features = [line_features(line) for _, line in numbered if line.strip()]
        changed = {index for index, (number, _) in enumerate(p for p in numbered if p[1].strip()) if number in lines}
        halves[side].append(_Lines(name, features, changed))
    return _judge(halves[1], _choose_rules(halves[0]))


def _choose_rules(faults: list[_Lines]) -> set[str]:
    """Return the rules that are right often enough, about faults of functions enough."""
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    functions: defaultdict[str, set[str]] = defaultdict(set)
    for fault in faults:
        for index, features in enumerate(fault.features):
            seen.update(features)
            if index in fault.changed:
                right.update(features)
                for feature in features:
                    functions[feature].add(fault.name)
    return {
        rule
        for rule, count in right.items()
        if len(functions[rule]) >= MIN_FUNCTIONS and count >= MIN_PRECISION * seen[rule]
    }


def _first_body_line(function: str) -> int:
    node = ast.parse(function).body[-1]  # what a function needs stands before it
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return 1
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1 else node.body
    return body[0].lineno


def _judge(faults: list[_Lines], rules: set[str]) -> TellReport:
    num_pointers = num_right = num_found = 0
    hits: Counter[str] = Counter()
    for fault in faults:
        pointed = {index for index, features in enumerate(fault.features) if features & rules}
        num_pointers += len(pointed)
        num_right += len(pointed & fault.changed)
        num_found += bool(pointed & fault.changed)
        for index in pointed & fault.changed:
            hits.update(fault.features[index] & rules)
    return TellReport(
        num_faults=len(faults),
        found_fraction=num_found / max(len(faults), 1),
        precision=num_right / max(num_pointers, 1),
        chance=sum(len(fault.changed) for fault in faults) / max(sum(len(fault.features) for fault in faults), 1),
        rules=tuple(rule for rule, _ in hits.most_common(10)),
    )
