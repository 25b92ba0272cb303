"""Section 2.4: the steps from the files of a repository to faults over several of them, with their repairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Merged, Outcome, Removed, Step, name_of
from datasets_builders.synthesis.repository_repairs.changes import Change, changes_of
from datasets_builders.synthesis.repository_repairs.diffs import apply_repository_diff, repository_diff
from datasets_builders.synthesis.repository_repairs.files import CutFile, CutFunction, RepositoryModules
from datasets_builders.synthesis.repository_repairs.running import FoundFault, find_faults

KIND = "repository_repair"
PROMPT_FILE = Path(__file__).with_name("prompts") / f"{KIND}.txt"


class FindChanges(Step):
    """Find, in the Python files of each repository, changes of an interface that another file would have to follow.

    Give its stage the key `repository_of`. One repository is held in memory at a time; the others wait on disk. A
    file is merged into the first change that is found in it, or removed.

    Args:
        max_files, max_chars (`int`): of the files that a function needs together.
        max_changes (`int`): of a function.
    """

    name = "find_changes"
    arity = "n:1"

    def __init__(self, max_files: int, max_chars: int, max_changes: int) -> None:
        super().__init__()
        self.max_files, self.max_chars, self.max_changes = max_files, max_chars, max_changes

    def begin(self, rank: int, world_size: int) -> None:
        """Start without files."""
        self._files = DiskSort(_place_of, self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep a file until those of its repository are known."""
        if doc.metadata.get("language") == "Python":
            self._files.add(values_of(doc))
        else:
            yield Removed(doc, "other_language", str(doc.metadata.get("language")))

    def finish(self) -> Iterator[Outcome]:
        """Give a document per function with changes, repository by repository."""
        for _, group in groupby(self._files, lambda values: _place_of(values)[0]):
            docs = [*map(document_of, group)]
            modules = RepositoryModules({doc.metadata["path"]: doc.text for doc in docs})
            by_module = {name: doc for doc in docs for name in modules.names_of(doc.metadata["path"])}
            left = {doc.id: doc for doc in docs}
            for name in modules:
                for function in modules.functions(name, self.max_files, self.max_chars):
                    changes = list(changes_of(function))[: self.max_changes]
                    if changes:
                        home = by_module[name]
                        made = _document(home, function, changes)
                        if left.pop(home.id, None) is not None:
                            yield Merged(home, made.id, "functions_found", f"{name_of(home)} {function.name}")
                        self.counts.created += 1
                        yield made
            yield from (Removed(doc, "no_change_reaches_further") for doc in left.values())

    def end(self) -> None:
        """Drop what is left of the files."""
        self._files.close()


def repository_of(doc: Document) -> str:
    """Return the key by which the files of a repository meet."""
    return str(doc.metadata.get("repository") or "")


def _place_of(values: list[Any]) -> tuple[str, str, str]:
    identifier, _, metadata = values
    return str(metadata.get("repository") or ""), str(metadata["path"]), identifier


def _document(doc: Document, function: CutFunction, changes: list[Change]) -> Document:
    return Document(
        function.text,
        content_id(doc.id, function.module, function.name),
        metadata={
            "parents": [doc.id],
            "repository": str(doc.metadata.get("repository") or ""),
            "license": str(doc.metadata.get("license") or ""),
            "function": asdict(function),
            "changes": [asdict(change) for change in changes],
        },
    )


def function_of(doc: Document) -> tuple[CutFunction, list[Change]]:
    """Return the function that a document carries, and its changes."""
    values = doc.metadata["function"]
    function = CutFunction(**{**values, "files": _files(values["files"])})
    changes = [
        Change(**{**change, "faulty": _files(change["faulty"]), "repaired": _files(change["repaired"])})
        for change in doc.metadata["changes"]
    ]
    return function, changes


def _files(values: Iterable[dict[str, str]]) -> tuple[CutFile, ...]:
    return tuple(CutFile(**file) for file in values)


class RunChanges(SandboxStep):
    """Run functions before and after their changes, and ask for the repair where a call tells that a file is behind.

    Args:
        seed (`int`): chooses calls.
        max_faults (`int`): of a function.
        max_answer_chars (`int`): longest value that is stated.
        validation_fraction (`float`): part of the repositories' modules that is held out.
        isolation (`str`): as `Executor` takes it.
    """

    name = "run_changes"
    arity = "1:n"
    batch_size = 32

    def __init__(
        self, seed: int, max_faults: int, max_answer_chars: int, validation_fraction: float, isolation: str = "auto"
    ) -> None:
        super().__init__(isolation)
        self.seed, self.max_faults, self.max_answer_chars = seed, max_faults, max_answer_chars
        self.validation_fraction = validation_fraction

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run the functions of a batch at once."""
        functions = [function_of(doc) for doc in docs]
        found = find_faults(self.sandbox, functions, self.seed, self.max_answer_chars)
        return [
            self._questions(doc, function, faults)
            for doc, (function, _), faults in zip(docs, functions, found, strict=True)
        ]

    def _questions(self, doc: Document, function: CutFunction, faults: list[FoundFault]) -> list[Outcome]:
        rows = [row for fault in faults[: self.max_faults] if (row := self._row(doc, function, fault))]
        if not rows:
            return [Removed(doc, "nothing_tells", "no call does the same before and after, and another thing between")]
        return [Document(_text_of(row), row["mid"], metadata=row) for row in rows]

    def _row(self, doc: Document, function: CutFunction, fault: FoundFault) -> dict[str, Any] | None:
        faulty = {file.path: file.text for file in fault.change.faulty}
        repaired = {file.path: file.text for file in fault.change.repaired}
        diff = repository_diff(faulty, repaired)
        if apply_repository_diff(faulty, diff) != repaired:
            return None
        right = {file.path: file.text for file in function.files}
        changed = next(path for path in faulty if faulty[path] != right[path])
        prompt = _prompt(faulty, changed, fault.failure)
        content = f"```diff\n{diff}\n```"
        place = hashlib.sha256(f"{self.seed}\0{doc.metadata['repository']}\0{changed}".encode()).digest()
        is_held_out = int.from_bytes(place[:8], "big") < self.validation_fraction * 2**64
        return {
            "mid": content_id(json.dumps([KIND, prompt, content])),
            "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": content}],
            "tags": [KIND, "python"],
            "languages": ["Python"],
            "kind": KIND,
            "mutation": fault.change.kind,
            "changed_name": fault.change.name,
            "changed_path": changed,
            "repaired_paths": [path for path in faulty if faulty[path] != repaired[path]],
            "paths": list(faulty),
            "contents": list(faulty.values()),
            "fail_to_pass": list(fault.fail_to_pass),
            "pass_to_pass": list(fault.pass_to_pass),
            "told_by": "test" if function.is_test else "calls",
            "verified_by": "execution",
            "repository": doc.metadata["repository"],
            "license": doc.metadata["license"],
            "cluster": f"{doc.metadata['repository']}/{changed}",
            "parents": [doc.id, *doc.metadata["parents"]],
            "split": "validation" if is_held_out else "train",
        }


def _text_of(row: dict[str, Any]) -> str:
    messages = [message["content"] for message in row["messages"]]
    return "\n\n".join((*messages, *row["fail_to_pass"], *row["pass_to_pass"]))


@cache
def prompt_templates() -> tuple[Template, ...]:
    """Return the wordings of the question."""
    return tuple(Template(part.strip("\n")) for part in PROMPT_FILE.read_text(encoding="utf-8").split("\n---\n"))


def _prompt(files: dict[str, str], changed: str, failure: str) -> str:
    shown = "\n\n".join(f"`{path}`:\n\n```python\n{text}```" for path, text in files.items())
    templates = prompt_templates()
    digest = hashlib.sha256(f"{changed}\0{failure}\0{shown}".encode()).digest()
    return templates[digest[0] % len(templates)].substitute(files=shown, changed=changed, failure=failure)
