"""Section 4.3.3: the final number of an answer to a word problem, as GSM8K's authors and chat models write it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

# What stands between the digits of one number: a comma, LaTeX's ways to write one, or thin spaces.
GROUPING = r"(?:,|\{,\}|\\,|\\!|[ \u00a0\u2009\u202f](?=\d{3}(?!\d)))"
# A whole number in groups or without, or decimals; a sign that is no difference; a fraction of two numbers.
NUMBER = re.compile(
    r"(?:(?<![\w.)\]}%])(?P<sign>-[ ]?))?\\?\$?(?P<inner>-)?"
    rf"(?P<digits>\d{{1,3}}(?:{GROUPING}\d{{3}})+(?!\d)|\d+|(?=\.\d))(?P<decimals>\.\d+)?"
    r"(?:\s*/\s*(?P<divisor>\d+)(?![\d/]))?"
)
LATEX_FRACTION = re.compile(r"(?P<sign>-?)\\[dt]?frac\{?(?P<top>\d+)\}?\{?(?P<bottom>\d+)\}?")
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
# The mark of the data set, unless it heads a section: "#### Step 1".
MARKED = re.compile(
    r"^[ \t]*(?:\*\*)?####[ \t]*(?P<said>[^\n]*)$|(?<=\S)[ \t]+####[ \t]*(?P<inline>[^\n]*)$", re.MULTILINE
)
HEADING = re.compile(
    r"^[*_ \t]*(?:(?:the\s+)?(?:final\s+)?answer\b[*_: \t]*(?:is\b)?[*_: \t=]*)?(?=[^A-Za-z]|\Z)", re.IGNORECASE
)
LISTED = re.compile(r"[*_ \t]*\d+[.)][ \t]+[A-Za-z]")  # a heading with a number: "#### 1. Eggs"
SAID = re.compile(
    r"\b(?:(?:final\s+)?answer\b(?!\s+(?:the|this|to)\b)[^\n.:=\d]{0,40}?(?:\bis\b|:|=)|the\s+(?:total|result)\s+is\b)",
    re.IGNORECASE,
)
MINUS_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff0d": "-", "\ufe63": "-", "\u066c": ",", "\u066b": "."})
FULL_WIDTH = {ord("0") + 0xFEE0 + digit: str(digit) for digit in range(10)}
MAX_CHARS = 20_000  # of a text, from its end
MAX_MARKS = 20
SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")


def final_number(text: str) -> Decimal | None:
    """Return the number that an answer ends with; None without one.

    Counted is what the last `####` line holds (a heading is none), else the last box, else what follows the last
    "answer is", else the last number. 1,000 and $1000.00 are equal, as are 1/2 and 0.5.
    """
    text = text[-MAX_CHARS:].translate(MINUS_SIGNS).translate(FULL_WIDTH)
    for mark in reversed(list(MARKED.finditer(text))):
        said = mark["said"] if mark["said"] is not None else mark["inline"]
        heading = HEADING.match(said)
        if heading and not LISTED.match(said) and (found := numbers(said[heading.end() :])):
            return found[0]
    boxes = BOXED.findall(text)
    if boxes and (found := numbers(boxes[-1])):
        return found[-1]
    for mark in list(SAID.finditer(text))[: -MAX_MARKS - 1 : -1]:
        end = SENTENCE_END.search(text, mark.end())
        line = text[mark.end() : end.start() if end else len(text)]
        if found := numbers(line):
            return found[0] if "=" not in line else found[-1]
    found = numbers(_final_clause(text))
    return found[-1] if found else None


def _final_clause(text: str) -> str:
    """Return the text without what is said behind the last bold number of its last paragraph, if there is one."""
    paragraph = text.rstrip().rpartition("\n\n")[2]
    bold = [match for match in re.findall(r"\*\*([^*\n]+)\*\*", paragraph) if numbers(match)]
    return bold[-1] if bold else text


def numbers(text: str) -> list[Decimal]:
    """Return the numbers in a text, in their order."""
    found: list[Decimal] = []
    text = LATEX_FRACTION.sub(lambda match: f"{match['sign']}{match['top']}/{match['bottom']}", text)
    for match in NUMBER.finditer(text):
        digits = re.sub(r"\D", "", match["digits"])
        sign = "-" if match["sign"] or match["inner"] else ""
        try:
            number = Decimal(f"{sign}{digits or '0'}{match['decimals'] or ''}")
            if match["divisor"]:
                number /= Decimal(match["divisor"])
        except (InvalidOperation, ZeroDivisionError):
            continue
        found.append(number)
    return found
