"""Section 2.3.2: the steps from files of code to code-comment pairs."""

from __future__ import annotations

from collections.abc import Iterable

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.kept import hand_on, take_over
from datasets_builders.building.steps import Arity, Outcome, Removed, Step
from datasets_builders.code_related.code_comment_pairs.claims import unknown_claims
from datasets_builders.code_related.code_comment_pairs.rules import first_broken_pair_rule
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly, max_error_fraction
from datasets_builders.languages.grammars import GRAMMAR_PACKAGES, GRAMMARS

# Between comment and code while a pair is one text, so that both are sanitised alike; no code has it.
_BETWEEN = "\x1e\n"
FUNCTION = "datasets_builders.code_related.code_comment_pairs.extraction:pairs"
COLUMNS_OF_FILES = (
    *("path", "repository", "language", "license", "license_type", "stars", "forks", "date", "commit"),
    *("repository_url", "is_fork"),
)


class ExtractPairs(Step):
    """Take the code-comment pairs out of a file of code."""

    name = "extract_pairs"
    arity: Arity = "1:n"
    libraries = ("tree-sitter", *GRAMMAR_PACKAGES)

    def begin(self, rank: int, world_size: int) -> None:
        """Make ready a process for the parsers, which may be lost."""
        self._parser: ParserProcess | None = take_over(FUNCTION, lambda: ParserProcess(FUNCTION))

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give a document per pair, of comment and code."""
        assert self._parser is not None
        language = doc.metadata["language"]
        if language not in GRAMMARS:
            yield Removed(doc, "no_grammar", language)
            return
        try:
            found = self._parser.read(language, doc.text)
        except (ParseTooCostly, ParserLost) as error:
            reason = "parser_lost" if isinstance(error, ParserLost) else "parse_too_costly"
            yield Removed(doc, reason, f"{language}: {error}")
            return
        if found is None or found["error_fraction"] > max_error_fraction(language):
            yield Removed(doc, "syntax_error", language)
            return
        if not found["pairs"]:
            yield Removed(doc, "no_commented_code")
            return
        known = {name: doc.metadata.get(name) for name in COLUMNS_OF_FILES}
        for pair in found["pairs"]:
            texts = (pair.pop("comment"), pair.pop("code"))
            text = _BETWEEN.join(text.replace("\x1e", "") for text in texts)
            metadata = {**known, **pair, "parents": [doc.id], "quality": None, "consistent": None}
            yield Document(text, content_id(*texts), metadata=metadata)

    def end(self) -> None:
        """Leave the process to the next rank, or end it."""
        if self._parser:
            hand_on(FUNCTION, self._parser)
        self._parser = None


class PairRules(Step):
    """Remove pairs that break one of the seven rules, with the rule as the reason."""

    name = "pair_rules"
    is_filter = True

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a pair that keeps all rules."""
        comment, _, code = doc.text.partition(_BETWEEN)
        broken = first_broken_pair_rule(code, comment, doc.metadata["raw_comment"])
        yield Removed(doc, *broken) if broken else doc


class FillPairs(Step):
    """Fill in the columns of a pair, when its text is what it will be: the comment, an empty line and the code."""

    name = "fill_pairs"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Take comment and code apart."""
        comment, _, code = doc.text.partition(_BETWEEN)
        doc.text = f"{comment}\n\n{code}\n"
        doc.metadata.pop("raw_comment")
        doc.metadata |= {
            "comment": comment,
            "code": code,
            "num_bytes": len(doc.text.encode("utf-8", "replace")),
            "num_code_lines": len(code.splitlines()),
            "unknown_claims": (unknown := unknown_claims(code, comment, doc.metadata["language"])),
            "num_unknown_claims": len(unknown),
        }
        yield doc
