"""The whole ablation study on the small world, through its command."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets import Dataset

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import tokenizer_fingerprint
from modeling_ling.tokenizer import encode_text
from recipes.__main__ import main
from recipes.ablation_gate import scoring
from recipes.ablation_gate.request import Request
from recipes.running.checkpoints import load_tokenizer
from recipes.running.recipe_loading import RecipeError
from tests import warm_python

STAGE2 = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "tiny" / "stage2.yaml"


def write_store(world, path: Path, texts: list[str]) -> Path:
    tokenizer = load_tokenizer(str(world.root / "tokenizer"))
    write_token_store(
        path,
        [[*encode_text(tokenizer, text), tokenizer.eos_token_id] for text in texts],
        {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
    )
    return path


@pytest.fixture(scope="module")
def study(small_world, tmp_path_factory):
    """Arguments of a study of two pairs of two steps, and its folder."""
    root = tmp_path_factory.mktemp("study")
    candidate = write_store(
        small_world, root / "candidate.ds", [f"def sub_{n}(a):\n    return a - {n}\n" for n in range(60)]
    )
    known = "def sub_3(a):\n    return a - 3\n"
    held_out = write_store(
        small_world, root / "held_out.ds", [known, *[f"def f_{n}(b):\n    return b\n" for n in range(9)]]
    )
    output = root / "output"
    arguments = ["ablation", "--config", str(STAGE2), "--candidate", str(candidate), "--held-out", f"code={held_out}"]
    arguments += ["--output", str(output), "--tokens", "1024", "--seeds", "2", "--data_root", str(small_world.root)]
    arguments += ["--init_from", str(small_world.model), "--init_optimizer", "false", "--sequence_length", "128"]
    arguments += ["--per_device_train_batch_size", "2", "--global_batch_tokens", "512", "--max_epochs", "1000"]
    return arguments, output


@pytest.fixture(scope="module")
def record(study):
    arguments, output = study
    assert main(arguments) in (0, 1)
    return json.loads((output / "ablation_verdict.json").read_text(encoding="utf-8"))


@pytest.fixture
def forked_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `evals run` be a fork of a process that has imported what it needs, once for all runs of a study."""
    run = partial(warm_python.run, libraries="evaluation")
    monkeypatch.setattr(scoring, "subprocess", SimpleNamespace(run=run))


def test_plan_says_what_both_groups_cost(study, capsys) -> None:
    assert main([*study[0], "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "2 pairs of runs" in printed
    assert "candidate" in printed
    assert "all together" in printed


def test_groups_differ_in_their_data_alone(study, record) -> None:
    runs = {arm: json.loads((study[1] / f"{arm}-0" / "run.json").read_text()) for arm in ("control", "experiment")}
    control, experiment = runs["control"], runs["experiment"]
    assert "candidate" not in control["consumed_tokens"]
    shares = {source["name"]: source["share"] for source in experiment["plan"]["sources"]}
    assert shares["candidate"] == pytest.approx(0.5)
    halves = {source["name"]: source["share"] / 2 for source in control["plan"]["sources"]}
    assert {name: shares[name] for name in halves} == pytest.approx(halves)
    differing = {key for key in control["identity"] if control["identity"][key] != experiment["identity"][key]}
    assert differing == {"data", "mixture"}
    assert control["init_from"] == experiment["init_from"]


def test_verdict_states_what_it_rests_on(record) -> None:
    assert record["verdict"] in ("approve", "reject", "not_enough_evidence")
    assert record["num_seeds"] == 2
    assert record["held_out"]["code"] == record["held_out"]["code"] | {
        "num_documents": 9,
        "num_left_out_as_in_candidate": 1,
    }
    assert record["error_rates"]["false_approvals"]["of"] >= 120
    assert record["error_rates"]["command"].startswith("python -m recipes.ablation_gate.error_rates")
    assert record["measures"][0]["num_pairs"] == 2


def test_a_run_that_is_there_is_not_repeated(study, record, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in study[1].rglob("model*.safetensors")}
    shutil.rmtree(study[1] / "experiment-1")
    main(study[0])
    printed = capsys.readouterr().out
    assert printed.count("== ") == 1
    assert "== experiment, seed 1" in printed
    again = {path: path.stat().st_mtime_ns for path in before if "experiment-1" not in str(path)}
    assert again == {path: before[path] for path in again}
    assert json.loads((study[1] / "ablation_verdict.json").read_text())["measures"] == record["measures"]


def test_another_study_in_the_same_folder_is_refused(study, record, capsys) -> None:
    assert main([*study[0], "--tokens", "2048"]) == 2
    assert "holds another study: keys, train_tokens differ" in capsys.readouterr().err


@pytest.mark.slow
def test_tasks_are_asked_of_every_run_and_added_to_a_study(study, record, tmp_path, forked_evaluations) -> None:
    questions = tmp_path / "questions"
    (questions / "data").mkdir(parents=True)
    rows = [
        {
            "mid": str(number),
            "kind": "execution_prediction",
            "code": f"def f():\n    return {number}",
            "call": "f()",
            "answer": str(number),
            "messages": [{"role": "user", "content": "f()?"}, {"role": "assistant", "content": str(number)}],
        }
        for number in range(2)
    ]
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(questions / "data" / f"{split}_00000_of_00001.parquet")
    tasks = ["--tasks", "held_out_execution", "--evals-options", f"--base --max-new-tokens 4 --held-out {questions}"]
    assert main([*study[0], *tasks]) in (0, 1)
    found = json.loads((study[1] / "ablation_verdict.json").read_text())
    assert found["tasks"] == "held_out_execution"
    assert [measure["name"] for measure in found["measures"]] == ["held-out loss, code", "held_out_execution"]
    assert found["measures"][1]["num_pairs"] == 2
    runs = {path.parent.name for path in (study[1] / "benchmarks").glob("*/results.json")}
    assert runs == {"control-0", "control-1", "experiment-0", "experiment-1"}
    page = (study[1] / "report.html").read_text(encoding="utf-8")
    assert "held_out_execution" in page and "></th>" not in page


@pytest.mark.slow
def test_a_task_that_cannot_be_asked_ends_the_study_in_a_line(study, record, capsys, forked_evaluations) -> None:
    assert main([*study[0], "--tasks", "no_such_task"]) == 1
    assert "`evals run` of " in capsys.readouterr().err


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(RecipeError, match="nothing is measured"):
        Request(recipe=STAGE2, candidate=(), output=Path("x"))
