"""Section 2.3.1: from a web page to Markdown, in which every line of code is as its author wrote it.

The page's text, without menus and the like, is Resiliparse's work. Code, formulas, tables and headings are taken out of
the page first, by our rules, and put back as Markdown where they stood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import re2

from datasets_builders.code_related.web_pages import marks
from datasets_builders.code_related.web_pages.code_elements import (
    BARE_CODE,
    CODE_SIGNS,
    LANGUAGE_SIGNS,
    Containers,
    code_of,
)
from datasets_builders.code_related.web_pages.escaping import escaped_heading, escaped_lines, escaped_start
from datasets_builders.code_related.web_pages.formulas import FORMULA_SIGNS, FORMULAS, formula_of
from datasets_builders.code_related.web_pages.lists import AROUND_MENUS, LISTS, is_around_menus, list_of
from datasets_builders.code_related.web_pages.tables import TABLES, table_of

MAX_DEPTH = 3000  # of elements in each other; Resiliparse takes time with its square
MAX_NESTED_PARTS = 4
MAX_REFUSED = 6  # elements in each other that look like a part and are none, such as lists in a menu
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(/?)>")
# Without content, or closed by the next of their kind.
_FLAT = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "p", "li", "dt", "dd", "tr", "td", "th", "option",
))  # fmt: skip
_NEVER_NESTED = ("<br", "<img", "<input", "<link", "<meta", "<hr", "<!")
CHUNK_CHARS = 32_768
# Named after their titles, such as `related-objects`: no sign of what Resiliparse looks for in names.
_SECTIONS = "section[id], div.section[id]"
_KEPT = "data-kept"
# Elements that Resiliparse leaves out, and what it leaves others out for; tabs of other languages are hidden.
_DROPPED = ("aside", "figure")
_HIDING = ("id", "class", "style", "hidden", "aria-hidden")
# What stands beside code, in the two elements around it, and is a name of its language, or for the mouse.
_BESIDE = re.compile(
    r"(?:^|[\s_-])(?:lang|language|language-name|code-?lang\w*|code-?header|example-header|test-arrow|copy\S*|crayon-\S*)(?=$|[\s_])",
    re.IGNORECASE,
)
_SELECTS = "selectCode("
MAX_BESIDE_CHARACTERS = 80
# Beside code, and no element that Resiliparse knows; a button it leaves out.
_BUTTONS = "clipboard-copy"
# Crayon shows code twice: with numbers, and in a text area from which it is copied.
_PLAIN, _SHOWN_AGAIN = "crayon-plain", "div.crayon-main"
_LARGE_TAGS = ("</CODE", "</KBD", "</SAMP", "</TT", "</H")
_LARGE_TAG = re.compile(r"</?(?:CODE|KBD|SAMP|TT|H[1-6])(?=[\s>])")
_CODE_NAMES = ("code", "kbd", "samp", "tt")
_INLINE_CODE_SIGNS = (f"<{name}" for name in _CODE_NAMES)
_SIGNS = sorted({*FORMULA_SIGNS, *CODE_SIGNS, *_INLINE_CODE_SIGNS, "section", "<table", "<ul", f"<{_BUTTONS}", _PLAIN})
_BLANK_LINES = re.compile(r"\n{3,}")
_HEADING_TAG = re.compile(r"<h([1-6])(?:\s[^>]*)?>")
_MARK = re.compile(f"({marks.OPEN}|{marks.OPEN_BLOCK})(\\d+){marks.CLOSE}")

_HEADING = re.compile(f"{marks.HEADING}([1-6])[ \t]*([^\n]*)")
_FENCES = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_EMPTY_CODE = re.compile(f"{marks.INLINE_CODE}\\s*{marks.INLINE_CODE}")
_INLINE_CODE = re.compile(f"{marks.INLINE_CODE}([^{marks.INLINE_CODE}]*){marks.INLINE_CODE}")


class PageError(ValueError):
    """The page cannot be read; `reason` is countable.

    Args:
        reason (`str`): too_deep or not_html.
        detail (`str`): what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Page:
    """What a page says.

    Args:
        title (`str`): of the document.
        text (`str`): Markdown.
        num_code_blocks (`int`): in the text.
        num_code_chars (`int`): of those blocks, fences left out.
        num_formulas (`int`): in the text.
    """

    title: str
    text: str
    num_code_blocks: int
    num_code_chars: int
    num_formulas: int


def extract_page(html: str, main_content: bool = True) -> Page:
    """Return a page as Markdown.

    Args:
        html (`str`): decoded.
        main_content (`bool`): whether menus, footers and the like are left out.

    Raises:
        PageError: the page is nested too deep, or holds no element.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    html = marks.without_marks(html)
    depth = nesting_depth(html)
    if depth > MAX_DEPTH:
        raise PageError("too_deep", f"{depth} elements in each other, limit {MAX_DEPTH}")
    signs = _signs_in(html)
    if any(map(html.__contains__, _LARGE_TAGS)):
        html = _LARGE_TAG.sub(lambda tag: tag[0].lower(), html)
    html, has_bare_code = _with_marks(html, signs)
    tree = HTMLTree.parse(html)
    if tree.body is None:
        raise PageError("not_html", "the page has no body")
    parts = _Parts(tree)
    if not signs.isdisjoint(FORMULA_SIGNS):
        parts.take(tree.body.query_selector_all(FORMULAS).values(), formula_of, is_block=False)
    num_formulas = len(parts.texts)
    found = _Found(tree.body, signs, has_bare_code)
    code_block = partial(_code_block, names_language=not signs.isdisjoint(LANGUAGE_SIGNS))
    parts.take(found.code, code_block, is_block=True)
    parts.take(found.bare_code, code_block, is_block=True)
    parts.take(found.tables, table_of, is_block=True)
    parts.take(found.lists(), list_of, is_block=True)
    text = extract_plain_text(tree, preserve_formatting=True, main_content=main_content, alt_texts=False, links=False)
    return parts.page(tree.title or "", text, num_formulas)


def nesting_depth(html: str) -> int:
    """Return a bound of how many elements are nested in each other; exact where every element is closed.

    Args:
        html (`str`): looked at tag by tag only where parts of it may be nested too deep.
    """
    if html.count("<") <= MAX_DEPTH:
        return 0
    # Tags that never hold others are looked for only where without that it could be too deep.
    for flat_tags in ((), _NEVER_NESTED):
        bound = balance = 0
        for start in range(0, len(html), CHUNK_CHARS):
            chunk = html[start : start + CHUNK_CHARS]
            closed = chunk.count("</")
            opened = chunk.count("<") - closed - sum(map(chunk.count, flat_tags))
            bound = max(bound, balance + opened)
            balance = max(0, balance + opened - closed)
        if bound <= MAX_DEPTH:
            return bound
    depth = deepest = 0
    for found in _TAG.finditer(html, 0, html.rfind(">") + 1):
        if found[2].lower() in _FLAT:
            continue
        depth = max(0, depth - 1) if found[1] else depth + (not found[3])
        deepest = max(deepest, depth)
    return deepest


class _Found:
    """Elements of a page that may be its parts, in its order; found together, as going through a page takes the time.

    Sections lose their ids, which are made of their titles, such as `related-objects`, and are no sign of what
    Resiliparse looks for in names.
    """

    def __init__(self, body: Any, signs: Collection[str], has_bare_code: bool) -> None:
        self.code: list[Any] = []
        self.bare_code: list[Any] = []
        self.tables: list[Any] = []
        self._lists: list[tuple[Any, Any]] = []  # and the outermost element around it whose lists are menus
        containers = Containers(signs)
        wanted = [containers.selector] if containers.selector else []
        wanted += [BARE_CODE] if has_bare_code else []
        wanted += [_BUTTONS] if f"<{_BUTTONS}" in signs else []
        wanted += [_SHOWN_AGAIN] if _PLAIN in signs else []
        wanted += [_SECTIONS] if "section" in signs else []
        wanted += [TABLES] if "<table" in signs else []
        wanted += [LISTS, AROUND_MENUS] if "<ul" in signs else []
        buttons = []
        around = None
        for element in body.query_selector_all(", ".join(wanted)).values() if wanted else ():
            tag = element.tag
            if containers.match(element):
                self.code.append(element)
            elif tag == "code":
                self.bare_code.append(element)
            elif tag == "table":
                self.tables.append(element)
            elif tag == _BUTTONS or (_PLAIN in signs and element.matches(_SHOWN_AGAIN)):
                buttons.append(element)
            elif tag == "ul":
                self._lists.append((element, around))
            elif tag == "section" or "section" in (element.getattr("class") or "").split():
                element.delattr("id")
            if "<ul" in signs and is_around_menus(element) and (around is None or not around.contains(element)):
                around = element
        for button in buttons:
            button.remove()

    def lists(self) -> list[Any]:
        """Return lists that are in no part for menus; an `aside` around code is none any more once that is taken."""
        return [
            element
            for element, around in self._lists
            if around is None or not (around.contains(element) or element.closest(AROUND_MENUS))
        ]


class _Parts:
    """Parts of a page that were taken out of it, each with a mark in its place."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.texts: list[str] = []
        self.code_chars: dict[int, int] = {}

    def take(self, elements: Sequence[Any], render: Callable[[Any], tuple[str, int] | None], is_block: bool) -> None:
        """Take out the outermost of elements; what `render` gives None for stays.

        Args:
            elements (sequence of `ElementNode`): in the order of the page: those inside one follow it.
            render (function): element to its Markdown and how many characters of it are code.
            is_block (`bool`): whether the part has lines of its own.
        """
        body = self.tree.body
        refused: list[Any] = []  # elements around, outermost first; each is read whole, so that few are tried
        for element in elements:
            if not body.contains(element):  # it is in one that was taken
                continue
            while refused and not refused[-1].contains(element):
                refused.pop()
            if len(refused) == MAX_REFUSED:
                continue
            rendered = render(element)
            if rendered is None:
                refused.append(element)
                continue
            text, code_chars = rendered
            mark = f"{marks.OPEN_BLOCK if is_block else marks.OPEN}{len(self.texts)}{marks.CLOSE}"
            self.texts.append(text)
            if code_chars:
                self.code_chars[len(self.texts) - 1] = code_chars
                _clear_beside(element)
                self._keep_around(element)
            if is_block:
                block = self.tree.create_element("p")
                block.text = mark
                element.replace_with(block)
            else:
                element.replace_with(self.tree.create_text_node(mark))

    def _keep_around(self, element: Any) -> None:
        """Take names and kinds from what stands around code, for which Resiliparse would leave it out."""
        around = element.parent
        while around is not None and around.tag not in ("body", "html") and not around.hasattr(_KEPT):
            outer = around.parent
            if around.tag in _DROPPED and outer is not None:
                block = self.tree.create_element("div")
                while around.first_child is not None:
                    block.append_child(around.first_child)
                outer.replace_child(block, around)
                around = block
            for name in _HIDING:
                if around.hasattr(name):
                    around.delattr(name)
            around.setattr(_KEPT, "")
            around = outer

    def page(self, title: str, text: str, num_formulas: int) -> Page:
        """Return the text with the parts put back, of which formulas were the first to be taken."""
        used: set[int] = set()
        if "\n\n\n" in text:
            text = _BLANK_LINES.sub("\n\n", text)
        text = _as_markdown(escaped_lines(text))  # before there is code in it
        for _ in range(MAX_NESTED_PARTS):  # a formula inside a table inside a table, say
            if marks.CLOSE not in text:
                break
            text = self._with_parts(text, used)
        chars = [self.code_chars[number] for number in used if number in self.code_chars]
        formulas = sum(number < num_formulas for number in used)
        text = marks.without_marks(text).strip("\n")
        return Page(" ".join(title.split()), f"{text}\n" if text.strip() else "", len(chars), sum(chars), formulas)

    def _with_parts(self, text: str, used: set[int]) -> str:
        """Return a text with parts in the place of their marks; each stands once, as a page may write marks itself."""
        whole, end = _Text(), 0
        for found in _MARK.finditer(text):
            whole.add(text[end : found.start()])
            opening, digits = found.groups()
            number, end = int(digits), found.end()
            if number < len(self.texts) and number not in used:
                used.add(number)
                add = whole.add_block if opening == marks.OPEN_BLOCK else whole.add
                part = self.texts[number]
                add(part if number in self.code_chars else _as_markdown(part))
        whole.add(text[end:])
        return "".join(whole.pieces)


def _clear_beside(element: Any) -> None:
    """Take away what stands beside code and is none of the page's text: its language's name, a word to copy it."""
    for inner in (element, element.parent):
        if inner is None or inner.tag in ("body", "main", "article") or inner.hasattr(_KEPT):
            return  # of an element around several blocks what stands beside it is looked at once
        for beside in (inner.prev_element, inner.next_element):
            if beside is not None and _is_beside(beside):
                beside.remove()


def _is_beside(element: Any) -> bool:
    is_named = _BESIDE.search(element.getattr("class") or "") is not None
    if not (is_named or element.tag in ("dt", "p")) or len(element.text) > MAX_BESIDE_CHARACTERS:
        return False
    return is_named or _SELECTS in element.inner_html


class _Text:
    """A text in the making, whose blocks have lines of their own wherever they stand, in the item of a list say."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.is_behind_block = False

    def add(self, text: str) -> None:
        """Add what goes on in the line."""
        if self.is_behind_block:
            text = escaped_start(text.lstrip(" \t"))
            if text and not text.startswith("\n"):
                self.pieces.append("\n")
        if text:
            self.pieces.append(text)
            self.is_behind_block = False

    def add_block(self, text: str) -> None:
        """Add what has lines of its own; an empty one leaves nothing."""
        if self.pieces and not self.is_behind_block:
            self.pieces[-1] = self.pieces[-1].rstrip(" \t")
        if self.pieces and self.pieces[-1] and not self.pieces[-1].endswith("\n"):
            self.pieces.append("\n")
        self.pieces.append(text)
        self.is_behind_block = True


def _code_block(element: Any, names_language: bool) -> tuple[str, int] | None:
    code = code_of(element, names_language)
    if code is None:
        return None
    if not code.text.strip():
        return "", 0
    text = marks.without_marks(code.text)
    runs = _FENCES.findall(text) if "```" in text else []
    fence = "`" * (max(map(len, runs), default=2) + 1)
    return f"{fence}{code.language}\n{text}\n{fence}", len(text)


@cache
def _sign_set() -> Any:
    """Return what finds all signs in one pass."""
    options = re2.Options()
    options.case_sensitive = False
    options.literal = True
    signs = re2.Set.SearchSet(options)
    for sign in _SIGNS:
        signs.Add(sign)
    signs.Compile()
    return signs


def _signs_in(html: str) -> frozenset[str]:
    """Return what a page has of `_SIGNS`, in any case: most selectors need not be looked for in most pages."""
    return frozenset(_SIGNS[number] for number in _sign_set().Match(html.encode("utf-8", "replace")) or ())


def _with_marks(html: str, signs: Collection[str]) -> tuple[str, bool]:
    """Return a page in which inline code and headings say what they are, as its text will.

    Returns:
        the page, and whether a `code` element of several lines may stand outside of `pre`.
    """
    end = html.rfind(">") + 1  # behind it, each tag that is begun would be read to the end
    html, rest = html[:end], html[end:]
    has_bare_code = False
    for name in _CODE_NAMES:
        if f"<{name}" in signs:
            pieces = html.split(f"</{name}>")
            is_bare = _mark_code(pieces, name)
            has_bare_code = has_bare_code or (is_bare and name == "code")
            html = f"{marks.INLINE_CODE}</{name}>".join(pieces)
    return _HEADING_TAG.sub(lambda tag: f"{tag[0]}{marks.HEADING}{tag[1]}", html) + rest, has_bare_code


def _mark_code(pieces: list[str], name: str) -> bool:
    """Put a mark behind each opening of code in pieces; return whether some of it is a block of its own."""
    mark, opening = marks.INLINE_CODE, f"<{name}"
    is_bare = False
    for index, piece in enumerate(pieces):
        start = piece.rfind(opening)
        end = piece.find(">", start) + 1
        if start < 0 or not end:
            continue
        if piece.find(opening, 0, start) < 0 and piece[start + len(opening)] in "> ":
            pieces[index] = f"{piece[:end]}{mark}{piece[end:]}"
        else:  # one in another, or another element
            pieces[index] = re.sub(rf"{opening}(?:\s[^>]*)?>", rf"\g<0>{mark}", piece)
        if (
            not is_bare
            and piece.count("\n", start) >= 2
            and piece.rfind("<pre", 0, start) <= piece.rfind("</pre", 0, start)
        ):
            is_bare = True
    return is_bare


def _as_markdown(text: str) -> str:
    """Return text with Markdown for the marks; those of empty headings and empty code go."""
    mark = marks.INLINE_CODE
    if mark in text:
        text = _EMPTY_CODE.sub("", text)
        text = _INLINE_CODE.sub(_ticked, text).replace(mark, "")
    return _HEADING.sub(_heading, text)


def _ticked(found: re.Match[str]) -> str:
    code = found[1].strip()
    if "\n\n" in code:
        return found[1]
    return f"`` {code} ``" if "`" in code else f"`{code}`"


def _heading(found: re.Match[str]) -> str:
    text = escaped_heading(marks.without_heading_marks(found[2]).rstrip(" \t"))
    return f"{'#' * int(found[1])} {text}" if text.strip() else ""
