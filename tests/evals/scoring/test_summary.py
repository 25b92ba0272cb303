"""From verdicts to scores: pass@k, what is left out, subsets, and intervals that know of clusters."""

import itertools
import json

import numpy as np
import pytest

from evals.report.statistics import bootstrap_interval, pass_at_k, wilson_interval
from evals.scoring.results import PreparedTask, write_samples
from evals.scoring.summary import summarize
from evals.tasks.records import SampleRecord


def records(*verdicts):
    return [SampleRecord(identifier, "", verdict) for identifier, verdict in verdicts]


def test_infra_errors_are_left_out_of_n():
    entry = summarize(records(("0", "pass"), ("1", "fail"), ("2", "infra_error")), ["0", "1", "2"], [{}] * 3)
    assert (entry["n"], entry["value"]) == (2, 0.5)
    assert entry["interval"] == list(wilson_interval(1, 2))
    assert entry["verdicts"] == {"fail": 1, "infra_error": 1, "pass": 1}
    nothing = summarize(records(("0", "infra_error")), ["0"], [{}])
    assert nothing["value"] is None and "infra error" in nothing["reason"]


def test_several_answers_give_pass_at_k():
    answers = records(*[("a", "pass")] * 2, *[("a", "fail")] * 8, *[("b", "fail")] * 10)
    entry = summarize(answers, ["a"] * 10 + ["b"] * 10, [{}] * 20)
    assert (entry["n"], entry["num_samples"]) == (2, 10)
    assert entry["value"] == pytest.approx(0.1)
    assert entry["pass_at_k"] == pytest.approx({"1": 0.1, "5": (1 - 56 / 252) / 2, "10": 0.5})


def test_an_answer_that_is_no_text_is_written_down_all_the_same(tmp_path):
    task = PreparedTask("t", "", "pass@1", [], ["0"], (), "", None, ["c"], [{}])
    write_samples(tmp_path / "t.jsonl", task, [SampleRecord("0", "print('\ud800')", "fail")])
    assert json.loads((tmp_path / "t.jsonl").read_text(encoding="utf-8"))["prediction"] == "print('\ud800')"


@pytest.mark.parametrize(("n", "num_right", "k"), list(itertools.product((1, 4, 6), (0, 1, 3), (1, 2, 4))))
def test_pass_at_k_is_the_mean_over_all_choices_of_k(n, num_right, k):
    if k > n or num_right > n:
        with pytest.raises(ValueError, match=f"pass@{k}"):
            pass_at_k(n, num_right, k)
        return
    chosen = [any(i < num_right for i in choice) for choice in itertools.combinations(range(n), k)]
    assert pass_at_k(n, num_right, k) == pytest.approx(sum(chosen) / len(chosen))


def test_subsets_have_scores_of_their_own():
    of = [{"difficulty": "easy"}, {"difficulty": "hard"}, {"difficulty": "easy"}]
    entry = summarize(records(("0", "pass"), ("1", "fail"), ("2", "pass")), ["0", "1", "2"], of)
    assert {name: (part["value"], part["n"]) for name, part in entry["subsets"].items()} == {
        "difficulty/easy": (1.0, 2),
        "difficulty/hard": (0.0, 1),
    }


def coverage(interval_of, num_problems, languages, spread, trials=400):
    """How often an interval holds the truth, where a problem's difficulty is shared by its languages."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(trials):
        chances = np.clip(0.5 + spread * generator.choice([-1.0, 1.0], num_problems), 0, 1)
        right = generator.random((num_problems, languages)) < chances[:, None]
        clusters = np.repeat(np.arange(num_problems).astype(str), languages)
        low, high = interval_of(right.ravel().astype(float), list(clusters))
        held += low <= 0.5 <= high
    return held / trials


def test_wilson_covers_independent_problems_and_the_bootstrap_covers_clusters():
    def wilson(values, clusters):
        return wilson_interval(int(values.sum()), len(values))

    def clustered(values, clusters):
        return bootstrap_interval(list(values), clusters, num_resamples=1000)

    assert 0.92 <= coverage(wilson, 164, 1, spread=0.0) <= 0.98
    assert 0.92 <= coverage(clustered, 80, 10, spread=0.4) <= 0.98
    assert coverage(wilson, 80, 10, spread=0.4) < 0.75, "one problem in ten languages is not ten problems"


def test_the_bootstrap_of_single_clusters_is_the_ordinary_one():
    values = [1.0] * 30 + [0.0] * 70
    low, high = bootstrap_interval(values, list(map(str, range(100))))
    assert low == pytest.approx(0.21, abs=0.02) and high == pytest.approx(0.39, abs=0.02)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([], [])
