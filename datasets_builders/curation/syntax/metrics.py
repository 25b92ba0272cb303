"""Section 2.2.1: metrics of a code file by one parse: comments, effective lines, errors, functions, nesting.

Peers count comments with pygments, and Python's docstrings apart with `ast`; here one query per language finds
comments, functions and blocks in the tree that the syntax check has anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from datasets_builders.curation.syntax.parsing import (
    error_fraction,
    load_grammar,
    load_parser,
    max_error_fraction,
    parse,
)
from datasets_builders.curation.syntax.prose import PROSE, pieces_of_prose
from datasets_builders.languages.grammars import GRAMMARS

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query


@dataclass(frozen=True)
class CodeMetrics:
    """What one parse tells of a file.

    Args:
        error_fraction (`float`): bytes that the grammar cannot understand, over all.
        comment_fraction (`float`): bytes in comments (and docstrings), over all.
        effective_lines (`int`): lines that are neither blank nor comment alone.
        num_functions (`int`): functions, methods and closures.
        max_nesting (`int`): blocks within blocks, the body of a function being the first.
    """

    error_fraction: float
    comment_fraction: float
    effective_lines: int
    num_functions: int
    max_nesting: int


class Meter:
    """Measures files of one language.

    Raises:
        ImportError: the grammar's wheel is not installed.
    """

    def __init__(self, language: str, parser: Parser) -> None:
        self.language, self.parser = language, parser

    @classmethod
    def of(cls, language: str) -> Meter | None:
        """Return the language's meter, or None where there is no grammar."""
        parser = load_parser(language)
        return cls(language, parser) if parser else None

    def measure(self, text: str) -> CodeMetrics:
        """Parse a file once and measure it.

        Raises:
            ParseTooCostly: the file was made to keep a parser busy.

        Source: paper 2.2.1 names comment ratio and effective lines; the definitions are ours.
        """
        source = text.encode("utf-8", "replace")
        root = parse(self.parser, source).root_node
        return self.measure_tree(root, source, error_fraction(self.language, root, source))

    def measure_tree(self, root: Node, source: bytes, error_fraction: float) -> CodeMetrics:
        """Measure a file that is parsed already."""
        return _metrics_of(self._captures(root, has_strings=False), source, error_fraction)

    def measure_with_prose(self, root: Node, source: bytes, error_fraction: float) -> dict[str, Any]:
        """Return as JSON the metrics of a parsed file and, under `PROSE`, the texts of its comments and strings."""
        found = self._captures(root, has_strings=True)
        spans = [_merged(_spans(found, name)) for name in ("comment", "string", "code")]
        return asdict(_metrics_of(found, source, error_fraction)) | {PROSE: pieces_of_prose(source, *spans)}

    def _captures(self, root: Node, has_strings: bool) -> dict[str, list[Node]]:
        from tree_sitter import QueryCursor

        return QueryCursor(_query(self.language, has_strings)).captures(root)


def _metrics_of(found: Mapping[str, list[Node]], source: bytes, error_fraction: float) -> CodeMetrics:
    comments = _merged(_spans(found, "comment"))
    blocks = sorted((node.start_byte, -node.end_byte) for node in found.get("block", ()))
    size = max(len(source), 1)
    return CodeMetrics(
        error_fraction=error_fraction,
        comment_fraction=sum(end - start for start, end in comments) / size,
        effective_lines=_effective_lines(source, comments),
        num_functions=len(found.get("function", ())),
        max_nesting=_deepest([(start, -end) for start, end in blocks]),
    )


def _spans(found: Mapping[str, list[Node]], name: str) -> Iterator[tuple[int, int]]:
    return ((node.start_byte, node.end_byte) for node in found.get(name, ()))


@cache
def meter_of(language: str) -> Meter:
    """Return the meter of a language with a grammar."""
    meter = Meter.of(language)
    assert meter is not None, f"no grammar for {language}"
    return meter


def measure(language: str, text: str) -> dict[str, Any]:
    """Return the metrics of a file as JSON; for `ParserProcess`."""
    meter = meter_of(language)
    return found_in_tree(language, text, lambda *parsed: asdict(meter.measure_tree(*parsed)))


def measure_with_prose(language: str, text: str) -> dict[str, Any]:
    """Return the metrics and the prose of a file as JSON; for `ParserProcess`."""
    return found_in_tree(language, text, meter_of(language).measure_with_prose)


def found_in_tree(language: str, text: str, find: Callable[[Node, bytes, float], dict[str, Any]]) -> dict[str, Any]:
    """Return what a function of tree, source and error fraction finds in a file; of a broken one that fraction alone.

    A broken file is removed, and a query over its tree costs time: with the square of the parts of an error.
    """
    source = text.encode("utf-8", "replace")
    root = parse(meter_of(language).parser, source).root_node
    fraction = error_fraction(language, root, source)
    return find(root, source, fraction) if fraction <= max_error_fraction(language) else {"error_fraction": fraction}


@cache
def _query(language: str, has_strings: bool) -> Query:
    from tree_sitter import Query

    grammar = GRAMMARS[language]
    text = grammar.metrics + (f" {grammar.strings}" if has_strings else "")
    return Query(load_grammar(language), text)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, one inside another left out."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not merged or start >= merged[-1][1]:
            merged.append((start, end))
    return merged


def _effective_lines(source: bytes, comments: list[tuple[int, int]]) -> int:
    """Return how many lines hold something beside white space and comments."""
    kept, last = [], 0
    for start, end in comments:
        kept += [source[last:start], b"\n" if b"\n" in source[start:end] else b" "]
        last = end
    kept.append(source[last:])
    return sum(1 for line in b"".join(kept).split(b"\n") if line.strip())


def _deepest(spans: list[tuple[int, int]]) -> int:
    """Return how many spans, given in order, lie within each other at most."""
    deepest, open_ends = 0, list[int]()
    for start, end in spans:
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        open_ends.append(end)
        deepest = max(deepest, len(open_ends))
    return deepest
