"""Section 2.4: values of Java's types, as Java writes them."""

from __future__ import annotations

import re

from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample, Unusable
from datasets_builders.synthesis.program_analysis.other_languages.values import Raw, ValueType

NULL = ValueType("null")
_PRIMITIVES = {
    "int": ValueType("int", text="int"), "Integer": ValueType("int", text="int"),
    "long": ValueType("int", bits=64, text="long"), "Long": ValueType("int", bits=64, text="long"),
    "short": ValueType("int", bits=16, text="short"), "Short": ValueType("int", bits=16, text="short"),
    "byte": ValueType("int", bits=8, text="byte"), "Byte": ValueType("int", bits=8, text="byte"),
    "char": ValueType("char"), "Character": ValueType("char"), "boolean": ValueType("bool"),
    "Boolean": ValueType("bool"), "double": ValueType("float", text="double"),
    "Double": ValueType("float", text="double"), "float": ValueType("float", text="float"),
    "Float": ValueType("float", text="float"), "String": ValueType("string"), "CharSequence": ValueType("string"),
    "Number": ValueType("int", text="int"),
}  # fmt: skip
_LISTS = frozenset(("List", "Collection", "Iterable", "ArrayList", "LinkedList", "Queue", "Deque", "Iterator"))
_SETS = frozenset(("Set", "HashSet", "TreeSet", "LinkedHashSet", "SortedSet"))
_MAPS = frozenset(("Map", "HashMap", "TreeMap", "LinkedHashMap", "SortedMap"))
_MADE_BY = {
    "ArrayList": "new ArrayList<>", "LinkedList": "new LinkedList<>", "Queue": "new LinkedList<>",
    "Deque": "new ArrayDeque<>", "HashSet": "new HashSet<>", "TreeSet": "new TreeSet<>",
    "LinkedHashSet": "new LinkedHashSet<>", "SortedSet": "new TreeSet<>", "HashMap": "new HashMap<>",
    "TreeMap": "new TreeMap<>", "SortedMap": "new TreeMap<>", "LinkedHashMap": "new LinkedHashMap<>",
}  # fmt: skip
MAX_PAIRS = 10  # that Map.of takes
_FUNCTIONS = {
    "Function": ("x -> x", "String::valueOf"),
    "Predicate": ("x -> true", "x -> x != null", "Objects::isNull"),
    "IntPredicate": ("x -> x > 2", "x -> x % 2 == 0"),
    "IntUnaryOperator": ("x -> x + 1", "x -> x * 2"),
    "IntBinaryOperator": ("(a, b) -> a + b", "Math::max"),
    "Supplier": ("() -> null",),
    "Comparator": ("Comparator.naturalOrder()", "Comparator.reverseOrder()"),
}


class JavaValues:
    """Types from declarations; a type parameter stands for Integer or String."""

    any_types: tuple[ValueType, ...] = (_PRIMITIVES["int"], ValueType("string"))

    def types_of(self, sample: ProgramSample) -> list[list[ValueType]]:
        """Return the type of each parameter; null now and then where it can be.

        Raises:
            Unusable: values of a parameter's type cannot be written down.
        """
        generics = dict.fromkeys(re.findall(r"[<,]\s*([A-Z]\w?)\b", sample.function.partition("(")[0]))
        bound = {name: (_PRIMITIVES["int"], ValueType("string"))[index % 2] for index, name in enumerate(generics)}
        types = []
        for parameter in sample.parameters:
            kind = self._type(parameter.type.strip(), bound, sample)
            is_primitive = parameter.type.strip() in (
                "int",
                "long",
                "short",
                "byte",
                "char",
                "boolean",
                "double",
                "float",
            )
            types.append([kind] if is_primitive or parameter.is_rest else [kind] * 5 + [NULL])
        return types

    def _type(self, text: str, bound: dict[str, ValueType], sample: ProgramSample) -> ValueType:
        text = re.sub(r"@\w+\s*|\bfinal\s+|\bjava\.util\.(?:function\.)?", "", text).strip()
        text = re.sub(r"^\?\s*(?:extends|super)\s+", "", text)
        if text in bound:
            return bound[text]
        if text in _PRIMITIVES:
            return _PRIMITIVES[text]
        if text in ("Object", "?", "Comparable", "T"):
            return ValueType("any")
        if text.endswith("[]"):
            component = text[:-2].strip()
            item = self._type(component, bound, sample)
            shown = {"int": "Integer", "string": "String"}[item.kind] if component in bound else component
            return ValueType("list", (item,), text=f"{shown}[]")
        outer, _, rest = text.partition("<")
        inner = [self._type(part, bound, sample) for part in _split(rest.rstrip().removesuffix(">"))] if rest else []
        outer = outer.strip()
        if outer in _LISTS:
            return ValueType("list", (inner[0] if inner else ValueType("any"),), text=outer)
        if outer in _SETS:
            return ValueType("set", (inner[0] if inner else ValueType("string"),), text=outer)
        if outer in _MAPS:
            key, value = inner if len(inner) == 2 else (ValueType("string"), ValueType("int", text="int"))
            return ValueType("map", (key, value), text=outer)
        if outer in _FUNCTIONS:
            return ValueType("choice", choices=_FUNCTIONS[outer])
        found = re.search(
            rf"\benum\s+{re.escape(text)}\b[^{{]*\{{\s*((?:[A-Z_][A-Z0-9_]*\s*(?:\([^)]*\))?\s*,?\s*)+)", sample.before
        )
        if found:
            names = re.findall(r"(?:^|,)\s*([A-Z_][A-Z0-9_]*)", found[1])
            owner = owner_of(sample.called)
            return ValueType("choice", choices=tuple(f"{owner}.{text}.{name}" for name in names))
        raise Unusable("argument_type", text)

    def literal(self, value: object, kind: ValueType) -> str:
        """Return a value as Java writes it."""
        if isinstance(value, Raw):
            return value.text
        if value is None:
            return "null"
        if kind.kind in ("any", "union"):
            kind = _natural(value)
        if kind.kind == "list" and isinstance(value, list):
            item = kind.items[0]
            texts = [self.literal(part, item if item.kind != "any" else _natural(part)) for part in value]
            if kind.text.endswith("[]"):
                return f"new {_erased(kind.text)} {{{', '.join(texts)}}}"
            return _made(kind.text, f"List.of({', '.join(texts)})")
        if kind.kind == "set" and isinstance(value, list):
            return _made(kind.text, f"Set.of({', '.join(self.literal(part, kind.items[0]) for part in value)})")
        if kind.kind == "map" and isinstance(value, list):
            key, item = kind.items
            texts = [f"{self.literal(a, key)}, {self.literal(b, item)}" for a, b in value[:MAX_PAIRS]]
            return _made(kind.text, f"Map.of({', '.join(texts)})")
        return _scalar(value, kind)


def _made(name: str, text: str) -> str:
    return f"{_MADE_BY[name]}({text})" if name in _MADE_BY else text


def _erased(text: str) -> str:
    """Return an array type as it is created: no type parameters in it."""
    return re.sub(r"<.*>", "", text)


def _natural(value: object) -> ValueType:
    if isinstance(value, bool):
        return _PRIMITIVES["boolean"]
    if isinstance(value, int):
        return _PRIMITIVES["int"]
    if isinstance(value, float):
        return _PRIMITIVES["double"]
    return _PRIMITIVES["String"]


def _scalar(value: object, kind: ValueType) -> str:
    if kind.kind == "bool":
        return "true" if value else "false"
    if kind.kind == "float":
        return f"{value}f" if kind.text == "float" else str(value)
    if kind.kind == "char":
        return quoted(str(value), "'")
    if isinstance(value, str):
        return quoted(value, '"')
    suffix = {"long": "L"}.get(kind.text, "")
    cast = f"({kind.text}) " if kind.text in ("short", "byte") else ""
    return f"{cast}{value}{suffix}"


def quoted(text: str, mark: str) -> str:
    """Return a text in quotation marks, escaped as Java, Go and C++ have it: control characters in octal."""
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", mark: f"\\{mark}"}
    parts = [escapes.get(part) or (part if ord(part) > 31 else f"\\{ord(part):03o}") for part in text]
    return mark + "".join(parts) + mark


def _split(text: str) -> list[str]:
    """Return the arguments of a generic type."""
    parts, depth, at = [], 0, 0
    for index, char in enumerate(text):
        depth += {"<": 1, ">": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(text[at:index].strip())
            at = index + 1
    return [*parts, text[at:].strip()]


def owner_of(called: str) -> str:
    """Return the class of what is called: `Name.method`, or `new Name().method`."""
    return called.removeprefix("new ").partition(".")[0].removesuffix("()")
