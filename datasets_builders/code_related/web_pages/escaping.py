r"""Section 2.3.1: text of a page that Markdown would read as something else: `# of items`, `vector<int>`, `1. May`.

A backslash stands before what would be a heading, a quotation, an item, a fence, a line below a heading or a table's
first, a reference, a tag or an entity. Signs that would change the look of words alone, such as `*` and `_`, stay as
they are.
"""

from __future__ import annotations

import re

from datasets_builders.code_related.web_pages.marks import INLINE_CODE

_END = r"(?=[ \t\n]|\Z)"
_LINE_END = r"[ \t]*(?=\n|\Z)"
_BEGINS = "|".join((
    rf"#{{1,6}}{_END}",
    ">",
    rf"[-+*]{_END}",
    "`{3}",
    "~{3}",
    rf"-{{2,}}{_LINE_END}",
    rf"\*{{3,}}{_LINE_END}",
    rf"_[ \t]*_[ \t]*_[ \t_]*{_LINE_END}",
    r"\[[^\]\n]{1,999}\]:",
))  # fmt: skip
# In Resiliparse's text a line with two blanks or more before a number is an item of the page.
_LINE = re.compile(rf"\n( *(?:(?<=  )(?:[0-9]+\.|•) )?)(?={_BEGINS})")
_NUMBERED_LINE = re.compile(rf"\n([0-9]{{1,9}})(?=[.)]{_END})")
_BELOW_LINE = re.compile(r"(?<=[^\n])\n(?=(?:=+[ \t]*|[|: \t]*-[|:\- \t]*)(?:\n|\Z))")
_FIRST_SIGNS = frozenset("#>-+*`~_[0123456789")
_START = re.compile(rf"(?={_BEGINS})")
_NUMBERED_START = re.compile(rf"\A([0-9]{{1,9}})(?=[.)]{_END})")
# Code in words is found too, so that nothing in it is.
_IN_LINE = re.compile(
    rf"{INLINE_CODE}[^{INLINE_CODE}]*{INLINE_CODE}"
    r"|<(?=/?[A-Za-z][A-Za-z0-9-]*(?:[\s/][^<>\n]{0,999})?>|!--|![A-Za-z]|\?)"
    r"|&(?=#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)"
)
_BREAK = re.compile(r"(?<!\\)\\(?:\\\\)*(?=\n[^\n])")
_INDENTED = re.compile(r"\n((?:  )+)([0-9]+\. |• )?")
_TABS = re.compile(r"\n *\t[ \t]*")  # before the cells of tables that are there for the layout
_CLOSING_SIGNS = re.compile(r"(?<=[ \t])(?=#+\Z)")


def escaped_lines(text: str) -> str:
    """Return Resiliparse's text, in which lines begin nothing that the page does not have, and lists nest.

    Args:
        text (`str`): with marks for headings, code in words and the parts.
    """
    text = f"\n{text}"
    if "\t" in text:
        text = _TABS.sub("\n", text)
    text = _LINE.sub(r"\n\1\\", _BELOW_LINE.sub(r"\n\\", text))
    text = _NUMBERED_LINE.sub(r"\n\1\\", text)
    if "\n  " in text:
        text = _INDENTED.sub(_indented, text)
    return escaped_in_lines(text[1:])


def escaped_start(text: str) -> str:
    """Return text that begins a line, or an item, and nothing else."""
    if text[:1] not in _FIRST_SIGNS:
        return text
    return f"\\{text}" if _START.match(text) else _NUMBERED_START.sub(r"\1\\", text)


def escaped_in_lines(text: str) -> str:
    """Return text without tags and entities, and without a break where a line ends with a backslash."""
    if "<" in text or "&" in text:
        text = _IN_LINE.sub(_escaped, text)
    return _BREAK.sub(r"\g<0>\\", text) if "\\\n" in text else text


def escaped_heading(text: str) -> str:
    """Return the text of a heading, whose last signs are a part of it."""
    return _CLOSING_SIGNS.sub(r"\\", text, count=1) if text.endswith("#") else text


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith(INLINE_CODE) else f"\\{found[0]}"


def _indented(found: re.Match[str]) -> str:
    """Return the blanks that Markdown needs: an item stands below the words of the one around, and no text is code."""
    depth = len(found[1]) // 2 - 1
    if found[2] is None:
        return "\n" + " " * min(3 * depth, 3)
    return f"\n{'   ' * depth}{'- ' if found[2] == '• ' else found[2]}"
