"""Section 2: the parts of a build: the stages that a builder names, and what comes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datatrove.data import Document

from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.intermediate import document_id
from datasets_builders.building.ledger import Ledger


@dataclass
class Stage:
    """Steps that run one after another on each document, over `tasks` ranks.

    Args:
        name (`str`): unique within the builder; a folder name.
        pipeline (sequence of `DocumentStep`): the first stage starts with a `Reader` or a `Generator`; a later one is
            given the documents of the stage before.
        tasks (`int`): ranks. Part of the result: take it from the config, never from the number of processors.
        key (function): of the documents of the stage before, those with the same key meet in the same rank;
            the default spreads them by id.
        before (function, *optional*): called once when the stage before is complete, for what needs all of its
            documents at once; called again in a run that continues, so that it finds out itself what is done.
    """

    name: str
    pipeline: Sequence[DocumentStep]
    tasks: int = 1
    key: Callable[[Document], str] = document_id
    before: Callable[[], None] | None = None


@dataclass
class BuildResult:
    """The outcome of a build: the folder, rows per split, the ledger, and what had been there before ("new", ...)."""

    output_dir: Path
    num_rows: dict[str, int]
    ledger: Ledger
    state: str = "new"
    fingerprint: str = ""
    lineage: dict[str, Any] = field(default_factory=dict)
