"""Section 2.2.1: does a file parse? By tree-sitter grammars, which never run the code and never stop at an error."""

import ast
import importlib
import re
import warnings
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from datasets_builders.curation.syntax.grammar_gaps import is_of_another_dialect, without_gaps
from datasets_builders.languages.grammars import GRAMMARS

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser, Tree

REPORTS_PER_BYTE = 0.06
REPORTS_OF_A_FILE = 500
READS_PER_BYTE = 0.04
READS_OF_A_FILE = 500
MAX_PARTS_OF_AN_ERROR = 20_000
# Neither steps nor pieces grow with what TypeScript's grammar does for each: 200 kB of them take minutes.
MAX_COMMENTS_BEHIND_ANGLES = 500
_COMMENT_BEHIND_ANGLE = re.compile(rb"<\s*+/[/*]")
# A node's text is asked for by chunks too: large ones are copied for each name.
CHUNK_BYTES = 1 << 11


def load_parser(language: str) -> "Parser | None":
    """Return a parser, or None for a language without a grammar.

    Raises:
        ImportError: the grammar's wheel is not installed; `pip install -e '.[build]'` installs it.
    """
    from tree_sitter import Parser

    return Parser(load_grammar(language)) if language in GRAMMARS else None


def load_grammar(language: str) -> "Language":
    """Return the grammar of a language that has one.

    Raises:
        ImportError: its wheel is not installed; `pip install -e '.[build]'` installs it.
    """
    from tree_sitter import Language

    grammar = GRAMMARS[language]
    return Language(getattr(importlib.import_module(grammar.module), grammar.entry_point)())


class ParseTooCostly(Exception):
    """A file makes the parser work far more than source code does."""


def parse(parser: "Parser", source: bytes) -> "Tree":
    """Return the tree of a file, within budgets of the parser's own steps and of what it reads again.

    A generalised parser follows all readings of an ambiguous text at once: 200 kB of `a<a<a<` take C#'s more memory
    than a machine has, and a C library cannot be interrupted. tree-sitter reports its progress every so many steps;
    files of code need at most 0.03 reports per byte. A scanner that looks ahead to the end of the file at each token,
    as Shell's over `a@a@a@`, takes ever longer for one step: it is told by the pieces that it asks for, of which files
    of code need at most 0.013 per byte. Both are counted and not seconds, so that every machine keeps the same files.

    Raises:
        ParseTooCostly: a budget is spent.
    """
    if source.count(b"<") > MAX_COMMENTS_BEHIND_ANGLES:
        comments = islice(_COMMENT_BEHIND_ANGLE.finditer(source), MAX_COMMENTS_BEHIND_ANGLES, None)
        if next(comments, None):
            raise ParseTooCostly(f"{len(source)} bytes")
    reports = REPORTS_OF_A_FILE + int(REPORTS_PER_BYTE * len(source))
    reads = READS_OF_A_FILE + int(READS_PER_BYTE * len(source))

    def piece(at: int, point: object) -> bytes:
        nonlocal reads
        reads -= 1
        return source[at : at + CHUNK_BYTES]

    def is_spent(*progress: object) -> bool:
        nonlocal reports
        reports -= 1
        return reports < 0 or reads < 0

    try:
        tree = parser.parse(piece, progress_callback=is_spent)
    except ValueError:
        tree = None
    if tree is None or reads < 0:
        parser.reset()
        raise ParseTooCostly(f"{len(source)} bytes")
    return tree


def error_fraction(language: str, root: "Node", source: bytes) -> float:
    """Return which part of a file the grammar cannot understand: 0 for a file that parses.

    Args:
        language (`str`): of the file; it has a grammar.
        root (`Node`): of the file's tree.
        source (`bytes`): the file.

    Returns:
        `float`: bytes inside error nodes but outside whole constructs in them, and one per missing token, over all
        bytes. One brace too many, behind an `#ifdef` say, makes an error node of all that follows it.

    Raises:
        ParseTooCostly: an error has so many parts that no query could follow; those of code have at most 3,000.
    """
    fraction = _fraction(root, source)
    if fraction > max_error_fraction(language):
        if is_of_another_dialect(language, source):
            return 0.0
        rewritten = without_gaps(language, source)
        if rewritten != source:
            fraction = min(fraction, _fraction(parse(_parser_of_gaps(language), rewritten).root_node, source))
        elif language == "Python" and _is_python(source):
            return 0.0
    return fraction


def _is_python(source: bytes) -> bool:
    """Return whether the interpreter parses a file, which has the last word: the grammar has no `return *a, *[b] * 3`.

    The process that parses may be lost on it, within its budget.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of literals that will be errors once
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _fraction(root: "Node", source: bytes) -> float:
    return min(1.0, max(_error_bytes(root), 1) / max(len(source), 1)) if root.has_error else 0.0


@cache
def _parser_of_gaps(language: str) -> "Parser":
    parser = load_parser(language)
    assert parser is not None, f"no grammar for {language}"
    return parser


def _error_bytes(root: "Node") -> int:
    total, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            total += 1
        elif node.is_error:
            if node.child_count > MAX_PARTS_OF_AN_ERROR:
                raise ParseTooCostly(f"an error of {node.child_count} parts")
            parts = [part for part in node.children if part.is_error or (part.is_named and part.child_count)]
            total += max(1, _size(node) - sum(map(_size, parts)))
            waiting.extend(parts)
        elif node.has_error:
            waiting.extend(node.children)
    return total


def _size(node: "Node") -> int:
    return node.end_byte - node.start_byte


def max_error_fraction(language: str) -> float:
    """Return up to which error fraction a file is kept."""
    return GRAMMARS[language].max_error_fraction if language in GRAMMARS else 0.0
