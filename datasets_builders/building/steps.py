"""Section 2.1, Figure 2: the unit of a pipeline, which accounts for every document that it is given.

A step is a datatrove `PipelineStep` that says how many documents it makes of how many (its arity) and answers each
document with documents to pass on, `Removed` or `Merged`. Counting, the files of removed documents and the parents of
made documents are the base class's work, so that no step can forget them.
"""

import errno
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias

from datatrove.data import Document

from datasets_builders.building.document_step import Documents, DocumentStep
from datasets_builders.building.errors import BuildError
from datasets_builders.building.ledger import RemovedWriter, StepCounts
from datasets_builders.building.time_budget import (
    SECONDS_PER_DOCUMENT,
    SECONDS_PER_MEGABYTE,
    OverTimeBudget,
    TimeBudget,
)

Arity = Literal["1:1", "1:n", "n:1"]

# In the metadata of documents of a tagged dataset, see tagging.py: by step its reasons and what it measured.
TAGS = "filter_tags"

# Errors of the machine, not of a document: to remove a document for them would be a silent loss.
_FULL = (errno.ENOSPC, errno.EDQUOT)
MACHINE_ERRNOS = frozenset({*_FULL, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE})


@dataclass
class Removed:
    """A document that a step does not pass on.

    Args:
        doc (`Document`): what is removed; written to `removed/<step>/` with its text.
        reason (`str`): a short, countable word, such as `long_lines`.
        detail (`str`): what differs from document to document, such as the measured length.
        further (sequence of `str`): reasons that would have been enough too, where the step looked for all.
        is_fault (`bool`): whether the step failed at it, and says nothing about it.
    """

    doc: Document
    reason: str
    detail: str = ""
    further: Sequence[str] = ()
    is_fault: bool = False


@dataclass
class Merged:
    """A document that was joined into another one (n:1 steps).

    Args:
        doc (`Document`): what is no longer a document of its own.
        into (`str`): id of the document that stands for it now.
        reason (`str`): a short, countable word, such as `same_content`.
        kept (`str`): how a reader finds that document, from `name_of`.
    """

    doc: Document
    into: str
    reason: str
    kept: str


Outcome: TypeAlias = Document | Removed | Merged


def name_of(doc: Document) -> str:
    """Return how a reader finds a document: repository and path, or its id; no text, for a ledger is published."""
    place = "/".join(str(part) for part in (doc.metadata.get("repository"), doc.metadata.get("path")) if part)
    return place or doc.id


class Step(DocumentStep):
    """Base of every step: implement `process`; set `name` (unique within a builder) and `arity`.

    - `1:1`: `process` gives exactly one outcome for its document.
    - `1:n`: one or more outcomes; the first stands for the input, each further one counts as created.
    - `n:1`: documents may be kept back and given by `finish`; each input must come out once, in some form.

    An exception inside `process` removes that document with the reason `error`; errors of the machine (disk full)
    end the run. Far more processor time than a document needs removes it with the reason `time_budget`. `begin` and
    `end` surround the documents of a rank: open parsers and sandboxes there, since a step is pickled on its way to a
    worker.
    """

    type = "STEP"
    arity: Arity = "1:1"
    batch_size: int = 1
    only_kinds: frozenset[str] = frozenset()
    seconds_per_document: float | None = SECONDS_PER_DOCUMENT  # None: no limit; see time_budget.py
    # Whether it reads or writes files of the build, so that a look ahead, which leaves no traces, goes without it.
    only_in_builds: ClassVar[bool] = False
    # Whether what the step removes or merges could stay as it is: a tagged dataset keeps it, with the reason.
    is_filter: ClassVar[bool] = False
    # What the step measures in a tagged dataset: name to what it is. Numbers, but for names in `other_measures`: they
    # are a "string", "numbers" or "strings".
    measures: ClassVar[Mapping[str, str]] = {}
    other_measures: ClassVar[Mapping[str, str]] = {}
    # What the step's decisions hang on beside its code, as pip names it: another version makes another dataset.
    libraries: ClassVar[tuple[str, ...]] = ()

    # Modules that the process from which workers are forked imports too: what they build is built once, not in each.
    preloaded: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.counts = StepCounts(self.name, self.arity)
        self.stage_name = ""
        self.ledger_folder: str | None = None
        self.removed_folder: str | None = None
        self.runs_folder: str | None = None
        self.counted_column: str | None = None
        self.is_tagging = self.passes_rejected = False

    def only_for(self, *kinds: str) -> Self:
        """Give the step documents of these kinds alone (metadata `kind`); others pass, counted but not looked at."""
        self.only_kinds = frozenset(kinds)
        return self

    def begin(self, rank: int, world_size: int) -> None:
        """Open what the documents of this rank need."""

    def end(self) -> None:
        """Close what `begin` opened; also called after an error."""

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Answer one document with documents to pass on, `Removed` or `Merged`."""
        raise TypeError(f"step {self.name} must define process()")

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Answer `batch_size` documents at once, one list of outcomes per document, in order."""
        return [self._safely(doc) for doc in docs]

    def tagging(self, passes_rejected: bool = False) -> Self:
        """Have a filter note its verdicts in the documents' metadata instead of acting on them.

        Args:
            passes_rejected (`bool`): whether documents that a step before has rejected pass without a look at them.
        """
        self.is_tagging, self.passes_rejected = self.is_filter, passes_rejected
        return self

    def note(self, doc: Document, **measured: Any) -> None:
        """Note, in a tagged dataset, what was measured, by names of `measures`."""
        if self.is_tagging:
            tag_of(doc, self.name)["measures"] = measured

    def verdict(self, doc: Document, tag: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return reason and detail for which a document of a tagged dataset is removed, or None.

        A step whose limits may be others than those of the tagging judges anew, by what was measured.

        Args:
            doc (`Document`): as it came out of the last of the filters.
            tag (dict): what this step noted of it, see `tag_of`.
        """
        return (tag["reasons"][0], tag["detail"]) if tag["reasons"] else None

    def progress(self) -> str:
        """Return what is told beside the progress bar, for steps that take long; called in the main process."""
        return ""

    def finish(self) -> Iterable[Outcome]:
        """Give what an n:1 step kept back."""
        return ()

    def attach(
        self, stage_name: str, index: int, build_folder: Path, removed_folder: Path, counted_column: str | None = None
    ) -> None:
        """Tell the step where its counts and its removed documents go, and by what it counts; called by the builder."""
        self.counted_column = counted_column
        self.stage_name = stage_name
        self.ledger_folder = str(build_folder / "ledger" / stage_name / f"{index:02d}_{self.name}")
        self.removed_folder = str(removed_folder / self.name)
        self.runs_folder = str(build_folder / "stages")  # for what does not fit into memory

    def pass_on(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Documents:
        """Pass documents through `process`, counting them."""
        counts = self.counts = StepCounts(self.name, self.arity)
        folder = Path(self.removed_folder) if self.removed_folder else None
        with RemovedWriter(folder / f"{rank:05d}.jsonl.gz" if folder else None) as removed_writer:
            try:
                self.begin(rank, world_size)
                for outcome in self._outcomes(data, counts, rank, world_size):
                    if self.is_tagging and not isinstance(outcome, Document):
                        outcome = self._tagged(outcome, counts)
                    if isinstance(outcome, Document):
                        counts.count_output(outcome, self.counted_column)
                        yield outcome
                        continue
                    into, kept = (outcome.into, outcome.kept) if isinstance(outcome, Merged) else (None, "")
                    counts.count_removed(outcome.doc, outcome.reason, merged=into is not None, kept=kept)
                    detail = outcome.detail if isinstance(outcome, Removed) else ""
                    removed_writer.write(outcome.doc, outcome.reason, detail, into, kept)
            finally:
                self.end()
        counts.check(f"step {self.name}, rank {rank}")
        if self.ledger_folder:
            counts.save(Path(self.ledger_folder) / f"{rank:05d}.json")

    def _tagged(self, outcome: Removed | Merged, counts: StepCounts) -> Outcome:
        """Return a document with the verdict among its tags, but for one that the step failed at."""
        if isinstance(outcome, Removed) and outcome.is_fault:
            return outcome
        removed = outcome if isinstance(outcome, Removed) else Removed(outcome.doc, outcome.reason, outcome.into)
        reasons = [removed.reason, *removed.further]
        tag_of(removed.doc, self.name).update(reasons=reasons, detail=removed.detail)
        counts.count_tagged(removed.doc, removed.reason)
        return removed.doc

    def _outcomes(
        self, data: Iterable[Document] | None, counts: StepCounts, rank: int, world_size: int
    ) -> Iterator[Outcome]:
        batch: list[Document] = []
        for doc in self._input(data, rank, world_size):
            counts.count_input(doc)
            batch.append(doc)
            if len(batch) >= self.batch_size:
                yield from self._answers(batch, counts)
                batch = []
        if batch:
            yield from self._answers(batch, counts)
        yield from self.finish()

    def _input(self, data: Iterable[Document] | None, rank: int, world_size: int) -> Iterable[Document]:
        return data or ()

    def _answers(self, batch: list[Document], counts: StepCounts) -> Iterator[Outcome]:
        # The text may be changed in place: the id that made documents name as their parent is taken before.
        sources = [(doc, doc.id, doc.metadata.get("parents"), doc.metadata.get(TAGS)) for doc in batch]
        takes_all = not self.only_kinds and not self.passes_rejected
        wanted = batch if takes_all else [doc for doc in batch if self._is_wanted(doc)]
        with self.track_time():
            answers = [list(answer) for answer in self.process_batch(wanted)] if wanted else []
        if len(answers) != len(wanted):
            raise BuildError(f"step {self.name} answered {len(answers)} of {len(wanted)} documents of a batch")
        if len(wanted) < len(batch):
            given = {id(doc): answer for doc, answer in zip(wanted, answers, strict=True)}
            answers = [given.get(id(doc), [doc]) for doc in batch]
        for (doc, source_id, source_parents, tags), outcomes in zip(sources, answers, strict=True):
            for outcome in self._accounted(doc, source_id, source_parents, outcomes, counts):
                if tags and isinstance(outcome, Document) and outcome is not doc:
                    outcome.metadata.setdefault(TAGS, deepcopy(tags))
                yield outcome

    def _is_wanted(self, doc: Document) -> bool:
        is_of_kind = not self.only_kinds or doc.metadata.get("kind") in self.only_kinds
        return is_of_kind and not (self.passes_rejected and is_rejected(doc))

    def _accounted(
        self, doc: Document, source_id: str, source_parents: object, outcomes: list[Outcome], counts: StepCounts
    ) -> list[Outcome]:
        """Count what was made of a document and name it as the parent; id and parents are those it came with."""
        if not outcomes or len(outcomes) > 1:
            outcomes = self._checked(doc, source_id, outcomes, counts)
        for outcome in outcomes:
            made = outcome if isinstance(outcome, Document) else outcome.doc
            if made.id != source_id and made.metadata.get("parents") == source_parents:
                made.metadata["parents"] = [source_id]
        return outcomes

    def _checked(self, doc: Document, source_id: str, outcomes: list[Outcome], counts: StepCounts) -> list[Outcome]:
        """Return the outcomes of a document, where they are none or several, as the step's arity has them; count."""
        if self.arity == "n:1":
            return outcomes
        if self.arity == "1:1" and len(outcomes) > 1:
            raise BuildError(f"step {self.name} is 1:1 but made {len(outcomes)} outcomes of {source_id}")
        counts.created += max(0, len(outcomes) - 1)
        return outcomes or [Removed(doc, "nothing_made")]

    def _safely(self, doc: Document) -> list[Outcome]:
        text, identifier, metadata = doc.text, doc.id, dict(doc.metadata)
        seconds = self.seconds_per_document

        def failed(reason: str, detail: str) -> list[Outcome]:
            before = replace(doc, text=text, id=identifier, metadata=metadata)
            return [Removed(before, reason, detail, is_fault=True)]

        try:
            with TimeBudget(seconds and seconds + SECONDS_PER_MEGABYTE * len(doc.text) / 1e6):
                return list(self.process(doc))
        except OverTimeBudget as error:
            return failed("time_budget", str(error))
        except OSError as error:
            if error.errno in MACHINE_ERRNOS:
                raise
            return failed("error", one_line(error))
        except MemoryError:
            raise
        except Exception as error:
            return failed("error", one_line(error))


class Reader(Step):
    """List what there is to read, as the first step of a builder, then read each in `process`.

    `list_documents` gives one document per thing found, not yet read (its id names it), so that what cannot be read
    is counted as input and removed with a reason like everything else.
    """

    type = "READER"

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List, in a fixed order, what this rank has to read."""
        raise TypeError(f"reader {self.name} must define list_documents()")

    def _input(self, data: Iterable[Document] | None, rank: int, world_size: int) -> Iterable[Document]:
        return self.list_documents(rank, world_size)


class Generator(Step):
    """Compute the documents, as the first step of a builder: `generate` gives them, all counted as created."""

    type = "GENERATOR"
    arity: Arity = "1:n"

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give, in a fixed order, the documents of this rank."""
        raise TypeError(f"generator {self.name} must define generate()")

    def _outcomes(
        self, data: Iterable[Document] | None, counts: StepCounts, rank: int, world_size: int
    ) -> Iterator[Outcome]:
        for outcome in self.generate(rank, world_size):
            counts.created += 1
            yield outcome


def tag_of(doc: Document, step: str) -> dict[str, Any]:
    """Return what a step has noted of a document, to be changed in place: reasons, a detail, and measures by name."""
    empty: dict[str, Any] = {"reasons": [], "detail": "", "measures": {}}
    tag: dict[str, Any] = doc.metadata.setdefault(TAGS, {}).setdefault(step, empty)
    return tag


def is_rejected(doc: Document) -> bool:
    """Return whether a filter has noted a reason against a document."""
    return any(tag["reasons"] for tag in doc.metadata.get(TAGS, {}).values())


def one_line(error: BaseException) -> str:
    """Return an error and where it was raised, as the detail of a removed document."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(place[0].filename).name}:{place[0].lineno})" if place else ""
    return f"{type(error).__name__}: {error}"[:300] + where
