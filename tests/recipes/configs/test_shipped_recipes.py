"""Every recipe in the repository loads and plans, says where each line comes from, and keeps to the paper's table."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from recipes.__main__ import main
from recipes.reporting.plan_command import plan_recipe
from recipes.running.recipe_loading import load_recipe

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
SHIPPED = sorted(RECIPES.glob("configs/*/*.yaml"))

# Table 1 of the paper: shares of code, natural language and math; of raw, related and synthetic within code; the ends
# of the learning rate, whose ratio a small recipe keeps.
TABLE_1 = {
    "Stage 1": ((0.70, 0.20, 0.10), (0.94, 0.05, 0.01), "multi_step_constant", 3e-4, 1.5e-4),
    "Stage 2": ((0.65, 0.20, 0.15), (0.75, 0.20, 0.05), "cosine", 1.4e-4, 1.1e-4),
    "Annealing": ((0.60, 0.20, 0.20), (0.40, 0.10, 0.50), "inverse_sqrt", 1.4e-4, 1.4e-6),
}


def recipe_id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_the_five_stages_of_the_tiny_model_are_there() -> None:
    names = {path.stem for path in SHIPPED if path.parent.name == "tiny"}
    assert names == {"stage1", "stage2", "annealing", "sft", "dpo"}


@pytest.mark.parametrize("path", SHIPPED, ids=recipe_id)
def test_a_shipped_recipe_plans_without_data_and_without_a_gpu(path: Path, tmp_path: Path) -> None:
    text = plan_recipe(str(path), ["--data_root", str(tmp_path)])
    assert "parameters" in text
    assert "accumulation" in text
    assert "not built yet" in text


@pytest.mark.parametrize("path", SHIPPED, ids=recipe_id)
def test_every_line_of_a_shipped_recipe_says_where_it_comes_from(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            assert re.search(r"# (paper (Table \d|\d[\d.]*)|ours)", line), line


@pytest.mark.parametrize("path", [path for path in SHIPPED if load_recipe(path)["recipe"] == "pretrain"], ids=recipe_id)
def test_paper_tagged_numbers_are_those_of_table_1(path: Path) -> None:
    values = load_recipe(path)
    groups, within_code, schedule, first, last = TABLE_1[values["stage"]]
    mixture = values["mixture"]
    assert tuple(mixture["ratios"][name] for name in ("code", "natural_language", "math")) == groups
    assert tuple(mixture["code"][name] for name in ("raw", "related", "synthetic")) == within_code
    assert values["schedule"].startswith(schedule)
    ends = values.get("learning_rates") or [values["learning_rate"], values["min_learning_rate"]]
    assert ends[-1] / ends[0] == pytest.approx(last / first, rel=1e-3)


def test_paper_tagged_numbers_are_all_looked_at_by_the_test_above() -> None:
    checked = {
        "ratios",
        "code",
        "natural_language",
        "math",
        "raw",
        "related",
        "synthetic",
        "mixture",
        "schedule",
        "stage",
    }
    for path in SHIPPED:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "# paper" in line and not line.startswith("#"):
                key = line.split(":")[0].strip()
                assert key in checked | {"init_from"}, f"{path.name}: {line}"


def test_each_stage_begins_where_the_one_before_ended() -> None:
    folder = RECIPES / "configs" / "tiny"
    order = ["stage1", "stage2", "annealing", "sft", "dpo"]
    for before, after in itertools.pairwise(order):
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
