"""Section 3.1: what a run says of its experts: layer by layer, over real tokens, in every kind of training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
import torch

from modeling_ling.losses import summarise_routing
from recipes.reporting.moe_metrics import StepTotals, routing_alarms, routing_health, summarize_load
from recipes.reporting.run_page import save_curves, thinned
from recipes.stages.course import run_recipe
from recipes.stages.fine_tuning import SFTStage, collate_rows
from recipes.stages.preference import DPOStage
from recipes.stages.pretraining import PretrainStage

EVEN = [100.0, 100.0, 100.0, 100.0]


@pytest.mark.parametrize(
    ("loads", "alarm", "expected"),
    [
        ([EVEN], 2.0, []),
        ([EVEN, [310.0, 30.0, 30.0, 30.0]], 2.0, ["layer 1: an expert has 3.1 times the mean load"]),
        ([EVEN, [310.0, 30.0, 30.0, 30.0]], 4.0, []),
        # Two layers that fail in opposite ways are even in the mean over layers.
        (
            [[200.0, 200.0, 0.0, 0.0], [0.0, 0.0, 200.0, 200.0]],
            2.5,
            ["layer 0: 2 of the experts have no load", "layer 1: 2 of the experts have no load"],
        ),
        ([[200.0, 200.0, 0.0, 0.0]], None, []),
        ([[2.0, 2.0, 0.0, 0.0]], 2.5, []),  # of so few tokens an expert may well get none
        ([[400.0, 0.0, 0.0, 0.0]], 3.0, ["layer 0: an expert has 4.0 times", "layer 0: 3 of the experts"]),
    ],
)
def test_alarms(loads: list[list[float]], alarm: float | None, expected: list[str]) -> None:
    assignments = torch.tensor(loads)
    load = summarize_load(assignments, torch.zeros(len(loads)), 400.0)
    found = routing_alarms(load, float(assignments.mean()), alarm)
    assert len(found) == len(expected)
    assert all(text.startswith(start) for text, start in zip(found, expected, strict=True))


def test_a_line_without_an_update_has_no_figures_and_no_alarm() -> None:
    load = summarize_load(torch.tensor([EVEN]), torch.zeros(1), 400.0)
    health = routing_health(StepTotals({}, torch.zeros(2, 1), load, 100.0, 400), 0, 4.0)
    assert health.pop("routing_alarms") == []
    assert set(health.values()) == {None}
    assert {"layer_balance_loss", "layer_z_loss", "dead_experts"} <= health.keys()


def test_losses_of_the_layers_average_to_those_of_the_model() -> None:
    torch.manual_seed(0)
    summary = summarise_routing([torch.randn(40, 8) * scale for scale in (0.5, 4.0, 9.0)], 2)
    balance, z_loss = summary.layer_losses
    assert balance.mean().item() == pytest.approx(summary.balance_loss.item())
    assert z_loss.mean().item() == pytest.approx(summary.z_loss.item())
    assert z_loss[2] > z_loss[0]


def test_padding_is_no_token_to_the_routers(small_world) -> None:
    from recipes.running.checkpoints import load_model, load_tokenizer

    tokenizer = load_tokenizer(str(small_world.root / "tokenizer"))
    model = load_model(str(small_world.model), tokenizer, torch.float32, 0).train()
    rows = [{"input_ids": list(range(length)), "labels": list(range(length))} for length in (30, 7)]
    batch = collate_rows([row | {"position_ids": list(range(len(row["labels"])))} for row in rows], 0)
    together = model(**batch, use_cache=False, output_router_logits=True)
    assert together.expert_assignments.sum(1).tolist() == [37 * 2] * 2
    alone = collate_rows([rows[1] | {"position_ids": list(range(7))}], 0)
    padded = {name: torch.nn.functional.pad(values, (0, 23)) for name, values in alone.items()}
    padded["labels"][:, 7:] = -100
    padded["position_ids"][:, 7:] = torch.arange(23)
    for name in ("aux_loss", "z_loss", "loss"):
        losses = [
            getattr(model(**given, use_cache=False, output_router_logits=True), name) for given in (alone, padded)
        ]
        assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-5)


@pytest.fixture(scope="module")
def runs(small_world, command_line: Callable, tmp_path_factory) -> dict[str, Path]:
    """A run of each kind; of pre-training one whose alarm is set off by anything."""
    root = tmp_path_factory.mktemp("runs")
    fields = {"train_tokens": 2048, "logging_steps": 1, "routing_alarm": 1.01}
    run_recipe(PretrainStage, command_line("stage1", root / "pretrain", **fields))
    start = {"init_from": small_world.model, "num_train_epochs": 1, "logging_steps": 1, "max_samples": 16}
    run_recipe(SFTStage, command_line("sft", root / "sft", **start))
    run_recipe(DPOStage, command_line("dpo", root / "dpo", **start))
    return {kind: root / kind for kind in ("pretrain", "sft", "dpo")}


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pretrain", "sft", "dpo"])
def test_every_kind_says_how_each_layer_does(runs: dict[str, Path], kind: str) -> None:
    for line in lines_of(runs[kind]):
        for name in ("load_max_over_mean", "load_min_over_mean", "dead_experts", "router_entropy"):
            assert len(line[name]) == 2
        assert mean(line["layer_balance_loss"]) == pytest.approx(line["balance_loss"], abs=1e-5)
        assert mean(line["layer_z_loss"]) == pytest.approx(line["z_loss"], abs=1e-5)


@pytest.mark.parametrize("kind", ["pretrain", "sft", "dpo"])
def test_tokens_seen_are_those_that_were_consumed(runs: dict[str, Path], kind: str) -> None:
    run = json.loads((runs[kind] / "run.json").read_text())
    assert run["tokens_seen"] == sum(run["consumed_tokens"].values())


def test_an_alarm_is_a_mark_in_metrics_and_no_more_where_nothing_is_wrong(runs: dict[str, Path]) -> None:
    assert all(line["routing_alarms"] for line in lines_of(runs["pretrain"]))
    assert not any(line["routing_alarms"] for line in lines_of(runs["sft"]))


def test_an_alarm_is_said_once(small_world, command_line: Callable, tmp_path: Path, capsys) -> None:
    from recipes.running.trainer import LingTrainerMixin

    class Told(LingTrainerMixin):
        def __init__(self) -> None:
            self._alarms: list[str] = []
            self.state = type("State", (), {"global_step": 8})

        def is_world_process_zero(self) -> bool:
            return True

    told = Told()
    for alarms in ([], ["layer 1: x"], ["layer 1: x"], []):
        told._tell_alarms(alarms)
    assert capsys.readouterr().out.splitlines() == [
        "routing alarm at step 8: layer 1: x",
        "routing alarm at step 8: over",
    ]


def test_the_page_has_curves_and_the_load_over_time(runs: dict[str, Path], tmp_path: Path) -> None:
    for kind, rewards in (("pretrain", False), ("dpo", True)):
        page = (runs[kind] / "curves.html").read_text(encoding="utf-8")
        for caption in ("Load of the busiest expert of each layer", "z-loss of each layer", "Learning rate"):
            assert caption in page
        assert ("Reward of the chosen" in page) == rewards
        assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
            "http://creativecommons.org", ""
        )
    assert "Routing alarms at 4 of 4 log lines" in (runs["pretrain"] / "curves.html").read_text(encoding="utf-8")
    torn = [{"step": 1, "loss": None, "load_max_over_mean": None}, {"step": 2, "loss": 1.0}]
    assert save_curves(tmp_path / "page.html", "torn", torn).is_file()
    assert [line["step"] for line in thinned([{"step": step} for step in range(5)], 3)] == [0, 2, 4]
