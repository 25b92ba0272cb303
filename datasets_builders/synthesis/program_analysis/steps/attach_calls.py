"""Section 2.4: the step that gives functions the calls that their repository makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.steps import Merged, Outcome, Removed, Step, name_of
from datasets_builders.synthesis.program_analysis.steps.extract import CALLS_KIND

MAX_KNOWN_CALLS = 24


def repository_of(doc: Document) -> str:
    """Return the key by which functions meet the calls of their repository."""
    return str(doc.metadata["repository"])


class AttachCalls(Step):
    """Give every function the calls that its repository makes of it, those of tests first.

    Give its stage the key `repository_of`. Calls belong to functions of their name; those that are another's fail in
    the sandbox. One repository is held in memory at a time; the others wait on disk.
    """

    name = "attach_calls"
    arity = "n:1"

    def begin(self, rank: int, world_size: int) -> None:
        """Start without functions."""
        self._found = DiskSort(itemgetter(0, 1), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep functions and calls until all are known."""
        self._found.add([repository_of(doc), doc.id, *values_of(doc)])
        yield from ()

    def finish(self) -> Iterator[Outcome]:
        """Give the functions with their calls; the files' calls go into them."""
        for _, group in groupby(self._found, key=itemgetter(0)):
            docs = [document_of(values[2:]) for values in group]
            files = [doc for doc in docs if doc.metadata.get("kind") == CALLS_KIND]
            functions = [doc for doc in docs if doc.metadata.get("kind") != CALLS_KIND]
            yield from _attached(files, functions)
            yield from functions

    def end(self) -> None:
        """Drop what is left of the functions."""
        self._found.close()


def _attached(files: Iterable[Document], functions: Iterable[Document]) -> Iterator[Outcome]:
    """Write a repository's calls into its functions, and say of each file of calls what became of it."""
    by_name: dict[str, list[Document]] = {}
    for doc in functions:
        if "known_calls" in doc.metadata["sample"]:
            by_name.setdefault(doc.metadata["sample"]["name"], []).append(doc)
    for file in sorted(files, key=lambda file: (not _is_test(file), file.metadata["path"], file.id)):
        used: Document | None = None
        origin = "test" if _is_test(file) else "call_site"
        for name, calls in file.metadata["calls"].items():
            for doc in by_name.get(name, ()):
                known = doc.metadata["sample"]["known_calls"]
                taken = {call for _, call in known}
                room = MAX_KNOWN_CALLS - len(known)
                doc.metadata["sample"]["known_calls"] = [
                    *known,
                    *[(origin, call) for call in calls if call not in taken][: max(room, 0)],
                ]
                used = used or doc
        yield Merged(file, used.id, "calls_used", name_of(used)) if used else Removed(file, "calls_of_no_function_here")


def _is_test(doc: Document) -> bool:
    path = PurePosixPath(doc.metadata["path"])
    return path.name.startswith(("test_", "tests.")) or path.stem.endswith("_test") or "tests" in path.parts
