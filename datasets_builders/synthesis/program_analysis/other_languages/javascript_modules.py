"""Section 2.4: what a module of JavaScript or TypeScript imports and exports, by the names of both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from datasets_builders.synthesis.program_analysis.other_languages.syntax import field_text, nodes_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

DEFAULT = "default"
WHOLE = "*"  # the object of all exports
ASSIGNED = "="  # the one value that CommonJS puts in their place

# What compilers wrap around `require` so that modules of both kinds look alike.
_WHOLE_HELPERS = frozenset(("__importStar", "_interopRequireWildcard", "tslib_1.__importStar", "__toESM"))
_DEFAULT_HELPERS = frozenset(("__importDefault", "_interopRequireDefault", "tslib_1.__importDefault"))
_EXPORT_STAR = re.compile(r"""(?:tslib_1\.)?__exportStar\(require\(["']([^"']+)["']\), exports\)""")


@dataclass(frozen=True)
class ImportedName:
    """A name that an import binds: `exported` of the module `target` is `local` here."""

    local: str
    target: str
    exported: str


@dataclass(frozen=True)
class Export:
    """What an exported name stands for: a name of the module, one of another module (`target`), or a bare value."""

    local: str = ""
    target: str = ""
    exported: str = ""
    value: Node | None = None


@dataclass
class Exports:
    """The exports of a module by name, and the modules all of whose exports are its own too."""

    names: dict[str, Export] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


def imported_names(statement: Node) -> Iterator[ImportedName]:
    """Yield the names that an import statement, or a declaration with `require`, binds."""
    if statement.type == "import_statement":
        yield from _of_import(statement)
        return
    for declarator in statement.named_children:
        if declarator.type == "variable_declarator":
            yield from _of_require(declarator)


def _of_import(statement: Node) -> Iterator[ImportedName]:
    target = _unquoted(statement.child_by_field_name("source"))
    for clause in statement.named_children:
        if clause.type == "import_require_clause":
            bound = next(part for part in clause.named_children if part.type == "identifier")
            yield ImportedName(text_of(bound), _unquoted(clause.child_by_field_name("source")), WHOLE)
        for part in clause.named_children if clause.type == "import_clause" else ():
            if part.type == "identifier":
                yield ImportedName(text_of(part), target, DEFAULT)
            elif part.type == "namespace_import":
                yield ImportedName(text_of(part.named_children[0]), target, WHOLE)
            for specifier in part.named_children if part.type == "named_imports" else ():
                name = field_text(specifier, "name")
                yield ImportedName(field_text(specifier, "alias") or name, target, _unquoted_text(name))


def _of_require(declarator: Node) -> Iterator[ImportedName]:
    value, bound = declarator.child_by_field_name("value"), declarator.child_by_field_name("name")
    exported = WHOLE
    if value is None or bound is None:
        return
    if value.type == "member_expression":
        exported, value = field_text(value, "property"), value.child_by_field_name("object")
    if value is None or value.type != "call_expression":
        return
    called, arguments = field_text(value, "function"), value.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    if called in _WHOLE_HELPERS | _DEFAULT_HELPERS and len(given) >= 1 and given[0].type == "call_expression":
        called, arguments = field_text(given[0], "function"), given[0].child_by_field_name("arguments")
        given = arguments.named_children if arguments is not None else []
    if called != "require" or len(given) != 1 or given[0].type != "string":
        return
    target = _unquoted(given[0])
    if bound.type == "identifier":
        yield ImportedName(text_of(bound), target, exported)
    elif bound.type == "object_pattern" and exported == WHOLE:
        for part in bound.named_children:
            if part.type == "shorthand_property_identifier_pattern":
                yield ImportedName(text_of(part), target, text_of(part))
            elif part.type == "pair_pattern":
                yield ImportedName(field_text(part, "value"), target, field_text(part, "key"))


def exports_of(root: Node) -> Exports:
    """Return what a module exports, in either way; what is computed while it runs is left out."""
    exports = Exports()
    for node in root.named_children:
        if node.type == "export_statement":
            _note_export(node, exports)
        elif node.type == "expression_statement" and node.named_children:
            _note_assignment(node.named_children[0], exports)
        elif node.type in ("lexical_declaration", "variable_declaration"):
            for declarator in node.named_children:
                value = declarator.child_by_field_name("value")
                if value is not None and (found := exported_within(value)):
                    exports.names[found[0]] = Export(field_text(declarator, "name"))
    return exports


def exported_within(value: Node) -> tuple[str, Node] | None:
    """Return name and value of `(exports.name = value)`, as compilers write constants."""
    if value.type != "parenthesized_expression" or not value.named_child_count:
        return None
    inner = value.named_children[0]
    left, right = (inner.child_by_field_name(side) for side in ("left", "right"))
    if inner.type != "assignment_expression" or left is None or right is None:
        return None
    found = re.fullmatch(r"exports\.([A-Za-z_$][\w$]*)", text_of(left))
    return (found[1], right) if found else None


def _note_export(node: Node, exports: Exports) -> None:
    source = node.child_by_field_name("source")
    target = _unquoted(source) if source is not None else ""
    declaration, value = node.child_by_field_name("declaration"), node.child_by_field_name("value")
    is_default = any(child.type == DEFAULT for child in node.children)
    if declaration is not None:
        names = list(_declared(declaration))
        for name in names:
            exports.names[DEFAULT if is_default else name] = Export(name)
    elif value is not None:
        is_name = value.type == "identifier"
        exports.names[DEFAULT] = Export(text_of(value)) if is_name else Export(value=value)
    elif any(child.type == "*" for child in node.children):
        exports.stars.append(target)
    for part in node.named_children:
        if part.type == "namespace_export":
            exports.names[text_of(part.named_children[0])] = Export(target=target, exported=WHOLE)
        elif part.type == "identifier" and not target:  # export = name
            exports.names[ASSIGNED] = Export(text_of(part))
        for specifier in part.named_children if part.type == "export_clause" else ():
            name = field_text(specifier, "name")
            exported = field_text(specifier, "alias") or name
            exports.names[exported] = Export(target=target, exported=name) if target else Export(name)


def _declared(declaration: Node) -> Iterator[str]:
    name = field_text(declaration, "name")
    if name:
        yield name
    for part in declaration.named_children:
        bound = part.child_by_field_name("name") if part.type == "variable_declarator" else None
        if bound is not None and bound.type == "identifier":
            yield text_of(bound)


def _note_assignment(expression: Node, exports: Exports) -> None:
    """Note `module.exports = ...`, `exports.name = ...`, and `export *` as compilers write it."""
    if found := _EXPORT_STAR.fullmatch(text_of(expression)):
        exports.stars.append(found[1])
    left, right = (expression.child_by_field_name(side) for side in ("left", "right"))
    if expression.type != "assignment_expression" or left is None or right is None:
        return
    found = re.fullmatch(r"(?:module\.)?exports\.([A-Za-z_$][\w$]*)", text_of(left))
    if found and found[1] != "exports" and right.type not in ("assignment_expression", "unary_expression"):
        exports.names[found[1]] = _exported(right)
    if text_of(left) == "module.exports":
        if right.type == "assignment_expression":  # exports = module.exports = ...
            return
        exports.names[ASSIGNED] = _exported(right)
        for member in right.named_children if right.type == "object" else ():
            if member.type == "shorthand_property_identifier":
                exports.names[text_of(member)] = Export(text_of(member))
            elif member.type == "pair" and (value := member.child_by_field_name("value")) is not None:
                exports.names[_unquoted_text(field_text(member, "key"))] = _exported(value)


def _exported(value: Node) -> Export:
    if value.type == "identifier":
        return Export(text_of(value))
    if value.type == "call_expression" and field_text(value, "function") == "require":
        arguments = value.child_by_field_name("arguments")
        if arguments is not None and arguments.named_child_count == 1 and arguments.named_children[0].type == "string":
            return Export(target=_unquoted(arguments.named_children[0]), exported=WHOLE)
    return Export(value=value)


# What a member of an object is read by: the fields of the object and of the member.
_MEMBERS = {"member_expression": ("object", "property"), "nested_type_identifier": ("module", "name")}


def members_of(node: Node, name: str) -> set[str] | None:
    """Return which members of an object a statement reads, or `None` where it uses the object in another way."""
    members = set()
    for part in nodes_of(node):
        if part.type not in ("identifier", "shorthand_property_identifier", "type_identifier") or text_of(part) != name:
            continue
        parent = part.parent
        object_field, member_field = _MEMBERS.get(parent.type, ("", "")) if parent is not None else ("", "")
        if parent is None or not object_field:
            return None
        if parent.child_by_field_name(object_field) != part:  # a member of that name of something else
            continue
        members.add(field_text(parent, member_field))
    return members


def name_of_module(path: str) -> str:
    """Return a name for the value of a module that has none, from its path."""
    pure = PurePosixPath(path)
    stem = pure.name.partition(".")[0]
    stem = pure.parent.name if stem == "index" and pure.parent.name else stem
    words = re.findall(r"[A-Za-z0-9_$]+", stem)
    name = "".join([*words[:1], *(word[:1].upper() + word[1:] for word in words[1:])]) or "value"
    return f"_{name}" if name[0].isdigit() else name


def _unquoted(node: Node | None) -> str:
    return _unquoted_text(text_of(node)) if node is not None else ""


def _unquoted_text(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"', "`") else text
