"""Each key that a recipe accepts, changed, gives another plan, another loss, another file or another trainer.

A key that does nothing is worse than none: what it promises is believed. A new key needs a line here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from transformers.utils.logging import get_verbosity

from recipes import dpo, pretrain, sft
from recipes.reporting.plan_command import plan_recipe
from recipes.running.library_keys import LOSS_KEYS, RUNNING_KEYS
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.run_folder import METRICS_FILE
from recipes.running.trainer import TIMING_KEYS
from recipes.stages.course import run_recipe
from recipes.stages.pretraining import PretrainStage
from tests.recipes.conftest import RECIPES

pytestmark = pytest.mark.slow

SCRIPTS = {"pretrain": pretrain, "sft": sft, "dpo": dpo}
RECIPE_OF = {"pretrain": "stage1", "sft": "sft", "dpo": "dpo"}
Flags = dict[str, Any]

# What a run of two steps logs is another. The second mapping is written in both runs: some keys act with others alone.
LOSS: dict[str, dict[str, tuple[Flags, Flags]]] = {
    "pretrain": {
        "learning_rate": ({"learning_rate": 1e-3}, {}),
        "warmup_steps": ({"warmup_steps": 0}, {}),
        "weight_decay": ({"weight_decay": 9.0}, {}),
        "adam_beta1": ({"adam_beta1": 0.1}, {"train_tokens": 1536}),  # the first update does not depend on it
        "adam_beta2": ({"adam_beta2": 0.1}, {}),
        "adam_epsilon": ({"adam_epsilon": 1e-2}, {}),
        "max_grad_norm": ({"max_grad_norm": 1e-4}, {}),
        "bf16": ({"bf16": "true"}, {}),
        "data_seed": ({"data_seed": 7}, {}),
        "init_from": ({"init_from": "preset:tiny"}, {}),
        "seed": ({"seed": 7}, {"init_from": "preset:tiny"}),
        "fim_rate": ({"fim_rate": 0.0}, {"fim_rate": 1.0}),
        "fim_sources": ({"fim_sources": "natural_language"}, {"fim_rate": 1.0}),
        "fim_layouts": ({"fim_layouts": '{"spm":1.0}'}, {"fim_rate": 1.0, "fim_layouts": '{"psm":1.0}'}),
        "mixture_block_rows": ({"mixture_block_rows": 20}, {}),
        "router_aux_loss_coef": ({"router_aux_loss_coef": 0.5}, {}),
        "router_z_loss_coef": ({"router_z_loss_coef": 0.5}, {}),
        "router_warmup_steps": ({"router_warmup_steps": 2}, {}),
        "freeze_router": ({"freeze_router": "true"}, {}),
    },
    "sft": {
        "seed": ({"seed": 7}, {}),
        "learning_rate": ({"learning_rate": 1e-4}, {}),
        "router_aux_loss_coef": ({"router_aux_loss_coef": 0.5}, {}),
        "max_grad_norm": ({"max_grad_norm": 1e-4}, {}),
        "adam_beta2": ({"adam_beta2": 0.1}, {}),
    },
    "dpo": {
        "seed": ({"seed": 7}, {}),
        "learning_rate": ({"learning_rate": 1e-4}, {}),
        "router_aux_loss_coef": ({"router_aux_loss_coef": 0.5}, {}),
        "router_z_loss_coef": ({"router_z_loss_coef": 0.5}, {}),
        "beta": ({"beta": 0.9}, {}),
        "loss_type": ({"loss_type": "ipo"}, {}),
        "loss_weights": ({"loss_weights": "0.2 0.8"}, {"loss_type": "sigmoid ipo", "loss_weights": "0.8 0.2"}),
        "label_smoothing": ({"label_smoothing": 0.3}, {"loss_type": "robust"}),
        "use_weighting": ({"use_weighting": "true"}, {}),
        "ld_alpha": ({"ld_alpha": 0.1}, {"max_samples": 24}),  # of answers of two lengths
        "f_divergence_type": ({"f_divergence_type": "js_divergence"}, {}),
    },
}
# What `recipes plan` prints is another.
PLAN: dict[str, dict[str, tuple[Flags, Flags]]] = {
    "pretrain": {
        "stage": ({"stage": "Another"}, {}),
        "lora_rank": ({"lora_rank": 8}, {}),
        "output_dir": ({"output_dir": "elsewhere"}, {}),
        "plan_preset": ({"plan_preset": "preset:lite"}, {"init_from": "not/there/yet"}),
        "sequence_length": ({"sequence_length": 64}, {}),
        "schedule": ({"schedule": "constant"}, {}),
        "learning_rates": ({"learning_rates": "3e-3 1e-4"}, {}),
        "milestones_tokens": ({"milestones_tokens": 1536}, {}),
        "min_learning_rate": ({"min_learning_rate": 1e-3}, {"schedule": "cosine"}),
        "timescale_fraction": ({"timescale_fraction": 0.5}, {"schedule": "inverse_sqrt_pinned"}),
        "decay_fraction": ({"decay_fraction": 0.9}, {"schedule": "wsd"}),
        "decay_shape": ({"decay_shape": "cosine"}, {"schedule": "wsd", "decay_fraction": 1.0, "train_tokens": 4096}),
        "drop_on": ({"drop_on": "train_loss"}, {}),
        "plateau_window_steps": ({"plateau_window_steps": 7}, {"drop_on": "train_loss"}),
        "plateau_patience": ({"plateau_patience": 7}, {"drop_on": "train_loss"}),
        "plateau_min_improvement": ({"plateau_min_improvement": 0.5}, {"drop_on": "train_loss"}),
        "train_tokens": ({"train_tokens": 4096}, {}),
        "global_batch_tokens": ({"global_batch_tokens": 1024}, {"schedule": "constant"}),
        "per_device_train_batch_size": ({"per_device_train_batch_size": 1}, {}),
        "mixture": ({"mixture": '{"ratios":{"code":0.5,"math":0.5},"code":{"raw":1.0}}'}, {}),
        "tokenized": ({"tokenized": "elsewhere"}, {}),
        "data_root": ({"data_root": "elsewhere"}, {}),
    },
    "sft": {
        "dataset": ({"dataset": "elsewhere"}, {}),
        "max_samples": ({"max_samples": 4}, {}),
        "corpus_samples": ({"corpus_samples": 100}, {"dataset": "elsewhere"}),
        "global_batch_rows": ({"global_batch_rows": 4}, {}),
        "num_train_epochs": ({"num_train_epochs": 2}, {}),
    },
    "dpo": {
        "dataset": ({"dataset": "elsewhere"}, {}),
        "max_samples": ({"max_samples": 4}, {}),
        "corpus_samples": ({"corpus_samples": 100}, {"dataset": "elsewhere"}),
        "global_batch_pairs": ({"global_batch_pairs": 2}, {}),
        "num_train_epochs": ({"num_train_epochs": 2}, {}),
    },
}
# The run leaves other files, or other lines of metrics.jsonl.
FILES: dict[str, Flags] = {
    "save_steps": {"save_steps": 1},
    "save_strategy": {"save_strategy": "no"},
    "save_total_limit": {"save_total_limit": 3, "save_steps": 1, "train_tokens": 2048},
    "logging_steps": {"logging_steps": 2},
    "logging_first_step": {"logging_first_step": "true", "logging_steps": 2},
    "routing_alarm": {"routing_alarm": 1.01},
    "show_batch": {"show_batch": "true"},
    "dry_run": {"dry_run": "true"},
}
# What the key is for is read from the trainer that is built.
TRAINER: dict[str, tuple[Flags, Callable[[Any], Any]]] = {
    "optim": ({"optim": "adamw_torch"}, lambda t: t.create_optimizer().param_groups[0].get("fused")),
    "activation_checkpointing": (
        {"activation_checkpointing": "true", "activation_checkpointing_kwargs": '{"use_reentrant":false}'},
        lambda t: (t.args.activation_checkpointing, t.args.activation_checkpointing_kwargs),
    ),
    "torch_compile": (
        {"torch_compile": "true", "torch_compile_backend": "eager", "torch_compile_mode": "default"},
        lambda t: str(t.accelerator.state.dynamo_plugin),
    ),
    "dataloader": (
        {
            "dataloader_num_workers": 2,
            "dataloader_prefetch_factor": 3,
            "dataloader_persistent_workers": "true",
            "dataloader_pin_memory": "false",
        },
        lambda t: [
            getattr(t.get_train_dataloader(), name)
            for name in ("num_workers", "prefetch_factor", "persistent_workers", "pin_memory")
        ],
    ),
    "log_level": ({"log_level": "error"}, lambda _: get_verbosity()),
    "ddp": (
        {
            "ddp_find_unused_parameters": "true",
            "ddp_bucket_cap_mb": 7,
            "ddp_static_graph": "true",
        },
        lambda t: None if t.accelerator.ddp_handler is None else vars(t.accelerator.ddp_handler),
    ),
}
# Shown by other tests: key to a file below tests/recipes, which names it.
ELSEWHERE = {
    "recipe": "running/test_recipe_loading.py",
    "recipe_path": "running/test_door_help.py",
    "tokenizer": "running/test_model_fits.py",
    "init_optimizer": "stages/test_course.py",
    "resume_from": "running/test_run_identity.py",
    "allow_changes": "running/test_run_identity.py",
    "overwrite_output_dir": "running/test_run_identity.py",
    "on_nonfinite": "running/test_stopping.py",
    "max_nonfinite_steps": "running/test_stopping.py",
    "report_to": "running/test_model_fits.py",
    "max_epochs": "stages/test_course.py",
    "push_to_hub_repo": "../hub/test_trained_models.py",
    "push_checkpoints": "../hub/test_trained_models.py",
    "precompute_ref_log_probs": "stages/test_losses.py",
    "plateau_factor": "running/test_schedules.py",
    "recorded_drops": "running/test_plateau.py",
    "source_datasets": "reporting/test_cards.py",
    "corpus_tokens": "configs/test_shipped_recipes.py",
    "packed_dir": "data/test_chat_rows.py",
    "packing_workers": "data/test_chat_rows.py",
    "datasets": "data/test_chat_rows.py",
    "dataset_columns": "data/test_chat_rows.py",
    "dataset_roles": "data/test_chat_rows.py",
    "over_length": "data/test_chat_rows.py",
    **dict.fromkeys(("task", "text_column", "label_column", "held_out_share"), "distill/test_distill.py"),
    **dict.fromkeys(("prompt_column", "chosen_column", "rejected_column"), "distill/test_distill.py"),
    **dict.fromkeys(("prompt_file", "prompt_columns", "chain_column", "verdict_column"), "distill/test_chain.py"),
    **dict.fromkeys(("validation_share", "max_new_tokens"), "distill/test_chain.py"),
    "group_column": "distill/test_sides.py",
    **dict.fromkeys(
        ("eval_every_steps", "eval_data", "eval_split", "eval_rows", "eval_batch_rows"), "running/test_evaluation.py"
    ),
    **dict.fromkeys(
        ("eval_tasks", "eval_tasks_every_steps", "eval_tasks_limit", "eval_tasks_held_out", "eval_tasks_minutes"),
        "running/test_task_evaluation.py",
    ),
}
# The library hands these to what this test lacks: a GPU, a second process, a Hub, a tracker's account.
NEEDS_MORE_THAN_A_CPU = {
    *("tf32", "torch_empty_cache_steps", "use_cpu", "full_determinism", "ddp_backend", "ddp_timeout"),
    *("run_name", "project", "trackio_space_id", "trackio_bucket_id", "precompute_ref_batch_size"),
    *("log_level_replica", "dataset_streaming", "dataset_split"),
}


@pytest.mark.parametrize("kind", KEY_CLASSES)
def test_no_key_is_without_a_line(kind: str) -> None:
    shown = {key for table in (LOSS, PLAN) for keys in table.values() for key in keys} | FILES.keys()
    shown |= {key for flags, _ in TRAINER.values() for key in flags}
    accepted = {field.name for field in fields(KEY_CLASSES[kind])} | LOSS_KEYS[kind] | RUNNING_KEYS[kind]
    assert accepted <= shown | ELSEWHERE.keys() | NEEDS_MORE_THAN_A_CPU


def test_the_tests_that_are_named_name_the_key() -> None:
    folder = Path(__file__).parents[1]
    assert not [key for key, name in ELSEWHERE.items() if key not in (folder / name).read_text(encoding="utf-8")]


def flags_of(values: Flags) -> list[str]:
    return [part for name, value in values.items() for part in (f"--{name}", *str(value).split(" "))]


def figures(output_dir: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (output_dir / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in lines]


@pytest.fixture(scope="module")
def run(command_line: Callable, small_world, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains two steps, once for each set of flags."""
    done: dict[str, Path] = {}

    def train(kind: str, **values: Any) -> Path:
        key = json.dumps([kind, values], sort_keys=True, default=str)
        if key not in done:
            sizes: Flags = {"train_tokens": 1024} if kind == "pretrain" else {"max_samples": 8, "num_train_epochs": 1}
            if kind != "pretrain":
                sizes |= {"init_from": small_world.model, "warmup_steps": 0}
                sizes |= {"global_batch_rows": 2} if kind == "sft" else {"global_batch_pairs": 4}
            defaults = {"logging_steps": 1, "save_steps": 100, **sizes}
            folder = tmp_path_factory.mktemp("key") / "run"
            line = [*command_line(RECIPE_OF[kind], folder, schedule="constant"), *flags_of(defaults | values)]
            SCRIPTS[kind].main(line)
            done[key] = folder
        return done[key]

    return train


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in LOSS.items() for key in keys])
def test_another_loss(kind: str, key: str, run: Callable[..., Path]) -> None:
    changed, both = LOSS[kind][key]
    runs = [figures(run(kind, **(both | values))) for values in ({}, changed)]
    losses = [[(line["total_loss"], line["grad_norm"]) for line in lines] for lines in runs]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in PLAN.items() for key in keys])
def test_another_plan(kind: str, key: str, small_world) -> None:
    changed, both = PLAN[kind][key]
    sizes: Flags = {"train_tokens": 2048, "global_batch_tokens": 512, "milestones_tokens": 1024, "max_epochs": 1000}
    base = {"data_root": small_world.root, "sequence_length": 128, "per_device_train_batch_size": 2, "warmup_steps": 1}
    base |= sizes if kind == "pretrain" else {"warmup_steps": 0}
    path = str(RECIPES / f"{RECIPE_OF[kind]}.yaml")
    plans = []
    for values in ({}, changed):
        given = base | both | values
        if {"schedule", "drop_on"} & given.keys():
            given.pop("milestones_tokens", None)  # they belong to the recipe's own
        plans.append(plan_recipe(path, flags_of(given)))
    assert plans[0] != plans[1]


@pytest.mark.parametrize("key", FILES)
def test_another_file(key: str, run: Callable[..., Path]) -> None:
    changed = FILES[key]
    base = {name: value for name, value in changed.items() if name != key}
    contents = []
    for values in (base, changed):
        folder = run("pretrain", **values)
        names = sorted(str(path.relative_to(folder)).split(".out.tfevents")[0] for path in folder.rglob("*"))
        contents.append((names, figures(folder) if (folder / METRICS_FILE).exists() else None))
    assert contents[0] != contents[1]


@pytest.mark.parametrize("name", TRAINER)
def test_another_trainer(name: str, command_line: Callable, tmp_path: Path) -> None:
    changed, seen_of = TRAINER[name]
    seen = []

    class Looked(PretrainStage):
        def make_trainer(self, *args: Any, **ours: Any) -> Any:
            trainer = super().make_trainer(*args, **ours)
            seen.append(seen_of(trainer))
            raise StopIteration

    for number, values in enumerate(({}, changed)):
        line = command_line("stage1", tmp_path / str(number), train_tokens=1024, schedule="constant")
        with pytest.raises(StopIteration):
            run_recipe(Looked, [*line, *flags_of(values)])
    assert seen[0] != seen[1]
