"""Every recipe in the repository loads and plans, says where each line comes from, and keeps to the paper's numbers."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from datasets_builders.building.strict_yaml import parse_yaml, read_yaml
from recipes.__main__ import main
from recipes.reporting.plan_command import plan_recipe
from recipes.running.recipe_loading import is_part, load_recipe

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
CONFIGS = RECIPES / "configs"
FILES = sorted(CONFIGS.glob("*/*.yaml"))
SHIPPED = [path for path in FILES if not is_part(path)]
SIZES = ("ablation_1b", "lite", "tiny")
ADAPT = {"adapt/full", "adapt/lora"}
DISTILL = {"distill/quality", "distill/scorer", "distill/reward", "distill/consistency"}
STAGES = ("stage1", "stage2", "annealing", "sft", "dpo")

# Every number that a recipe calls the paper's, by file and key: Table 1, 3.2.3, 3.2.4, and the corpora of section 2.
PAPER: dict[str, dict[str, Any]] = {
    "stages/stage1": {
        "train_tokens": 870e9,
        "learning_rate": 3e-4,
        "mixture.ratios.code": 0.70,
        "mixture.ratios.natural_language": 0.20,
        "mixture.ratios.math": 0.10,
        "mixture.code.raw": 0.94,
        "mixture.code.related": 0.05,
        "mixture.code.synthetic": 0.01,
    },
    "stages/stage2": {
        "train_tokens": 1.7e12,
        "learning_rate": 1.4e-4,
        "min_learning_rate": 1.1e-4,
        "mixture.ratios.code": 0.65,
        "mixture.ratios.natural_language": 0.20,
        "mixture.ratios.math": 0.15,
        "mixture.code.raw": 0.75,
        "mixture.code.related": 0.20,
        "mixture.code.synthetic": 0.05,
    },
    "stages/annealing": {
        "train_tokens": 630e9,
        "learning_rate": 1.4e-4,
        "min_learning_rate": 1.4e-6,
        "mixture.ratios.code": 0.60,
        "mixture.ratios.natural_language": 0.20,
        "mixture.ratios.math": 0.20,
        "mixture.code.raw": 0.40,
        "mixture.code.related": 0.10,
        "mixture.code.synthetic": 0.50,
    },
    "stages/sft": {
        "num_train_epochs": 5,
        "global_batch_rows": 384,
        "learning_rate": 4e-5,
        "warmup_steps": 100,
    },
    "stages/dpo": {
        "num_train_epochs": 2,
        "global_batch_pairs": 192,
        "learning_rate": 3e-7,
        "warmup_steps": 150,
    },
    "distill/consistency": {"held_out_share": 3.2 / 25.6, "validation_share": 3.2 / 25.6},
    "lite/sft": {"corpus_samples": 18.8e6},
    "lite/dpo": {"corpus_samples": 1.4e6},
    "lite/pretraining": {
        "global_batch_tokens": 2**24,
        "corpus_tokens.code.raw": 836e9 + 182e9 + 132e9,
        "corpus_tokens.code.related": 119e9,
        "corpus_tokens.code.synthetic": 163e9 + 14e9,
    },
}
SCHEDULES = {"Stage 1": "multi_step_constant", "Stage 2": "cosine", "Annealing": "inverse_sqrt_pinned"}
LINE = re.compile(r"^( *)([\w.]+):(.*?) *# (paper (?:Table \d|\d[\d.]*)|ours)")


def recipe_id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def tagged_lines(path: Path) -> list[tuple[str, Any, str]]:
    """Key with the keys above it, value, and "paper ..." or "ours" of every line."""
    found: list[tuple[str, Any, str]] = []
    above: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        match = LINE.match(line)
        assert match, f"{path}: no tag: {line}"
        indent, key, text, tag = len(match[1]), match[2], match[3], match[4]
        above = [(level, name) for level, name in above if level < indent] + [(indent, key)]
        found.append((".".join(name for _, name in above), parse_yaml(text), tag))
    return found


def test_all_five_stages_are_there_in_each_size() -> None:
    assert {recipe_id(path) for path in SHIPPED} == ADAPT | DISTILL | {
        f"{size}/{stage}" for size in SIZES for stage in STAGES
    }


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.parent.name != "distill"], ids=recipe_id)
def test_a_shipped_recipe_plans_without_data_and_without_a_gpu(path: Path, tmp_path: Path) -> None:
    text = plan_recipe(str(path), ["--data_root", str(tmp_path)])
    assert "parameters" in text
    assert "accumulation" in text
    assert "not built yet" in text


@pytest.mark.parametrize("path", FILES, ids=recipe_id)
def test_every_line_says_where_it_comes_from_and_the_papers_numbers_are_the_papers(path: Path) -> None:
    stated = {
        key: value
        for key, value, tag in tagged_lines(path)
        if tag.startswith("paper") and isinstance(value, int | float)
    }
    assert stated == pytest.approx(PAPER.get(recipe_id(path), {}))


def test_no_number_of_the_paper_stands_in_two_files() -> None:
    places = [
        (recipe_id(path).split("/")[1], key) for path in FILES for key, _, tag in tagged_lines(path) if "paper" in tag
    ]
    assert len(places) == len(set(places))
    for stage in STAGES:
        assert "override" not in read_yaml(CONFIGS / "lite" / f"{stage}.yaml"), "the paper's size changes none of them"


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.stem in STAGES[:3]], ids=recipe_id)
def test_every_size_has_table_1s_schedule_and_the_fall_of_its_learning_rate(path: Path) -> None:
    values = load_recipe(path)
    assert values["schedule"] == SCHEDULES[values["stage"]]
    ends = values.get("learning_rates") or [values["learning_rate"], values["min_learning_rate"]]
    assert ends[0] / ends[-1] == pytest.approx(
        {"stage1": 2, "stage2": 1.4 / 1.1, "annealing": 100}[path.stem], rel=1e-3
    )


@pytest.mark.parametrize("size", SIZES)
def test_each_stage_begins_where_the_one_before_ended(size: str) -> None:
    folder = CONFIGS / size
    for before, after in itertools.pairwise(STAGES):
        assert (
            load_recipe(folder / f"{after}.yaml")["init_from"] == load_recipe(folder / f"{before}.yaml")["output_dir"]
        )


@pytest.mark.parametrize("path", sorted((RECIPES / "accelerate_configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_every_launch_file(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    assert load_config_from_file(str(path)).num_processes == yaml.safe_load(path.read_text())["num_processes"]


def test_the_plan_command_prints_learning_rates_and_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = str(RECIPES / "configs" / "tiny" / "stage2.yaml")
    assert main(["plan", stage, "--data_root", str(tmp_path)]) == 0
    assert "0.0015 at the start" in capsys.readouterr().out
    assert main(["plan", stage, "--lerning_rate", "1"]) == 2
    assert "--learning_rate" in capsys.readouterr().err
    assert main(["plan", str(tmp_path / "absent.yaml")]) == 2
    assert "no recipe at" in capsys.readouterr().err
    assert main([]) == 2
