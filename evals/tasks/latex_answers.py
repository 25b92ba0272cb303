"""Section 4.3.3: final answers in LaTeX: taken out of a text, and compared part by part.

What an answer is made of (a list, an interval, a matrix, an equation, words) is read from its text here. Whether two
expressions are equal is not decided here but by whom `same` is told to ask: LaTeX is parsed in the sandbox alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Equal = Callable[[str, str], bool]

MAX_CHARS = 20_000  # of a text, from its end
MAX_BOX_CHARS = 1000
MAX_PARTS = 12  # of a list whose parts are compared each with each
SIZES = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|displaystyle|limits)(?![a-zA-Z])|\\[!;:]")
WRAPPERS = re.compile(r"\\(?:boldsymbol|mathbf|mathit|mathsf|bm|boxed|fbox|phantom|hbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
TEXTS = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|texttt|mbox|mathrm|operatorname)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
CONNECTIVE = re.compile(r"\\(?:text|mbox|textrm|mathrm)\s*\{\s*,?\s*(?:or|and)\s*\}|\s(?:or|and)\s")
ORDINAL = re.compile(
    r"(?<=\d)\s*(?:\^\s*\{?\s*)?(?:\\(?:text|mbox|mathrm|textrm)\s*\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)\b)\}?"
)
UNIT = re.compile(
    r"(?P<value>.*?[\d}\])!a-z])\s*\\?\s*\\(?:text|mbox|mathrm|textrm)\s*\{(?P<unit>[^{}]*)\}(?:\s*\^\s*\{?\d\}?)?\s*\Z",
    re.DOTALL,
)
PLAIN_UNIT = re.compile(r"(?P<value>-?\$?[\d.,/]*\d)\s+[a-zA-Z][a-zA-Z .]+\Z")
TIME_OF_DAY = re.compile(r"[ap]\.?\s*m\b", re.IGNORECASE)
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
WORD = re.compile(r"[A-Za-z]{3,}|[A-Z]{2,}")
NUMBER = re.compile(r"-?\d{1,50}(?:\.\d{1,50})?")
REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{(\d+)\}")
MIXED = re.compile(r"(?<![\w.}^_)])(\d+)\s*\\frac\s*\{(\d+)\}\s*\{(\d+)\}")
BASED = re.compile(r"(\d+)_\{?(\d+)\}?\Z")
MATRIX = re.compile(
    r"\\begin\{(?:[pbvBV]?matrix|array)\}(?:\{[^}]*\})?(.*)\\end\{(?:[pbvBV]?matrix|array)\}\Z", re.DOTALL
)
MEMBER = re.compile(r"[a-zA-Z]\s*\\in(?![a-z])\s*")
NAMED = re.compile(r"[a-zA-Z](?:_\{?\w\}?)?(?:\([a-z](?:,\s*[a-z])*\))?\Z")
RELATION = re.compile(r"<=|>=|\\leqslant|\\geqslant|\\leq?(?![a-z])|\\geq?(?![a-z])|\\lt(?![a-z])|\\gt(?![a-z])|[<>]")
BELOW = {"<": "<", "\\lt": "<", "<=": "<=", "\\le": "<=", "\\leq": "<=", "\\leqslant": "<="}
ABOVE = {">": "<", "\\gt": "<", ">=": "<=", "\\ge": "<=", "\\geq": "<=", "\\geqslant": "<="}
SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00d7": "\\times ", "\u03c0": "\\pi ", "\u221e": "\\infty "})
BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
BETWEEN_BOXES = re.compile(r"[\s$]*(?:,|,?\s*(?:or|and))[\s$]*(?:[a-z]\s*=\s*)?[\s$]*")
SAID = re.compile(r"(?:answer|solution)\b(?:\s+is)?[*_]*\s*:?\s*[*_]*(?:\$+\s*)?(?P<said>[^\n]+)", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[^\d\s])\.(?:\s|\Z)|(?<=\d)\.(?:\s|\Z)")
MATH = re.compile(r"\$\$?([^$\n]+)\$\$?|\\\(([^\n]*?)\\\)|\\\[([^\n]*?)\\\]")


@dataclass(frozen=True)
class Parts:
    """What an answer is made of.

    Args:
        kind (`str`): "expression", "words", "list" (in any order), "tuple", "interval", "union" (of intervals),
            "matrix" or "equation".
        parts: of it: texts, or `Parts` of a list, a tuple, a union or a matrix.
        ends (`str`): of an interval, its brackets; of a matrix, the number of its columns.
    """

    kind: str
    parts: tuple[Parts | str, ...]
    ends: str = ""


def final_answer(text: str) -> str | None:
    """Return what the last box holds, or what a text says the answer is, or its last formula; None without any.

    Boxes that stand together, "x = 2 or x = 3", are one answer.
    """
    text = text[-MAX_CHARS:]
    boxes = _boxes(text)
    if boxes:
        said = [boxes[-1][2]]
        for (_, end, before), (start, _, _) in reversed(list(itertools.pairwise(boxes))):
            between = text[end:start]
            if not BETWEEN_BOXES.fullmatch(between):
                break
            said.insert(0, before)
        return ", ".join(said)
    found = [match["said"] for match in SAID.finditer(text) if re.search(r"[\d\w]", match["said"])]
    if found:
        sentence: str = SENTENCE.split(found[-1].split(". I hope")[0])[0]
        formulas = MATH.findall(f"${sentence}" if sentence.count("$") % 2 else sentence)
        return "".join(formulas[-1]).strip() if formulas else sentence.strip().strip("*$ ").removesuffix(".")
    formulas = MATH.findall(text)
    return "".join(formulas[-1]).rpartition("=")[2].strip() if formulas else None


def _boxes(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, content) of the boxes; one without braces holds the next sign or number."""
    found: list[tuple[int, int, str]] = []
    for match in BOX.finditer(text):
        if found and match.start() < found[-1][1]:
            continue
        if text[match.end() : match.end() + 1] != "{":
            bare = re.match(r"-?[\d.,]*\d|\\?\w+", text[match.end() :])
            if bare:
                found.append((match.start(), match.end() + bare.end(), bare[0]))
            continue
        depth = 0
        for position in range(match.end(), min(match.end() + MAX_BOX_CHARS, len(text))):
            depth += (text[position] == "{") - (text[position] == "}")
            if depth == 0:
                found.append((match.start(), position + 1, text[match.end() + 1 : position]))
                break
    return found


def plain(answer: str) -> str:
    """Return an answer without sizes, dollar signs, units and other make-up, so that two spellings of one are equal."""
    text = SIZES.sub("", answer.translate(SIGNS).strip())
    text = text.replace("\\{", "\\lbrace ").replace("\\}", "\\rbrace ")
    text = re.sub(r"\\\$|\$|\\%|%|\\#", "", text)
    text = re.sub(r",\s*(?=\\!)|\{,\}|(?<=\d)\\,(?=\d{3})|(?<=\d),?\\ (?=\d{3})", "", text).replace("\\!", "")
    text = re.sub(r"(?<=\d),\\!(?=\d{3})", "", text)
    text = re.sub(r"\s*\^\s*\{?\s*\\circ\s*\}?|\\degree|\u00b0|\\,|~|\\quad|\\qquad", " ", text)
    for _ in range(2):
        text = WRAPPERS.sub(r"\1", text)
    text = re.sub(r"\\[dtc]frac", r"\\frac", text).replace("\\varnothing", "\\emptyset")
    text = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{", text)
    text = re.sub(r"\\frac(\{[^{}]*\})\s*(\w)", r"\\frac\1{\2}", text)
    text = re.sub(r"\\sqrt\s*(\w)", r"\\sqrt{\1}", text)
    text = CONNECTIVE.sub(",", ORDINAL.sub("", text))
    text = re.sub(r"\s*\.?\s*\Z", "", text)
    for unit in (UNIT.match(text), PLAIN_UNIT.match(text)):
        if unit and not TIME_OF_DAY.search(text):
            text = unit["value"]
    text = TEXTS.sub(r"\1", text).strip()
    text = re.sub(r"\\rbrace\s?", r"\\}", re.sub(r"\\lbrace\s?", r"\\{", text))
    text = re.sub(r"(?<![A-Za-z\\])\+\s*(?=\\infty)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def parts_of(answer: str) -> Parts:
    """Return what a plain answer is made of."""
    text = MEMBER.sub("", answer, count=1).strip() if MEMBER.match(answer) else answer
    if THOUSANDS.fullmatch(text):
        return Parts("expression", (text.replace(",", ""),))
    matrix = MATRIX.match(text)
    if matrix:
        rows = [row.split("&") for row in re.split(r"\\\\", matrix[1].strip().removesuffix(r"\\"))]
        cells = tuple(parts_of(plain(cell)) for row in rows for cell in row)
        return Parts("matrix", cells, f"{len(rows)}x{len(rows[0])}")
    pieces = _split(text, ("\\cup",))
    if len(pieces) > 1:
        return Parts("union", tuple(parts_of(piece) for piece in pieces))
    pieces = _split(text, (",", ";"))
    if len(pieces) > 1:
        return _list([parts_of(piece) for piece in pieces])
    if re.fullmatch(r"\\\{.*\\\}", text, re.DOTALL) and _encloses(text, 2):
        return _list([parts_of(piece) for piece in _split(text[2:-2], (",", ";"))])
    if re.fullmatch(r"[(\[].*[)\]]", text, re.DOTALL) and _encloses(text, 1):
        inner = _split(text[1:-1], (",",))
        if len(inner) == 2 and (text[0] + text[-1] != "()" or "\\infty" in text):
            return Parts("interval", tuple(inner), text[0] + text[-1])
        if len(inner) > 1:
            return Parts("tuple", tuple(parts_of(piece) for piece in inner), text[0] + text[-1])
        if re.fullmatch(r"[A-Za-z]", text[1:-1].strip()):
            return Parts("words", (text[1:-1].strip().casefold(),))
    return _relation(text) or _single(text)


def _single(text: str) -> Parts:
    """Return an answer without inner commas: two values with a double sign, words, or an expression."""
    if "\\pm" in text or "\\mp" in text:
        upper = text.replace("\\pm", "+").replace("\\mp", "-")
        lower = text.replace("\\pm", "-").replace("\\mp", "+")
        return _list(
            [Parts("expression", (_value(side.strip().removeprefix("+").strip()),)) for side in (upper, lower)]
        )
    letters = re.sub(r"[\s.,!:'-]", "", text)
    if WORD.fullmatch(letters) or (":" in text and "\\" not in text) or TIME_OF_DAY.search(text):
        return Parts("words", (re.sub(r"[\s.,!]", "", text).casefold() if not re.fullmatch(r"[A-Z]+", text) else text,))
    if re.fullmatch(r"[A-Za-z]", text):
        return Parts("words", (text.casefold() if text.isupper() else text,))
    return Parts("expression", (_value(text),))


def _list(parts: Sequence[Parts]) -> Parts:
    flat = [inner for part in parts for inner in (part.parts if part.kind == "list" else (part,))]
    return Parts("list", tuple(flat))


def _value(text: str) -> str:
    """Return an expression with decimals that repeat, and mixed numbers, written out; spaces only behind commands."""
    based = BASED.fullmatch(text.replace(" ", ""))
    if based:
        return f"{based[1]}_{{{based[2]}}}"
    text = REPEATING.sub(_fraction, text)
    text = MIXED.sub(r"(\1+\\frac{\2}{\3})", text)
    text = re.sub(r"(?<![\d.])0+(?=\d)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def _fraction(match: re.Match[str]) -> str:
    whole, fixed, repeated = match.groups()
    if len(fixed) + len(repeated) > 50:
        return match[0]
    value = Fraction(int((whole + fixed) or "0"), 10 ** len(fixed))
    value += Fraction(int(repeated), (10 ** len(repeated) - 1) * 10 ** len(fixed))
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _relation(text: str) -> Parts | None:
    """Return an equation, or an inequality of one variable as the interval that it is."""
    if re.search(r"\\ne(?:q|\b)|\\equiv|\\approx|!=", text):
        return Parts("words", (text.replace(" ", ""),))
    if text.count("=") == 1 and not RELATION.search(text):
        left, right = (side.strip() for side in text.split("="))
        return Parts("equation", (left, right)) if left and right else None
    signs = RELATION.findall(text)
    sides = [side.strip() for side in RELATION.split(text)]
    if not signs or not all(sides):
        return None
    if all(sign in ABOVE for sign in signs):
        sides, signs = sides[::-1], [ABOVE[sign] for sign in signs[::-1]]
    elif all(sign in BELOW for sign in signs):
        signs = [BELOW[sign] for sign in signs]
    else:
        return Parts("words", (text.replace(" ", ""),))
    brackets = {"<": "()", "<=": "[]"}
    if len(sides) == 3 and re.fullmatch(r"[a-z]", sides[1]):
        return Parts("interval", (sides[0], sides[2]), brackets[signs[0]][0] + brackets[signs[1]][1])
    if len(sides) == 2 and re.fullmatch(r"[a-z]", sides[0]):
        return Parts("interval", ("-\\infty", sides[1]), "(" + brackets[signs[0]][1])
    if len(sides) == 2 and re.fullmatch(r"[a-z]", sides[1]):
        return Parts("interval", (sides[0], "\\infty"), brackets[signs[0]][0] + ")")
    return Parts("words", (" ".join([*sides, *signs]),))


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Return the pieces of a text between separators that are in no brackets."""
    pieces, depth, start, position = [], 0, 0, 0
    while position < len(text):
        sign = text[position]
        depth += (sign in "([{") - (sign in ")]}")
        separator = next((each for each in separators if text.startswith(each, position)), None)
        if separator and depth <= 0:
            pieces.append(text[start:position].strip())
            start = position = position + len(separator)
        else:
            position += 1
    return [*pieces, text[start:].strip()]


def _encloses(text: str, width: int) -> bool:
    """Return whether the first bracket of a text is closed by its last."""
    depth = 0
    for position, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and position < len(text) - 1 and position >= width:
            return False
    return True


def same(first: Parts, second: Parts, equal: Equal) -> bool:
    """Return whether two answers are the same.

    Args:
        first, second (`Parts`): of them.
        equal: whether two texts of expressions, or of equations with "=", are equal; asked about all pairs that may
            matter, whatever it says.
    """
    if first.kind == "equation" or second.kind == "equation":
        return _same_equation(first, second, equal)
    if {first.kind, second.kind} == {"interval", "tuple"}:  # (0,4) may be either
        first, second = _as_interval(first), _as_interval(second)
    if first.kind != second.kind:
        if {first.kind, second.kind} == {"words", "expression"}:
            return _text_of(first) == _text_of(second)
        return False
    if first.kind == "words":
        return first.parts == second.parts
    if first.kind == "expression":
        return _same_expression(str(first.parts[0]), str(second.parts[0]), equal)
    if len(first.parts) != len(second.parts) or (first.kind in ("interval", "matrix") and first.ends != second.ends):
        return False
    if first.kind in ("list", "union"):
        return _matches([[_same_part(a, b, equal) for b in second.parts] for a in first.parts[:MAX_PARTS]])
    return all(_same_part(a, b, equal) for a, b in zip(first.parts, second.parts, strict=True))


def _same_part(first: Parts | str, second: Parts | str, equal: Equal) -> bool:
    if isinstance(first, Parts) and isinstance(second, Parts):
        return same(first, second, equal)
    return _same_expression(str(first), str(second), equal)


def _same_expression(first: str, second: str, equal: Equal) -> bool:
    if first.replace(" ", "") == second.replace(" ", ""):
        return bool(first)
    based = [BASED.fullmatch(text) for text in (first, second)]
    if any(based):  # digits of another base are no number that could be computed with
        digits = [match[1] if match else text for match, text in zip(based, (first, second), strict=True)]
        return not all(based) and digits[0] == digits[1]
    if NUMBER.fullmatch(first) and NUMBER.fullmatch(second):
        return Fraction(first) == Fraction(second)
    return bool(first and second) and equal(first, second)


def _same_equation(first: Parts, second: Parts, equal: Equal) -> bool:
    named = [_named(parts) for parts in (first, second)]
    if all(named):
        values = [parts_of(str(parts.parts[1])) if parts.kind == "equation" else parts for parts in (first, second)]
        return same(values[0], values[1], equal)
    if first.kind != second.kind:
        return False
    return equal("=".join(map(str, first.parts)), "=".join(map(str, second.parts)))


def _named(parts: Parts) -> bool:
    """Return whether an answer is a value, or one with the name of a variable or a function before it."""
    return parts.kind != "equation" or (
        NAMED.match(str(parts.parts[0])) is not None and NAMED.match(str(parts.parts[1])) is None
    )


def _as_interval(parts: Parts) -> Parts:
    if parts.kind == "interval" or len(parts.parts) != 2:
        return parts
    return Parts("interval", tuple(_text_of(part) for part in parts.parts), parts.ends)


def _text_of(part: Parts | str) -> str:
    return part if isinstance(part, str) else ",".join(map(_text_of, part.parts))


def _matches(equal: list[list[bool]]) -> bool:
    """Return whether each row can be given a column of its own in which it holds."""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, holds in enumerate(equal[row]):
            if holds and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(equal))) and len(equal) == len(equal[0])
