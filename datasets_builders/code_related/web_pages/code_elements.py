"""Section 2.3.1: where a page shows code, and the code as its author wrote it.

Highlighters, wikis and editors write code in many forms; whoever takes the text of the page gets line numbers glued to
it, no indentation, or all on one line. The forms that are known here:

| form | written by |
| --- | --- |
| `pre`, `textarea`, `xmp`, `listing` | everybody |
| a table of two cells, numbers and code; a row per line | Pygments, Rouge, Chroma, SyntaxHighlighter, GitHub |
| an element per line: `div`, `li`, `pre` | doxygen, prettify, CodeMirror, Ace, Monaco, dp.SyntaxHighlighter |
| `br` after each line, no-break spaces for the indentation | WordPress, Blogger, Medium, Docusaurus |
| `script type="syntaxhighlighter"` | old blogs |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any

import re2

from datasets_builders.code_related.web_pages.marks import INLINE_CODE
from datasets_builders.code_related.web_pages.page_tokens import (
    VOID,
    Token,
    class_of,
    is_hidden,
    text_between,
    tokens_of,
)

# Elements are `Any` here: Resiliparse's type stubs lack most of what they have.

# Elements that are code as a whole; the first in a page that matches holds those below it. `_OTHERS` stand behind signs
# of which a page that has one holds all, in small letters, with the tag or an empty text for any.
_TAGS = ("pre", "textarea", "xmp", "listing")
_OTHERS = (
    (("gutter",), "table", "table:has(td.gutter), table:has(td.rouge-gutter)"),
    (("line-numbers",), "table", "table:has(td.line-numbers)"),
    (("blob-num",), "table", "table:has(td.blob-num)"),
    (("lntd",), "table", "table:has(td.lntd)"),
    (("lines-num",), "table", "table:has(td.lines-num)"),
    (("crayon-pre",), "div", "div.crayon-pre"),
    (("hljs-ln",), "table", "table:has(td.hljs-ln-numbers)"),
    (("lineno",), "table", "table:has(td.linenos), table:has(td.lineno)"),
    (("fragment",), "div", "div.fragment"),
    (("w3-code",), "div", "div.w3-code"),
    (("codemirror-code",), "", ".CodeMirror-code"),
    (("ace_text-layer",), "", ".ace_text-layer"),
    (("monaco-editor",), "", ".monaco-editor .view-lines"),
    (("dp-highlighter",), "", ".dp-highlighter"),
    (("syntaxhighlighter",), "", ".syntaxhighlighter, script[type=syntaxhighlighter]"),
    (("<code", "<br"), "code", "code:has(br)"),
    (("<tt", "<br"), "tt", "tt:has(br)"),
    (("<code", "white-space"), "code", "code[style*='pre']"),
    (("<div", "white-space"), "div", "div[style*='white-space: pre'], div[style*='white-space:pre']"),
)
LANGUAGE_SIGNS = frozenset(
    {
        "lang-",
        "language-",
        "data-lang",
        "highlight-",
        "highlight ",
        "brush:",
        "sourcecode",
        "data-enlighter",
        "data-ke-lang",
    }
)
CODE_SIGNS = frozenset({f"<{tag}" for tag in _TAGS}.union(*(signs for signs, _, _ in _OTHERS), LANGUAGE_SIGNS))
# Blocks that only a style sheet, which is not looked at, tells from names in a sentence.
BARE_CODE = "code"
# What stands in code and is none: line numbers, buttons, what is there for screen readers alone.
_GUTTER = re.compile(
    r"(?:^|[\s_-])(?:gutter\w*|line-?nos?|linenum(?:ber)?s?|line-?numbers?(?:-rows)?|lineno|lnt|ln-num|blob-num|"
    r"hljs-ln-numbers|hljs-ln-n|lines-num|pre-numbering|code-block-extension\S*|CodeMirror-(?:linenumber|gutter-wrapper|cursors?)|ace_gutter\S*|"
    r"copy\S*|btn\S*|button\S*|toolbar\S*|clipboard\S*|sr-only|visually-hidden|screen-reader\S*|"
    r"tooltip\S*|prompt-copy|headerlink|hljs-copy|code-header|language-label)(?=$|[\s_])",
    re.IGNORECASE,
)
# `class="highlight line-numbers"` on the block itself switches numbers on and is not a gutter.
_NO_TEXT = frozenset(
    {"style", "script", "button", "svg", "img", "noscript", "template", "title", "select", "clipboard-copy"}
)
_LINES = frozenset(
    {"div", "p", "li", "tr", "ol", "ul", "table", "tbody", "thead", "pre", "figure", "section", "dd", "dt"}
)
_KEEPS_SPACE = frozenset({"pre", "textarea", "xmp", "listing", "script"})
_NO_GUTTERS = frozenset({"table", "tbody", "tr", "pre", "code", "ol"})
_LITERAL = frozenset({"xmp", "script"})  # hold text alone
_LANGUAGE = re.compile(
    r"(?:^|\s)(?:lang(?:uage)?-|highlight-(?:source-|text-)?|brush:\s*|sourceCode\s+|prettyprint\s+lang-)([A-Za-z][\w+#.-]*)"
)
_LANGUAGE_ATTRIBUTES = ("data-lang", "data-language", "class")
# What editors of blogs and wikis call it; each holds the language, or `brush: language`.
_OTHER_ATTRIBUTES = ("data-enlighter-language", "data-ke-language", "data-syntaxhighlighter-params")
_HIGHLIGHTED = re.compile(r"highlight ([A-Za-z][\w+#.]*)")
_CODE_TAG = re.compile(r"<code\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([^\s"=]+)="([^"]*)"')
_NO_BLOCKS = frozenset({None, "body", "article", "main", "html"})
MAX_AROUND = 3  # elements around code that may name its language
MIN_BLOCK_LINES = 3
MAX_CELL_TOKENS = 200  # of a cell, among which its first number of a line stands
# Without these, the text of an element that keeps its spaces is the code.
_NEEDS_WALK = re2.compile(
    r"(?i)<(?:br|div|p|li|ol|ul|tr|td|table|button|svg|img|style|script|select|noscript|template|clipboard-copy|pre)"
    r"[\s/>]|\shidden[\s=>]|user-select|<\w[^>]*\sclass=\"[^\"]*(?:gutter|line-?num|line-?no|lnt|ln-|ace_|copy|btn|button|"
    r"toolbar|clipboard|sr-only|visually|screen|tooltip|headerlink|code-header|code-block-ext|pre-num|language-label)",
)
_NO_LANGUAGES = frozenset(
    {"default", "none", "text", "plain", "plaintext", "block", "wrapper", "code", "inner", "notranslate"}
)
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_BREAK = "\x00"
# Between a number and the code; the first that all lines have.
_SEPARATORS = (" | ", " |", "| ", "|", ": ", ":", "\t", "    ", "   ", "  ", " ")
_NUMBERED = re.compile(r"[ \t]*(\d+)(.*)")


@dataclass(frozen=True)
class CodeText:
    r"""The code of an element.

    Args:
        text (`str`): lines with `\n` between them, none at the end.
        language (`str`): as the page names it, or empty.
    """

    text: str
    language: str


class Containers:
    """Where a page may hold code; a page has few of the forms.

    Args:
        signs: of `CODE_SIGNS`, those that the page holds.

    Attributes:
        selector (`str`): of CSS; empty where there is nothing to look for.
    """

    def __init__(self, signs: Collection[str]) -> None:
        self._tags = frozenset(tag for tag in _TAGS if f"<{tag}" in signs)
        others = [(tag, selector) for needed, tag, selector in _OTHERS if all(sign in signs for sign in needed)]
        self._other_tags = frozenset(tag for tag, _ in others)
        self._others = ", ".join(selector for _, selector in others)
        self.selector = ", ".join(filter(None, [*sorted(self._tags), self._others]))

    def match(self, element: Any) -> bool:
        """Return whether the selector matches an element; most are told by their tag."""
        tag = element.tag
        if tag in self._tags:
            return True
        return (tag in self._other_tags or "" in self._other_tags) and bool(element.matches(self._others))


def code_of(element: Any, names_language: bool = True) -> CodeText | None:
    """Return the code that an element shows, byte for byte, but for no-break spaces, which become spaces.

    Args:
        element (`ElementNode`): one that `Containers` match.
        names_language (`bool`): may the page hold one of `LANGUAGE_SIGNS`?

    Returns:
        the code, or None for a name in the middle of a sentence.
    """
    html = element.inner_html
    keeps_space = _keeps_space(element)
    if element.tag == "code" and not keeps_space and "<br" not in html:
        if not _is_written_in_lines(element.text):
            return None
        keeps_space = True
    writer = _LineWriter()
    if element.tag in _LITERAL or (keeps_space and "<" in html and not _NEEDS_WALK.search(html)):
        writer.write(element.text)
    else:
        _write(tokens_of(html), writer, keeps_space)
    text = writer.text()
    if not text.isascii():
        text = _INVISIBLE.sub("", text.replace("\xa0", " "))
    if element.tag == "script":
        text = text.strip().removeprefix("<![CDATA[").removesuffix("]]>").strip("\n")
    return CodeText(without_numbers(text), language_of_element(element, html) if names_language else "")


class _LineWriter:
    """The text of an element, with the line ends that a browser shows."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.at_line_start = True

    def write(self, text: str) -> None:
        """Add text to the line."""
        if text:
            self.parts.append(text)
            self.at_line_start = text.endswith(("\n", _BREAK))

    def start_line(self) -> None:
        """Go to a new line, where something stands on this one."""
        if not self.at_line_start:
            self.write("\n")

    def end_line(self, num_parts_before: int) -> None:
        """End an element that is a line; one that holds nothing is an empty line."""
        if not self.at_line_start or len(self.parts) == num_parts_before:
            self.write("\n")

    def text(self) -> str:
        """Return the lines, without empty ones at the start and the end."""
        joined = "".join(self.parts).replace(INLINE_CODE, "")
        # A break and a line end behind it are one, where it is always so.
        if _BREAK in joined and not re.search(f"{_BREAK}[^\n]", joined.rstrip(_BREAK)):
            joined = joined.replace(_BREAK, "")
        lines = joined.replace(_BREAK, "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        while lines and not lines[0].strip():
            lines.pop(0)
        while lines and not lines[-1].strip():
            lines.pop()
        return "\n".join(lines)


def _write(tokens: Sequence[Token], writer: _LineWriter, keeps_space: bool) -> None:
    """Write what an element holds."""
    # Of the elements around: whether spaces count outside of it, and for one that is a line what was written before it.
    around: list[tuple[bool, int | None]] = []
    skipped = 0  # elements around that show something else than code, and those inside
    for index, (close, tag, attributes, raw_text) in enumerate(tokens):
        if skipped:
            if tag not in VOID:
                skipped += -1 if close else 1
            if skipped:
                continue
        elif close:
            if around:
                keeps_space, before = around.pop()
                if before is not None:
                    writer.end_line(before)
        elif tag == "br":
            writer.write(_BREAK)
        elif tag and tag not in VOID:
            if tag in _NO_TEXT or (attributes and _is_beside_code(tokens, index)):
                skipped = 1
                continue
            is_line = tag in _LINES
            if is_line:
                writer.start_line()
            around.append((keeps_space, len(writer.parts) if is_line else None))
            keeps_space = keeps_space or tag in _KEEPS_SPACE
        if not raw_text or (
            # Between two elements that are a line each a line end is the page's own.
            keeps_space
            and raw_text.isspace()
            and "\n" in raw_text
            and ((close and tag in _LINES) or _starts_line(tokens, index + 1))
        ):
            continue
        _write_text(text_between(raw_text), writer, keeps_space)


def _write_text(text: str, writer: _LineWriter, keeps_space: bool) -> None:
    if keeps_space:
        writer.write(text)
        return
    if not text.strip(" \t\r\n"):
        if "\n" not in text:
            writer.write(text)
        return
    # Elsewhere a browser shows line ends as spaces, and none where a line starts; spaces in a row are kept here.
    shown = re.sub(r"[ \t]*\r?\n[ \t\r\n]*", " ", text)
    writer.write(shown.lstrip(" ") if writer.at_line_start and text.startswith(("\n", "\r")) else shown)


def _starts_line(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and not tokens[index][0] and tokens[index][1] in _LINES


def _is_beside_code(tokens: Sequence[Token], index: int) -> bool:
    """Return whether an element inside code shows something else."""
    _, tag, attributes, _ = tokens[index]
    hidden, name, is_gutter = _names_of(attributes)
    if hidden or not name:
        return hidden
    if tag in ("td", "th") and "lntd" in name.split():
        # Cells that nest would each be read to the end of all.
        inside = takewhile(lambda token: token[:2] != ("/", tag), islice(tokens, index + 1, index + MAX_CELL_TOKENS))
        return any("lnt" in class_of(attributes).split() for _, _, attributes, _ in inside)
    return is_gutter and tag not in _NO_GUTTERS


@lru_cache(maxsize=4096)
def _names_of(attributes: str) -> tuple[bool, str, bool]:
    """Return whether attributes, which pages repeat, hide an element, its classes, and whether those are a gutter's."""
    name = class_of(attributes)
    return is_hidden(attributes), name, _GUTTER.search(name) is not None


def _is_written_in_lines(text: str) -> bool:
    """Return whether a `code` element is a block: a style sheet, which is not looked at, shows its lines."""
    lines = text.strip().split("\n")
    return len(lines) >= MIN_BLOCK_LINES and any(line.startswith(("  ", "\t")) for line in lines)


def _keeps_space(element: Any) -> bool:
    return element.tag in _KEEPS_SPACE or "pre" in (element.getattr("style") or "")


def language_of_element(element: Any, html: str) -> str:
    """Return the language that an element, one that holds it or the first `code` in it names, or an empty text.

    Args:
        element (`ElementNode`): code.
        html (`str`): what it holds.
    """
    named = language_of_names(*map(element.getattr, _LANGUAGE_ATTRIBUTES)) or _named_otherwise(element)
    if not named and (inside := _CODE_TAG.search(html)):
        attributes = dict(_ATTRIBUTE.findall(inside[1]))
        named = language_of_names(*map(attributes.get, _LANGUAGE_ATTRIBUTES))
    around = element
    for _ in range(MAX_AROUND):
        if named or (around := around.parent) is None or around.tag in _NO_BLOCKS:
            break
        named = language_of_names(*map(around.getattr, _LANGUAGE_ATTRIBUTES))
    return named


def _named_otherwise(element: Any) -> str:
    """Return the language in an attribute of an editor, or the one class beside `highlight`, as Jekyll wrote it."""
    for value in map(element.getattr, _OTHER_ATTRIBUTES):
        if value and (named := language_of_names(value, None, value)):
            return named
    highlighted = _HIGHLIGHTED.fullmatch(element.getattr("class") or "") if element.tag == "pre" else None
    return highlighted[1].lower() if highlighted and highlighted[1].lower() not in _NO_LANGUAGES else ""


def language_of_names(data_lang: str | None, data_language: str | None, names: str | None) -> str:
    """Return the language that attributes and names of classes of an element tell, or an empty text."""
    for value in (data_lang, data_language):
        if value and re.fullmatch(r"[A-Za-z][\w+#.-]*", value):
            return value.lower()
    found = _LANGUAGE.search(names) if names else None
    return found[1].lower() if found and found[1].lower() not in _NO_LANGUAGES else ""


def without_numbers(text: str) -> str:
    """Return code without line numbers that stand in its text: each line starts with the number after the last one.

    Args:
        text (`str`): lines; fewer than three are left alone, and so are the steps of a list (`1. first`).
    """
    lines = text.split("\n")
    if len(lines) < 3:
        return text
    rest = []
    start = 0
    for index, line in enumerate(lines):
        found = _NUMBERED.fullmatch(line)
        start = int(found[1]) if found and not index else start
        if found is None or not start or int(found[1]) != start + index:
            return text
        rest.append(found[2])
    if all(line.startswith((".", ")")) for line in rest):
        return text
    shown = [line for line in rest if line.strip()]
    separator = next((text for text in _SEPARATORS if shown and all(line.startswith(text) for line in shown)), "")
    return "\n".join(line.removeprefix(separator) for line in rest)
