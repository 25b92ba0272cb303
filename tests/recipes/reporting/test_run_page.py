"""The page of a run's curves: what was measured in its course is drawn, whatever of it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recipes.reporting.run_page import save_curves


def held_out(step: int, loss: float | None, **more: float) -> dict[str, Any]:
    sources = {"code": {"loss": loss, "count": 9, **more}, "prose": {"loss": 2.5, "count": 4}}
    return {"step": step, "loss": loss, "sources": sources}


def score(step: int, value: float | None) -> dict[str, Any]:
    interval = None if value is None else [value / 2, min(1.0, 2 * value)]
    return {"step": step, "tasks": {"humaneval": {"metric": "pass@1", "value": value, "interval": interval, "n": 20}}}


def page_of(tmp_path: Path, **evaluated: Any) -> str:
    return save_curves(tmp_path / "curves.html", "Stage", [], **evaluated).read_text(encoding="utf-8")


def test_held_out_losses_have_a_line_for_each_source_and_one_for_all(tmp_path: Path) -> None:
    page = page_of(tmp_path, held_out=[held_out(0, 3.0), held_out(50, None), held_out(100, 2.0)])
    assert "<h2>Held-out data</h2>" in page
    assert "Held-out loss" in page
    assert "whose chosen answer" not in page
    for name in ("code", "prose", "all"):
        assert f">{name}</text>" in page, "in the legend"


def test_pairs_have_their_figures_too(tmp_path: Path) -> None:
    records = [held_out(step, 0.7, accuracy=0.5, margin=0.1) for step in (0, 10)]
    page = page_of(tmp_path, held_out=records)
    assert "Held-out pairs whose chosen answer has the higher reward" in page
    assert "of held-out pairs" in page


def test_scores_of_tasks_are_drawn_with_their_intervals(tmp_path: Path) -> None:
    page = page_of(tmp_path, tasks=[score(10, 0.1), score(20, None), score(30, 0.3)])
    assert "<h2>Tasks</h2>" in page
    assert "with 95 % intervals" in page
    assert page.count('class="band"') == 1


def test_a_run_without_evaluation_or_with_a_single_one_has_no_empty_chart(tmp_path: Path) -> None:
    for evaluated in ({}, {"tasks": [score(10, 0.1)]}, {"held_out": [held_out(0, None)], "tasks": [score(1, None)]}):
        page = page_of(tmp_path, **evaluated)
        assert "<svg" not in page
        assert "<h2>" not in page


def test_two_log_lines_are_no_curve_and_three_are(tmp_path: Path) -> None:
    lines = [{"step": step, "loss": 3.0 - step, "load_max_over_mean": [1.0, 2.0]} for step in range(3)]
    pages = [save_curves(tmp_path / "page.html", "Stage", lines[:number]).read_text("utf-8") for number in (2, 3)]
    assert [page.count("<svg") for page in pages] == [0, 2]


def test_a_loss_of_preferences_is_no_loss_of_tokens(tmp_path: Path) -> None:
    lines = [{"step": step, "loss": 0.7} for step in range(3)]
    rewarded = [line | {"rewards/margins": 0.1} for line in lines]
    for metrics, unit, other in ((lines, "nats per token", "nats per pair"), (rewarded, "nats per pair", "per token")):
        held = [held_out(0, 0.7), held_out(2, 0.6)]
        page = save_curves(tmp_path / "page.html", "Stage", metrics, held_out=held).read_text("utf-8")
        assert page.count(unit) == 2
        assert other not in page
