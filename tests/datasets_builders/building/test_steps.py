"""Nothing is lost unnoticed: what steps do with documents is counted, written down and balanced."""

import gzip
import json
import re
import signal

import pytest
from datatrove.data import Document

from datasets_builders.building.errors import BuildError
from datasets_builders.building.ledger import Ledger, StepCounts
from datasets_builders.building.steps import Generator, Merged, Removed, Step, name_of


class Split(Step):
    name, arity = "split", "1:n"

    def process(self, doc):
        for number, word in enumerate(doc.text.split()):
            made = Document(text=word, id=f"{doc.id}/{number}", metadata=dict(doc.metadata))
            yield Removed(made, "vowel") if word in "aeiou" else made


class Fragile(Step):
    name = "fragile"

    def process(self, doc):
        doc.metadata["half"] = "done"
        if doc.text == "bad":
            raise KeyError("no such thing")
        yield doc


class Forgetful(Step):
    name, arity = "forgetful", "n:1"

    def process(self, doc):
        return () if doc.text == "lost" else [doc]


class JoinAll(Step):
    name, arity = "join", "n:1"

    def begin(self, rank, world_size):
        self.kept = []

    def process(self, doc):
        self.kept.append(doc)
        return ()

    def finish(self):
        first, *others = self.kept
        yield first
        for other in others:
            yield Merged(other, first.id, "joined", name_of(first))


class Ten(Generator):
    name = "ten"

    def generate(self, rank, world_size):
        for number in range(rank, 10, world_size):
            doc = Document(text=str(number), id=str(number))
            yield Removed(doc, "odd") if number % 2 else doc


class FullDisk(Step):
    name = "full"

    def process(self, doc):
        raise OSError(28, "No space left on device")


def documents(*texts):
    return [Document(text=text, id=f"doc{number}", metadata={"path": text}) for number, text in enumerate(texts)]


def run(step, docs, tmp_path):
    step.attach("stage", 0, tmp_path / ".build", tmp_path / "removed")
    out = list(step.run(docs))
    counts = json.loads((tmp_path / f".build/ledger/stage/00_{step.name}/00000.json").read_text())
    assert counts["input"] + counts["created"] == counts["output"] + counts["removed"] + counts["merged"]
    return out, counts


def removed(tmp_path, name):
    with gzip.open(tmp_path / "removed" / name / "00000.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def test_a_one_to_many_step_counts_what_it_made_and_names_the_parent(tmp_path):
    out, counts = run(Split(), documents("x a y", "z"), tmp_path)
    assert [doc.text for doc in out] == ["x", "y", "z"]
    assert [doc.metadata["parents"] for doc in out] == [["doc0"], ["doc0"], ["doc1"]]
    assert (counts["input"], counts["created"], counts["output"], counts["removed"]) == (2, 2, 3, 1)
    assert counts["reasons"] == {"vowel": 1}
    assert removed(tmp_path, "split")[0]["text"] == "a"


def test_a_step_that_makes_nothing_of_a_document_has_removed_it(tmp_path):
    out, counts = run(Split(), documents(""), tmp_path)
    assert out == []
    assert counts["reasons"] == {"nothing_made": 1}


def test_an_exception_removes_one_document_as_it_came_and_spares_the_others(tmp_path):
    out, counts = run(Fragile(), documents("good", "bad", "good"), tmp_path)
    assert len(out) == 2
    line = removed(tmp_path, "fragile")[0]
    assert line["reason"] == "error"
    assert "KeyError: 'no such thing'" in line["detail"]
    assert "half" not in line["metadata"]
    assert counts["examples"] == {"error": ["bad"]}


def test_a_full_disk_is_no_fault_of_the_document(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        run(FullDisk(), documents("a"), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_a_step_that_forgets_a_document_fails(tmp_path):
    with pytest.raises(BuildError, match=r"forgetful, rank 0: 2 documents in .* this is a defect of the step"):
        run(Forgetful(), documents("kept", "lost"), tmp_path)


def test_merged_documents_name_the_one_that_stands_for_them(tmp_path):
    out, counts = run(JoinAll(), documents("a", "b", "c"), tmp_path)
    assert [doc.id for doc in out] == ["doc0"]
    assert counts["merged"] == 2
    assert [(line["into"], line["kept"]) for line in removed(tmp_path, "join")] == [("doc0", "a")] * 2
    assert counts["examples"] == {"joined": ["b (kept: a)", "c (kept: a)"]}


def test_a_document_is_named_by_its_place_or_its_id():
    assert name_of(Document("text", "7", metadata={"repository": "shop", "path": "a.py"})) == "shop/a.py"
    assert name_of(Document("text", "7", metadata={"repository": "", "path": "a.py"})) == "a.py"
    assert name_of(Document("what nobody may publish", "7")) == "7"


def test_what_a_generator_makes_is_created(tmp_path):
    out, counts = run(Ten(), None, tmp_path)
    assert len(out) == 5
    assert (counts["input"], counts["created"], counts["removed"]) == (0, 10, 5)


def test_removed_files_have_the_same_bytes_twice(tmp_path):
    run(Split(), documents("a b e"), tmp_path / "one")
    run(Split(), documents("a b e"), tmp_path / "two")
    name = "removed/split/00000.jsonl.gz"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_documents_that_vanish_between_two_steps_are_noticed():
    before = StepCounts("read", "1:1", input=3, output=3)
    after = StepCounts("rules", "1:1", input=2, output=2)
    with pytest.raises(BuildError, match="read passed on 3 documents, but rules was given 2"):
        Ledger([before, after]).check()


class Slow(Step):
    name, seconds_per_document = "slow", 0.2

    def process(self, doc):
        doc.metadata["half"] = "done"
        if doc.text == "loop":
            while True:
                try:
                    sum(range(1000))
                except Exception:
                    continue
        if doc.text == "pattern":
            re.match(r"(a|a)*b", "a" * 60)
        yield doc


def test_a_document_that_takes_far_too_long_is_removed_and_the_next_one_goes_on(tmp_path):
    out, counts = run(Slow(), documents("a", "loop", "pattern", "b"), tmp_path)
    assert [doc.text for doc in out] == ["a", "b"]
    assert counts["reasons"] == {"time_budget": 2}
    lines = removed(tmp_path, "slow")
    assert all("s of processor time" in line["detail"] for line in lines)
    assert not any("half" in line["metadata"] for line in lines)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
