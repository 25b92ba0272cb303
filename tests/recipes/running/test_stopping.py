"""A run that ends before its last step: by numbers that are not finite, by a signal, by a full disk."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from recipes import pretrain
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import METRICS_FILE, RUN_FILE, find_checkpoints, read_events, read_marker
from recipes.running.stopping import TrainingStoppedError, strict_json
from recipes.running.trainer import TIMING_KEYS
from recipes.stages.course import run_door, run_recipe
from recipes.stages.pretraining import PretrainStage

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
STEPS = {"logging_steps": 1, "save_steps": 2, "save_total_limit": 10, "train_tokens": 512 * 6}


def stage_with(at_step: int, act: Callable[[torch.nn.Module], None]) -> type[PretrainStage]:
    """A stage in which something happens in the forward of a step (from 1), on the last micro-batch."""

    class DisturbedStage(PretrainStage):
        def make_trainer(self, model: Any, tokenizer: Any, **ours: Any) -> Any:
            trainer = super().make_trainer(model, tokenizer, **ours)

            def disturb(module: torch.nn.Module, *_: Any) -> None:
                if trainer.state.global_step == at_step - 1 and trainer.accelerator.sync_gradients:
                    act(module)

            model.register_forward_pre_hook(disturb)
            return trainer

    return DisturbedStage


def poison(model: torch.nn.Module) -> None:
    """The next loss is not a number, as with a sick batch; the weights are well."""
    embedding = model.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda module, inputs, output: (handle.remove(), output * float("nan"))[1])


def figures(folder: Path) -> list[dict[str, Any]]:
    """The log lines, read as strictly as JSON is meant, without what the clock and the machine decide."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    lines = (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line, parse_constant=refuse) for line in lines]
    return [{key: value for key, value in record.items() if key not in TIMING_KEYS} for record in records]


def equal_files(first: Path, second: Path, name: str = "model.safetensors") -> bool:
    tensors, others = load_file(first / name), load_file(second / name)
    return tensors.keys() == others.keys() and all(torch.equal(tensors[key], others[key]) for key in tensors)


@pytest.fixture(scope="module")
def unbroken(command_line: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    pretrain.main(command_line("stage1", folder, **STEPS))
    return folder


def test_a_step_that_is_not_finite_stops_before_its_update(
    command_line: Callable, unbroken: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(TrainingStoppedError, match=r"step 4: loss nan.*checkpoint-2; continue from it"):
        run_recipe(stage_with(4, poison), command_line("stage1", run, **STEPS))
    assert [line["step"] for line in figures(run)] == [1, 2, 3]
    assert not (run / "model.safetensors").exists()
    assert not (run / "README.md").exists()
    record = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))
    assert record["finished"] is False
    assert record["step"] == 3
    whole = json.loads((unbroken / RUN_FILE).read_text(encoding="utf-8"))
    assert 0 < sum(record["consumed_tokens"].values()) < sum(whole["consumed_tokens"].values())
    assert [event["event"] for event in read_events(run)] == ["start", "nonfinite", "stop"]
    with pytest.raises(RecipeError, match="has not finished"):
        pretrain.main(command_line("stage2", tmp_path / "next", init_from=run, warmup_steps=0, **STEPS))


def test_a_learning_rate_out_of_all_measure_is_noticed(command_line: Callable, tmp_path: Path, capsys: Any) -> None:
    fields = {"learning_rate": 1e12, "max_grad_norm": 0, "schedule": "constant", **STEPS}
    assert run_door(PretrainStage, command_line("stage1", tmp_path / "run", **fields)) == 1
    assert "not finite" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_skipped_update_leaves_weights_and_moments_as_they_were(command_line: Callable, tmp_path: Path) -> None:
    run, stage = tmp_path / "run", stage_with(3, poison)
    options = {**STEPS, "save_steps": 1, "on_nonfinite": "skip"}
    run_recipe(stage, command_line("stage1", run, **options))
    assert equal_files(run / "checkpoint-2", run / "checkpoint-3")
    moments = [torch.load(run / f"checkpoint-{step}" / "optimizer.pt", weights_only=True) for step in (2, 3)]
    for index, state in moments[0]["state"].items():
        assert all(torch.equal(state[name], moments[1]["state"][index][name]) for name in state)
    lines = figures(run)
    assert (lines[2]["loss"], lines[2]["total_loss"]) == (None, None)
    assert lines[3]["loss"] > 0
    facts = json.loads((run / RUN_FILE).read_text())
    assert lines[5]["tokens_seen"] == facts["tokens_seen"] == sum(facts["consumed_tokens"].values())
    assert read_marker(run / "checkpoint-4")["num_nonfinite_steps"] == 1
    # In a longer line it does not weigh on the mean of the others.
    coarse = tmp_path / "coarse"
    run_recipe(stage, command_line("stage1", coarse, **options | {"logging_steps": 6, "save_steps": 6}))
    means = [line["loss"] for line in lines if line["loss"] is not None]
    assert figures(coarse)[0]["loss"] == pytest.approx(sum(means) / 5)
    assert figures(coarse)[0]["total_loss"] == pytest.approx(
        sum(line["total_loss"] for line in lines if line["loss"] is not None) / 5
    )
    # Cut and continued, the same step is left out again.
    for step in (3, 4, 5, 6):
        (run / f"checkpoint-{step}" / "checkpoint_complete.json").unlink()
    run_recipe(stage, command_line("stage1", run, resume_from="auto", **options))
    assert equal_files(run, coarse)
    assert figures(run) == lines


def test_skipping_ends_at_its_limit(command_line: Callable, tmp_path: Path) -> None:
    def poison_always(model: torch.nn.Module) -> None:  # from the next step on: a hook does not see its own forward
        model.register_forward_pre_hook(lambda *_: poison(model))

    options = {**STEPS, "on_nonfinite": "skip", "max_nonfinite_steps": 2}
    with pytest.raises(TrainingStoppedError, match=r"step 5: .*max_nonfinite_steps, 2"):
        run_recipe(stage_with(2, poison_always), command_line("stage1", tmp_path / "run", **options))


def test_rolling_back_takes_the_last_checkpoint_and_goes_on_behind_the_step(
    command_line: Callable, unbroken: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run_recipe(stage_with(4, poison), command_line("stage1", run, on_nonfinite="rollback", **STEPS))
    assert equal_files(run / "checkpoint-2", run / "checkpoint-4")
    assert not equal_files(run / "checkpoint-4", unbroken / "checkpoint-4")
    rates = [line["learning_rate"] for line in figures(run)]
    assert rates == [line["learning_rate"] for line in figures(unbroken)]
    assert figures(run)[:3] == figures(unbroken)[:3]
    moments = torch.load(run / "checkpoint-4" / "optimizer.pt", weights_only=True)
    assert {float(state["step"]) for state in moments["state"].values()} == {2.0}
    with pytest.raises(TrainingStoppedError, match="no checkpoint to roll back to"):
        run_recipe(stage_with(1, poison), command_line("stage1", tmp_path / "new", on_nonfinite="rollback", **STEPS))


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_a_whole_checkpoint_and_the_run_goes_on_as_if_unbroken(
    number: signal.Signals, exit_code: int, command_line: Callable, unbroken: Path, tmp_path: Path
) -> None:
    run, before = tmp_path / "run", signal.getsignal(number)
    stage = stage_with(3, lambda _: os.kill(os.getpid(), number))
    assert run_door(stage, command_line("stage1", run, **STEPS | {"save_steps": 100})) == exit_code
    assert signal.getsignal(number) is before
    assert read_marker(run / "checkpoint-3")["stopped_by"] == number
    assert not (run / "model.safetensors").exists()
    assert json.loads((run / RUN_FILE).read_text())["stopped"].startswith(f"stopped by {number.name}")
    pretrain.main(command_line("stage1", run, resume_from="auto", **STEPS | {"save_steps": 100}))
    assert figures(run) == figures(unbroken)
    assert equal_files(run, unbroken)


def test_a_second_interrupt_does_not_wait(command_line: Callable, tmp_path: Path) -> None:
    def interrupt_twice(_: torch.nn.Module) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_recipe(stage_with(3, interrupt_twice), command_line("stage1", tmp_path / "run", **STEPS))
    assert [folder.name for folder in find_checkpoints(tmp_path / "run")] == ["checkpoint-2"]


@pytest.fixture
def limit_of_files() -> Iterator[Callable[[int], None]]:
    """No file may grow beyond a size: what a full disk does, to files of that size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda num_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_gives_one_message_and_leaves_the_last_checkpoint(
    command_line: Callable, unbroken: Path, tmp_path: Path, limit_of_files: Callable, capsys: Any
) -> None:
    run = tmp_path / "run"
    size = (unbroken / "checkpoint-2" / "model.safetensors").stat().st_size
    for num_bytes in (size // 2, size + 10_000):  # the weights, then the moments that are larger
        stage = stage_with(3, lambda _, num_bytes=num_bytes: limit_of_files(num_bytes))
        assert run_door(stage, command_line("stage1", run, resume_from="auto", **STEPS)) == 1
        limit_of_files(resource.RLIM_INFINITY)
        message = capsys.readouterr().err.splitlines()[-1]
        assert "error: checkpoint-4 could not be written: " in message
        assert f"The last whole checkpoint is {run / 'checkpoint-2'}" in message
        assert not (run / "checkpoint-4").exists()
        assert find_checkpoints(run) == [run / "checkpoint-2"]


def test_words_that_json_lacks_become_null() -> None:
    value = {"a": [1.0, float("nan")], "b": {"c": float("-inf")}, "d": "nan", "e": None, "f": True}
    assert strict_json(value) == {"a": [1.0, None], "b": {"c": None}, "d": "nan", "e": None, "f": True}


def test_the_end_of_the_launcher_is_a_signal_to_the_run(command_line: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "accelerate.commands.launch"]
    launch += ["--config_file", str(ROOT / "recipes" / "accelerate_configs" / "cpu.yaml")]
    fields = {"logging_steps": 1, "save_steps": 10_000, "train_tokens": 512 * 3000}
    process = subprocess.Popen(
        [*launch, str(ROOT / "recipes" / "pretrain.py"), *command_line("stage1", run, **fields)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 240
    while not (run / METRICS_FILE).is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    (worker,) = psutil.Process(process.pid).children()
    process.terminate()
    process.wait()
    worker.wait(120)
    (checkpoint,) = find_checkpoints(run)
    assert read_marker(checkpoint)["stopped_by"] == signal.SIGTERM
    assert not (run / "model.safetensors").exists()
