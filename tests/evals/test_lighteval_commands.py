"""lighteval's own commands with the benchmarks of this project, offline, each in a process of its own."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm_python
from tests.evals.tasks.test_benchmarks import HELD

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# A model that knows the gold solutions, but for the first problem: what lighteval calls a custom model.
GOLD_MODEL = """
from lighteval.models.abstract_model import LightevalModel
from lighteval.models.model_output import ModelResponse

from evals.tasks.catalog import BENCHMARKS
from evals.tasks.lighteval_tasks import row_of


class _NoCache:
    def _init_registry(self, registry):
        pass


class GoldModel(LightevalModel):
    tokenizer, add_special_tokens, max_length = None, False, 4096

    def __init__(self, config):
        self.config, self._cache = config, _NoCache()

    def greedy_until(self, docs):
        return [ModelResponse(input=doc.query, text=[self.gold(doc)] * doc.num_samples) for doc in docs]

    def gold(self, doc):
        row, name = row_of(doc), doc.task_name.removeprefix("ling_").partition("_standard")[0]
        if "mid" in row:
            return row["answer"]
        return "pass" if row["task_id"].endswith("/0") else BENCHMARKS[name].gold(row)

    def loglikelihood(self, docs):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood
"""


@pytest.fixture(scope="module", autouse=True)
def _together() -> None:
    """Keep the tests on one worker: what their commands are forked from imports lighteval once."""


def lighteval(*arguments: object, folder: Path, **environment: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evals", "lighteval", *map(str, arguments)]
    more = {"PYTHONPATH": ROOT, "COLUMNS": 400, **environment}
    environment = {**os.environ, **{name: str(value) for name, value in more.items()}}
    return warm_python.run(command, libraries="evaluation", cwd=folder, env=environment, capture_output=True, text=True)


def results_in(folder: Path) -> dict:
    (file,) = (folder / "results").rglob("results_*.json")
    return json.loads(file.read_text())


def test_a_model_is_asked_and_its_folder_left_alone(models, held_out, tmp_path):
    """Rows come from the folder that is named; the score has the interval of `evals run`."""
    model = models[0]
    files_before = sorted(model.rglob("*"))
    words = (
        f"model_name={model},trust_remote_code=True,dtype=float32,batch_size=4,device=cpu,cache_dir={tmp_path}/cache"
    )
    ended = lighteval(
        *("accelerate", words, "ling_held_out_execution|0", "--output-dir", tmp_path / "out", "--save-details"),
        folder=tmp_path,
        LING_HELD_OUT_FOLDER=held_out,
        LING_MAX_NEW_TOKENS=4,
    )
    assert ended.returncode == 0, ended.stderr
    assert "lighteval's own tasks of tiny_benchmarks are left out" in ended.stderr, "without a network"
    (found,) = (scores for name, scores in results_in(tmp_path / "out")["results"].items() if name != "all")
    assert found["exact_match_n"] == 8
    assert found["exact_match_95_low"] <= found["exact_match"] < found["exact_match_95_high"] < 1
    assert len(list((tmp_path / "out" / "details").rglob("*.parquet"))) == 1
    assert sorted(model.rglob("*")) == files_before
    assert list((tmp_path / "cache").rglob("GENERATIVE.parquet"))


def test_right_answers_are_right_and_the_interval_is_that_of_the_problems(held_out, tmp_path):
    (tmp_path / "gold.py").write_text(GOLD_MODEL)
    tasks = ["ling_held_out_execution|0"]
    if {"humaneval", "humaneval_infilling"} <= {*HELD} and os.environ.get("LING_BENCHMARKS_DIR"):
        tasks += ["ling_humaneval_standard_base|0", "ling_humaneval_infilling_standard_base|0"]
    markers = json.dumps(["<prefix>", "<suffix>", "<middle>"])
    ended = lighteval(
        *("custom", "gold", tmp_path / "gold.py", ",".join(tasks), "--output-dir", tmp_path / "out"),
        *("--max-samples", 100),
        folder=tmp_path,
        LING_HELD_OUT_FOLDER=held_out,
        LING_FIM_MARKERS=markers,
    )
    assert ended.returncode == 0, ended.stderr
    scores = results_in(tmp_path / "out")["results"]
    held = scores["ling_held_out_execution|0"]
    assert held["exact_match"] == 1.0 and held["exact_match_95_low"] == pytest.approx(8 / (8 + 1.96**2), abs=1e-3)
    if len(tasks) == 1:
        return
    whole = scores["ling_humaneval_standard_base|0"]
    missed = round(100 * (1 - whole["pass@1"]))
    assert whole["pass@1_n"] == 100 and missed <= 1
    assert whole["pass@1_stderr"] == pytest.approx(math.sqrt(missed / 100 * (1 - missed / 100) / 99), abs=1e-9)
    lines = scores["ling_humaneval_infilling_standard_base|0"]
    assert lines["pass@1"] > 0.95 and lines["pass@1_95_high"] == 1.0


@pytest.mark.parametrize("task", ["humaneval|0", "ling_held_out_execution|0"])
def test_rows_that_are_not_there_are_one_sentence(task, models, tmp_path):
    (tmp_path / "empty").mkdir()
    environment = {"LING_BENCHMARKS_DIR": tmp_path / "empty", "LING_HELD_OUT_FOLDER": ""}
    ended = lighteval("accelerate", f"model_name={models[0]}", task, folder=tmp_path, **environment)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert f"Invalid value for TASKS: {task.partition('|')[0]}: " in ended.stderr


def test_tasks_are_listed_and_shown(tmp_path):
    ended = lighteval("tasks", "list", folder=tmp_path)
    names = set(ended.stdout.split())
    assert ended.returncode == 0
    assert {"humaneval", "ling_bbh_paper_instruct", "ling_held_out_execution", "gsm8k", "ifeval"} <= names
