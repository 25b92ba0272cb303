"""Preference pairs, verified again here by running them."""

import random
from collections import Counter

import pytest
from datasets import load_dataset
from datatrove.data import Document

from datasets_builders.building import Removed
from datasets_builders.released.preferences import VerifyPairs, code_of
from evals.execution import Executor, Program, Verdict


def test_the_released_columns_come_first(pairs) -> None:
    dataset = load_dataset(str(pairs.folder), split="train")
    assert dataset.column_names[:4] == ["mid", "prompt", "chosen", "rejected"]
    assert all(isinstance(dataset[0][name], str) for name in ("mid", "prompt", "chosen", "rejected"))


def test_there_are_pairs_of_every_verifiable_kind(pairs) -> None:
    kinds = Counter(row["kind"] for row in pairs.rows)
    assert set(kinds) == {"execution_prediction", "code_repair", "docstring_to_code"}
    assert all(row["chosen"] != row["rejected"] for row in pairs.rows)
    reasons = pairs.result.ledger.step("make_pairs").reasons
    assert reasons["nothing_to_verify_with"] > 0


def test_chosen_is_right_and_rejected_is_wrong_in_a_fresh_sandbox(questions, pairs) -> None:
    question_of = {row["mid"]: row for row in questions.rows}
    with Executor() as executor:
        for row in random.Random(3).sample(pairs.rows, 12):
            question = question_of[row["parents"][0]]
            if row["kind"] == "execution_prediction":
                texts = [f"{question['code']}\n\nassert repr({question['call']}) == {row[side]!r}\n"
                         for side in ("chosen", "rejected")]  # fmt: skip
            else:
                texts = [f"{question['context']}\n\n{code_of(row[side])}\n\n{question['check']}\n"
                         for side in ("chosen", "rejected")]  # fmt: skip
            verdicts = [executor.run(Program(text, hash_seed=11)).verdict for text in texts]
            assert verdicts == [Verdict.PASS, Verdict.FAIL], row


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
