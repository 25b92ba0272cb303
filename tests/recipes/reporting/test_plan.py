"""`python -m recipes plan`: the same settings as in training, without importing what trains."""

import dataclasses
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from transformers import TrainingArguments
from trl import DPOConfig, SFTConfig

from recipes.__main__ import main
from recipes.reporting.planning import render_plan
from recipes.running.arguments import DPOArguments, PretrainArguments, SFTArguments
from recipes.running.library_fields import library_fields
from recipes.running.plan_settings import settings_for_plan
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import RecipeError, is_part, parse_recipe
from recipes.stages.kinds import STAGES

TINY = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "tiny"
RECIPES = [path for path in sorted(TINY.glob("*.yaml")) if not is_part(path)]
LIBRARY_CLASSES = {"pretrain": TrainingArguments, "sft": SFTConfig, "dpo": DPOConfig}
ARGUMENT_CLASSES = {"pretrain": PretrainArguments, "sft": SFTArguments, "dpo": DPOArguments}
PLAIN_TYPES = (int, float, bool, str, int | None, float | None, bool | None, str | None)
HEAVY = {"torch", "transformers", "trl", "accelerate", "peft", "datasets"}


@pytest.mark.parametrize("kind", LIBRARY_CLASSES)
def test_the_libraries_fields_are_read_as_they_are(kind: str) -> None:
    real = {field.name: field for field in dataclasses.fields(LIBRARY_CLASSES[kind]) if field.init}
    found = library_fields(kind)
    assert found.keys() == real.keys()
    hints = typing.get_type_hints(LIBRARY_CLASSES[kind])
    plain = [name for name in found if hints[name] in PLAIN_TYPES]
    assert len(plain) > 50
    for name in plain:
        assert found[name].hint == hints[name], name
        assert real[name].default in (found[name].default, dataclasses.MISSING), name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_plan_is_the_one_that_training_prints(path: Path, tmp_path: Path) -> None:
    kind, light = settings_for_plan(str(path), ["--data_root", str(tmp_path)])
    flags = ["--config", str(path), "--data_root", str(tmp_path), "--use_cpu", "true", "--bf16", "false"]
    real = parse_recipe(ARGUMENT_CLASSES[kind], flags)
    for field in dataclasses.fields(KEY_CLASSES[kind]):
        if field.name != "report_to":  # Trainer makes a list of it
            assert getattr(light, field.name) == getattr(real, field.name), field.name
    assert render_plan(STAGES[kind](light).plan()) == render_plan(STAGES[kind](real).plan())


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (["--train_tokens", "1_000_000"], "train_tokens", 1_000_000),
        (["--train-tokens=4e6"], "train_tokens", 4_000_000),
        (["--learning-rates", "3e-3", "1e-3"], "learning_rates", [3e-3, 1e-3]),
        (["--fim_sources", "math"], "fim_sources", ["math"]),
        (["--tokenizer", "{data_root}/other", "--data_root", "a b"], "tokenizer", "a b/other"),
        (["--push_to_hub_repo", "null"], "push_to_hub_repo", None),
        (["--stage", "2"], "stage", "2"),
        (["--freeze_router"], "freeze_router", True),
        (["--mixture", '{"ratios": {"code": 1.0}}'], "mixture", {"ratios": {"code": 1.0}}),
    ],
)
def test_fields_given_behind_the_recipe_win(flags: list[str], field: str, value: object) -> None:
    _, settings = settings_for_plan(str(TINY / "stage1.yaml"), flags)
    assert getattr(settings, field) == value


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lerning_rate", "1"], "--learning_rate"),
        (["--max_steps", "3"], "derived from train_tokens"),
        (["--learning_rate", "fast"], "'fast' is no value"),
        (["--save_total_limit", "1.5"], "'1.5' is no value"),
        (["--train_tokens", "100"], "one step alone takes"),
    ],
)
def test_a_wrong_field_behind_the_recipe_is_named(flags: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        settings_for_plan(str(TINY / "stage1.yaml"), flags)


def test_neither_help_nor_a_plan_imports_what_trains(tmp_path: Path) -> None:
    recipes = [str(path) for path in RECIPES]
    for arguments in (["--help"], ["plan", "--help"], ["plan", *recipes, "--data_root", str(tmp_path)]):
        script = (
            f"import sys\nfrom recipes.__main__ import main\ncode = main({arguments!r})\n"
            f"print('loaded:', code, *({HEAVY} & sys.modules.keys()))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout.splitlines()[-1] == "loaded: 0"


def test_one_wrong_recipe_does_not_keep_others_from_being_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert main(["plan", str(tmp_path / "empty.yaml"), str(TINY / "sft.yaml")]) == 2
    printed = capsys.readouterr()
    assert "SFT (sft)" in printed.out and "must say which script runs it" in printed.err
