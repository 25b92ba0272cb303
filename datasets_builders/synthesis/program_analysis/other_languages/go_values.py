"""Section 2.4: values of Go's types, as Go writes them."""

from __future__ import annotations

import re

from datasets_builders.synthesis.program_analysis.other_languages.java_values import quoted
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample, Unusable
from datasets_builders.synthesis.program_analysis.other_languages.syntax import field_text, nodes_of, text_of, tree_of
from datasets_builders.synthesis.program_analysis.other_languages.values import Raw, ValueType

INT = ValueType("int", bits=64, text="int")
_BASIC = {
    "int": INT, "int8": ValueType("int", bits=8), "int16": ValueType("int", bits=16),
    "int32": ValueType("int", bits=32), "int64": ValueType("int", bits=64),
    "uint": ValueType("int", bits=64, is_unsigned=True), "uint8": ValueType("int", bits=8, is_unsigned=True),
    "uint16": ValueType("int", bits=16, is_unsigned=True), "uint32": ValueType("int", bits=32, is_unsigned=True),
    "uint64": ValueType("int", bits=64, is_unsigned=True), "byte": ValueType("char", text="byte"),
    "rune": ValueType("char", text="rune"), "string": ValueType("string"), "bool": ValueType("bool"),
    "float64": ValueType("float"), "float32": ValueType("float"), "any": ValueType("any"),
    "interface{}": ValueType("any"), "error": ValueType("choice", choices=("nil", "nil")),
    "uintptr": ValueType("int", bits=32, is_unsigned=True),
}  # fmt: skip
_FUNCTIONS = {
    "func(rune)bool": ("unicode.IsDigit", "unicode.IsUpper"),
    "func(int)bool": ("func(x int) bool { return x > 2 }", "func(x int) bool { return x%2 == 0 }"),
    "func(int)int": ("func(x int) int { return x + 1 }", "func(x int) int { return x * x }"),
    "func(string)string": ("func(s string) string { return s + s }",),
    "func(string)bool": ("func(s string) bool { return len(s) > 2 }",),
    "func(byte)bool": ("func(c byte) bool { return c == 'a' }",),
}


class GoValues:
    """Types from declarations, those of the program itself included."""

    any_types: tuple[ValueType, ...] = (INT, ValueType("string"), ValueType("bool"))

    def types_of(self, sample: ProgramSample) -> list[list[ValueType]]:
        """Return the type of each parameter.

        Raises:
            Unusable: values of a parameter's type cannot be written down.
        """
        root = tree_of("Go", sample.code)
        generics = {}
        for node in nodes_of(root):
            if node.type == "function_declaration" and field_text(node, "name") == sample.name:
                group = field_text(node, "type_parameters")
                generics = dict.fromkeys(re.findall(r"[\[,]\s*([A-Za-z]\w*)", group), INT) if group else {}
        return [[self._type(parameter.type, sample, generics, 0)] for parameter in sample.parameters]

    def _type(self, text: str, sample: ProgramSample, generics: dict[str, ValueType], depth: int) -> ValueType:
        text = re.sub(r"\s+", " ", text).strip()
        if text in generics:
            return generics[text]
        if text in _BASIC:
            return _BASIC[text]
        if depth > 4:
            raise Unusable("argument_type", text)
        if text.startswith("(") and text.endswith(")"):
            return self._type(text[1:-1], sample, generics, depth)
        if text.replace(" ", "") in _FUNCTIONS and "unicode" not in text:
            choices = _FUNCTIONS[text.replace(" ", "")]
            usable = tuple(choice for choice in choices if "unicode." not in choice or '"unicode"' in sample.before)
            if usable:
                return ValueType("choice", choices=usable)
        if found := re.fullmatch(r"\[(\d*)\](.+)", text):
            item = self._type(found[2], sample, generics, depth + 1)
            shown = self._shown(found[2], generics)
            if found[1]:
                if int(found[1]) > 16:
                    raise Unusable("argument_type", text)
                return ValueType("tuple", (item,) * int(found[1]), text=f"[{found[1]}]{shown}")
            return ValueType("list", (item,), text=f"[]{shown}")
        if found := re.fullmatch(r"map\[([^\[\]]+)\](.+)", text):
            kinds = tuple(self._type(part, sample, generics, depth + 1) for part in found.groups())
            return ValueType(
                "map", kinds, text=f"map[{self._shown(found[1], generics)}]{self._shown(found[2], generics)}"
            )
        if text.startswith("*"):
            inner = self._type(text[1:], sample, generics, depth + 1)
            if inner.kind == "object":
                return ValueType("object", inner.items, inner.names, text=f"&{inner.text}")
            raise Unusable("argument_type", text)
        return self._declared(text, sample, generics, depth)

    def _shown(self, text: str, generics: dict[str, ValueType]) -> str:
        return "int" if text.strip() in generics else text.strip()

    def _declared(self, text: str, sample: ProgramSample, generics: dict[str, ValueType], depth: int) -> ValueType:
        """Return a type that the program itself declares."""
        if not re.fullmatch(r"\w+", text):
            raise Unusable("argument_type", text)
        root = tree_of("Go", sample.code)
        constants: list[str] = []
        declared = None
        for node in nodes_of(root):
            if node.type in ("type_spec", "type_alias") and field_text(node, "name") == text:
                declared = node.child_by_field_name("type")
            elif node.type == "const_declaration":
                constants += _constants_of_type(node, text)
        if constants:
            return ValueType("choice", choices=tuple(constants[:24]))
        if declared is None:
            raise Unusable("argument_type", text)
        if declared.type == "struct_type":
            return self._struct(declared, text, sample, generics, depth)
        inner = self._type(text_of(declared), sample, generics, depth + 1)
        if inner.kind in ("list", "map", "tuple"):
            return ValueType(inner.kind, inner.items, text=text)
        if inner.kind in ("any", "choice", "object"):
            raise Unusable("argument_type", text)
        return ValueType("named", (inner,), text=text)

    def _struct(
        self, node: object, text: str, sample: ProgramSample, generics: dict[str, ValueType], depth: int
    ) -> ValueType:
        from tree_sitter import Node

        assert isinstance(node, Node)
        names, kinds = [], []
        for part in nodes_of(node):
            if part.type == "field_declaration":
                fields = [text_of(name) for name in part.children_by_field_name("name")]
                if not fields:
                    raise Unusable("argument_type", text)
                kind = self._type(field_text(part, "type"), sample, generics, depth + 1)
                names += fields
                kinds += [kind] * len(fields)
        return ValueType("object", tuple(kinds), tuple(names), text=text)

    def literal(self, value: object, kind: ValueType) -> str:
        """Return a value as Go writes it."""
        if isinstance(value, Raw):
            return value.text
        if kind.kind == "object" and isinstance(value, list):
            kinds = dict(zip(kind.names, kind.items, strict=True))
            fields = ", ".join(f"{name}: {self.literal(item, kinds[name])}" for name, item in value)
            return f"{kind.text}{{{fields}}}"
        if kind.kind == "map" and isinstance(value, list):
            pairs = ", ".join(f"{self.literal(a, kind.items[0])}: {self.literal(b, kind.items[1])}" for a, b in value)
            return f"{kind.text}{{{pairs}}}"
        if isinstance(value, list):
            kinds_of_items = kind.items if kind.kind == "tuple" else kind.items[:1] * len(value)
            if kind.text == "[]byte":
                return f"[]byte({quoted(''.join(map(str, value)), chr(34))})"
            items = ", ".join(self.literal(item, part) for item, part in zip(value, kinds_of_items, strict=True))
            return f"{kind.text}{{{items}}}"
        if kind.kind == "named":
            return f"{kind.text}({self.literal(value, kind.items[0])})"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return quoted(value, "'" if kind.kind == "char" else '"')
        return str(value)


def _constants_of_type(node: object, text: str) -> list[str]:
    """Return the constants of a block that are of a type: those declared with it, and those behind them by iota."""
    from tree_sitter import Node

    assert isinstance(node, Node)
    names: list[str] = []
    is_of_type = False
    for spec in node.named_children:
        if spec.type != "const_spec":
            continue
        kind = field_text(spec, "type")
        if kind or spec.child_by_field_name("value") is not None:
            is_of_type = kind == text
        if is_of_type:
            names += [text_of(name) for name in spec.children_by_field_name("name") if text_of(name) != "_"]
    return names
