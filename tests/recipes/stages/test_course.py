"""The five stages in a chain, each beginning where the one before ended, and what a stage leaves behind."""

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from recipes import dpo, pretrain, sft
from recipes.running.recipe_loading import RecipeError
from tests import warm_python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SMALL = {"train_tokens": 2048, "logging_steps": 2, "save_steps": 4}


@pytest.fixture(scope="module")
def stages(command_line: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five stages, trained once."""
    root = tmp_path_factory.mktemp("stages")
    pretrain.main(command_line("stage1", root / "stage1", **SMALL))
    pretrain.main(command_line("stage2", root / "stage2", init_from=root / "stage1", warmup_steps=0, **SMALL))
    pretrain.main(command_line("annealing", root / "annealing", init_from=root / "stage2", warmup_steps=0, **SMALL))
    small = {"max_samples": 16, "logging_steps": 2, "save_steps": 4}
    sft.main(command_line("sft", root / "sft", init_from=root / "annealing", **small))
    dpo.main(command_line("dpo", root / "dpo", init_from=root / "sft", **small))
    return root


def test_every_stage_leaves_a_model_that_auto_classes_load_and_a_card(stages: Path) -> None:
    from transformers import AutoTokenizer

    from modeling_ling import BailingMoeForCausalLM

    for name in ("stage1", "stage2", "annealing", "sft", "dpo"):
        model = BailingMoeForCausalLM.from_pretrained(stages / name)
        tokenizer = AutoTokenizer.from_pretrained(stages / name)
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": "1 + 1?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        assert model.generate(**prompt, max_new_tokens=3, do_sample=False).shape[1] == prompt["input_ids"].shape[1] + 3
        assert (stages / name / "modeling_bailing_moe.py").is_file()
        card = (stages / name / "README.md").read_text(encoding="utf-8")
        run = json.loads((stages / name / "run.json").read_text(encoding="utf-8"))
        assert f"{run['last']['loss']:.4f}" in card
        assert f"{sum(run['consumed_tokens'].values()):,}" in card or len(run["consumed_tokens"]) > 1
        assert str(stages) not in card


def test_a_stage_moves_the_weights_of_the_one_before(stages: Path) -> None:
    from safetensors.torch import load_file

    order = ["stage1", "stage2", "annealing", "sft", "dpo"]
    for before, after in itertools.pairwise(order):
        first, second = (
            load_file(stages / before / "model.safetensors"),
            load_file(stages / after / "model.safetensors"),
        )
        distance = max((first[name] - second[name]).abs().max().item() for name in first)
        assert 0 < distance < 0.1


def test_log_lines_hold_loss_rate_and_expert_load_per_layer(stages: Path) -> None:
    lines = [
        json.loads(line) for line in (stages / "stage1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [line["step"] for line in lines] == [2, 4]
    last = lines[-1]
    consumed = json.loads((stages / "stage1" / "run.json").read_text(encoding="utf-8"))["consumed_tokens"]
    assert last["tokens_seen"] == sum(consumed.values()) < 2048, "padding is no token"
    assert last["total_loss"] == pytest.approx(
        last["loss"] + 0.015 * last["balance_loss"] + 1e-4 * last["z_loss"], abs=1e-5
    )
    assert last["model_flops_utilization"] == "n/a"
    assert last["tokens_per_second"] > 0
    assert last["grad_norm"] > 0
    assert last["peak_resident_bytes"] > 1e8
    for name in ("load_max_over_mean", "load_min_over_mean", "dead_experts", "router_entropy"):
        assert len(last[name]) == 2  # one value per layer
    assert all(
        high >= 1 >= low >= 0 for high, low in zip(last["load_max_over_mean"], last["load_min_over_mean"], strict=True)
    )
    pair = json.loads((stages / "dpo" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert {"rewards/margins", "rewards/accuracies"} <= set(pair)


def test_the_last_learning_rate_of_a_stage_is_the_recipes(stages: Path) -> None:
    for name, last in (("stage1", 1.5e-3), ("stage2", 1.179e-3), ("annealing", 1.5e-5), ("sft", 0.0), ("dpo", 0.0)):
        lines = (stages / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert json.loads(lines[-1])["learning_rate"] == pytest.approx(last, abs=1e-12)


def test_moments_of_the_stage_before_are_taken_over_and_rates_are_not(stages: Path, command_line: Callable) -> None:
    from recipes.running.checkpoints import load_optimizer_moments, load_tokenizer

    saved = torch.load(stages / "stage1" / "checkpoint-4" / "optimizer.pt", weights_only=True)
    parameter_groups = [[torch.nn.Parameter(state["exp_avg"].clone()) for state in saved["state"].values()]]
    sizes = [len(group["params"]) for group in saved["param_groups"]]
    tensors = parameter_groups[0]
    groups = [{"params": tensors[: sizes[0]]}, {"params": tensors[sizes[0] :]}]
    optimizer = torch.optim.AdamW(groups, lr=0.123)
    assert load_optimizer_moments(optimizer, stages / "stage1") == len(tensors)
    assert optimizer.param_groups[0]["lr"] == 0.123
    moments = optimizer.state_dict()["state"][0]["exp_avg"]
    torch.testing.assert_close(moments, saved["state"][0]["exp_avg"])
    with pytest.raises(RecipeError, match="groups of"):
        load_optimizer_moments(torch.optim.AdamW(tensors), stages / "stage1")
    with pytest.raises(RecipeError, match="no whole checkpoint"):
        load_optimizer_moments(optimizer, stages)
    assert load_tokenizer(str(stages / "stage1")).eos_token_id is not None


def test_dry_run_and_show_batch_write_nothing(
    command_line: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrain.main([*command_line("stage1", tmp_path / "run", **SMALL), "--dry_run"])
    assert "code.raw" in capsys.readouterr().out
    pretrain.main(
        [
            *command_line("stage1", tmp_path / "run", fim_rate=1.0, per_device_train_batch_size=4, **SMALL),
            "--show_batch",
        ]
    )
    shown = capsys.readouterr().out
    assert "<|reserved_token_0|>" in shown
    assert "fill-in-the-middle" in shown
    assert "ends with the end token" in shown
    sft.main([*command_line("sft", tmp_path / "run"), "--show_batch"])
    shown = capsys.readouterr().out
    assert "[[<role>HUMAN</role>Write add_" in shown
    assert "]]def add_" in shown
    dpo.main([*command_line("dpo", tmp_path / "run"), "--show_batch"])
    assert "-- rejected:" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_missing_inputs_are_named(command_line: Callable, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="tokenizer"):
        pretrain.main(command_line("stage1", tmp_path / "run", tokenizer=tmp_path / "none", **SMALL))
    with pytest.raises(RecipeError, match=r"code_raw\.ds.*missing"):
        pretrain.main(command_line("stage1", tmp_path / "run", tokenized=tmp_path / "none", **SMALL))
    with pytest.raises(RecipeError, match="init_optimizer"):
        pretrain.main(command_line("stage2", tmp_path / "run", init_from=tmp_path / "none", warmup_steps=0, **SMALL))
    lonely = {"init_from": tmp_path / "none", "init_optimizer": False, "warmup_steps": 0}
    with pytest.raises(RecipeError, match="no model at"):
        pretrain.main(command_line("stage2", tmp_path / "run", **lonely, **SMALL))
    with pytest.raises(RecipeError, match="dataset"):
        sft.main(command_line("sft", tmp_path / "run", dataset=tmp_path))
    with pytest.raises(RecipeError, match="too small for their share"):
        pretrain.main([*command_line("stage1", tmp_path / "run", train_tokens=200_000), "--max_epochs", "1"])


def test_the_script_runs_under_accelerate_and_stops_with_a_message(command_line: Callable, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch"]
    launch += ["--config_file", str(ROOT / "recipes" / "accelerate_configs" / "cpu.yaml")]
    script = str(ROOT / "recipes" / "pretrain.py")
    arguments = command_line("stage1", tmp_path / "run", **SMALL)
    # From another folder: the script finds the repository's packages by itself.
    done = warm_python.run(
        [*launch, script, *arguments], libraries="training", cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "model, card and metrics.jsonl are in" in done.stdout
    failed = warm_python.run(
        [sys.executable, script, *arguments, "--fim_rate", "7"],
        libraries="training",
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert failed.returncode == 2
    assert "error: " in failed.stderr
    assert "fim_rate: 7.0 is not allowed" in failed.stderr
    assert "Traceback" not in failed.stderr
