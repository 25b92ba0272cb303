"""Section 2.2.2: how a line of comment is written in each language."""

from datasets_builders.languages.grammars import GRAMMARS

_HASH = (
    *("Perl", "R", "Makefile", "Dockerfile", "CMake", "YAML", "TOML", "Elixir", "Julia", "Awk", "Crystal", "Cython"),
    *("GDScript", "Gherkin", "HCL", "Meson", "Nim", "Nix", "PowerShell", "Raku", "Starlark", "Tcl", "fish", "sed"),
)
_DASHES = ("SQL", "Haskell", "Ada", "VHDL", "Elm")
_SEMICOLON = ("Common Lisp", "Scheme", "Clojure", "Emacs Lisp", "Racket", "Assembly")
_PERCENT = ("TeX", "Erlang", "MATLAB", "Prolog")
_MARKUP = ("HTML", "HTML+ERB", "HTML+PHP", "XML", "Markdown", "SVG", "Vue", "Svelte", "XSLT")
# Of languages without a grammar.
_OTHERS = {
    **dict.fromkeys(_HASH, "# {}"),
    **dict.fromkeys(_DASHES, "-- {}"),
    **dict.fromkeys(_SEMICOLON, ";; {}"),
    **dict.fromkeys(_PERCENT, "% {}"),
    **dict.fromkeys(_MARKUP, "<!-- {} -->"),
    "CSS": "/* {} */",
    "Batchfile": ":: {}",
    "reStructuredText": ".. {}\n",  # a blank line ends it
}
DEFAULT_COMMENT = "// {}"
_ENDS = ("*/", "-->")


def comment_line(language: str, text: str) -> str:
    """Return a comment of one line, with its line end; `//` where the language's sign is not known.

    What would end the comment is written otherwise: a file's name may hold a line end, or `*/`.

    Args:
        language (`str`): Linguist's name.
        text (`str`): of the comment.
    """
    grammar = GRAMMARS.get(language)
    comment = grammar.comment if grammar else _OTHERS.get(language, DEFAULT_COMMENT)
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
    for end in _ENDS:
        if end in comment:
            shown = shown.replace(end, " ".join(end))
    return comment.format(shown) + "\n"
