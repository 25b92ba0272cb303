"""Judging stored answers anew: what is kept, what is added, and what a missing benchmark must not destroy."""

import json
from dataclasses import replace

import pytest

from evals.__main__ import main
from evals.tasks.humaneval import HumanEval
from tests.evals.conftest import PROBLEMS

RIGHT = "Here:\n```python\ndef larger(a, b):\n    return max(a, b)\n```"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A stored run over two problems, and a folder with the benchmark."""
    monkeypatch.setattr(HumanEval, "source", replace(HumanEval.source, num_rows=2, sha256=""))
    data, folder = tmp_path / "data" / "humaneval", tmp_path / "run"
    data.mkdir(parents=True)
    (data / "HumanEval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (folder / "samples").mkdir(parents=True)
    lines = [
        {"id": "Fixture/0", "prediction": RIGHT, "verdict": "fail", "prompt": "as it was asked"},
        {"id": "Fixture/1", "prediction": "a line\u2028and another\u0085", "verdict": "fail"},
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "samples" / "humaneval.jsonl").write_text(text, encoding="utf-8")
    entry = {"metric": "pass@1", "value": 0.25, "n": 2, "interval": [0.0, 1.0], "isolation": None, "baselines": {}}
    results = {"model": "org/model", "preset": "standard", "base": False, "tasks": {"humaneval": entry}}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def samples(folder):
    return [json.loads(line) for line in (folder / "samples" / "humaneval.jsonl").read_text("utf-8").split("\n")[:-1]]


def test_samples_hold_what_was_asked_what_was_found_and_a_right_answer(run, tmp_path):
    """An answer with a separator of lines that JSON leaves as it is does not break the file."""
    assert main(["rescore", str(run), "--data-dir", str(tmp_path / "data")]) == 0
    first, second = samples(run)
    assert first["verdict"] == "pass" and first["found"] == "def larger(a, b):\n    return max(a, b)\n"
    assert first["prompt"] == "as it was asked" and first["reference"] == PROBLEMS[0]["canonical_solution"]
    assert PROBLEMS[1]["prompt"].strip() in second["prompt"], "as it is asked today"
    assert second["prediction"] == "a line\u2028and another\u0085"


def test_a_task_whose_data_are_not_there_keeps_its_score(run, tmp_path, capsys):
    before = (run / "results.json").read_text(), samples(run)
    (tmp_path / "empty").mkdir()
    assert main(["rescore", str(run), "--data-dir", str(tmp_path / "empty")]) == 1
    assert "humaneval: not judged anew, the score is the earlier one" in capsys.readouterr().err
    assert json.loads((run / "results.json").read_text()) == json.loads(before[0]) and samples(run) == before[1]
