"""Section 2.2.1: the syntax check as a step of a pipeline over code files."""

from collections.abc import Iterable
from dataclasses import fields

from datatrove.data import Document

from datasets_builders.building.kept import hand_on, take_over
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.syntax.metrics import CodeMetrics
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly, max_error_fraction
from datasets_builders.languages.grammars import GRAMMAR_PACKAGES


class SyntaxCheck(Step):
    """Measure files and remove those that their language's grammar cannot parse; without one a file has sizes only.

    Args:
        finds_prose (`bool`): whether a parsed file gets the texts of its comments and strings, for `Toxicity`.

    Source: paper 2.2.1 (files must be valid; comment ratio, effective lines); the tolerance for preprocessed languages
    is ours.
    """

    name = "syntax"
    is_filter = True
    libraries = ("tree-sitter", *GRAMMAR_PACKAGES)
    function = "datasets_builders.curation.syntax.metrics:measure"
    function_with_prose = "datasets_builders.curation.syntax.metrics:measure_with_prose"

    def __init__(self, finds_prose: bool = False) -> None:
        super().__init__()
        self.finds_prose = finds_prose

    def begin(self, rank: int, world_size: int) -> None:
        """Make ready a process for the parsers, which may be lost."""
        name = self.function_with_prose if self.finds_prose else self.function
        self._parser: ParserProcess | None = take_over(name, lambda: ParserProcess(name))

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that parses, with its metrics."""
        assert self._parser is not None
        doc.metadata["num_bytes"] = len(doc.text.encode("utf-8", "replace"))
        doc.metadata["num_lines"] = len(doc.text.splitlines())
        language = doc.metadata["language"]
        try:
            metrics = self._parser.read(language, doc.text)
        except ParseTooCostly as error:
            yield Removed(doc, "parse_too_costly", f"{language}: {error}")
            return
        except ParserLost as error:
            yield Removed(doc, "parser_lost", f"{language}: {error}")
            return
        if metrics is None:
            self.stat_update("no_grammar")
            doc.metadata |= dict.fromkeys(metric.name for metric in fields(CodeMetrics))
            yield doc
            return
        doc.metadata |= metrics
        if metrics["error_fraction"] > max_error_fraction(language):
            yield Removed(doc, "syntax_error", f"{language}: {metrics['error_fraction']:.4f} of the bytes")
            return
        self.stat_update("parsed")
        yield doc

    def end(self) -> None:
        """Leave the process to the next rank, or end it."""
        if self._parser:
            hand_on(self._parser.function, self._parser)
        self._parser = None
