"""What lighteval's commands are told of answers: a score with its interval, and how many are empty."""

import math

import pytest
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc

from evals.models.answer_file import Answer
from evals.models.responses import EndedResponse
from evals.report.statistics import standard_error
from evals.tasks.records import UnansweredError


def scored(*answers: list[str], responses: list[ModelResponse] | None = None) -> dict[str, float]:
    """Return the aggregate of a task whose right answer is always 1."""
    from evals.tasks.lighteval_tasks import ExactValue, give_rows

    metric = ExactValue()
    metric.task = "test_task"
    responses = responses or [ModelResponse(text=own) for own in answers]
    give_rows("test_task", [{"mid": str(number), "answer": "1"} for number in range(len(responses))])
    docs = [
        Doc(query="?", choices=[""], gold_index=0, id=str(number), task_name="test_task|0")
        for number in range(len(responses))
    ]
    return metric.aggregate(metric.compute(responses=responses, docs=docs))


def test_a_score_has_error_interval_and_n():
    found = scored(["1"], ["2"], ["1"], ["1"])
    assert found["exact_match"] == 0.75 and found["exact_match_n"] == 4
    assert found["exact_match_stderr"] == pytest.approx(math.sqrt(0.75 * 0.25 / 3))
    assert found["exact_match_95_low"] == pytest.approx(0.3006, abs=1e-4)
    assert "exact_match_empty" not in found


def test_several_answers_to_a_problem_are_one_problem():
    found = scored(["1", "2"], ["1", "1"])
    assert (found["exact_match"], found["exact_match_n"], found["pass@1"]) == (0.75, 2, 0.75)
    assert found["exact_match_stderr"] == pytest.approx(0.25)


def test_empty_answers_are_counted_and_alone_are_no_score():
    assert scored(*[["1"]] * 20, [""])["exact_match_empty"] == 1
    with pytest.raises(UnansweredError, match="all 20 answers to test_task are empty"):
        scored(*[[""]] * 20)


def test_empty_answers_that_the_model_ended_are_answers():
    ended = [EndedResponse(query="?", text=[""], answers=[Answer(finish_reason="stop")]) for _ in range(20)]
    assert scored(responses=ended)["exact_match"] == 0.0


@pytest.mark.parametrize("blanks", [" " * 192, "\n" * 64, " \t" * 40])
def test_blanks_up_to_the_limit_are_answers_and_wrong(blanks):
    cut = [EndedResponse(query="?", text=[blanks], answers=[Answer(finish_reason="length")]) for _ in range(20)]
    assert scored(responses=cut)["exact_match"] == 0.0


@pytest.mark.parametrize("blanks", ["", "\n\n"])
def test_thoughts_that_took_all_tokens_are_no_score(blanks):
    cut = [EndedResponse(query="?", text=[blanks], answers=[Answer(finish_reason="length")]) for _ in range(20)]
    with pytest.raises(UnansweredError, match="before any text"):
        scored(responses=cut)


@pytest.mark.parametrize(
    ("values", "clusters", "error"),
    [
        ([1, 0, 1, 0], "abcd", math.sqrt(0.25 / 3)),
        ([1, 1, 0, 0], "aabb", 0.5),
        ([1, 0, 1, 0], "aabb", 0.0),
    ],
)
def test_values_of_a_cluster_are_no_independent_ones(values, clusters, error):
    assert standard_error(values, list(clusters)) == pytest.approx(error)


def test_a_single_cluster_has_no_standard_error():
    assert math.isnan(standard_error([1, 0], ["a", "a"]))
