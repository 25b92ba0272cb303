"""Sections 2.1 and 2.2.1: only files whose licence allows it."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from datatrove.data import Document

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.description import MAX_COUNTED_VALUES, SEVERAL_LICENSES
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.sources.license_files import as_offered
from datasets_builders.sources.license_notices import license_of_head
from datasets_builders.sources.licenses import UNKNOWN, license_type


class LicenseFilter(Step):
    """Keep files whose licence is of a wanted type or on a list.

    What a file says at its head goes before what its folder states.

    Args:
        types: of `LICENSE_TYPES`.
        allowed: SPDX names that are kept whatever their type.

    Source: StarCoder2 2.1.
    """

    name = "license"
    is_filter = True
    libraries = ("license-expression",)
    preloaded = ("datasets_builders.sources.license_index",)

    def __init__(self, types: Collection[str], allowed: Collection[str] = ()) -> None:
        super().__init__()
        self.types, self.allowed = frozenset(types), frozenset(allowed)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Write licence and type; remove what is not wanted."""
        license = license_of_file(license_of_head(doc.text), doc.metadata.get("license") or UNKNOWN)
        kind = license_type(license)
        doc.metadata |= {"license": license, "license_type": kind}
        yield doc if self._is_wanted_license(license, kind) else Removed(doc, kind, license)

    def verdict(self, doc: Document, tag: Mapping[str, Any]) -> tuple[str, str] | None:
        """Judge by the licence that was found."""
        license, kind = doc.metadata["license"], doc.metadata["license_type"]
        return None if self._is_wanted_license(license, kind) else (kind, license)

    def _is_wanted_license(self, license: str, kind: str) -> bool:
        return kind in self.types or license in self.allowed


def license_of_file(of_head: str | None, of_folder: str) -> str:
    """Return the licence of a file: what its head states, else what its folder does.

    Of "MIT and GPL" at the head of a file, where the package leaves the choice between the two, the choice holds.
    """
    return of_folder if of_head is None else as_offered(of_head, of_folder)


def license_of_card(output_folder: Path) -> tuple[str, str]:
    """Return the licence of all rows, `SEVERAL_LICENSES` for several, and a table of licences as Markdown."""
    licenses = DatasetFolder(output_folder).counts("license")
    return next(iter(licenses)) if len(licenses) == 1 else SEVERAL_LICENSES, _license_table(licenses)


def _license_table(licenses: Mapping[str, int]) -> str:
    """Return licences and their types as Markdown."""
    lines = ["| licence | type | rows |", "| --- | --- | ---: |"]
    shown = list(licenses.items())[:MAX_COUNTED_VALUES]
    lines += [f"| {name} | {license_type(name)} | {count:,} |" for name, count in shown]
    rest = len(licenses) - len(shown)
    return "\n".join(lines) + (f"\n\nand {rest} more" if rest else "")
