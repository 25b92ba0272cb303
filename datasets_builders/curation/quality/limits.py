"""Section 2.2.1: limits on columns: metrics, scores, what is known of the repository."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step


class QualityLimits(Step):
    """Keep files whose columns lie within limits; one whose value is not known is removed too, with its own reason.

    Args:
        limits: column to (minimum, maximum), both included: {comment_fraction: [0.01, 0.8], stars: [5, .inf]}.
        name (`str`): of the step, where a builder has two.

    Source: paper 2.2.1 (code metrics, quality score, repository metadata); it publishes no limits.
    """

    name = "quality_limits"
    is_filter = True

    def __init__(self, limits: Mapping[str, Sequence[float]], name: str = name) -> None:
        super().__init__()
        self.name = name
        self.limits = {name: (minimum, maximum) for name, (minimum, maximum) in limits.items()}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file within all limits."""
        broken = self._broken(doc)
        further = [reason for reason, _ in broken[1:]]
        yield Removed(doc, *broken[0], further=further) if broken else doc

    def verdict(self, doc: Document, tag: Mapping[str, Any]) -> tuple[str, str] | None:
        """Judge by the columns."""
        return next(iter(self._broken(doc)), None)

    def _broken(self, doc: Document) -> list[tuple[str, str]]:
        broken = []
        for name, (minimum, maximum) in self.limits.items():
            value = doc.metadata.get(name)
            if value is None:
                broken.append((f"unknown_{name}", ""))
            elif not minimum <= value <= maximum:
                broken.append((f"{'low' if value < minimum else 'high'}_{name}", f"{value:g}"))
        return broken
