"""Preference pairs, verified again here by running them."""

import difflib
import random
from collections import Counter
from pathlib import Path

import pytest
from datasets import load_dataset
from datatrove.data import Document

from datasets_builders.building import ConfigError, Removed
from datasets_builders.released.dpo import DPOBuilder, DPOConfig
from datasets_builders.released.length_bias import BalanceLengths
from datasets_builders.released.pair_checks import edit_similarity, plain_type, value_type
from datasets_builders.released.preferences import (
    CODE_KINDS,
    RECORDED_KINDS,
    VERIFIABLE_KINDS,
    MakePairs,
    VerifyPairs,
    code_of,
)
from evals.execution import Executor, Program, Verdict
from tests.datasets_builders.released.conftest import read_rows


def test_the_released_columns_come_first(pairs) -> None:
    dataset = load_dataset(str(pairs.folder), split="train")
    assert dataset.column_names[:4] == ["mid", "prompt", "chosen", "rejected"]
    assert all(isinstance(dataset[0][name], str) for name in ("mid", "prompt", "chosen", "rejected"))


def test_pairs_are_of_verifiable_kinds_and_what_cannot_be_told_says_why(pairs) -> None:
    kinds = Counter(row["kind"] for row in pairs.rows)
    assert set(kinds) <= {*VERIFIABLE_KINDS, *RECORDED_KINDS} and kinds["execution_prediction"] > 50
    assert len(kinds) >= 5
    assert all(row["chosen"] != row["rejected"] for row in pairs.rows)
    reasons = pairs.result.ledger.step("make_pairs").reasons
    assert reasons["nothing_to_verify_with"] > 0 and reasons["wrong_answers_too_near"] > 0


def test_no_two_answers_are_nearly_the_same(pairs) -> None:
    for row in pairs.rows:
        sides = [row["chosen"], row["rejected"]]
        if row["kind"] in CODE_KINDS:
            sides = [code_of(side) for side in sides]
        assert edit_similarity(*sides) == pytest.approx(row["similarity"], abs=1e-4) and row["similarity"] < 0.9
        assert difflib.SequenceMatcher(None, *sides, autojunk=False).ratio() < 0.97
        assert (row["chosen_chars"], row["rejected_chars"]) == (len(row["chosen"]), len(row["rejected"]))


def test_no_training_question_is_also_asked_in_fine_tuning(chats, pairs) -> None:
    trained = [row for row in chats.rows if row["split"] == "train"]
    chosen = [row for row in pairs.rows if row["split"] == "train"]
    assert trained and chosen
    assert not {row["messages"][0]["content"] for row in trained} & {row["prompt"] for row in pairs.rows}
    assert not {row["cluster"] for row in trained} & {row["cluster"] for row in chosen}


@pytest.mark.slow
def test_a_dataset_that_is_trained_on_is_kept_apart(questions, chats, tmp_path: Path) -> None:
    """With all questions left to dpo, those that the sft dataset has are told by its rows."""
    config = DPOConfig(
        output_dir=str(tmp_path / "dpo"),
        input=str(questions.folder),
        preference_fraction=1.0,
        disjoint_from=[str(chats.folder)],
        num_tasks=1,
    )
    result = DPOBuilder(config).run()
    reasons = result.ledger.step("keep_apart").reasons
    assert reasons["prompt_trained_on"] > 0 and reasons["function_trained_on"] > 0
    trained = {row["cluster"] for row in chats.rows if row["split"] == "train"}
    assert not trained & {row["cluster"] for row in read_rows(tmp_path / "dpo")}


def program_of(question: dict, kind: str, side: str) -> str:
    """Return a program that ends well where an answer is right, written anew from the question's row."""
    if kind in ("code_repair", "docstring_to_code"):
        return f"{question['context']}\n\n{code_of(side)}\n\n{question['check']}\n"
    if kind in ("input_prediction", "counterexample"):
        return f"{question['code']}\n\n{question['check'].replace('???', side)}\n"
    if kind == "exception_prediction":
        return (
            f"{question['code']}\n\ntry:\n    {question['call']}\nexcept BaseException as error:\n"
            f"    assert type(error).__name__ == {side!r}\nelse:\n    raise AssertionError\n"
        )
    return f"{question['code']}\n\nassert repr({question['call']}) == {side!r}\n"


def test_chosen_is_right_and_rejected_is_wrong_in_a_fresh_sandbox(questions, pairs) -> None:
    question_of = {row["mid"]: row for row in questions.rows}
    rows = [row for row in pairs.rows if row["verified_by"] == "execution" and row["kind"] not in RECORDED_KINDS]
    chosen = random.Random(3).sample(rows, 16)
    programs = [
        Program(program_of(question_of[row["parents"][0]], row["kind"], row[side]), hash_seed=11)
        for row in chosen
        for side in ("chosen", "rejected")
    ]
    with Executor() as executor:
        verdicts = [result.verdict for result in executor.run_batch(programs)]
    assert verdicts == [Verdict.PASS, Verdict.FAIL] * len(chosen)


def test_answers_of_recorded_runs_are_those_of_the_question_and_say_so(questions, pairs) -> None:
    question_of = {row["mid"]: row for row in questions.rows}
    rows = [row for row in pairs.rows if row["kind"] in RECORDED_KINDS]
    assert rows
    for row in rows:
        question = question_of[row["parents"][0]]
        assert row["verified_by"] == question["verified_by"] != "none"
        assert row["chosen"] == question["answer"] and row["rejected"] in question["wrong_answers"]


def test_pairs_keep_the_splits_of_their_questions(questions, pairs) -> None:
    question_of = {row["mid"]: row for row in questions.rows}
    assert {row["split"] for row in pairs.rows} == {"train", "validation"}
    for row in pairs.rows:
        assert question_of[row["parents"][0]]["split"] == row["split"]


def pair(chosen: str, rejected: str) -> Document:
    metadata = {
        "kind": "execution_prediction",
        "code": "def f(x):\n    return x + 1\n",
        "call": "f(1)",
        "context": "",
        "check": "",
        "chosen": chosen,
        "rejected": rejected,
    }
    return Document(text="", id=f"{chosen}-{rejected}", metadata=metadata)


def test_a_pair_is_removed_when_running_tells_otherwise() -> None:
    step = VerifyPairs()
    step.begin(0, 1)
    outcomes = step.process_batch([pair("2", "3"), pair("3", "2"), pair("2", "2"), pair("2", "2.0")])
    step.end()
    kept, wrong, same, typed = (next(iter(outcome)) for outcome in outcomes)
    assert isinstance(kept, Document) and isinstance(typed, Document)
    assert isinstance(wrong, Removed) and wrong.reason == "chosen_answer_not_verified"
    assert isinstance(same, Removed) and same.reason == "rejected_answer_not_verified"


def test_answers_in_code_are_one_fenced_block() -> None:
    assert code_of("```python\nx = 1\n```") == "x = 1"
    with pytest.raises(ValueError, match="not one fenced block"):
        code_of("x = 1")


def question(kind: str, answer: str, wrong_answers: list[str], code: str = "", check: str = "assert f(1)") -> Document:
    metadata = {
        "kind": kind,
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}],
        "wrong_answers": wrong_answers,
        "code": code,
        "check": check,
        "function": "f",
        "verified_by": "execution",
        **dict.fromkeys(("module", "cluster", "license", "call", "context", "answer"), ""),
        "split": "train",
    }
    return Document(text="", id="question", metadata=metadata)


def made_of(doc: Document) -> list[str]:
    """Return the rejected sides of the pairs that are made of a question, or why there are none."""
    outcomes = MakePairs(2, 1000, 0.9).process(doc)
    return [out.reason if isinstance(out, Removed) else out.metadata["rejected"] for out in outcomes]


TRUE_OR_FALSE = "def f(x):\n    return x > 3\n"
OPEN = "def f(x):\n    if x:\n        return g(x)\n"


@pytest.mark.parametrize(
    ("code", "answer", "wrong_answers", "made"),
    [
        (TRUE_OR_FALSE, "True", ["None", "'a'", "False"], ["False"]),
        (TRUE_OR_FALSE, "True", ["None", "1"], ["wrong_answers_of_another_type"]),
        (OPEN, "True", ["None", "False"], ["False", "None"]),
        (OPEN, "None", ["[1]"], ["[1]"]),
        (OPEN, "'" + "a" * 40 + "'", ["'" + "a" * 39 + "b'"], ["wrong_answers_too_near"]),
        (OPEN, "'" + "a" * 40 + "'", ["'" + "a" * 39 + "b'", "'b'"], ["'b'"]),
    ],
)
def test_rejected_values_are_of_the_type_that_is_plain_and_not_nearly_right(code, answer, wrong_answers, made) -> None:
    assert made_of(question("execution_prediction", answer, wrong_answers, code)) == made


def test_a_function_with_one_token_changed_makes_no_pair_and_another_one_does() -> None:
    right = "def f(x):\n    total = 0\n    for item in x:\n        total += item * item\n    return total"
    near, far = right.replace("+=", "-="), "def f(x):\n    return sum(x)"
    answer = f"```python\n{right}\n```"
    assert made_of(question("code_repair", answer, [near])) == ["wrong_answers_too_near"]
    assert made_of(question("code_repair", answer, [near, far])) == [f"```python\n{far}\n```"]
    assert made_of(question("code_to_docstring", answer, [far])) == ["nothing_to_verify_with"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x) -> int:\n    return g(x)", "int"),
        ("def f(x) -> list[int]:\n    return g(x)", "list"),
        ("def f(x) -> int | None:\n    return g(x)", None),
        ("def f(x):\n    return not x", "bool"),
        ("def f(x):\n    if x:\n        return 'a'\n    return f'{x}'", "str"),
        ("def f(x):\n    if x:\n        return 'a'", None),
        ("def f(x):\n    def g():\n        return 1\n    return [g()]", "list"),
        ("def f(x):\n    yield 1\n    return [1]", None),
        ("def f(x):\n    return len(x)", "int"),
        ("def g(x):\n    return len(x)", None),
    ],
)
def test_the_type_of_a_value_is_plain_or_open(code: str, expected: str | None) -> None:
    assert plain_type(code, "f") == expected
    assert value_type("(1, 2)") == "tuple" and value_type("f(1)") is None


def balanced(limits: tuple[float, float], lengths: list[tuple[int, int]]) -> list[Document | str]:
    step = BalanceLengths(limits, seed=0)
    step.begin(0, 1)
    for number, (chosen, rejected) in enumerate(lengths):
        metadata = {"split": "train", "chosen_chars": chosen, "rejected_chars": rejected}
        assert not list(step.process(Document(text="", id=str(number), metadata=metadata)))
    outcomes = [out.reason if isinstance(out, Removed) else out for out in step.finish()]
    step.end()
    return outcomes


def test_the_share_of_longer_chosen_answers_is_held_within_limits() -> None:
    lengths = [(9, 1)] * 80 + [(1, 9)] * 20 + [(5, 5)] * 7
    assert len([out for out in balanced((0, 1), lengths) if isinstance(out, Document)]) == 107
    fewer = balanced((0, 0.5), lengths)
    assert fewer.count("chosen_longer_too_often") == 60
    kept = [out.metadata["chosen_chars"] for out in fewer if isinstance(out, Document)]
    assert Counter(kept) == {9: 20, 1: 20, 5: 7}
    more = balanced((0.9, 1), lengths)
    assert more.count("chosen_shorter_too_often") == 12


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_pair_similarity": 0}, "max_pair_similarity is 0"),
        ({"chosen_longer_limits": [0.6, 0.4]}, "chosen_longer_limits"),
        ({"preference_fraction": 2}, "preference_fraction is 2"),
    ],
)
def test_impossible_values_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DPOConfig(output_dir="out", **values)
