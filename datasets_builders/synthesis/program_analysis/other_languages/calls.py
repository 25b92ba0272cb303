"""Section 2.4: calls to try on a function: those seen in its file and its documentation, then drawn by its types."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from typing import Protocol

from datasets_builders.synthesis.program_analysis.other_languages.sample import Parameter, ProgramSample
from datasets_builders.synthesis.program_analysis.other_languages.values import Draw, ValueType

ATTEMPTS_PER_CALL = 3


class ValueSyntax(Protocol):
    """How a language writes values of its types."""

    any_types: tuple[ValueType, ...]

    def types_of(self, sample: ProgramSample) -> Sequence[Sequence[ValueType]]:
        """Return the likely types of each parameter, most likely first.

        Raises:
            Unusable: no literal is of a parameter's type.
        """

    def literal(self, value: object, kind: ValueType) -> str:
        """Return a value as the language writes it."""


MAX_CONSTANTS_OF_CONTEXT = 24


def constants_of(function: str, context: str = "") -> list[object]:
    """Return the numbers and strings of a function's text, and strings and keys of what it needs."""
    strings = r"\"([^\"\\\n]{0,24})\"|'([^'\\\n]{0,24})'"
    constants: list[object] = [text[0] or text[1] for text in re.findall(strings, function)]
    around = [*re.findall(r"([A-Za-z_]\w{1,24})\s*:", context), *(a or b for a, b in re.findall(strings, context))]
    constants += list(dict.fromkeys(around))[:MAX_CONSTANTS_OF_CONTEXT]
    for number in re.findall(r"(?<![\w.])\d{1,7}(?![\w.])", function):
        constants.append(int(number))
    for number in re.findall(r"(?<![\w.])\d{1,5}\.\d{1,4}(?![\w.])", function):
        constants.append(float(number))
    return constants


def candidate_calls(sample: ProgramSample, syntax: ValueSyntax, seed: int, num_calls: int, max_chars: int) -> list[str]:
    """Return calls to try, different ones.

    Args:
        sample (`ProgramSample`): the function.
        syntax (`ValueSyntax`): of its language.
        seed (`int`): the same seed gives the same calls.
        num_calls (`int`): how many at most.
        max_chars (`int`): longest call.

    Returns:
        `list[str]`: seen ones first; one call where there are no parameters.

    Raises:
        Unusable: no literal is of a parameter's type.
    """
    digest = hashlib.sha256(f"{seed}\0{sample.path}\0{sample.function}".encode()).digest()
    draw = Draw(random.Random(digest), constants_of(sample.function, sample.before), syntax.any_types)
    types = syntax.types_of(sample)
    calls = dict.fromkeys(call for call in sample.seen_calls if len(call) <= max_chars)
    if not sample.parameters:
        return [f"{sample.called}()"]
    for attempt in range(ATTEMPTS_PER_CALL * num_calls):
        if len(calls) >= num_calls:
            break
        draw.size = 1 + attempt // 12
        arguments = _arguments(sample.parameters, types, syntax, draw)
        call = f"{sample.called}({', '.join(arguments)})"
        if len(call) <= max_chars:
            calls[call] = None
    return list(calls)


def _arguments(
    parameters: Sequence[Parameter], types: Sequence[Sequence[ValueType]], syntax: ValueSyntax, draw: Draw
) -> list[str]:
    arguments: list[str] = []
    num_optional = sum(bool(parameter.default) for parameter in parameters)
    left_out = draw.rng.randint(0, num_optional) if num_optional and draw.rng.random() < 0.5 else 0
    for number, (parameter, kinds) in enumerate(zip(parameters, types, strict=True)):
        if left_out and parameter.default and number >= len(parameters) - left_out:
            break
        for _ in range(draw.rng.randint(0, 3) if parameter.is_rest else 1):
            # The most likely type mostly, the others now and then.
            kind = kinds[0] if draw.rng.random() < 0.7 else draw.rng.choice(kinds)
            arguments.append(syntax.literal(draw.value(kind, parameter.name), kind))
    return arguments
