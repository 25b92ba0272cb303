"""Section 2.4: which values a function in JavaScript or TypeScript takes, and how they are written."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from datasets_builders.synthesis.program_analysis.extraction import word_list
from datasets_builders.synthesis.program_analysis.other_languages.sample import Parameter, ProgramSample, Unusable
from datasets_builders.synthesis.program_analysis.other_languages.syntax import field_text, nodes_of, text_of, tree_of
from datasets_builders.synthesis.program_analysis.other_languages.values import Raw, ValueType

if TYPE_CHECKING:
    from tree_sitter import Node

NUMBER, FLOAT, STRING, BOOLEAN = ValueType("int"), ValueType("float"), ValueType("string"), ValueType("bool")
NULL, UNDEFINED = ValueType("null"), ValueType("choice", choices=("undefined",))
LIST = ValueType("list", (ValueType("any"),))
DICTIONARY = ValueType("map", (STRING, ValueType("any")))
DATE = ValueType(
    "choice",
    choices=(
        *('new Date("2024-03-15T12:30:00Z")', 'new Date("1999-12-31T23:59:59Z")', "new Date(0)"),
        *('new Date("2024-02-29T00:00:00Z")', 'new Date("2021-07-04T08:15:30Z")'),
    ),
)
REGEX = ValueType("choice", choices=("/a/g", "/[0-9]+/", "/\\s+/g", "/^[a-z]+$/i", "/(\\w+)-(\\w+)/"))
MAP = ValueType("choice", choices=('new Map([["a", 1], ["b", 2]])', "new Map()", 'new Map([["x", [1]]])'))
SET = ValueType("choice", choices=("new Set([1, 2, 3])", "new Set()", 'new Set(["a", "b"])'))
FUNCTION = ValueType(
    "choice",
    choices=(
        *("(x) => x", "(x) => x + 1", "(x) => x > 1", "(x) => x * 2", "(x) => String(x)", "(x) => !x", "() => true"),
        *("(a, b) => a + b", "(a, b) => a - b", "(x) => x.length", "(a, b) => a === b", "() => 42"),
    ),
)
_ANYTHING = (STRING, NUMBER, LIST, DICTIONARY, BOOLEAN, FLOAT, NULL, UNDEFINED)
_METHODS = {
    STRING: word_list("""
        charAt charCodeAt codePointAt endsWith indexOf lastIndexOf match matchAll normalize padEnd padStart repeat
        replace replaceAll search split startsWith substr substring toLowerCase toUpperCase trim trimEnd trimStart
        charCodeAt
    """),
    LIST: word_list("""
        at concat every fill filter find findIndex findLast flat flatMap forEach includes join map pop push reduce
        reduceRight reverse shift slice some sort splice unshift
    """),
    NUMBER: word_list("toFixed toPrecision toExponential"),
    DATE: word_list("""
        getTime getFullYear getMonth getDate getDay getHours getMinutes getSeconds setDate setFullYear setMonth setHours
        toISOString getTimezoneOffset getMilliseconds
    """),
    REGEX: word_list("test exec"),
    MAP: word_list("get has set delete entries"),
}
_TYPE_OF_METHOD = {method: kind for kind, methods in reversed(_METHODS.items()) for method in methods}
_NAMES = {
    STRING: word_list("""
        s str string text name key path url word line label title char ch prefix suffix separator sep token message msg
        html css code id format pattern type input source unit locale
    """),
    NUMBER: word_list("""
        n num number i j k index idx count size length len start end min max limit offset width height depth year month
        day hour minute position pos step x y z total amount precision digits level radix base
    """),
    LIST: word_list("arr array list items values elements args xs data nums numbers arrays collection"),
    DICTIONARY: word_list("obj object options opts config params props map dict record"),
    FUNCTION: word_list("fn func callback cb predicate iteratee comparator mapper f selector project iterator"),
    BOOLEAN: word_list("flag isDeep strict deep reverse recursive force"),
    DATE: word_list("date dirtyDate dateLeft dateRight dirtyDateLeft laterDate earlierDate"),
    REGEX: word_list("regex regexp re"),
}
_TYPE_OF_NAME = {name: kind for kind, names in _NAMES.items() for name in names}
_WRITTEN = {
    "number": NUMBER, "string": STRING, "boolean": BOOLEAN, "bool": BOOLEAN, "null": NULL, "undefined": UNDEFINED,
    "void": UNDEFINED, "any": ValueType("any"), "unknown": ValueType("any"), "*": ValueType("any"),
    "object": DICTIONARY, "Object": DICTIONARY, "{}": DICTIONARY, "Array": LIST, "array": LIST, "Function": FUNCTION,
    "function": FUNCTION, "Date": DATE, "RegExp": REGEX, "String": STRING, "Number": NUMBER, "Boolean": BOOLEAN,
    "integer": NUMBER, "int": NUMBER, "float": FLOAT, "Map": MAP, "Set": SET, "bigint": ValueType("choice",
    choices=("0n", "7n", "-12n", "123456789012345678901n")),
}  # fmt: skip
DOCUMENTED = 20  # votes of a type that the author names
_LIST_TYPES = ("Array", "ReadonlyArray", "Iterable", "ArrayLike")
_MATH_OPERATORS = ("-", "*", "/", "%", "**", "<<", ">>", ">>>", "&", "|", "^", "<", ">", "<=", ">=")


class JavaScriptValues:
    """Types from annotations, JSDoc, defaults, use and names; values as literals of the language."""

    any_types: tuple[ValueType, ...] = (STRING, NUMBER, BOOLEAN, FLOAT)

    def types_of(self, sample: ProgramSample) -> list[list[ValueType]]:
        """Return the likely types of each parameter, most likely first."""
        root = tree_of(sample.language, sample.function)
        documented = {name: kind for kind, name in re.findall(r"@param\s*\{([^}]*)\}\s*\[?([\w$]+)", sample.docstring)}
        return [self._types(parameter, root, documented, sample) for parameter in sample.parameters]

    def literal(self, value: object, kind: ValueType) -> str:
        """Return a value as JavaScript writes it."""
        return literal(value, kind.kind in ("map", "object"))

    def _types(
        self, parameter: Parameter, root: Node, documented: dict[str, str], sample: ProgramSample
    ) -> list[ValueType]:
        votes: defaultdict[ValueType, float] = defaultdict(float)
        is_typed = False
        for text in (parameter.type, documented.get(parameter.name, "")):
            kind = type_from_text(text, sample) if text else None
            if kind is not None and kind.kind != "any":
                is_typed |= text == parameter.type
                votes[kind] += DOCUMENTED
        if parameter.name.startswith(("{", "[")) and not is_typed:
            return [_pattern(parameter.name)]
        if is_typed:  # the compiler refuses others
            kinds = list(votes)
            return [kinds[0]]
        members: dict[str, ValueType] = {}
        for node in nodes_of(root):
            if node.type == "identifier" and text_of(node) == parameter.name:
                _vote(node, votes, members)
        if parameter.default and parameter.default != "undefined":
            kind = type_of_literal(parameter.default)
            if kind is not None:
                votes[kind] += 4
        name = parameter.name.lstrip("_")
        known = _TYPE_OF_NAME.get(name) or _TYPE_OF_NAME.get(re.split(r"[A-Z_]", name)[0])
        if known is not None:
            votes[known] += 1.5
        if members and not any(votes[kind] > 2 for kind in (STRING, LIST, DATE, MAP)):
            names = tuple(sorted(members))
            votes[ValueType("object", tuple(members[name] for name in names), names)] += 2 + len(names)
        ranked = sorted(votes, key=lambda kind: -votes[kind])
        if ranked and votes[ranked[0]] >= DOCUMENTED:
            return [ranked[0], ranked[0], *ranked[:2]]
        return [*ranked, *(kind for kind in _ANYTHING if kind not in ranked)] if len(ranked) < 2 else ranked


def _vote(node: Node, votes: defaultdict[ValueType, float], members: dict[str, ValueType]) -> None:
    """Count what one use of a parameter says of its type."""
    parent = node.parent
    if parent is None:
        return
    kind = parent.type
    if kind == "member_expression" and parent.child_by_field_name("object") == node:
        name = field_text(parent, "property")
        is_method = parent.parent is not None and parent.parent.type == "call_expression"
        if name == "length":
            votes[LIST] += 1.2
            votes[STRING] += 1
        elif name in _TYPE_OF_METHOD and is_method:
            votes[_TYPE_OF_METHOD[name]] += 3
        elif not is_method:
            members[name] = _TYPE_OF_NAME.get(name, ValueType("any"))
        if name in ("slice", "indexOf", "includes", "concat"):
            votes[STRING] += 1.5
    elif kind == "subscript_expression":
        if parent.child_by_field_name("object") == node:
            index = parent.child_by_field_name("index")
            if index is not None and index.type == "string":
                members[text_of(index)[1:-1]] = ValueType("any")
            else:
                votes[LIST] += 1.5
                votes[STRING] += 0.7
                votes[DICTIONARY] += 0.4
        else:
            votes[NUMBER] += 1.5
            votes[STRING] += 0.5
    elif kind == "binary_expression":
        operator = field_text(parent, "operator")
        left, right = parent.child_by_field_name("left"), parent.child_by_field_name("right")
        other = right if left == node else left
        literal_type = type_of_literal(text_of(other)) if other is not None else None
        if operator in _MATH_OPERATORS:
            votes[NUMBER] += 2
        elif literal_type is not None:
            votes[literal_type] += 2
    elif kind == "unary_expression" and field_text(parent, "operator") == "typeof" and parent.parent is not None:
        for part in parent.parent.named_children:
            if part.type == "string" and text_of(part)[1:-1] in _WRITTEN:
                votes[_WRITTEN[text_of(part)[1:-1]]] += 2
    elif kind == "for_in_statement" and parent.child_by_field_name("right") == node:
        votes[LIST if field_text(parent, "operator") == "of" else DICTIONARY] += 3
    elif kind == "spread_element":
        votes[LIST] += 2
    elif kind == "call_expression" and parent.child_by_field_name("function") == node:
        votes[FUNCTION] += 5
    elif kind == "arguments" and parent.parent is not None:
        called = field_text(parent.parent, "function")
        for start, kind_of_argument in _CALLED:
            if called.startswith(start):
                votes[kind_of_argument] += 2
    elif kind in ("update_expression", "augmented_assignment_expression"):
        votes[NUMBER] += 1


_CALLED: tuple[tuple[str, ValueType], ...] = (
    ("Math.", NUMBER), ("Number.", NUMBER), ("isNaN", NUMBER), ("isFinite", NUMBER), ("Array.isArray", LIST),
    ("Array.from", LIST), ("Object.", DICTIONARY), ("parseInt", STRING), ("parseFloat", STRING),
    ("String.fromCharCode", NUMBER), ("JSON.parse", ValueType("choice", choices=('"[1, 2]"', '"{\\"a\\": 1}"', '"null"',
    '"\\"x\\""'))), ("encodeURI", STRING), ("decodeURI", STRING), ("new Date", DATE), ("isPlainObject", DICTIONARY),
)  # fmt: skip


def _pattern(text: str) -> ValueType:
    """Return the type of a parameter that is taken apart where it stands: `{ a, b = 2 }`."""
    names = re.findall(r"([A-Za-z_$][\w$]*)\s*(?=[,}\]=:])", text)
    names = list(dict.fromkeys(names))
    if text.startswith("["):
        return ValueType("tuple", tuple(_TYPE_OF_NAME.get(name, ValueType("any")) for name in names))
    return ValueType("object", tuple(_TYPE_OF_NAME.get(name, ValueType("any")) for name in names), tuple(names))


def type_of_literal(text: str) -> ValueType | None:
    """Return the type of a literal; None for what is none."""
    if re.fullmatch(r"-?\d[\d_]*(?:\.\d*)?(?:e-?\d+)?", text):
        return FLOAT if "." in text else NUMBER
    if text[:1] in ("'", '"', "`") and text:
        return STRING
    if text in ("true", "false"):
        return BOOLEAN
    if text.startswith("["):
        return LIST
    if text.startswith("{"):
        return DICTIONARY
    return None


def type_from_text(text: str, sample: ProgramSample) -> ValueType | None:
    """Return the type that an annotation or a JSDoc comment names; None where it is not understood.

    Raises:
        Unusable: values of the type cannot be written down.
    """
    tree = tree_of("TypeScript", f"let v: {_without_jsdoc_marks(text)};")
    declared = next((node for node in nodes_of(tree) if node.type == "type_annotation"), None)
    if declared is None or tree.has_error:
        return None
    program = tree_of(sample.language, sample.code) if sample.language == "TypeScript" else None
    return _from_node(declared.named_children[0], program, 0)


def _without_jsdoc_marks(text: str) -> str:
    text = text.strip().removesuffix("=").removeprefix("...").replace("*", "any").replace("?", "")
    return re.sub(r"\bArray\.<", "Array<", text)


def _from_node(node: Node, program: Node | None, depth: int) -> ValueType | None:
    kind, text = node.type, text_of(node)
    inner = [child for child in node.named_children if child.type != "comment"]
    if depth > 4:
        return None
    if kind in ("predefined_type", "type_identifier", "literal_type") and text in _WRITTEN:
        return _WRITTEN[text]
    if kind == "literal_type":
        return ValueType("choice", choices=(text,))
    if kind in ("parenthesized_type", "readonly_type", "type_annotation"):
        return _from_node(inner[0], program, depth)
    if kind == "array_type":
        return ValueType("list", (_or_any(inner[0], program, depth),))
    if kind == "tuple_type":
        return ValueType("tuple", tuple(_or_any(part, program, depth) for part in inner))
    if kind == "function_type":
        return FUNCTION
    if kind == "union_type":
        parts = [_or_any(part, program, depth) for part in inner]
        return ValueType("union", tuple(parts))
    if kind == "object_type":
        return _object_type(inner, program, depth)
    if kind == "generic_type":
        name = field_text(node, "name")
        arguments = node.child_by_field_name("type_arguments") or (inner[1] if len(inner) > 1 else None)
        kinds = [_or_any(part, program, depth) for part in arguments.named_children] if arguments else []
        if name in _LIST_TYPES and kinds:
            return ValueType("list", (kinds[0],))
        if name == "Record" and len(kinds) == 2:
            return ValueType("map", (STRING, kinds[1]))
        if name in ("Partial", "Readonly", "Required", "NonNullable") and kinds:
            return kinds[0]
        return _WRITTEN.get(name)
    if kind == "type_identifier" and program is not None:
        return _declared(text, program, depth)
    return None


def _or_any(node: Node, program: Node | None, depth: int) -> ValueType:
    return _from_node(node, program, depth + 1) or ValueType("any")


def _object_type(members: list[Node], program: Node | None, depth: int) -> ValueType:
    names, kinds = [], []
    for member in members:
        if member.type == "property_signature":
            declared = member.child_by_field_name("type")
            kind = _or_any(declared.named_children[0], program, depth) if declared is not None else ValueType("any")
            if any(child.type == "?" for child in member.children):
                kind = ValueType("union", (kind, kind, UNDEFINED))
            names.append(field_text(member, "name"))
            kinds.append(kind)
        elif member.type == "method_signature":
            names.append(field_text(member, "name"))
            kinds.append(FUNCTION)
        elif member.type == "index_signature":
            return DICTIONARY
    return ValueType("object", tuple(kinds), tuple(names))


def _declared(name: str, program: Node, depth: int) -> ValueType | None:
    """Return a type that the program itself declares; its type parameters are unknown types."""
    for node in nodes_of(program):
        if field_text(node, "name") != name:
            continue
        if node.type == "interface_declaration":
            body = node.child_by_field_name("body")
            return _object_type(body.named_children, program, depth + 1) if body is not None else None
        if node.type == "type_alias_declaration":
            value = node.child_by_field_name("value")
            return _from_node(value, program, depth + 1) if value is not None else None
        if node.type == "enum_declaration":
            body = node.child_by_field_name("body")
            members = [field_text(part, "name") or text_of(part) for part in body.named_children] if body else []
            return ValueType("choice", choices=tuple(f"{name}.{member}" for member in members)) if members else None
        if node.type == "class_declaration":
            raise Unusable("argument_type", name)
    return None


def literal(value: object, is_object: bool = False) -> str:
    """Return a value as JavaScript writes it; pairs of an object become its fields."""
    if isinstance(value, Raw):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    assert isinstance(value, list)
    if (value and isinstance(value[0], tuple)) or (is_object and not value):
        fields = ", ".join(f"{_key(key)}: {literal(item)}" for key, item in value)
        return f"{{ {fields} }}" if fields else "{}"
    return f"[{', '.join(literal(item) for item in value)}]"


def _key(key: object) -> str:
    text = str(key)
    return text if re.fullmatch(r"[A-Za-z_$][\w$]*", text) else json.dumps(text, ensure_ascii=False)
