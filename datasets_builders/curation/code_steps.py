"""Section 2.1: the rules and the syntax check as steps of a pipeline over code files."""

from collections.abc import Collection, Iterable

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.code_file import CodeFile
from datasets_builders.curation.rules import DEFAULT_LIMITS, RuleLimits, first_broken_rule
from datasets_builders.curation.syntax import error_fraction, load_parser, max_error_fraction


class CodeRules(Step):
    """Remove files that break a rule, with the rule as the reason.

    Args:
        limits: of the rules.
        skipped: names of rules that are not applied.

    Source: paper 2.1; the table in rules.py.
    """

    name = "rules"

    def __init__(self, limits: RuleLimits = DEFAULT_LIMITS, skipped: Collection[str] = ()) -> None:
        super().__init__()
        self.limits, self.skipped = limits, frozenset(skipped)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that keeps all rules."""
        file = CodeFile(doc.text, doc.metadata["language"], doc.metadata.get("path", ""))
        broken = first_broken_rule(file, self.limits, self.skipped)
        yield Removed(doc, *broken) if broken else doc


class SyntaxCheck(Step):
    """Remove files that their language's grammar cannot parse; languages without a grammar pass, marked unchecked.

    Source: paper 2.2.1 (files must be valid); the tolerance for preprocessed languages is ours.
    """

    name = "syntax"

    def begin(self, rank: int, world_size: int) -> None:
        """Parsers are made on first use."""
        self._parsers: dict[str, object] = {}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that parses."""
        language = doc.metadata["language"]
        if language not in self._parsers:
            self._parsers[language] = load_parser(language)
        parser = self._parsers[language]
        doc.metadata["syntax"] = "no_grammar" if parser is None else "parsed"
        fraction = 0.0 if parser is None else error_fraction(parser, doc.text)
        if fraction > max_error_fraction(language):
            yield Removed(doc, "syntax_error", f"{language}: {fraction:.4f} of the bytes")
            return
        self.stat_update("no_grammar" if parser is None else "parsed")
        yield doc

    def end(self) -> None:
        """Parsers do not pickle."""
        self._parsers = {}
