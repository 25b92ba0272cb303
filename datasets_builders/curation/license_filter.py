"""Sections 2.1 and 2.2.1: only files whose licence allows it."""

from collections.abc import Collection, Iterable

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.sources.licenses import UNKNOWN, license_type, spdx_of_head


class LicenseFilter(Step):
    """Keep files whose licence is of a wanted type or on a list. The tag of a file goes before its repository's.

    Args:
        types: of `LICENSE_TYPES`.
        allowed: SPDX names that are kept whatever their type.

    Source: StarCoder2 2.1.
    """

    name = "license"

    def __init__(self, types: Collection[str], allowed: Collection[str] = ()) -> None:
        super().__init__()
        self.types, self.allowed = frozenset(types), frozenset(allowed)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Write licence and type; remove what is not wanted."""
        license = spdx_of_head(doc.text) or doc.metadata.get("license") or UNKNOWN
        kind = license_type(license)
        doc.metadata |= {"license": license, "license_type": kind}
        yield doc if kind in self.types or license in self.allowed else Removed(doc, kind, license)
