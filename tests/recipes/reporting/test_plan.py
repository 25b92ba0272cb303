"""`python -m recipes plan`: the same settings as in training, without importing what trains."""

import dataclasses
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from transformers import TrainingArguments
from trl import DPOConfig, SFTConfig

from recipes.__main__ import main
from recipes.reporting.curves import text_curve
from recipes.reporting.planning import render_plan
from recipes.running.arguments import DPOArguments, PretrainArguments, SFTArguments
from recipes.running.library_fields import library_fields
from recipes.running.plan_settings import settings_for_plan
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import DevicesError, RecipeError, is_part, parse_recipe
from recipes.stages.kinds import STAGES

TINY = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "tiny"
RECIPES = [path for path in sorted(TINY.glob("*.yaml")) if not is_part(path)]
# Those of judges begin with models of the Hub, which are not at hand here: a test of their own plans them.
SHIPPED = [path for path in sorted(TINY.parent.glob("*/*.yaml")) if not is_part(path) and path.parent.name != "distill"]
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


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
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


LITE = [str(path) for path in sorted((TINY.parent / "lite").glob("*.yaml"))]


def test_the_plan_of_the_papers_size_is_table_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "plan.html"
    assert main(["plan", "--num_devices", "256", *LITE, "--mfu=0.2", "--price", "2", "--html", str(page)]) == 0
    text = capsys.readouterr().out
    stages = [line.split(" (")[0] for line in text.splitlines() if line and not line.startswith(" ") and " (" in line]
    assert stages == ["Stage 1", "Stage 2", "Annealing", "SFT", "DPO", "Together"]
    for steps in ("51,857", "101,328", "37,551"):
        assert f"{steps} of 16,777,216 tokens" in text
    assert "17.8 GFLOP/token" in text
    assert "244,792 of 1,572,864 tokens" in text and "at most a row each" in text
    assert "14,584 of 786,432 tokens" in text
    assert "4,096 rows / 256 device(s)" in text
    assert "256 devices do not divide 384 rows: planned for 192" in text
    together = text[text.index("Together") :]
    assert "3,200,019,070,976" in together
    assert "79,914 H100 hours, 13.0 days on 256, $159,828 at $2 an hour, if 20% of the peak is used" in together
    for source, epochs in (("code.raw", "1.35"), ("code.related", "2.43"), ("code.synthetic", "1.41")):
        assert any(
            line.split()[0] == source and line.endswith(epochs) for line in together.splitlines() if line.strip()
        )
    assert page.read_text(encoding="utf-8").count("<svg") == 5
    assert "51,857 of" in page.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--num-devices", "0"], "at least 1"),
        (["--mfu", "20"], "share of the peak"),
        (["--device", "abacus"], "'abacus' is not known. These are: H100"),
        (["--price", "-1"], "must not be negative"),
    ],
)
def test_an_assumption_that_cannot_be_is_refused(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(TINY / "stage1.yaml"), *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_batch_that_devices_do_not_divide_names_rows_and_devices_that_do() -> None:
    four_rows = ["--global_batch_tokens", "2048", "--per_device_train_batch_size", "2"]
    with pytest.raises(DevicesError, match=r"Make it 6 rows, take 2 device\(s\)") as problem:
        settings_for_plan(str(TINY / "stage1.yaml"), four_rows, num_devices=3)
    assert problem.value.usable == 2
    with pytest.raises(DevicesError, match="or change per_device_train_batch_size"):
        settings_for_plan(str(TINY / "stage1.yaml"), ["--per_device_train_batch_size", "64"])


def test_a_curve_is_drawn_with_its_ends_beside_it() -> None:
    lines = text_curve(lambda step: 3.0 if step < 5 else 1.0, 10)
    assert lines[0].split("|") == ["         3 ", "*****"]
    assert lines[-2].split("|") == ["         1 ", "     *****"]
    assert lines[-1].endswith("step 10")
    assert text_curve(lambda step: 2.0, 1000)[0].startswith("         2 |***")
    assert len(text_curve(lambda step: 2.0, 1)) == 2


def test_the_readmes_table_is_what_the_plan_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *LITE, "--num-devices", "256"]) == 0
    printed = capsys.readouterr().out
    readme = (TINY.parents[2] / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| [\w ]+ \| ([\d,]+) \| ([\d,]+) \| ([\d.]+ \w+) \| (\$[\d,]+) \|$", readme, re.M)
    assert len(table) == 5
    for steps, hours, time, cost in table:
        assert f"steps             {steps} of" in printed
        line = next(line for line in printed.splitlines() if f" {hours} H100 hours, " in line)
        assert f"{cost} at $2.5 an hour, if 8% of the peak is used" in line
        assert f" {time} on" in line
