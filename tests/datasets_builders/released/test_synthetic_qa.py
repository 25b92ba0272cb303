"""Questions computed from modules of the standard library, through the whole builder."""

import ast
import hashlib
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from datatrove.data import Document

from datasets_builders.building import BuildError, ConfigError, disk_sort
from datasets_builders.building.config import load_config
from datasets_builders.released.repair_figures import measure_tells, repair_figures
from datasets_builders.released.synthetic_qa import SyntheticQABuilder, SyntheticQAConfig
from datasets_builders.synthesis.program_analysis.clusters import code_ngrams
from datasets_builders.synthesis.program_analysis.questions import KINDS, Question
from datasets_builders.synthesis.program_analysis.steps.attach_calls import AttachCalls
from datasets_builders.synthesis.program_analysis.steps.limit import FEW_ANSWERS, LimitAnswers
from evals.execution import Executor, Program, Verdict
from tests.datasets_builders.released.conftest import code_row, read_rows, write_rows

pytestmark = pytest.mark.slow


def test_the_released_columns_come_first(questions) -> None:
    dataset = load_dataset(str(questions.folder), split="train")
    assert dataset.column_names[:4] == ["mid", "messages", "tags", "languages"]
    row = dataset[0]
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["tags"] == [row["kind"], "python"] and row["languages"] == ["Python"]
    assert dataset.num_rows == questions.result.num_rows["train"]


def test_there_are_questions_of_every_kind_from_many_functions(questions) -> None:
    kinds = Counter(row["kind"] for row in questions.rows)
    # Few functions grow so plainly that their growth is asked for.
    assert set(KINDS) - {"complexity"} <= set(kinds) <= set(KINDS)
    assert kinds["execution_prediction"] > 400 and kinds["code_repair"] > 100
    assert len({(row["path"], row["function"]) for row in questions.rows}) > 100
    assert len({row["module"] for row in questions.rows}) > 20


def test_repairs_show_their_failure_and_bear_no_mark(questions) -> None:
    figures = repair_figures(questions.folder)
    assert "100.0% show what the code returns or raises instead" in figures
    assert "wrong variable" in figures or "others" in figures
    repairs = [row for row in questions.rows if row["kind"] == "code_repair"]
    assert measure_tells(repairs).num_faults > 50 and measure_tells(repairs).found_fraction < 0.2
    assert figures in (questions.folder / "README.md").read_text(encoding="utf-8")


def test_no_answer_makes_up_more_than_a_tenth_of_a_kind(questions) -> None:
    for kind in {row["kind"] for row in questions.rows}:
        for split in ("train", "validation"):
            answers = [
                row["messages"][1]["content"] for row in questions.rows if (row["kind"], row["split"]) == (kind, split)
            ]
            commonest = max(Counter(answers).values(), default=1)
            fraction = 0.3 if kind in FEW_ANSWERS else 0.1
            assert commonest == 1 or commonest <= fraction * len(answers)


def test_common_answers_and_repeated_questions_are_removed_with_a_reason() -> None:
    step = LimitAnswers(0.1)
    answers = ["True"] * 50 + [str(number) for number in range(30)]
    docs = [
        Document(
            text=answer,
            id=f"{number:03d}",
            metadata={
                "kind": "execution_prediction",
                "split": "train",
                "path": "a.py",
                "module": "a",
                "function": "f",
                "call": "f()",
                "messages": [{"content": answer}],
            },
        )
        for number, answer in enumerate(answers)
    ]
    again = Document(text="5", id="055", metadata={**docs[55].metadata, "path": "b.py", "module": "b"})
    held_out = Document(text="again", id="056", metadata={**docs[56].metadata, "path": "c.py", "split": "validation"})
    passed = list(step.run([again, *docs, held_out]))
    assert Counter(doc.text for doc in passed)["True"] == 3
    assert len(passed) == 33 and passed.count(docs[55]) == 1
    assert held_out in passed and docs[56] not in passed, "what is held out stays held out"
    assert step.counts.reasons == {"common_answer": 47, "same_question": 2}


def test_questions_beyond_memory_wait_on_disk(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(disk_sort, "MAX_BYTES", 1 << 20)
    step = LimitAnswers(1.0)
    step.attach("ask", 0, tmp_path / ".build", tmp_path / "removed")

    def questions_of(number: int) -> Iterator[Document]:
        for index in range(number):
            row = {"kind": "refactoring", "split": "train", "path": "a.py", "function": "f", "call": ""}
            yield Document(f"{index:10000d}", f"{index:032x}", metadata={**row, "messages": [{"content": str(index)}]})

    tracemalloc.start()
    try:
        assert sum(1 for _ in step.run(questions_of(2_000))) == 2_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 << 20, "20 MB of text went through"


def test_questions_that_are_no_work_are_removed_with_a_reason() -> None:
    step = LimitAnswers(1.0, 0.2)
    rows = [("f([1])", "[1]", False)] * 5 + [("f(2)", "4", True)] * 5 + [("f([2])", "[3]", False)] * 4
    docs = [
        Document(
            text=answer,
            id=f"{number:03d}",
            metadata={
                "kind": "execution_prediction",
                "split": "train",
                "path": "a.py",
                "function": "f",
                "messages": [{"content": f"{answer}{number}"}],
                "call": call,
                "answer": answer,
                "is_one_statement": is_short,
            },
        )
        for number, (call, answer, is_short) in enumerate(rows)
    ]
    passed = Counter(doc.text for doc in step.run(docs))
    assert passed == {"[1]": 1, "4": 2, "[3]": 4}
    assert step.counts.reasons == {"is_one_statement": 3, "is_copied": 4}


def test_functions_get_the_calls_of_their_repository_tests_first() -> None:
    step = AttachCalls()

    def document(name: str, **metadata) -> Document:
        return Document(text=name, id=name, metadata={"repository": "mine", "path": name, **metadata})

    function = document("a.py", sample={"name": "f", "known_calls": []})
    elsewhere = document("b.py", sample={"name": "f", "known_calls": []}, repository="other")
    files = [
        document("use.py", kind="calls", calls={"f": ["f(1)", "f(2)"], "g": ["g(1)"]}),
        document("tests/test_a.py", kind="calls", calls={"f": ["f(3)", "f(1)"]}),
        document("none.py", kind="calls", calls={"h": ["h(1)"]}),
    ]
    passed = list(step.run([files[0], function, elsewhere, *files[1:]]))
    assert {doc.id: doc.metadata["sample"]["known_calls"] for doc in passed} == {
        function.id: [("test", "f(3)"), ("test", "f(1)"), ("call_site", "f(2)")],
        elsewhere.id: [],
    }
    assert step.counts.reasons == {"calls_used": 2, "calls_of_no_function_here": 1}


def test_every_row_says_what_stands_for_its_answer(questions) -> None:
    for row in questions.rows:
        assert row["verified_by"] in ("execution", "replay", "doctest", "none")
        assert row["verified_by"] != "none" or row["kind"] in ("docstring_to_code", "code_to_docstring")
        assert bool(row["call_from"]) == bool(row["call"])
        assert bool(row["trace"]) == (row["kind"] == "execution_rationale")
    card = (questions.folder / "README.md").read_text()
    assert "No language model was asked: every answer was computed" not in card and "`verified_by`" in card


def test_answers_come_out_again_in_a_fresh_sandbox(questions) -> None:
    rows = [row for row in questions.rows if row["kind"] == "execution_prediction"]
    with Executor() as executor:
        for row in random.Random(0).sample(rows, 12):
            program = f"{row['code']}\n\nprint(repr({row['call']}), end='')\n"
            result = executor.run(Program(program, hash_seed=12345))
            assert (result.verdict, result.stdout) == (Verdict.PASS, row["answer"])
            assert row["messages"][1]["content"] == row["answer"] == repr(ast.literal_eval(row["answer"]))


def test_repairs_pass_their_check_and_wrong_answers_fail_it_in_a_fresh_sandbox(questions) -> None:
    rows = [row for row in questions.rows if row["kind"] == "code_repair"]
    with Executor() as executor:
        for row in random.Random(1).sample(rows, 6):
            right = row["messages"][1]["content"].removeprefix("```python\n").removesuffix("\n```")
            programs = [f"{row['context']}\n\n{code}\n\n{row['check']}\n" for code in (right, *row["wrong_answers"])]
            verdicts = [executor.run(Program(program, hash_seed=7)).verdict for program in programs]
            assert verdicts[0] is Verdict.PASS and set(verdicts[1:]) == {Verdict.FAIL}
            assert right not in row["messages"][0]["content"]


def test_impure_functions_are_removed_and_say_why(questions) -> None:
    ledger = questions.result.ledger.step("observe_functions")
    assert ledger.reasons["impure"] >= 3
    asked = {(row["module"], row["function"]) for row in questions.rows}
    for impure in (("email.utils", "formatdate"), ("uuid", "_random_getnode"), ("http.cookiejar", "time2isoz")):
        assert impure not in asked


def test_every_file_and_function_is_accounted_for(questions) -> None:
    reasons = questions.result.ledger.step("extract_functions").reasons
    assert reasons["other_language"] == 1 and reasons["error"] == 1
    assert questions.result.ledger.step("split_functions").reasons["same_function"] >= 4
    questions.result.ledger.check()


def test_no_function_or_near_copy_is_on_both_sides(questions) -> None:
    sides: dict[str, set[tuple[str, str]]] = {"train": set(), "validation": set()}
    clusters: dict[str, set[str]] = {"train": set(), "validation": set()}
    for row in questions.rows:
        sides[row["split"]].add((row["path"], row["function"]))
        clusters[row["split"]].add(row["cluster"])
    assert sides["validation"] and not sides["train"] & sides["validation"]
    assert not clusters["train"] & clusters["validation"]
    code = {split: {} for split in sides}
    for row in questions.rows:
        if row["kind"] == "code_repair":
            function = row["messages"][1]["content"].removeprefix("```python\n").removesuffix("\n```")
            code[row["split"]][function] = set(code_ngrams(function).tolist())
    for held_out in code["validation"].values():
        for seen in code["train"].values():
            assert len(held_out & seen) < 0.7 * len(held_out | seen)


def test_no_program_of_the_training_side_contains_a_held_out_function(questions) -> None:
    held_out = {
        row["messages"][1]["content"].removeprefix("```python\n").removesuffix("\n```")
        for row in questions.rows
        if row["kind"] == "code_repair" and row["split"] == "validation"
    }
    for row in questions.rows:
        if row["split"] == "train":
            assert not any(function in row["messages"][0]["content"] for function in held_out)


def test_held_out_functions_are_listed(questions) -> None:
    listed = json.loads((questions.folder / "held_out_functions.json").read_text())
    rows = [row for row in questions.rows if row["split"] == "validation"]
    assert {(function["path"], function["function"]) for function in listed} == {
        (row["path"], row["function"]) for row in rows
    }
    assert sum(function["num_questions"] for function in listed) == len(rows)
    # A fifth of all calls at least, where the wanted number is out of reach.
    calls = [row for row in questions.rows if row["kind"] == "execution_prediction"]
    assert sum(row["split"] == "validation" for row in calls) >= min(140, 0.15 * len(calls))


def test_the_card_has_figures_licence_and_what_held_out_means(questions) -> None:
    card = (questions.folder / "README.md").read_text()
    assert "license_name: psf-2.0" in card and "| execution_prediction | validation |" in card
    assert "has seen their code" in card
    assert "| kind | rows |\n" in card  # no column of bytes: messages have no one text


def test_wordings_vary(questions) -> None:
    openings = Counter(
        row["messages"][0]["content"].replace(row["call"], "CALL")[:25]
        for row in questions.rows
        if row["kind"] == "execution_prediction"
    )
    assert len(openings) >= 5


def shard_hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "data").iterdir())}


def test_one_worker_gives_the_same_bytes_as_two(questions, tmp_path: Path) -> None:
    config = replace(questions.config, output_dir=str(tmp_path / "qa"), workers=1)
    SyntheticQABuilder(config).run()
    assert shard_hashes(tmp_path / "qa") == shard_hashes(questions.folder)


def test_a_missing_input_is_named_before_anything_is_written(tmp_path: Path) -> None:
    config = SyntheticQAConfig(output_dir=str(tmp_path / "qa"), input=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"nowhere holds no data/\*\.parquet"):
        SyntheticQABuilder(config).run()
    assert not (tmp_path / "qa").exists()


def test_input_without_python_ends_with_a_reason(tmp_path: Path) -> None:
    row = {"id": "0", "content": "# Notes\n", "path": "notes.md", "language": "Markdown"}
    (tmp_path / "source" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "source" / "data" / "train_00000_of_00001.parquet")
    config = SyntheticQAConfig(output_dir=str(tmp_path / "qa"), input=str(tmp_path / "source"), decontaminate=[])
    with pytest.raises(BuildError, match="other_language: 1"):
        SyntheticQABuilder(config).run()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("validation_fraction=0.9", "validation_fraction is 0.9"),
        ("max_answer_fraction=0", "max_answer_fraction is 0.0"),
        ("num_mutants=-1", "num_mutants is -1"),
        ("max_call_per_function=3", "did you mean 'max_calls_per_function'"),
    ],
)
def test_impossible_values_are_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(SyntheticQAConfig, None, [override])


PLANTED = '''def longest_run(values, limit):
    """Return the length of the longest run of neighbours in values that all stay strictly below the given limit."""
    best = current = 0
    for value in values:
        current = current + 1 if value < limit else 0
        best = max(best, current)
    return best
'''
KEPT = '''def joined_words(words, sign="-"):
    """Return the words joined by a sign, in small letters, with every word that has no letter left out."""
    kept = [word.lower() for word in words if any(letter.isalpha() for letter in word)]
    return sign.join(kept)
'''
SOLUTION = "current = current + 1 if value < limit else 0 best = max(best, current)"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    write_rows(folder / "code", [code_row("planted.py", PLANTED), code_row("kept.py", KEPT)])
    (folder / "mine.jsonl").write_text(json.dumps({"question": "Say hello.", "solution": SOLUTION}) + "\n")
    return folder


def questions_about_planted(folder: Path, name: str, **fields) -> tuple[SyntheticQABuilder, list[dict]]:
    fields = {"decontaminate": [], "num_tasks": 2, "num_candidate_calls": 16, "num_mutants": 6, **fields}
    fields = {"max_answer_fraction": 1.0, **fields}
    config = SyntheticQAConfig(output_dir=str(folder / name), input=str(folder / "code"), **fields)
    builder = SyntheticQABuilder(config)
    builder.run().ledger.check()
    return builder, read_rows(folder / name)


def test_questions_about_what_a_benchmark_asks_are_removed_with_its_row(planted: Path) -> None:
    _, all_rows = questions_about_planted(planted, "all")
    builder, rows = questions_about_planted(planted, "kept", decontaminate_with=[f"{planted}/mine.jsonl:solution"])
    assert {row["function"] for row in all_rows} == {"longest_run", "joined_words"}
    assert rows == [row for row in all_rows if row["function"] == "joined_words"]
    ledger = json.loads((planted / "kept" / "ledger.json").read_text())
    step = next(step for step in ledger["steps"] if step["name"] == "decontamination")
    (reason,) = step["reasons"]
    assert reason == f"{planted}/mine.jsonl:solution"
    assert step["reasons"][reason] == len(all_rows) - len(rows) == step["removed"]
    assert len({row["kind"] for row in all_rows if row["function"] == "longest_run"}) >= 4
    assert "mine.jsonl:solution" in builder.card().description
    assert "Decontaminated against: nothing, as the config asks for." in (planted / "all" / "README.md").read_text()
    questions_about_planted(planted, "two", decontaminate_with=[f"{planted}/mine.jsonl:solution"], workers=2)
    assert shard_hashes(planted / "two") == shard_hashes(planted / "kept")


def test_checks_and_wrong_answers_are_compared_too() -> None:
    question = Question("code_repair", "prompt", "content", check="assert f(1) == 2", wrong_answers=["def f(): pass"])
    assert all(part in question.text for part in ("prompt", "content", "assert f(1) == 2", "def f(): pass"))


def test_benchmarks_that_cannot_be_read_stop_the_build_before_anything_is_written(planted: Path) -> None:
    with pytest.raises(ConfigError, match="benchmarks whose texts cannot be read"):
        questions_about_planted(planted, "none", decontaminate=["all"], benchmarks_dir=str(planted))
    assert not (planted / "none").exists()
