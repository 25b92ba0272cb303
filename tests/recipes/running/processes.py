"""Runs of the recipes on several gloo processes of this machine."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path

from tests.forked_launch import launch

WORLDS_WORKER, SHARDED_WORKER = (Path(__file__).with_name(name) for name in ("worlds_worker.py", "sharded_worker.py"))

IMPORTED_BY_STAGES = (
    *(
        "modeling_ling.modeling_bailing_moe",
        "recipes.data.mixture",
        "recipes.running.arguments",
        "transformers.trainer",
    ),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer"),
)


def import_once() -> None:
    """Import for all processes of a launch what each would import by itself in its first stage."""
    for name in IMPORTED_BY_STAGES:
        importlib.import_module(name)


def launch_jobs(worker: Path, jobs: Sequence[object], folder: Path) -> None:
    """Run a worker script over a list of jobs, each [kind, arguments], in two processes."""
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs), encoding="utf-8")
    launch(worker, path)
