"""Section 2.1: the rules and the syntax check as steps of a pipeline over code files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.code_file import CodeFile
from datasets_builders.curation.metrics import CodeMetrics
from datasets_builders.curation.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.rules import DEFAULT_LIMITS, RuleLimits, first_broken_rule
from datasets_builders.curation.syntax import ParseTooCostly, max_error_fraction


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


class QualityLimits(Step):
    """Keep files whose columns lie within limits; one whose value is not known is removed too, with its own reason.

    Args:
        limits: column to (least, most), both included: {comment_fraction: [0.01, 0.8], stars: [5, .inf]}.
        name (`str`): of the step, where a builder has two.

    Source: paper 2.2.1 (code metrics, quality score, repository metadata); it publishes no limits.
    """

    name = "quality_limits"

    def __init__(self, limits: Mapping[str, Sequence[float]], name: str = name) -> None:
        super().__init__()
        self.name = name
        self.limits = {name: (least, most) for name, (least, most) in limits.items()}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file within all limits."""
        for name, (least, most) in self.limits.items():
            value = doc.metadata.get(name)
            if value is None:
                yield Removed(doc, f"unknown_{name}")
                return
            if not least <= value <= most:
                yield Removed(doc, f"{'low' if value < least else 'high'}_{name}", f"{value:g}")
                return
        yield doc


class SyntaxCheck(Step):
    """Measure files and remove those that their language's grammar cannot parse; without one a file has sizes only.

    Args:
        finds_prose (`bool`): whether a parsed file gets the texts of its comments and strings, for `Toxicity`.

    Source: paper 2.2.1 (files must be valid; comment ratio, effective lines); the tolerance for preprocessed languages
    is ours.
    """

    name = "syntax"
    function = "datasets_builders.curation.metrics:measure"
    function_with_prose = "datasets_builders.curation.metrics:measure_with_prose"

    def __init__(self, finds_prose: bool = False) -> None:
        super().__init__()
        self.finds_prose = finds_prose

    def begin(self, rank: int, world_size: int) -> None:
        """Make ready a process for the parsers, which may be lost."""
        name = self.function_with_prose if self.finds_prose else self.function
        self._parser: ParserProcess | None = ParserProcess(name)

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
            doc.metadata |= dict.fromkeys(one.name for one in fields(CodeMetrics))
            yield doc
            return
        if metrics["error_fraction"] > max_error_fraction(language):
            yield Removed(doc, "syntax_error", f"{language}: {metrics['error_fraction']:.4f} of the bytes")
            return
        self.stat_update("parsed")
        doc.metadata |= metrics
        yield doc

    def end(self) -> None:
        """End the process."""
        if self._parser:
            self._parser.close()
        self._parser = None
