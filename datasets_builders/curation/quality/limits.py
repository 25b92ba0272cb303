"""Section 2.2.1: limits on columns: metrics, scores, what is known of the repository."""

from collections.abc import Iterable, Mapping, Sequence

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

    def __init__(self, limits: Mapping[str, Sequence[float]], name: str = name) -> None:
        super().__init__()
        self.name = name
        self.limits = {name: (minimum, maximum) for name, (minimum, maximum) in limits.items()}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file within all limits."""
        for name, (minimum, maximum) in self.limits.items():
            value = doc.metadata.get(name)
            if value is None:
                yield Removed(doc, f"unknown_{name}")
                return
            if not minimum <= value <= maximum:
                yield Removed(doc, f"{'low' if value < minimum else 'high'}_{name}", f"{value:g}")
                return
        yield doc
