"""Section 3.2.1: a learning rate that drops when the loss stops falling, and does so again after any interruption."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes import pretrain
from recipes.running.plateau import Drop, PlateauRule, PlateauSchedule, read_drops, write_drops
from recipes.running.run_folder import DROPS_FILE, METRICS_FILE, read_events
from recipes.running.schedules import levels_by_factor

LEVELS = (3e-4, 2.12e-4, 1.5e-4)


def observed(schedule: PlateauSchedule, losses: list[float], first_step: int = 1) -> list[Drop]:
    drops = [schedule.observe(loss, step) for step, loss in enumerate(losses, start=first_step)]
    return [drop for drop in drops if drop is not None]


def test_a_loss_that_falls_drops_nothing_and_one_that_stays_drops_level_by_level() -> None:
    falling = PlateauSchedule(LEVELS, 0, PlateauRule(window_steps=2, patience=2))
    assert observed(falling, [5 - 0.1 * step for step in range(40)]) == []
    flat = PlateauSchedule(LEVELS, 0, PlateauRule(window_steps=2, patience=2))
    drops = observed(flat, [3.0] * 40)
    # A low in step 2, then windows that end at 4 and 6, and at 8 and 10; effective from the step after the next.
    assert [(drop.step, drop.learning_rate) for drop in drops] == [(7, 2.12e-4), (11, 1.5e-4)]
    assert [flat(step) for step in (0, 6, 7, 10, 11, 1000)] == [3e-4, 3e-4, 2.12e-4, 2.12e-4, 1.5e-4, 1.5e-4]


def test_an_improvement_below_the_threshold_is_none() -> None:
    losses = [3.0 * (1 - 0.0005) ** number for number in range(20)]
    assert observed(PlateauSchedule(LEVELS, 0, PlateauRule(1, 2, 0.001)), losses) != []
    assert observed(PlateauSchedule(LEVELS, 0, PlateauRule(1, 2, 0.0001)), losses) == []


def test_warmup_and_losses_that_are_not_finite_are_passed_over() -> None:
    schedule = PlateauSchedule(LEVELS, 10, PlateauRule(1, 2))
    assert observed(schedule, [9.0] * 10) == []
    assert observed(schedule, [3.0, math.nan, 2.0, math.inf, 1.0, 1.0], first_step=11) == []
    assert observed(schedule, [1.0], first_step=17) == [Drop(18, 2.12e-4, 1.0, 1.0)]
    assert schedule(0) == pytest.approx(3e-4 / 11)
    assert [schedule(step) for step in (10, 17, 18)] == [3e-4, 3e-4, 2.12e-4]


@settings(max_examples=100, deadline=None)
@given(
    losses=st.lists(st.floats(0.5, 5.0), min_size=1, max_size=60),
    cut=st.integers(0, 60),
    window=st.integers(1, 5),
    patience=st.integers(1, 3),
)
def test_a_schedule_cut_anywhere_and_restored_goes_on_as_if_it_had_not_been(
    losses: list[float], cut: int, window: int, patience: int
) -> None:
    rule = PlateauRule(window, patience)
    unbroken, first, second = (PlateauSchedule(LEVELS, 0, rule) for _ in range(3))
    observed(unbroken, losses)
    observed(first, losses[:cut])
    second.restore(json.loads(json.dumps(first.state())))
    observed(second, losses[cut:], first_step=min(cut, len(losses)) + 1)
    assert second.state() == unbroken.state()
    assert [second(step) for step in range(70)] == [unbroken(step) for step in range(70)]


def test_levels_by_a_factor_end_at_the_floor() -> None:
    assert levels_by_factor(3e-4, 1.5e-4, 0.5) == (3e-4, 1.5e-4)
    assert levels_by_factor(1.0, 0.2, 0.5) == (1.0, 0.5, 0.25, 0.2)
    for floor, factor in ((0.0, 0.5), (1.0, 0.5), (0.1, 1.0), (0.1, 0.0)):
        with pytest.raises(ValueError, match="between 0 and"):
            levels_by_factor(1.0, floor, factor)


def test_drops_that_were_written_down_are_given_to_another_run(tmp_path: Path) -> None:
    drops = [Drop(7, 2.12e-4, 3.0, 3.0), Drop(11, 1.5e-4, 3.0, 3.0)]
    write_drops(tmp_path, drops)
    given_schedule = PlateauSchedule(LEVELS, 0, None, read_drops(tmp_path / DROPS_FILE))
    assert [given_schedule(step) for step in (6, 7, 11)] == list(LEVELS)
    assert observed(given_schedule, [3.0] * 99) == []
    (tmp_path / DROPS_FILE).write_text('{"steps": 3}\n')
    for path in (tmp_path / DROPS_FILE, tmp_path / "absent"):
        with pytest.raises(ValueError, match="cannot be read as the drops of a run"):
            read_drops(path)


@pytest.mark.slow
def test_a_run_that_drops_resumes_with_the_same_rates_and_losses_and_can_be_replayed(
    command_line: Callable, tmp_path: Path
) -> None:
    # Improvements of less than 90 % count as none, so that two windows of two steps bring a drop.
    fields = {"drop_on": "train_loss", "plateau_window_steps": 2, "plateau_patience": 1, "train_tokens": 5120}
    fields |= {"plateau_min_improvement": 0.9, "logging_steps": 1, "save_steps": 3, "save_total_limit": 9}
    flags = command_line("stage1", tmp_path / "whole", **fields)

    def run(folder: Path, *more: str) -> list[tuple[float, float]]:
        arguments = [*flags, *more]
        arguments[arguments.index("--output_dir") + 1] = str(folder)
        pretrain.main(arguments)
        records = [json.loads(line) for line in (folder / METRICS_FILE).read_text().splitlines()]
        return [(record["learning_rate"], record["loss"]) for record in records]

    whole = run(tmp_path / "whole")
    rates = [rate for rate, _ in whole]
    assert rates[:2] == [1.5e-3, 3e-3] and rates[-1] == 1.5e-3, "a step of warmup, then both levels"
    drops = (tmp_path / "whole" / DROPS_FILE).read_text()
    events = [event for event in read_events(tmp_path / "whole") if event["event"] == "learning_rate_drop"]
    assert len(events) == 1 and json.loads(drops)["step"] == events[0]["step"] == rates.index(1.5e-3, 1)

    for step in (3, 6):
        cut = tmp_path / f"cut{step}"
        cut.mkdir()
        shutil.copytree(tmp_path / "whole" / f"checkpoint-{step}", cut / f"checkpoint-{step}")
        shutil.copy(tmp_path / "whole" / METRICS_FILE, cut)
        assert run(cut, "--resume_from", "auto") == whole
        assert (cut / DROPS_FILE).read_text() == drops

    for key in ("plateau_window_steps", "plateau_patience", "plateau_min_improvement", "drop_on"):
        place = flags.index(f"--{key}")
        del flags[place : place + 2]
    flags += ["--drop_on", "recorded", "--recorded_drops", str(tmp_path / "whole" / DROPS_FILE)]
    assert run(tmp_path / "replayed") == whole
