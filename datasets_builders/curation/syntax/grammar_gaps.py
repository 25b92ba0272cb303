"""Section 2.2.1: valid code that a grammar does not know yet, and how it is written so that the grammar does.

Of the 877 files of TypeScript and JavaScript in the archives of `make corpus` that have errors, all but one are valid
and have them for this reason. Each rewriting keeps a text's length.

| language | valid code | parsed as |
| --- | --- | --- |
| TypeScript | `import("./a").B<C>` as a type | `___________.B<C>` |
| TypeScript | `export default function (): A;`, a declaration without a body | `export function ________(): A;` |
| TypeScript | `export type * from "./a"` | `export      * from "./a"` |
| TypeScript | `A<in B, out C>` | `A<   B,     C>` |
| JavaScript | `export { _null as null }` | `export { _null as ____ }` |
"""

import re
from collections.abc import Callable

from datasets_builders.languages.grammars import GRAMMARS

_Rewriting = tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]


def _line_of(match: re.Match[bytes]) -> bytes:
    return b"_" * len(match[0])


def _kept_and_blank(match: re.Match[bytes]) -> bytes:
    return match[1] + b" " * (len(match[0]) - len(match[1]))


def _kept_and_line(match: re.Match[bytes]) -> bytes:
    return match[1] + b"_" * (len(match[0]) - len(match[1]))


def _with_name(match: re.Match[bytes]) -> bytes:
    return b"function " + b"_" * (len(match[0]) - len(b"function (")) + b"("


_JAVASCRIPT: tuple[_Rewriting, ...] = ((re.compile(rb"(\bas )[a-z]+(?= ?[,}])"), _kept_and_line),)
_TYPESCRIPT: tuple[_Rewriting, ...] = (
    (re.compile(rb"""\bimport\((?:"[^"\n]*"|'[^'\n]*')\)(?=\.)"""), _line_of),
    (re.compile(rb"\bdefault function ?\("), _with_name),
    (re.compile(rb"(\bexport) type(?= \*)"), _kept_and_blank),
    (re.compile(rb"((?:[<,]|\*/)\s*)(?:in out|in|out) (?=[A-Z$])"), _kept_and_blank),
)
# By the family that a language's row in `languages/grammars.py` names.
_REWRITINGS = {"": (), "javascript": _JAVASCRIPT, "typescript": _TYPESCRIPT}


def without_gaps(language: str, source: bytes) -> bytes:
    """Return a file with what its language's grammar does not know written in another way, as long as before.

    For the search for mistakes alone: what the file means is lost.

    Args:
        language (`str`): of the file; it has a grammar.
        source (`bytes`): the file.

    Source: tree-sitter-typescript 0.23.2 and tree-sitter-javascript 0.25.
    """
    for pattern, rewritten in _REWRITINGS[GRAMMARS[language].gaps]:
        source = pattern.sub(rewritten, source)
    return source
