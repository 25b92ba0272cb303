"""Section 4.4.4: the query in an answer, and what of a query decides how its rows are compared; nothing is run here."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from evals.tasks.answers import Extraction
from evals.tasks.blocks import Block, blocks, final_text, inline_blocks, tagged_blocks

# Strings, quoted names, comments, words, and single signs.
TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|\w+|[^\w\s]", re.DOTALL
)
QUERY_START = re.compile(
    r"(?:^|(?<=[\s`:*]))(?:SELECT\b|WITH\s+(?:RECURSIVE\s+)?\w+\s*(?:\([^)]*\)\s*)?AS\s*\(|VALUES\s*\()", re.IGNORECASE
)
INLINE = re.compile(rf"`\s*({QUERY_START.pattern}[^`]*)`", re.IGNORECASE)
# A sentence behind a query that ends without a semicolon.
SENTENCE = re.compile(r"\n[ \t]*\n|\n(?=[A-Z][a-z']+ [^\n]*[.:!]\s*$)|\n(?=```)|</?\w+>", re.MULTILINE)
SET_OPERATORS = {"UNION", "INTERSECT", "EXCEPT"}


@dataclass(frozen=True)
class Token:
    """A token of a query: its text, where it stands, and how many parentheses are around it."""

    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """The token as a keyword."""
        return self.text.upper()


def tokens(query: str) -> list[Token]:
    """Return the tokens of a query but for comments."""
    found, depth = [], 0
    for match in TOKEN.finditer(query):
        text = match[0]
        if text.startswith(("--", "/*")):
            continue
        depth -= text == ")"
        found.append(Token(text, match.start(), match.end(), depth))
        depth += text == "("
    return found


def first_statement(text: str) -> str:
    """Return a text up to its first semicolon that is not in a string, a name or a comment."""
    ends = [token.start for token in tokens(text) if token.text == ";"]
    return text[: min(ends, default=len(text))].strip()


def query_in(answer: str) -> Extraction:
    """Return the query in a chat answer: of its last block that is one, in backticks, or in its text."""
    text = final_text(answer)
    if text is None:
        return Extraction("", "unfinished_thought")
    if not text.strip():
        return Extraction("", "nothing")
    found, how = blocks(text, "sql"), "fenced"
    if not found:
        found = inline_blocks(text)
    if not found:
        found, how = tagged_blocks(text, "sql"), "tagged"
    queries = [block for block in found if _is_query(block)]
    if queries:
        block = next((block for block in reversed(queries) if block.language in ("sql", "")), queries[-1])
        if block.language not in ("sql", ""):
            how = "other_language"
        elif how == "fenced" and not block.closed:
            how = "unclosed"
        return Extraction(first_statement(block.code), how)
    if inline := INLINE.findall(text):
        return Extraction(first_statement(inline[-1]), "no_fence")
    starts = [match.start() for match in QUERY_START.finditer(text)]
    at_line = [start for start in starts if not text[:start].rpartition("\n")[2].strip(" \t>*`")]
    if found and not starts:
        return Extraction(first_statement(found[-1].code), how)
    start = min(at_line or starts, default=0)
    query = first_statement(text[start:])
    end = SENTENCE.search(query)
    return Extraction((query[: end.start()] if end else query).strip("`* \n"), "no_fence")


def _is_query(block: Block) -> bool:
    words = tokens(block.code)
    return bool(words) and words[0].word in ("SELECT", "WITH", "VALUES", "(")


def without_distinct(query: str) -> str:
    """Return a query without the keyword DISTINCT, which the official judge leaves out of both queries."""
    for token in reversed(tokens(query)):
        if token.word == "DISTINCT":
            query = query[: token.start] + query[token.end :]
    return query


def is_ordered(query: str) -> bool:
    """Return whether a query asks for an order of its rows; one of a part of it is none."""
    return _order_by(tokens(query)) is not None


def _order_by(words: list[Token]) -> int | None:
    pairs = list(itertools.pairwise(words))
    places = [i for i, (first, second) in enumerate(pairs) if (first.word, second.word) == ("ORDER", "BY")]
    places = [i for i in places if words[i].depth == 0]
    return places[-1] if places else None


def with_sort_keys(query: str) -> tuple[str, int] | None:
    """Return (the query with what it is ordered by as further columns, how many); None where that cannot be told.

    Rows with equal keys may come in any order.
    """
    words = tokens(query)
    place = _order_by(words)
    selects = [token for token in words if token.depth == 0 and token.word == "SELECT"]
    froms = [token for token in words if token.depth == 0 and token.word == "FROM"]
    if place is None or len(selects) != 1 or len(froms) != 1 or any(token.word in SET_OPERATORS for token in words):
        return None
    keys, start = [], words[place + 1].end
    for token in [*words[place + 2 :], Token(",", len(query), len(query), 0)]:
        if token.depth == 0 and (token.text == "," or token.word in ("LIMIT", "OFFSET")):
            keys.append(re.sub(r"(?i)\s+(?:asc|desc)\s*\Z", "", query[start : token.start].strip()))
            if token.word in ("LIMIT", "OFFSET"):
                return None  # which of equal rows fall behind the limit is open, too
            start = token.end
    if not all(keys) or any(key.isdigit() for key in keys):
        return None
    return f"{query[: froms[0].start]}, {', '.join(keys)} {query[froms[0].start :]}", len(keys)
