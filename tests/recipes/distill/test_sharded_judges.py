"""Judges trained in shards (FSDP2) over two processes are measured as those of one process are, and end."""

import json
from pathlib import Path
from typing import Any

import pytest

from recipes.running.run_folder import RUN_FILE
from recipes.stages.course import run_recipe
from recipes.stages.kinds import STAGES
from tests.recipes.conftest import SmallWorld
from tests.recipes.running.processes import SHARDED_WORKER, launch_jobs

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "distill"
SIZES = {
    "sequence_length": 96,
    "global_batch_rows": 8,
    "per_device_train_batch_size": 4,
    "num_train_epochs": 1,
    "warmup_steps": 1,
    "held_out_share": 0.25,
    "use_cpu": "true",
}


def rows(recipe: str) -> list[dict[str, Any]]:
    """Eleven and more rows to measure with: no two processes have equally many."""
    numbers = range(45)
    if recipe == "scorer":
        return [{"text": f"print(add_{n}({n}, 2))\n" * (1 + n % 3), "score": float(n % 3)} for n in numbers]
    return [{"code": f"add_{n}", "comment": "adds", "chain": f"It adds {n}.", "verdict": bool(n % 2)} for n in numbers]


def command(recipe: str, small_world: SmallWorld, folder: Path, to: str) -> list[str]:
    data, prompt = folder / f"{recipe}.jsonl", folder / "prompt.txt"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows(recipe)), encoding="utf-8")
    prompt.write_text("$code: $comment?\n", encoding="utf-8")
    given = SIZES | {"dataset": data, "init_from": small_world.model, "output_dir": folder / to / recipe}
    if recipe == "consistency":
        given |= {"prompt_file": prompt, "max_new_tokens": 16}
    flags = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    return ["--config", str(CONFIGS / f"{recipe}.yaml"), *flags]


def test_the_figures_of_a_sharded_judge_are_those_of_one_process(small_world: SmallWorld, tmp_path: Path) -> None:
    recipes = ("scorer", "consistency")
    jobs = [("distill", command(recipe, small_world, tmp_path, "two")) for recipe in recipes]
    launch_jobs(SHARDED_WORKER, jobs, tmp_path)
    for recipe in recipes:
        run_recipe(STAGES["distill"], command(recipe, small_world, tmp_path, "one"))
        figures = [json.loads((tmp_path / to / recipe / RUN_FILE).read_text())["data"] for to in ("one", "two")]
        assert any(name.startswith("held-out") for name in figures[0]), figures[0]
        assert figures[1] == figures[0]
