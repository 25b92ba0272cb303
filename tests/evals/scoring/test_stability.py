"""Verdicts that are given again: which change is found, and none does by itself."""

import json

import pytest

from evals.__main__ import main
from evals.scoring import stability
from evals.scoring.stability import measure, slips, spread
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.humaneval import HumanEval
from tests.evals.conftest import PROBLEMS


class Problems(HumanEval):
    """Two problems that lie here."""

    name = "problems"

    def load(self, data_dir):
        return PROBLEMS, "here"


@pytest.fixture
def problems(monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "problems", Problems())
    monkeypatch.setattr("evals.commands.stability.chosen_tasks", lambda words, with_held_out: ("problems",))


def test_slips_differ_from_gold_and_from_each_other():
    found = slips("    return a if a > b else b + 1\n")
    assert "    return a if a > b else b - 1\n" in found and "" in found
    assert len(found) == len(set(found)) and "    return a if a > b else b + 1\n" not in found
    assert slips("") == [""]


def test_wrong_programs_are_taken_from_the_tasks_in_turn():
    wrong = {"a": [("row", str(number)) for number in range(5)], "b": [("row", "x")]}
    chosen = spread(wrong, 4)
    assert {name: len(pairs) for name, pairs in chosen.items()} == {"a": 3, "b": 1}
    assert spread(wrong, 100) == wrong


def test_verdicts_stay_the_same_and_are_recorded(problems, tmp_path, capsys):
    path = tmp_path / "record.json"
    words = ["stability", "--tasks", "problems", "--wrong", "3", "--repeats", "2", "--load", "2", "--output", str(path)]
    assert main(words) == 0
    assert (
        "0 of 5 programs changed their verdict in 4 runs, half of them beside 2 busy processes"
        in capsys.readouterr().out
    )
    record = json.loads(path.read_text())
    assert record["programs"] == {"problems": {"gold": 2, "wrong": 3}} and record["flips"] == []
    assert sum(record["verdicts"].values()) == 20 and record["verdicts"]["pass"] >= 8
    assert record["command"] == "python -m evals stability --tasks problems --wrong 3 --repeats 2 --load 2"


def test_a_verdict_that_changes_is_found(problems, monkeypatch):
    turns = iter([["pass", "pass", "fail"], ["pass", "timeout", "fail"]])
    monkeypatch.setattr(stability, "judge", lambda benchmark, pairs: next(turns))
    found = measure(["problems"], None, num_wrong=1, repeats=1, load=1)
    assert [(flip.row, flip.verdicts) for flip in found.flips] == [("Fixture/1", {"pass": 1, "timeout": 1})]


def test_a_run_that_was_cut_goes_on_with_the_next_repeat(problems, monkeypatch, tmp_path):
    calls = []

    def judge(benchmark, pairs):
        calls.append(len(pairs))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ["pass", "fail", "fail"]

    monkeypatch.setattr(stability, "judge", judge)
    settings = {"num_wrong": 1, "repeats": 2, "load": 1, "repeats_folder": tmp_path / "repeats"}
    with pytest.raises(KeyboardInterrupt):
        measure(["problems"], None, **settings)
    found = measure(["problems"], None, **settings)
    assert len(calls) == 3 + 2 and found.verdicts == {"pass": 4, "fail": 8} and not found.flips
    measure(["problems"], None, **{**settings, "repeats_folder": None})
    assert len(calls) == 5 + 4, "without a folder all are judged"


def test_a_task_without_programs_is_refused(capsys):
    assert main(["stability", "--tasks", "gsm8k"]) == 2
    assert "gsm8k runs no programs" in capsys.readouterr().err
