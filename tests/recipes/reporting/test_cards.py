"""What a run says of itself: the model card, the verification card, and the commands over them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.__main__ import main
from recipes.reporting.provenance import code_commit, command_text, hub_id, lineage
from recipes.reporting.run_card import render_card
from recipes.stages.course import run_recipe
from recipes.stages.fine_tuning import SFTStage
from recipes.stages.pretraining import PretrainStage


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inclusionAI/Ling-Coder-SFT", "inclusionAI/Ling-Coder-SFT"),
        ("inclusionAI/Ling-Coder-SFT@1f2e3d", "inclusionAI/Ling-Coder-SFT"),
        ("inclusionAI/Ling-Coder-SFT@refs/pr/1", "inclusionAI/Ling-Coder-SFT"),
        ("preset:tiny", None),
        ("outputs/quickstart/stage1", None),
        ("/data/models/ling", None),
        ("./ling", None),
        ("../models/ling", None),
        ("data.jsonl", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_repository_of_the_hub_is_named_on_a_card(name: str | None, expected: str | None) -> None:
    assert hub_id(name) == expected


def test_a_folder_that_looks_like_a_repository_is_a_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs" / "stage1").mkdir(parents=True)
    assert hub_id("outputs/stage1") is None


@pytest.mark.parametrize(
    ("before", "base", "datasets"),
    [
        ({}, None, ["acme/own"]),
        ({"repository": "acme/stage1", "base_model": "acme/older"}, "acme/stage1", ["acme/own"]),
        (
            {"repository": None, "base_model": "acme/older", "datasets": ["acme/first"]},
            "acme/older",
            ["acme/first", "acme/own"],
        ),
        ({"datasets": ["acme/own"]}, None, ["acme/own"]),
    ],
)
def test_a_stage_takes_over_what_the_stage_before_came_from(
    tmp_path: Path, before: dict[str, Any], base: str | None, datasets: list[str]
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(before))
    found = lineage(str(tmp_path), ["acme/own@main", str(tmp_path), "rows.jsonl"], "acme/new")
    assert found == {"repository": "acme/new", "base_model": base, "datasets": datasets}


def test_the_commit_is_that_of_this_code_and_of_no_repository_around_it(tmp_path: Path) -> None:
    commit = code_commit()["commit"]
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}", commit)
    # An environment inside of somebody's project: its packages are not that project's code.
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    package = tmp_path / "venv" / "recipes"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert code_commit(package) == {"commit": None, "has_local_changes": None}


def test_a_command_names_no_folder_of_the_machine() -> None:
    given = ["--config", str(Path.cwd() / "a b.yaml"), "--data_root", str(Path.home() / "x"), "--seed", "1"]
    text = command_text("sft", given)
    assert text == "python recipes/sft.py --config './a b.yaml' --data_root ~/x --seed 1"


@pytest.fixture(scope="module")
def runs(small_world, command_line: Callable, tmp_path_factory) -> dict[str, Path]:
    """A stage 1, the same again with another seed, and a fine-tuning that goes on with the first."""
    root = tmp_path_factory.mktemp("cards")
    run_recipe(PretrainStage, command_line("stage1", root / "first", train_tokens=1536, source_datasets="acme/code"))
    run_recipe(PretrainStage, command_line("stage1", root / "again", train_tokens=1536))
    run_recipe(PretrainStage, command_line("stage1", root / "other", train_tokens=1536, data_seed=7))
    fields = {"init_from": root / "first", "max_samples": 8, "num_train_epochs": 1}
    run_recipe(SFTStage, command_line("sft", root / "sft", **fields))
    return {name: root / name for name in ("first", "again", "other", "sft")}


def front_matter(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_the_head_of_a_card_is_what_the_hub_takes(runs: dict[str, Path]) -> None:
    from huggingface_hub import ModelCardData

    for name in ("first", "sft"):
        head = front_matter(runs[name])
        ModelCardData(**head)
        assert "base_model" not in head  # it began with a folder: a path is refused by the Hub
        assert head["datasets"] == ["acme/code"], "and what goes on with it has them too"
    assert "datasets" not in front_matter(runs["again"])


@pytest.mark.parametrize("name", ["first", "sft"])
def test_the_usage_block_runs(runs: dict[str, Path], name: str, monkeypatch, capsys) -> None:
    monkeypatch.chdir(runs[name])
    block = re.search(r"```python\n(.*?)```", (runs[name] / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    exec(compile(block[1].replace("max_new_tokens=128", "max_new_tokens=4"), "usage", "exec"), {})
    assert capsys.readouterr().out


def test_files_that_a_card_names_are_there(runs: dict[str, Path]) -> None:
    card = (runs["sft"] / "README.md").read_text(encoding="utf-8")
    for file in ("metrics.jsonl", "curves.html", "verification.json"):
        assert f"`{file}`" in card
        assert (runs["sft"] / file).stat().st_size > 100


def test_a_card_gets_its_name_and_scores_afterwards(runs: dict[str, Path], tmp_path: Path, capsys) -> None:
    task = {"value": 0.125, "n": 164, "metric": "pass@1", "interval": [0.08, 0.19]}
    sampling = {"temperature": 0, "num_samples": 1, "system_prompt": None, "prefill": None}
    results = {"model": "m", "preset": "standard", "base": False, "sampling": sampling, "tasks": {"humaneval": task}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    command = ["card", str(runs["sft"]), "--repository", "acme/ling-sft", "--results", str(tmp_path)]
    assert main(command) == 0
    card = (runs["sft"] / "README.md").read_text(encoding="utf-8")
    assert 'from_pretrained("acme/ling-sft", trust_remote_code=True)' in card
    assert "| humaneval | 12.5 | 164 |" in card
    assert main(["card", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_a_rerun_is_verified_and_another_run_is_not(runs: dict[str, Path], capsys) -> None:
    assert main(["verify", str(runs["first"]), str(runs["again"])]) == 0
    assert "figures within their tolerances" in capsys.readouterr().out
    assert main(["verify", str(runs["first"] / "verification.json"), str(runs["other"])]) == 1
    assert "data_fingerprint" in capsys.readouterr().out
    assert main(["verify", str(runs["first"] / "config.json"), str(runs["other"])]) == 2


def test_figures_out_of_tolerance_are_named(runs: dict[str, Path], tmp_path: Path, capsys) -> None:
    card = json.loads((runs["first"] / "verification.json").read_text())
    card["metrics"]["loss"]["value"] += 0.2
    card["metrics"]["step"]["value"] += 1
    (tmp_path / "verification.json").write_text(json.dumps(card))
    assert main(["verify", str(tmp_path), str(runs["again"])]) == 1
    printed = capsys.readouterr().out
    assert "loss: " in printed
    assert "step: " in printed
    assert "z_loss" not in printed


def test_a_verification_card_says_how_the_run_was_made(runs: dict[str, Path]) -> None:
    card = json.loads((runs["sft"] / "verification.json").read_text())
    assert card["command"].startswith("python recipes/sft.py --config ")
    assert card["hardware"]["device"]
    assert card["resumed"] == []
    assert card["versions"]["torch"]
    assert {"value", "tolerance"} == card["metrics"]["loss"].keys()


def test_a_card_of_hub_datasets_and_a_hub_model_names_both(runs: dict[str, Path]) -> None:
    run = json.loads((runs["sft"] / "run.json").read_text())
    card = render_card(run | {"base_model": "acme/base", "datasets": ["acme/rows"], "repository": None})
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["base_model"], head["datasets"]) == ("acme/base", ["acme/rows"])
