"""Section 2.3.2: which nodes of a tree are functions, methods and classes, language by language.

To add a language with a grammar, add its row; what the nodes are called, the grammar's `node-types.json` says.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Definitions:
    """Node types of one language.

    Args:
        functions (tuple of `str`): functions and methods.
        classes (tuple of `str`): classes and what is like them.
        wrappers (tuple of `str`): what stands around a definition and starts with it: decorators, `export`, `template`.
        attributes (tuple of `str`): siblings before a definition that belong to it.
        bodies (tuple of `str`): siblings behind a definition that belong to it.
    """

    functions: tuple[str, ...]
    classes: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()


_JAVASCRIPT = Definitions(
    ("function_declaration", "generator_function_declaration", "method_definition", "variable_declarator"),
    ("class_declaration",),
    ("export_statement", "lexical_declaration", "variable_declaration"),
    ("decorator",),
)
_TYPESCRIPT = Definitions(
    _JAVASCRIPT.functions,
    ("class_declaration", "abstract_class_declaration", "interface_declaration", "enum_declaration"),
    _JAVASCRIPT.wrappers,
    _JAVASCRIPT.attributes,
)
_C = Definitions(("function_definition",), ("struct_specifier", "enum_specifier"))
DEFINITIONS = {
    "Python": Definitions(("function_definition",), ("class_definition",), ("decorated_definition",)),
    "JavaScript": _JAVASCRIPT,
    "TypeScript": _TYPESCRIPT,
    "TSX": _TYPESCRIPT,
    "Java": Definitions(
        ("method_declaration", "constructor_declaration"),
        ("class_declaration", "interface_declaration", "enum_declaration", "record_declaration"),
    ),
    "C": _C,
    "C++": Definitions(
        _C.functions, ("class_specifier", "struct_specifier", "enum_specifier"), ("template_declaration",)
    ),
    "C#": Definitions(
        ("method_declaration", "constructor_declaration", "local_function_statement"),
        ("class_declaration", "interface_declaration", "struct_declaration", "record_declaration", "enum_declaration"),
    ),
    "Go": Definitions(("function_declaration", "method_declaration"), ("type_declaration",)),
    "Rust": Definitions(("function_item",), ("struct_item", "enum_item", "trait_item"), attributes=("attribute_item",)),
    "Ruby": Definitions(("method", "singleton_method"), ("class", "module")),
    "PHP": Definitions(
        ("function_definition", "method_declaration"),
        ("class_declaration", "interface_declaration", "trait_declaration"),
    ),
    "Shell": Definitions(("function_definition",)),
    "Lua": Definitions(("function_declaration",)),
    "Kotlin": Definitions(("function_declaration",), ("class_declaration", "object_declaration")),
    "Scala": Definitions(("function_definition",), ("class_definition", "object_definition", "trait_definition")),
    "Dart": Definitions(
        ("function_signature", "getter_signature", "setter_signature", "constructor_signature"),
        ("class_definition",),
        ("method_signature",),
        ("annotation",),
        ("function_body",),
    ),
}
