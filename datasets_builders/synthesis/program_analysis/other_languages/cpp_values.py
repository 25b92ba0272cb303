"""Section 2.4: values of C++'s types, as C++ writes them."""

from __future__ import annotations

import re

from datasets_builders.synthesis.program_analysis.other_languages.java_values import quoted
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample, Unusable
from datasets_builders.synthesis.program_analysis.other_languages.values import Raw, ValueType

_INT, _LONG = ValueType("int"), ValueType("int", bits=64)
_UNSIGNED, _SIZE = ValueType("int", is_unsigned=True), ValueType("int", bits=64, is_unsigned=True)
_BASIC = {
    "int": _INT, "signed": _INT, "signed int": _INT, "long": _LONG, "long int": _LONG, "long long": _LONG,
    "long long int": _LONG, "short": ValueType("int", bits=16), "short int": ValueType("int", bits=16),
    "unsigned": _UNSIGNED, "unsigned int": _UNSIGNED, "unsigned long": _SIZE, "unsigned long long": _SIZE,
    "unsigned short": ValueType("int", bits=16, is_unsigned=True), "size_t": _SIZE, "ptrdiff_t": _LONG,
    "unsigned char": ValueType("int", bits=8, is_unsigned=True), "signed char": ValueType("int", bits=8),
    "int8_t": ValueType("int", bits=8), "int16_t": ValueType("int", bits=16), "int32_t": _INT, "int64_t": _LONG,
    "uint8_t": ValueType("int", bits=8, is_unsigned=True), "uint16_t": ValueType("int", bits=16, is_unsigned=True),
    "uint32_t": _UNSIGNED, "uint64_t": _SIZE, "uintptr_t": _SIZE, "intptr_t": _LONG, "char": ValueType("char"),
    "bool": ValueType("bool"), "float": ValueType("float", text="float"), "double": ValueType("float"),
    "long double": ValueType("float"), "string": ValueType("string"), "string_view": ValueType("string"),
    "char*": ValueType("string"), "char *": ValueType("string"),
    "char32_t": ValueType("int", bits=16, is_unsigned=True),
}  # fmt: skip
_LISTS = ("vector", "deque", "list", "initializer_list")


class CppValues:
    """Types from declarations; a template's are int."""

    any_types: tuple[ValueType, ...] = (_INT, ValueType("string"))

    def types_of(self, sample: ProgramSample) -> list[list[ValueType]]:
        """Return the type of each parameter.

        Raises:
            Unusable: values of a parameter's type cannot be written down.
        """
        return [[self._parameter(parameter.type, sample)] for parameter in sample.parameters]

    def _parameter(self, text: str, sample: ProgramSample) -> ValueType:
        is_constant = bool(re.search(r"\bconst\b", text))
        if text.rstrip().endswith("&") and not is_constant and not text.rstrip().endswith("&&"):
            raise Unusable("argument_type", text)  # takes a variable, not a value
        if "*" in text and not is_constant:
            raise Unusable("argument_type", text)
        return self._type(text.rstrip("& "), sample)

    def _type(self, text: str, sample: ProgramSample) -> ValueType:
        text = (
            re.sub(r"\b(?:const|constexpr|inline|std::)\s*", "", text.replace("std::", "")).strip().rstrip("&").strip()
        )
        if text in _BASIC:
            return _BASIC[text]
        if found := re.fullmatch(r"(\w+)\s*<(.*)>", text):
            parts = [self._type(part, sample) for part in _split(found[2])]
            shown = f"std::{found[1]}<{', '.join(_with_std(part) for part in _split(found[2]))}>"
            if found[1] in _LISTS and parts:
                return ValueType("list", tuple(parts[:1]), text=shown)
            if found[1] in ("set", "unordered_set", "multiset"):
                return ValueType("set", tuple(parts[:1]), text=shown)
            if found[1] in ("map", "unordered_map") and len(parts) == 2:
                return ValueType("map", tuple(parts), text=shown)
            if found[1] in ("pair", "tuple"):
                return ValueType("tuple", tuple(parts), text=shown)
            if found[1] == "optional":
                return ValueType("union", (parts[0], ValueType("choice", choices=("std::nullopt",))))
        enum = re.search(rf"\benum\s+(class\s+|struct\s+)?{re.escape(text)}\b[^{{;]*\{{([^}}]*)\}}", sample.before)
        if enum and re.fullmatch(r"\w+", text):
            names = re.findall(r"(?:^|,)\s*(\w+)", re.sub(r"//[^\n]*|/\*.*?\*/|=[^,]*", "", enum[2]))
            return ValueType("choice", choices=tuple(f"{text}::{name}" for name in names))
        alias = re.search(rf"\btypedef\s+([\w:<>, ]+?)\s+{re.escape(text)}\s*;", sample.before)
        alias = alias or re.search(rf"\busing\s+{re.escape(text)}\s*=\s*([\w:<>, ]+?)\s*;", sample.before)
        if alias and alias[1] != text:
            return self._type(alias[1], sample)
        raise Unusable("argument_type", text)

    def literal(self, value: object, kind: ValueType) -> str:
        """Return a value as C++ writes it."""
        if isinstance(value, Raw):
            return value.text
        if kind.kind in ("union", "any"):
            kind = next((item for item in kind.items if item.kind != "choice"), _INT)
        if kind.kind == "map" and isinstance(value, list):
            pairs = ", ".join(
                f"{{{self.literal(a, kind.items[0])}, {self.literal(b, kind.items[1])}}}" for a, b in value
            )
            return f"{kind.text}{{{pairs}}}"
        if isinstance(value, list):
            kinds = kind.items if kind.kind == "tuple" else kind.items[:1] * len(value)
            return (
                f"{kind.text}{{{', '.join(self.literal(item, part) for item, part in zip(value, kinds, strict=True))}}}"
            )
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return quoted(value, "'" if kind.kind == "char" else '"')
        if isinstance(value, int) and not isinstance(value, bool):
            if value == -(2**31):
                return "-2147483647 - 1"
            return f"{value}u" if kind.is_unsigned and value > 2**31 - 1 else str(value)
        return f"{value}f" if kind.text == "float" else str(value)


def _with_std(text: str) -> str:
    return re.sub(
        r"(?<!std::)\b(string|string_view|vector|map|set|pair|unordered_map|unordered_set|deque|list|optional|tuple)\b",
        r"std::\1",
        text.strip(),
    )


def _split(text: str) -> list[str]:
    parts, depth, at = [], 0, 0
    for index, char in enumerate(text):
        depth += {"<": 1, ">": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(text[at:index].strip())
            at = index + 1
    return [*parts, text[at:].strip()]
