"""Section 2.4: types of other languages as trees, and values drawn of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from datasets_builders.synthesis.program_analysis.argument_values import make

KEYS = ("a", "b", "key", "name", "x", "id", "value", "two", "color", "total")
INTEGER_RANGES = {8: (-128, 127), 16: (-32768, 32767), 32: (-(2**31), 2**31 - 1), 64: (-(2**63), 2**63 - 1)}


@dataclass(frozen=True)
class Raw:
    """A literal that stands for itself: a member of an enumeration, a lambda, a regular expression."""

    text: str


@dataclass(frozen=True)
class ValueType:
    """A type.

    Args:
        kind (`str`): int, float, bool, string, char, null, list, set, map, tuple, object, choice or any.
        items: types inside: of the items of a list or set, of the parts of a tuple, of key and value of a map, of the
            fields of an object.
        names: of the fields of an object.
        choices: literals to choose among.
        bits (`int`): of an integer; `is_unsigned` likewise.
        text (`str`): as the language writes it.
    """

    kind: str
    items: tuple[ValueType, ...] = ()
    names: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    bits: int = 32
    is_unsigned: bool = False
    text: str = ""


@dataclass
class Draw:
    """What values are drawn with.

    Args:
        rng (`random.Random`): source of chance.
        constants: of the function's body, which make good arguments.
        any_types: what an unknown type is taken for.
        size (`int`): grows with the attempts.
    """

    rng: random.Random
    constants: list[object] = field(default_factory=list)
    any_types: tuple[ValueType, ...] = (ValueType("string"), ValueType("int"), ValueType("bool"))
    size: int = 1

    def value(self, kind: ValueType, name: str = "") -> object:
        """Return a value of a type: Python's own, `Raw`, or a list of the fields of an object."""
        return _DRAWERS.get(kind.kind, _any)(self, kind, name)


def _integer(draw: Draw, kind: ValueType, name: str) -> object:
    low, high = (0, 2**kind.bits - 1) if kind.is_unsigned else INTEGER_RANGES[kind.bits]
    if draw.rng.random() < 0.04:
        return draw.rng.choice((low, high)) if kind.bits < 64 else draw.rng.choice((10**6, 2**31))
    value = make("int", name, draw.constants, draw.rng, draw.size)
    assert isinstance(value, int)
    return min(max(abs(value) if kind.is_unsigned else value, low), high)


def _floating(draw: Draw, kind: ValueType, name: str) -> object:
    value = make("float", name, draw.constants, draw.rng, draw.size)
    return float(value) if isinstance(value, int | float) else 0.5


def _string(draw: Draw, kind: ValueType, name: str) -> object:
    return make("str", name, draw.constants, draw.rng, draw.size)


def _character(draw: Draw, kind: ValueType, name: str) -> object:
    text = make("str", "char", draw.constants, draw.rng, draw.size)
    fitting = [part for part in str(text) if 31 < ord(part) < 127]
    return draw.rng.choice(fitting or ["a"])


def _length(draw: Draw) -> int:
    return draw.rng.choice((0, 1, 2, 3, 3, 4, 3 + draw.size))


def _list(draw: Draw, kind: ValueType, name: str) -> object:
    item = kind.items[0] if kind.items else ValueType("any")
    if item.kind == "any":  # lists are of one type mostly
        item = draw.rng.choice(draw.any_types)
    values = [draw.value(item, name.removesuffix("s")) for _ in range(_length(draw))]
    if len(values) > 1 and draw.rng.random() < 0.3:
        values[-1] = values[0]
    if item.kind in ("int", "float", "string") and draw.rng.random() < 0.25:
        values.sort()
    return values


def _set(draw: Draw, kind: ValueType, name: str) -> object:
    values = [draw.value(kind.items[0], name) for _ in range(_length(draw))]
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _map(draw: Draw, kind: ValueType, name: str) -> object:
    keys, values = kind.items
    drawn = [draw.rng.choice(KEYS) if keys.kind == "string" else draw.value(keys) for _ in range(_length(draw))]
    if keys.kind == "string" and drawn and draw.rng.random() < 0.2:
        drawn[0] = draw.value(keys, "key")
    return [(key, draw.value(values, str(key))) for index, key in enumerate(drawn) if key not in drawn[:index]]


def _tuple(draw: Draw, kind: ValueType, name: str) -> object:
    return [draw.value(item, name) for item in kind.items]


def _object(draw: Draw, kind: ValueType, name: str) -> object:
    pairs = zip(kind.names, kind.items, strict=True)
    values = [(field, draw.value(item, field)) for field, item in pairs]
    return [(field, value) for field, value in values if value != Raw("undefined")]


def _choice(draw: Draw, kind: ValueType, name: str) -> object:
    return Raw(draw.rng.choice(kind.choices))


def _union(draw: Draw, kind: ValueType, name: str) -> object:
    return draw.value(draw.rng.choice(kind.items), name)


def _any(draw: Draw, kind: ValueType, name: str) -> object:
    return draw.value(draw.rng.choice(draw.any_types), name)


def _named(draw: Draw, kind: ValueType, name: str) -> object:
    return draw.value(kind.items[0], name)


_DRAWERS: dict[str, Callable[[Draw, ValueType, str], object]] = {
    "int": _integer,
    "float": _floating,
    "bool": lambda draw, kind, name: draw.rng.random() < 0.5,
    "string": _string,
    "char": _character,
    "null": lambda draw, kind, name: None,
    "list": _list,
    "set": _set,
    "map": _map,
    "tuple": _tuple,
    "object": _object,
    "choice": _choice,
    "union": _union,
    "named": _named,
}
