r"""Sections 2.1 and 2.2: what is known of the languages that files are parsed in: one row per language, one table.

To add a language, add its row here and its import query, `repositories/queries/NAME.scm`; where imports are resolved in
a way of their own, a module in `repositories/resolution/` too. Its wheel belongs into setup.py and constraints.txt.

| query | captures |
| --- | --- |
| metrics | `@comment`, `@block` (one level of nesting each), `@function` |
| strings | `@string` literals, and the `@code` that may stand in them; of those that import something, all is code |
| imports | see `repositories/imports.py` |

Nothing is imported here: the table is read where no grammar is needed.
"""

from dataclasses import dataclass

_C_LIKE = "(comment) @comment"
_JAVASCRIPT_METRICS = (
    "(comment) @comment (statement_block) @block [(function_declaration) (function_expression) (arrow_function) "
    "(method_definition) (generator_function_declaration)] @function"
)
_JAVASCRIPT_STRINGS = "[(string) (template_string)] @string (template_substitution) @code (import_statement) @code"
# Behind `from` stands a string, perhaps after a comment or white space beyond ASCII.
_JAVASCRIPT_WORDS = (
    r"\b(?:import|require)\b|\b(?:importScripts|define|mock|doMock|requireActual|requireMock|importActual|Worker|URL)\s*\(|"
    r"\bfrom\s*[\"'`/\x80-\xff]|///\s*<reference\s"
)
_SHELL_EXPANSIONS = "[(simple_expansion) (expansion) (command_substitution)] @code"
_INCLUDE = r"#[ \t]*(?:include|import)"
CPP_MODULE_WORDS = r"(?m:^[ \t]*(?:export[ \t]+)?(?:import|module)\b)"
_UNCERTAIN = 0.1  # of the bytes of a file


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


_JAVASCRIPT_DEFINITIONS = Definitions(
    ("function_declaration", "generator_function_declaration", "method_definition", "variable_declarator"),
    ("class_declaration",),
    ("export_statement", "lexical_declaration", "variable_declaration"),
    ("decorator",),
)
_TYPESCRIPT_DEFINITIONS = Definitions(
    _JAVASCRIPT_DEFINITIONS.functions,
    ("class_declaration", "abstract_class_declaration", "interface_declaration", "enum_declaration"),
    _JAVASCRIPT_DEFINITIONS.wrappers,
    _JAVASCRIPT_DEFINITIONS.attributes,
)
_C_DEFINITIONS = Definitions(("function_definition",), ("struct_specifier", "enum_specifier"))


@dataclass(frozen=True)
class Grammar:
    """One language.

    Args:
        module (`str`): of its wheel. Single wheels: the language pack downloads its parsers at run time.
        metrics, strings (`str`): queries, see above.
        definitions (`Definitions`): node types of functions and classes.
        imports (`str`): file in `repositories/queries/` (of C and C++ there is none: see `repositories/imports.py`);
            empty where imports are not found.
        resolution (`str`): module in `repositories/resolution/` and its class of rules, `module:Class`.
        statements (`str`): function in `repositories/statements.py` that takes a whole `@statement` apart.
        entry_point (`str`): function of the module that gives the language.
        comment (`str`): a comment that holds `{}`.
        import_words (`str`): pattern; a file in which it is not found imports nothing, and need not be parsed. Empty
            for languages whose files see each other without imports, and for Shell, whose dot may stand anywhere.
        words_mark_nodes (`bool`): whether an import's node holds the word itself, so that the tree is asked for nodes
            around the words alone.
        tables (`str`): node type of the declarations at the top that may hold long tables, which are not searched.
        packages_add_up (`bool`): whether a file's package is all its package clauses together, not the first.
        max_error_fraction (`float`): of the bytes of a file; those of valid files that the grammar cannot understand.
            A preprocessor's macros need not follow the grammar, nor do a shell's patterns, which depend on what is set
            when they are reached; Swift's newest forms, in 5 % of the files, are not in its grammar.
        gaps (`str`): family in `curation/syntax/grammar_gaps.py` of valid code that the grammar does not know.
    """

    module: str
    metrics: str
    strings: str
    definitions: Definitions
    imports: str = ""
    resolution: str = ""
    statements: str = ""
    entry_point: str = "language"
    comment: str = "// {}"
    import_words: str = ""
    words_mark_nodes: bool = True
    tables: str = ""
    packages_add_up: bool = False
    max_error_fraction: float = 0.0
    gaps: str = ""

    @property
    def package(self) -> str:
        """Name of the wheel."""
        return self.module.replace("_", "-")


GRAMMARS = {
    "Python": Grammar(
        "tree_sitter_python",
        # A string that stands alone counts as a comment, as in StarCoder.
        metrics="(comment) @comment (expression_statement . (string) @comment .) (block) @block "
        "(function_definition) @function",
        strings="(string) @string (interpolation) @code",
        definitions=Definitions(("function_definition",), ("class_definition",), ("decorated_definition",)),
        imports="python",
        resolution="python:PythonRules",
        statements="python",
        comment="# {}",
        import_words=r"\b(?:import|import_module|__import__)\b",
    ),
    "JavaScript": Grammar(
        "tree_sitter_javascript",
        metrics=_JAVASCRIPT_METRICS,
        strings=_JAVASCRIPT_STRINGS,
        definitions=_JAVASCRIPT_DEFINITIONS,
        imports="javascript",
        statements="javascript",
        resolution="javascript:JavaScriptRules",
        import_words=_JAVASCRIPT_WORDS,
        gaps="javascript",
    ),
    "TypeScript": Grammar(
        "tree_sitter_typescript",
        metrics=_JAVASCRIPT_METRICS,
        strings=_JAVASCRIPT_STRINGS,
        definitions=_TYPESCRIPT_DEFINITIONS,
        imports="typescript",
        statements="javascript",
        resolution="javascript:JavaScriptRules",
        entry_point="language_typescript",
        import_words=_JAVASCRIPT_WORDS,
        gaps="typescript",
    ),
    "TSX": Grammar(
        "tree_sitter_typescript",
        metrics=_JAVASCRIPT_METRICS,
        strings=_JAVASCRIPT_STRINGS,
        definitions=_TYPESCRIPT_DEFINITIONS,
        imports="typescript",
        statements="javascript",
        resolution="javascript:JavaScriptRules",
        entry_point="language_tsx",
        import_words=_JAVASCRIPT_WORDS,
        gaps="typescript",
    ),
    "Java": Grammar(
        "tree_sitter_java",
        metrics="[(line_comment) (block_comment)] @comment (block) @block "
        "[(method_declaration) (constructor_declaration) (lambda_expression)] @function",
        strings="(string_literal) @string (string_interpolation) @code",
        definitions=Definitions(
            ("method_declaration", "constructor_declaration"),
            ("class_declaration", "interface_declaration", "enum_declaration", "record_declaration"),
        ),
        imports="java",
        resolution="jvm:JvmRules",
        statements="java",
    ),
    "C": Grammar(
        "tree_sitter_c",
        metrics=f"{_C_LIKE} (compound_statement) @block (function_definition) @function",
        strings="(string_literal) @string (preproc_include) @code",
        definitions=_C_DEFINITIONS,
        imports="c",
        resolution="c:CRules",
        import_words=_INCLUDE,
        max_error_fraction=_UNCERTAIN,
        gaps="c",
    ),
    "C++": Grammar(
        "tree_sitter_cpp",
        metrics=f"{_C_LIKE} (compound_statement) @block [(function_definition) (lambda_expression)] @function",
        strings="[(string_literal) (raw_string_literal)] @string (preproc_include) @code",
        definitions=Definitions(
            _C_DEFINITIONS.functions,
            ("class_specifier", "struct_specifier", "enum_specifier"),
            ("template_declaration",),
        ),
        imports="c",
        resolution="c:CRules",
        import_words=rf"{_INCLUDE}|{CPP_MODULE_WORDS}",
        max_error_fraction=_UNCERTAIN,
        gaps="c",
    ),
    "C#": Grammar(
        "tree_sitter_c_sharp",
        metrics=f"{_C_LIKE} (block) @block [(method_declaration) (constructor_declaration) "
        "(local_function_statement) (lambda_expression)] @function",
        strings="[(string_literal) (verbatim_string_literal) (raw_string_literal) (interpolated_string_expression)] "
        "@string (interpolation) @code",
        definitions=Definitions(
            ("method_declaration", "constructor_declaration", "local_function_statement"),
            (
                "class_declaration",
                "interface_declaration",
                "struct_declaration",
                "record_declaration",
                "enum_declaration",
            ),
        ),
        imports="csharp",
        resolution="csharp:CSharpRules",
        statements="csharp",
        max_error_fraction=_UNCERTAIN,
    ),
    "Go": Grammar(
        "tree_sitter_go",
        metrics=f"{_C_LIKE} (block) @block [(function_declaration) (method_declaration) (func_literal)] @function",
        strings="[(interpreted_string_literal) (raw_string_literal)] @string (import_spec) @code",
        definitions=Definitions(("function_declaration", "method_declaration"), ("type_declaration",)),
        imports="go",
        resolution="go:GoRules",
        statements="go",
        tables="var_declaration",
    ),
    "Rust": Grammar(
        "tree_sitter_rust",
        metrics="[(line_comment) (block_comment)] @comment (block) @block "
        "[(function_item) (closure_expression)] @function",
        strings="[(string_literal) (raw_string_literal)] @string",
        definitions=Definitions(
            ("function_item",), ("struct_item", "enum_item", "trait_item"), attributes=("attribute_item",)
        ),
        imports="rust",
        resolution="rust:RustRules",
        statements="rust",
        gaps="rust",
    ),
    "Ruby": Grammar(
        "tree_sitter_ruby",
        metrics=f"{_C_LIKE} [(body_statement) (then) (block)] @block [(method) (singleton_method)] @function",
        strings="[(string) (bare_string) (heredoc_body)] @string (interpolation) @code",
        definitions=Definitions(("method", "singleton_method"), ("class", "module")),
        imports="ruby",
        resolution="ruby:RubyRules",
        statements="ruby",
        comment="# {}",
        import_words=r"\b(?:require|require_relative|load|autoload|[A-Z]\w*)\b",  # constants too, for Zeitwerk
        words_mark_nodes=False,
    ),
    "PHP": Grammar(
        "tree_sitter_php",
        metrics=f"{_C_LIKE} (compound_statement) @block [(function_definition) (method_declaration) "
        "(anonymous_function) (arrow_function)] @function",
        strings="[(string) (nowdoc_string)] @string (encapsed_string (string_content) @string) "
        "(heredoc_body (string_content) @string)",
        definitions=Definitions(
            ("function_definition", "method_declaration"),
            ("class_declaration", "interface_declaration", "trait_declaration"),
        ),
        imports="php",
        resolution="php:PhpRules",
        statements="php",
        entry_point="language_php",
        comment="<!-- {} -->",  # behind `<?php` it would no longer stand at the top
    ),
    "Shell": Grammar(
        "tree_sitter_bash",
        metrics=f"{_C_LIKE} [(compound_statement) (do_group) (if_statement) (case_statement)] @block "
        "(function_definition) @function",
        strings=f"[(string) (raw_string) (ansi_c_string) (heredoc_body)] @string (string {_SHELL_EXPANSIONS}) "
        f"(heredoc_body {_SHELL_EXPANSIONS})",
        definitions=Definitions(("function_definition",)),
        imports="bash",
        resolution="scripts:ShellRules",
        comment="# {}",
        max_error_fraction=_UNCERTAIN,
        gaps="shell",
    ),
    "Lua": Grammar(
        "tree_sitter_lua",
        metrics=f"{_C_LIKE} (block) @block [(function_declaration) (function_definition)] @function",
        strings="(string) @string",
        definitions=Definitions(("function_declaration",)),
        imports="lua",
        resolution="scripts:LuaRules",
        comment="-- {}",
        import_words=r"\b(?:require|dofile|loadfile)\b",
    ),
    "Kotlin": Grammar(
        "tree_sitter_kotlin",
        metrics="[(line_comment) (block_comment)] @comment (block) @block "
        "[(function_declaration) (secondary_constructor) (lambda_literal) (anonymous_function)] @function",
        strings="[(string_literal) (multiline_string_literal)] @string (interpolation) @code",
        definitions=Definitions(("function_declaration",), ("class_declaration", "object_declaration")),
        imports="kotlin",
        resolution="jvm:JvmRules",
        statements="kotlin",
        gaps="kotlin",
    ),
    "Scala": Grammar(
        "tree_sitter_scala",
        metrics="[(comment) (block_comment)] @comment (block) @block "
        "[(function_definition) (lambda_expression)] @function",
        strings="[(string) (interpolated_string)] @string (interpolation) @code",
        definitions=Definitions(
            ("function_definition",), ("class_definition", "object_definition", "trait_definition")
        ),
        imports="scala",
        resolution="jvm:JvmRules",
        statements="scala",
        packages_add_up=True,
    ),
    "Dart": Grammar(
        "tree_sitter_dart",
        metrics="[(comment) (documentation_comment)] @comment (block) @block [(function_signature) "
        "(getter_signature) (setter_signature) (constructor_signature) (function_expression)] @function",
        strings="(string_literal) @string (template_substitution) @code (uri) @code",
        definitions=Definitions(
            ("function_signature", "getter_signature", "setter_signature", "constructor_signature"),
            ("class_definition",),
            ("method_signature",),
            ("annotation",),
            ("function_body",),
        ),
        imports="dart",
        resolution="scripts:DartRules",
        import_words=r"\b(?:import|export|part)\b",
        words_mark_nodes=False,  # conditional imports have nodes of their own
    ),
    # Files of a module see each other without imports, which name other modules.
    "Swift": Grammar(
        "tree_sitter_swift",
        metrics="[(comment) (multiline_comment)] @comment (statements) @block [(function_declaration) "
        "(init_declaration) (deinit_declaration) (protocol_function_declaration) (lambda_literal)] @function",
        strings="[(line_string_literal) (multi_line_string_literal) (raw_string_literal)] @string "
        "(interpolated_expression) @code",
        definitions=Definitions(
            ("function_declaration", "init_declaration", "deinit_declaration", "protocol_function_declaration"),
            ("class_declaration", "protocol_declaration"),
        ),
        max_error_fraction=_UNCERTAIN,
    ),
}
# Languages of components, whose `<script>` is a file of another language.
SCRIPTS_WITHIN = {"Vue": "TypeScript", "Svelte": "TypeScript"}
GRAMMAR_PACKAGES = tuple(sorted({grammar.package for grammar in GRAMMARS.values()}))
