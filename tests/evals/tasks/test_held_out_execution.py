"""Held-out execution prediction: exact value and type, nothing evaluated, a majority baseline."""

import pytest

from evals.benchmarks.held_out_execution import load_held_out, majority_answer
from evals.benchmarks.rows import BenchmarkDataError
from evals.execution import Verdict
from evals.tasks.held_out_execution import judge_answer
from evals.tasks.records import SampleRecord, mean_without_nan, score


@pytest.mark.parametrize(
    ("prediction", "truth", "right"),
    [
        ("[1, 2]", "[1, 2]", True),
        ("  [1,2]\n", "[1, 2]", True),
        ("[1, 2]\nbecause", "[1, 2]", True),
        ("True", "1", False),
        ("1", "1.0", False),
        ("(1, 2)", "[1, 2]", False),
        ("[True]", "[1]", False),
        ("{'a': 1, 'b': 2}", "{'a': 1, 'b': 2}", True),
        ("{'b': 2, 'a': 1}", "{'a': 1, 'b': 2}", False),
        ("{2, 1}", "{1, 2}", True),
        ("-0.0", "0.0", False),
        ("'it'", '"it"', True),
        ("__import__('os').getcwd()", "'/'", False),
        ("(" * 5000, "1", False),
        ("9" * 5000, "1", False),
        ("", "''", False),
    ],
)
def test_a_prediction_is_judged_by_value_and_type(prediction, truth, right):
    assert judge_answer("id", prediction, truth).verdict == (Verdict.PASS if right else Verdict.FAIL)


def test_only_execution_predictions_of_the_split_are_asked_in_an_order_of_their_own(held_out):
    rows, _ = load_held_out(held_out)
    assert len(rows) == 8
    assert {row["mid"] for row in rows} == {f"{number:04d}" for number in range(100, 108)}
    assert rows == load_held_out(held_out)[0]


def test_the_majority_answer_is_the_train_splits(held_out):
    assert majority_answer(held_out) == "7"


def test_a_missing_dataset_says_how_to_build_it(tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(BenchmarkDataError, match="datasets_builders sft"):
            load_held_out(folder)


def test_our_own_failures_are_left_out_of_the_mean():
    records = [SampleRecord("a", "", "pass"), SampleRecord("b", "", "infra_error"), SampleRecord("c", "", "fail")]
    assert mean_without_nan([score(record) for record in records]) == 0.5
