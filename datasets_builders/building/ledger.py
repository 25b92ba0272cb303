"""Section 2.1: the ledger of a build: what came in, what was made, what went out, and why the rest did not."""

import gzip
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from datatrove.data import Document

from datasets_builders.building.atomic import temporary_name, write_json
from datasets_builders.building.errors import BuildError
from datasets_builders.building.json_lines import to_line

EXAMPLES_PER_REASON = 3
MAX_GROUPS = 25


@dataclass
class StepCounts:
    """Counts of one step. `check` holds input + created = output + removed + merged.

    Bytes are those of the text in UTF-8. `examples` has a few names (path or id) per reason, `changes` a few pairs of
    texts before and after, per kind of change. All of it is published: a secret must be masked in both. `groups` counts
    the documents passed on by value of the builder's counted column, such as the language, where they have one.
    `mended` counts, by kind, values that a reader converted or made null; `replaced` values that a step put
    placeholders for, and `replaced_in` the documents that had some.
    """

    name: str
    arity: str
    input: int = 0
    created: int = 0
    output: int = 0
    removed: int = 0
    merged: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    changes: dict[str, list[list[str]]] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, int] = field(default_factory=dict)
    replaced_in: dict[str, int] = field(default_factory=dict)

    def count_input(self, doc: Document) -> None:
        """Count a document that the step was given."""
        self.input += 1
        self.bytes_in += num_bytes(doc.text)

    def count_output(self, doc: Document, counted_column: str | None = None) -> None:
        """Count a document that the step passes on, by its value of a column too."""
        self.output += 1
        self.bytes_out += num_bytes(doc.text)
        group = doc.metadata.get(counted_column) if counted_column else None
        if group is not None:
            self.groups[str(group)] = self.groups.get(str(group), 0) + 1

    def count_removed(self, doc: Document, reason: str, merged: bool = False, kept: str = "") -> None:
        """Count a document that ends here; `kept` is where the one stands that it was merged into."""
        if merged:
            self.merged += 1
        else:
            self.removed += 1
        self.count_tagged(doc, reason, kept)

    def count_tagged(self, doc: Document, reason: str, kept: str = "") -> None:
        """Count a reason against a document, which stays in a tagged dataset."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_PER_REASON:
            name = str(doc.metadata.get("path") or doc.id)
            examples.append(f"{name} (kept: {kept})" if kept else name)

    def count_mended(self, kind: str) -> None:
        """Count a value that was not as its column has it and could be converted or made null."""
        self.mended[kind] = self.mended.get(kind, 0) + 1

    def count_replaced(self, kind: str, values: int) -> None:
        """Count a document's different values of a kind that are placeholders now."""
        self.replaced[kind] = self.replaced.get(kind, 0) + values
        self.replaced_in[kind] = self.replaced_in.get(kind, 0) + 1

    def wants_change(self, kind: str) -> bool:
        """Return whether there are not yet enough examples of a kind of change."""
        return len(self.changes.get(kind, ())) < EXAMPLES_PER_REASON

    def show_change(self, kind: str, before: str, after: str) -> None:
        """Keep an example of what the step changes in texts, if there are not yet enough of that kind."""
        if self.wants_change(kind) and [before, after] not in self.changes.get(kind, ()):
            self.changes.setdefault(kind, []).append([before, after])

    def add(self, other: "StepCounts") -> None:
        """Add the counts of another rank of the same step."""
        for name in ("input", "created", "output", "removed", "merged", "bytes_in", "bytes_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("reasons", "groups", "mended", "replaced", "replaced_in"):
            setattr(self, name, dict(sorted((Counter(getattr(self, name)) + Counter(getattr(other, name))).items())))
        for reason, examples in other.examples.items():
            kept = self.examples.setdefault(reason, [])
            kept.extend(examples[: EXAMPLES_PER_REASON - len(kept)])
        for kind, changes in other.changes.items():
            for before, after in changes:
                self.show_change(kind, before, after)

    def check(self, where: str) -> None:
        """Raise `BuildError` when documents were lost or appeared from nowhere."""
        had, accounted = self.input + self.created, self.output + self.removed + self.merged
        if had != accounted:
            raise BuildError(
                f"{where}: {self.input} documents in + {self.created} created, but {self.output} out + {self.removed} "
                f"removed + {self.merged} merged = {accounted}; this is a defect of the step"
            )

    def save(self, path: Path) -> None:
        """Write the counts as JSON."""
        write_json(path, asdict(self))


def num_bytes(text: str) -> int:
    """Return the size of a text in UTF-8, counting a lone surrogate as three bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class RemovedWriter:
    """Write removed and merged documents of one rank as JSON lines; no file when nothing was removed.

    The file is gzip without a time stamp (equal input gives equal bytes) and gets its name when the rank is complete.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._raw: IO[bytes] | None = None
        self._file: gzip.GzipFile | None = None

    def __enter__(self) -> "RemovedWriter":
        return self

    def write(self, doc: Document, reason: str, detail: str, into: str | None, kept: str = "") -> None:
        """Add one line: id, reason, detail, text, metadata; of a merged document what it went into, and its place."""
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._raw = temporary_name(self.path).open("wb")
            self._file = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, compresslevel=3, mtime=0)
        line: dict[str, Any] = {"id": doc.id, "reason": reason, "detail": detail}
        if into is not None:
            line["into"] = into
            if kept:
                line["kept"] = kept
        line |= {"text": doc.text, "metadata": doc.metadata}
        self._file.write(to_line(line, default=str))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None or self._raw is None or self.path is None:
            return
        try:
            self._file.close()
            self._raw.close()
            if kind is None:
                temporary_name(self.path).replace(self.path)
        finally:
            self._raw.close()
            temporary_name(self.path).unlink(missing_ok=True)


@dataclass
class Ledger:
    """The counts of all steps of a build, in order."""

    steps: list[StepCounts]

    def as_dict(self) -> dict[str, Any]:
        """Return what `ledger.json` holds."""
        return {"steps": [asdict(step) for step in self.steps]}

    def changes(self) -> list[tuple[str, str, str, str]]:
        """Return examples of changed texts as (step, kind, before, after)."""
        return [
            (step.name, kind, before, after)
            for step in self.steps
            for kind, examples in sorted(step.changes.items())
            for before, after in examples
        ]

    def by_group(self) -> tuple[list[str], list[tuple[str, list[int]]]]:
        """Return what each step passed on by value of the counted column: the steps, and counts per value.

        Steps whose documents have no value yet are left out, and those that change none of the counts. The values are
        sorted by their counts, beyond the `MAX_GROUPS` most frequent ones they are summed up.
        """
        told = [step for step in self.steps if step.output and sum(step.groups.values()) == step.output]
        steps = told[:1] + [step for before, step in pairwise(told) if step.groups != before.groups]
        names = {name for step in steps for name in step.groups}
        rows = [(name, [step.groups.get(name, 0) for step in steps]) for name in names]
        rows.sort(key=lambda row: ([-count for count in row[1]], row[0]))
        shown, left = rows[:MAX_GROUPS], rows[MAX_GROUPS:]
        if left:
            sums = [sum(column) for column in zip(*(counts for _, counts in left), strict=True)]
            shown.append((f"{len(left)} more", sums))
        return [step.name for step in steps], shown

    def step(self, name: str) -> StepCounts:
        """Return the counts of the step called `name`."""
        return next(step for step in self.steps if step.name == name)

    def check(self) -> None:
        """Raise `BuildError` when a step is out of balance or documents vanish between two steps."""
        for step in self.steps:
            step.check(f"step {step.name}")
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if before.output != after.input:
                raise BuildError(
                    f"step {before.name} passed on {before.output} documents, but {after.name} was given {after.input}"
                )


def read_ledger(build_folder: Path, stage_names: list[str]) -> Ledger:
    """Add up what the ranks of each step wrote.

    Args:
        build_folder (`Path`): the `.build` folder of a dataset.
        stage_names (`list[str]`): in the order in which they ran.

    Returns:
        `Ledger`: not yet checked.
    """
    steps = []
    for stage in stage_names:
        for folder in sorted((build_folder / "ledger" / stage).glob("*")):
            ranks = [StepCounts(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
            if not ranks:
                continue
            total = StepCounts(ranks[0].name, ranks[0].arity)
            for rank in ranks:
                total.add(rank)
            steps.append(total)
    return Ledger(steps)
