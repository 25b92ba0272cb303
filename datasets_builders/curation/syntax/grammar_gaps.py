r"""Section 2.2.1: valid code that a grammar does not know yet, and how it is written so that the grammar does.

Of the 877 files of TypeScript and JavaScript in the archives of `make corpus` that have errors, all but one are valid
and have them for this reason; headers of C++ have them for their macros. But for tables a text keeps its length.

| language | valid code | parsed as |
| --- | --- | --- |
| TypeScript | `import("./a").B<C>` as a type | `___________.B<C>` |
| TypeScript | `export default function (): A;`, a declaration without a body | `export function ________(): A;` |
| TypeScript | `export type * from "./a"` | `export      * from "./a"` |
| TypeScript | `A<in B, out C>`, `in out a extends B` | `A<   B,     C>` |
| TypeScript | `(type extends A ? B : C)`, a parameter of this name | `(____ extends A ? B : C)` |
| JavaScript | `export { _null as null }` | `export { _null as ____ }` |
| JavaScript | `using += 1`, a variable of this name | `_____ += 1` |
| JavaScript | `import defer * as a from "b" assert {}` | `import       * as a from "b" with   {}` |
| JavaScript, TypeScript | `accessor x = 1` in a class | `         x = 1` |
| Rust | `~` in macros, `safe fn`, `auto trait`, `default impl` | `+`, and without the word |
| Kotlin | `is String if x > 1 -> y`, a guard in `when` | `is String           -> y` |
| Kotlin | `fun suspend(a: A)`, `$$"a"`, `{ get() = 1 }` | `fun _______(a: A)`, `  "a"`, a line end before the brace |
| Shell | `-!(-*)@([sD]|h)`, patterns | `-______________` |
| C, C++ | `#` alone, `# /* ... */` | blank lines |
| C, C++ | `class A_EXPORT B : C` | `class          B : C` |
| C, C++ | `public slots:`, `signals:` | `public      :`, `public :` |
| C, C++ | `TEST_F(A, b) {` | `void f()     {` |
| C, C++ | `A_EXPORT int f() A_NOTHROW;`, macros before and behind a declaration | `         int f()          ;` |
| C, C++ | `void A_DLL f();` | `void       f();` |
| C, C++ | `A_API(void) f()` | `int         f()` |
| C, C++ | `Q_OBJECT`, `UPROPERTY(a)`, a macro on lines of its own | blank lines |
| C, C++ | `template(typename A)(requires B)` | `template<typename A>            ` |
| C, C++ | a template's `A_CONSTEXPR name(...)` | `            name(...)` |
| C, C++ | `while (/* never */ 0)`, a comment in a macro | `while (            0)` |
| C, C++ | `0x01, 0x02`, a table of values alone | `int table[] = {0x01, 0x02};` |
| C, C++ | `#if A` ... `#else` ... `#endif` | the first branch (of `#if 0` the second) |
"""

import re
from collections.abc import Callable

from datasets_builders.languages.grammars import GRAMMARS

_SIGN = re.compile(rb"[^\n]")
_SIGN_OF_COMMENT = re.compile(rb"[^\n\\]")
_Rewriting = tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]


def _line_of(match: re.Match[bytes]) -> bytes:
    return b"_" * len(match[0])


def _kept_and_blank(match: re.Match[bytes]) -> bytes:
    return match[1] + _SIGN.sub(b" ", match[0][len(match[1]) :])


def _kept_and_line(match: re.Match[bytes]) -> bytes:
    return match[1] + b"_" * (len(match[0]) - len(match[1]))


def _with_name(match: re.Match[bytes]) -> bytes:
    return b"function " + b"_" * (len(match[0]) - len(b"function (")) + b"("


def _blank(match: re.Match[bytes]) -> bytes:
    return _SIGN.sub(b" ", match[0])


def _continued(match: re.Match[bytes]) -> bytes:
    return _SIGN_OF_COMMENT.sub(b" ", match[0])


def _access(match: re.Match[bytes]) -> bytes:
    return match[1] + b"public".ljust(len(match[0]) - len(match[1]))


def _type(match: re.Match[bytes]) -> bytes:
    return match[1] + b"int" + _SIGN.sub(b" ", match[0][len(match[1]) + 3 :])


def _function(match: re.Match[bytes]) -> bytes:
    return b"void f()".ljust(len(match[0])) if len(match[0]) > len(b"void f()") else match[0]


def _with_attributes(match: re.Match[bytes]) -> bytes:
    return match[1] + b"with".ljust(len(match[0]) - len(match[1]))


def _constrained(match: re.Match[bytes]) -> bytes:
    head = b"template<" + match[1] + b">"
    return head + _SIGN.sub(b" ", match[0][len(head) :])


_ACCESSOR: _Rewriting = (re.compile(rb"\baccessor (?=[#\w$]++\s*+[=;:!?])"), _blank)
_JAVASCRIPT: tuple[_Rewriting, ...] = (
    (re.compile(rb"(\bas )[a-z]+(?= ?[,}])"), _kept_and_line),
    (re.compile(rb"\busing\b(?! *+[\w$])"), _line_of),
    (re.compile(rb"(\bimport )(?:defer|source)(?= (?:\*|\w++ from\b))"), _kept_and_blank),
    (re.compile(rb"""(\bfrom\s*+(?:"[^"\n]*+"|'[^'\n]*+')\s*+)assert(?=\s*+\{)"""), _with_attributes),
    _ACCESSOR,
)
_TYPESCRIPT: tuple[_Rewriting, ...] = (
    (re.compile(rb"""\bimport\((?:"[^"\n]*"|'[^'\n]*')\)(?=\.)"""), _line_of),
    (re.compile(rb"\bdefault function ?\("), _with_name),
    (re.compile(rb"(\bexport) type(?= \*)"), _kept_and_blank),
    (re.compile(rb"((?:[<,]|\*/|//[^\n]*+\n)\s*)(?:in out|in|out) (?=[A-Z$]|\w++ (?:extends\b|=))"), _kept_and_blank),
    (re.compile(rb"\btype(?=\s++extends\b)"), _line_of),
    _ACCESSOR,
)
_RUST: tuple[_Rewriting, ...] = (
    (re.compile(rb"~"), lambda match: b"+"),
    (re.compile(rb"\b(?:safe|auto|default)(?= (?:unsafe )?(?:fn|static|trait|impl)\b)"), _blank),
)
_KOTLIN: tuple[_Rewriting, ...] = (
    (re.compile(rb"(?m)^([ \t]*+(?:!?is |!?in )?[\w.<>?*\", ]+?) if [^\n{}]*?(?=->)"), _kept_and_blank),
    (re.compile(rb"\bsuspend(?=\()"), _line_of),
    (re.compile(rb"\$\$+(?=\")"), _blank),
    (re.compile(rb"(?<=[^\s{]) (?=\})"), lambda match: b"\n"),
)
_MACRO = rb"(?:[A-Z][A-Z0-9_]{2,}+\b|\b[a-z]\w*Macro\b)"
_ARGUMENTS = rb"\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)"
_C: tuple[_Rewriting, ...] = (
    (re.compile(rb"(?m)^[ \t]*+#(?=[ \t]*+(?:/[*/]|\r?$))"), _blank),
    (re.compile(rb"/\*(?:[^*/\n]|/(?!\*)|\*(?!/)|(?<=\\)\n){0,2000}+\*/(?=[ \t]*+\S)"), _continued),
    (
        re.compile(
            rb"\btemplate\(([^()]*+(?:%s[^()]*+)*+)\)\(\s*+requires\b(?:[^()]|%s)*+\)" % (_ARGUMENTS, _ARGUMENTS)
        ),
        _constrained,
    ),
    (re.compile(rb"(\btemplate ?<[^;{}()]{0,400}>\s*+)%s(?=\s++\w++ ?\()" % _MACRO), _kept_and_blank),
    (
        re.compile(
            rb"(\b(?:class|struct|union)\s)\s*+\w++\s++(?=(?!final\b)\w++(?:\s++|//[^\n]*+)*+(?:final\b\s*+)?[:{][^:])"
        ),
        _kept_and_blank,
    ),
    (re.compile(rb"(\b(?:class|struct|union)\s)\s*+(?:%s(?:%s)?\s++)++(?=\w)" % (_MACRO, _ARGUMENTS)), _kept_and_blank),
    (re.compile(rb"\b(public|protected|private)\s++(?:slots|Q_SLOTS)(?=\s*+:)"), _kept_and_blank),
    (re.compile(rb"(?m)^([ \t]*+)(?:signals|Q_SIGNALS)(?=\s*+:)"), _access),
    (re.compile(rb"(?m)^%s\s?%s(?=\s*+\{)" % (_MACRO, _ARGUMENTS)), _function),
    (
        re.compile(rb"(?m)^([ \t]*+(?:extern |static |inline )*+)%s%s(?=[ \t*]++\w++\s*+\()" % (_MACRO, _ARGUMENTS)),
        _type,
    ),
    (re.compile(rb"(?m)^([ \t]*+\w[\w *:<>]*?[ \t*])%s[ \t]++(?=[*&]*+\w++[ \t]*+\()" % _MACRO), _kept_and_blank),
    # Before a declaration of two words at least, and behind one.
    (
        re.compile(
            rb"(?m)^([ \t]*+(?:extern |static |inline )*+)(?:%s(?:%s)?[ \t]++)++(?=[\w:~]++[ \t<*&:])"
            % (_MACRO, _ARGUMENTS)
        ),
        _kept_and_blank,
    ),
    (
        re.compile(
            rb"(\)(?:\s++(?:const|override|final|noexcept))*+)(?:\s++%s(?:\s?%s)?)++(?=\s*+[;{:])"
            % (_MACRO, _ARGUMENTS)
        ),
        _kept_and_blank,
    ),
    (re.compile(rb"(?m)^[ \t]*+%s(?:\s?%s)?[ \t]*+;?(?=[ \t\r]*+(?://[^\n]*+)?$)" % (_MACRO, _ARGUMENTS)), _blank),
)
_SHELL: tuple[_Rewriting, ...] = ((re.compile(rb"(?<![$\w])[@!?*+]\((?:[^()\n]|\([^()\n]*+\))*+\)"), _line_of),)
# The grammar is that of Bash; what zsh may be cannot be told by it.
_ZSH = re.compile(
    rb"\A#(?:![^\n]*\bzsh\b|compdef\b|autoload\b)|\b(?:ft|filetype)=zsh\b|\bemulate (?:-[LR]+ )?zsh\b|\bsetopt\b"
)
# By the family that a language's row in `languages/grammars.py` names.
_REWRITINGS = {
    "": (),
    "javascript": _JAVASCRIPT,
    "typescript": _TYPESCRIPT,
    "kotlin": _KOTLIN,
    "rust": _RUST,
    "c": _C,
    "shell": _SHELL,
}
# What starts with a value is a table that other files include.
_TABLE = re.compile(rb"(?:\s++|//[^\n]*+|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/)*+[\d{\"'.-]")
_DIRECTIVE = re.compile(rb"[ \t]*#[ \t]*(if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b(?:[ \t]+(0)[ \t]*\r?$)?")


def _first_branches(source: bytes) -> bytes:
    """Return C without the directives of conditions and without all but one branch of each."""
    kept, open_conditions, num_dropped = [], list[str](), 0
    for line in source.split(b"\n"):
        directive = _DIRECTIVE.match(line) if b"#" in line else None
        kept.append(b" " * len(line) if directive or num_dropped else line)
        if directive is None:
            continue
        if directive[1].startswith(b"if"):
            open_conditions.append("none_kept" if directive[2] else "keeping")
        elif open_conditions:
            before = open_conditions.pop()
            num_dropped -= before != "keeping"
            if directive[1] == b"endif":
                continue
            open_conditions.append("keeping" if before == "none_kept" else "was_kept")
        num_dropped += bool(open_conditions) and open_conditions[-1] != "keeping"
    return b"\n".join(kept)


def is_of_another_dialect(language: str, source: bytes) -> bool:
    """Return whether a file is in a dialect that the grammar of its language does not know at all: zsh.

    Args:
        language (`str`): of the file; it has a grammar.
        source (`bytes`): the file.
    """
    return GRAMMARS[language].gaps == "shell" and _ZSH.search(source) is not None


def without_gaps(language: str, source: bytes) -> bytes:
    """Return a file with what its language's grammar does not know written in another way.

    For the search for mistakes alone: what the file means is lost.

    Args:
        language (`str`): of the file; it has a grammar.
        source (`bytes`): the file.

    Source: tree-sitter-typescript 0.23.2 and tree-sitter-javascript 0.25.
    """
    family = GRAMMARS[language].gaps
    if family == "c":
        if _TABLE.match(source):
            return b"int table[] = {" + source + b"\n};"
        source = _first_branches(source)
    for pattern, rewritten in _REWRITINGS[family]:
        source = pattern.sub(rewritten, source)
    return source
