"""Section 2.1: the rules for code and for text as steps of a pipeline."""

from collections.abc import Collection, Iterable

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.rules.code_rules import DEFAULT_LIMITS, RuleLimits, first_broken_rule
from datasets_builders.curation.rules.document_view import DocumentView
from datasets_builders.curation.rules.text_rules import DEFAULT_TEXT_LIMITS, TextLimits, first_broken_text_rule


class CodeRules(Step):
    """Remove files that break a rule, with the rule as the reason.

    Args:
        limits: of the rules.
        skipped: names of rules that are not applied.

    Source: paper 2.1; the table in code_rules.py.
    """

    name = "rules"
    libraries = ("google-re2",)

    def __init__(self, limits: RuleLimits = DEFAULT_LIMITS, skipped: Collection[str] = ()) -> None:
        super().__init__()
        self.limits, self.skipped = limits, frozenset(skipped)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that keeps all rules."""
        file = DocumentView(doc.text, doc.metadata["language"], doc.metadata.get("path", ""))
        broken = first_broken_rule(file, self.limits, self.skipped)
        yield Removed(doc, *broken) if broken else doc


class TextRules(Step):
    """Remove text that breaks a rule for text, with the rule as the reason.

    Args:
        limits: of the rules.
        skipped: names of rules that are not applied.

    Source: paper 2.1; the table in text_rules.py.
    """

    name = "text_rules"
    libraries = ("google-re2",)

    def __init__(self, limits: TextLimits = DEFAULT_TEXT_LIMITS, skipped: Collection[str] = ()) -> None:
        super().__init__()
        self.limits, self.skipped = limits, frozenset(skipped)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a text that keeps all rules."""
        broken = first_broken_text_rule(DocumentView(doc.text), self.limits, self.skipped)
        yield Removed(doc, *broken) if broken else doc
