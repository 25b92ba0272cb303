"""`--help` of the scripts: every key of ours with its words, the libraries' by name, nothing heavy imported."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from recipes.running.door_help import door_help
from recipes.running.recipe_keys import KEY_CLASSES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("kind", sorted(KEY_CLASSES))
def test_help_has_our_keys_first_and_the_libraries_by_name(kind: str) -> None:
    text = door_help(kind)
    ours, theirs = text.split("Keys of transformers and TRL")
    for field in fields(KEY_CLASSES[kind]):
        assert field.name == "recipe_path" or not field.init or f"  --{field.name} " in ours, field.name
    assert "save_steps" in theirs and "max_steps" not in theirs and "lr_scheduler_type" not in text
    assert all(field.metadata.get("help") for field in fields(KEY_CLASSES[kind]) if field.init)
    assert len(text.splitlines()) < 180
    program = "-m recipes.distill" if kind == "distill" else f"recipes/{kind}.py"
    assert text.startswith(f"usage: python {program} --config")
    assert f"cpu.yaml {program} --config" in text


def test_all_of_it_on_request_has_defaults_and_reasons() -> None:
    text = door_help("pretrain", ["--help-all"])
    assert "  --save_steps float (default: 500)" in text
    assert "  max_steps: it is derived from train_tokens" in text


@pytest.mark.parametrize("script", ["pretrain", "sft", "dpo"])
def test_a_script_prints_it_in_an_instant(script: str) -> None:
    code = (
        f"import runpy, sys\nsys.argv = ['{script}.py', '--help']\n"
        f"try:\n    runpy.run_path('recipes/{script}.py', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    print('loaded:', stop.code, *({'torch', 'transformers', 'trl'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT
    )
    assert done.stdout.startswith(f"usage: python recipes/{script}.py")
    assert done.stdout.splitlines()[-1] == "loaded: 0"


@pytest.mark.slow
def test_a_dry_run_says_nothing_but_its_plan(tmp_path: Path) -> None:
    command = [sys.executable, "recipes/pretrain.py", "--config", "recipes/configs/tiny/stage1.yaml", "--dry_run"]
    done = subprocess.run(
        [*command, "--data_root", str(tmp_path)], capture_output=True, text=True, timeout=300, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("Stage 1 (pretrain)")
    assert done.stderr == ""
