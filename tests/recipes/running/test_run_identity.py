"""What is the same run, what may change within it, and how a folder in use is kept."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from recipes import pretrain
from recipes.running.identity import CHANGEABLE_KEYS, weights_name
from recipes.running.recipe_loading import RecipeError
from recipes.running.resuming import resolve_start
from recipes.running.run_folder import (
    COMPLETE_MARKER,
    METRICS_FILE,
    RUN_FILE,
    find_checkpoints,
    read_events,
    read_marker,
)

STEPS = {"logging_steps": 1, "save_steps": 2, "save_total_limit": 10, "train_tokens": 2048}
IDENTITY = {"learning_rate": 1e-3, "weight_decay": 0.1, "data": "a", "fim_rate": 0.5}


def write_checkpoint(output_dir: Path, step: int, identity: dict | None = IDENTITY) -> Path:
    folder = output_dir / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if identity is not None:
        record = {"step": step, "run_id": "first", "identity": identity}
        (folder / COMPLETE_MARKER).write_text(json.dumps(record), encoding="utf-8")
    return folder


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def finished_run(command_line: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    pretrain.main(command_line("stage1", folder, **STEPS))
    return folder


@pytest.fixture
def cut_run(finished_run: Path, tmp_path: Path) -> Path:
    """What a run killed after its second step leaves."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copytree(finished_run / "checkpoint-2", folder / "checkpoint-2")
    shutil.copy(finished_run / METRICS_FILE, folder)
    (folder / RUN_FILE).write_text('{"finished": false}', encoding="utf-8")
    return folder


def test_auto_takes_the_last_whole_checkpoint(tmp_path: Path) -> None:
    for step, identity in ((2, IDENTITY), (10, IDENTITY), (12, None)):
        write_checkpoint(tmp_path, step, identity)
    start = resolve_start("auto", tmp_path, IDENTITY)
    assert (start.checkpoint, start.step, start.run_id) == (tmp_path / "checkpoint-10", 10, "first")
    fresh = resolve_start("auto", tmp_path / "empty", IDENTITY)
    assert fresh.checkpoint is None
    assert fresh.run_id != resolve_start(None, tmp_path / "empty", IDENTITY).run_id
    with pytest.raises(RecipeError, match="no whole checkpoint"):
        resolve_start(str(tmp_path / "checkpoint-12"), tmp_path, IDENTITY)
    write_checkpoint(tmp_path, 14)
    (tmp_path / "checkpoint-14" / COMPLETE_MARKER).write_text('{"step": 14}', encoding="utf-8")
    with pytest.raises(RecipeError, match="damaged or of another version"):
        resolve_start("auto", tmp_path, IDENTITY)


@pytest.mark.parametrize(
    ("now", "allowed", "refused"),
    [
        ({}, [], []),
        ({"learning_rate": 2e-3}, [], ["learning_rate: 0.001 in the checkpoint, 0.002 now"]),
        ({"learning_rate": 2e-3}, ["learning_rate"], []),
        ({}, ["learning_rate"], []),
        ({"learning_rate": 2e-3, "weight_decay": 0.0}, ["learning_rate"], ["weight_decay: 0.1 in the checkpoint, 0.0"]),
        ({"data": "b"}, [], ['data: "a" in the checkpoint, "b" now']),
        ({"fim_rate": 0.0, "data": "b"}, [], ["fim_rate: 0.5 in the checkpoint, 0.0 now", "data: "]),
        ({"new_key": 1}, [], ["new_key: absent in the checkpoint, 1 now"]),
    ],
)
def test_a_difference_is_refused_by_name_with_both_values(
    now: dict, allowed: list[str], refused: list[str], tmp_path: Path
) -> None:
    write_checkpoint(tmp_path, 2)
    if not refused:
        start = resolve_start("auto", tmp_path, IDENTITY | now, allow_changes=allowed)
        assert [change.key for change in start.changes] == list(now)
        return
    with pytest.raises(RecipeError) as raised:
        resolve_start("auto", tmp_path, IDENTITY | now, allow_changes=allowed)
    for text in refused:
        assert text in str(raised.value)


@pytest.mark.parametrize("key", ["data", "mixture", "sequence_length", "learning-rate", "model.hidden_size"])
def test_what_cannot_change_within_a_run_cannot_be_allowed(key: str, tmp_path: Path) -> None:
    assert key not in CHANGEABLE_KEYS
    with pytest.raises(RecipeError, match="cannot change within a run"):
        resolve_start(None, tmp_path, IDENTITY, allow_changes=[key])


def test_a_folder_in_use_is_kept(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 2)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / METRICS_FILE).write_text("{}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"holds an earlier run\. Continue it"):
        resolve_start(None, tmp_path, IDENTITY)
    with pytest.raises(RecipeError, match="fim_rate"):
        resolve_start("auto", tmp_path, IDENTITY | {"fim_rate": 0.0})
    # Named by itself, a checkpoint of another run is refused whatever may be overwritten.
    with pytest.raises(RecipeError, match="fim_rate"):
        resolve_start(str(tmp_path / "checkpoint-2"), tmp_path, IDENTITY | {"fim_rate": 0.0}, overwrite=True)
    assert resolve_start("auto", tmp_path, IDENTITY, overwrite=True).step == 2
    start = resolve_start("auto", tmp_path, IDENTITY | {"fim_rate": 0.0}, overwrite=True)
    assert (start.checkpoint, start.moved_to) == (None, tmp_path / "previous-1")
    assert (tmp_path / "previous-1" / "checkpoint-2" / COMPLETE_MARKER).is_file()
    assert (tmp_path / "previous-1" / METRICS_FILE).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "previous-1"]
    write_checkpoint(tmp_path, 4)
    assert resolve_start(None, tmp_path, IDENTITY, overwrite=True).moved_to == tmp_path / "previous-2"


def test_auto_says_that_a_finished_run_kept_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text('{"finished": true}', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"has no whole checkpoint\. Give another output_dir"):
        resolve_start("auto", tmp_path, IDENTITY)


@pytest.mark.slow
def test_a_run_of_other_settings_makes_room_when_it_may(
    finished_run: Path, command_line: Callable, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    pretrain.main(command_line("stage1", run, resume_from="auto", overwrite_output_dir="true", data_seed=3, **STEPS))
    assert (run / "previous-1" / "model.safetensors").is_file()
    assert metrics(run)[0]["loss"] != metrics(finished_run)[0]["loss"]
    pretrain.main(command_line("stage1", run, resume_from="auto", overwrite_output_dir="true", data_seed=3, **STEPS))
    assert not (run / "previous-2").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "scheduler.pt"])
def test_a_checkpoint_that_never_reached_the_disk_is_not_taken(
    name: str, finished_run: Path, command_line: Callable, tmp_path: Path
) -> None:
    """After a power cut the newest files can be empty although the marker is there."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "checkpoint-4" / name).write_bytes(b"")
    assert [folder.name for folder in find_checkpoints(run)] == ["checkpoint-2"]
    with pytest.raises(RecipeError, match="no whole checkpoint"):
        pretrain.main(command_line("stage1", run, resume_from=run / "checkpoint-4", **STEPS))
    pretrain.main(command_line("stage1", run, resume_from="auto", **STEPS))
    assert metrics(run)[-1]["loss"] == metrics(finished_run)[-1]["loss"]


def test_going_on_from_an_earlier_checkpoint_moves_the_later_ones_away(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        write_checkpoint(tmp_path, step)
    start = resolve_start(str(tmp_path / "checkpoint-2"), tmp_path, IDENTITY)
    assert start.moved_to == tmp_path / "previous-1"
    assert sorted(path.name for path in start.moved_to.iterdir()) == ["checkpoint-4", "checkpoint-6"]
    assert resolve_start("auto", tmp_path, IDENTITY).step == 2


def test_a_run_keeps_its_id_and_ends_as_finished(finished_run: Path, cut_run: Path, command_line: Callable) -> None:
    run = json.loads((finished_run / RUN_FILE).read_text(encoding="utf-8"))
    marker = read_marker(finished_run / "checkpoint-4")
    assert run["finished"] is True
    assert run["run_id"] == marker["run_id"]
    assert run["identity"] == marker["identity"]
    # Nothing of the machine, nor of where things lie.
    assert str(finished_run.parent.parent) not in json.dumps(marker["identity"])
    pretrain.main(command_line("stage1", cut_run, resume_from="auto", **STEPS))
    resumed = json.loads((cut_run / RUN_FILE).read_text(encoding="utf-8"))
    assert resumed["run_id"] == run["run_id"]
    assert [event["event"] for event in read_events(cut_run)] == ["resume"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("milestones_tokens", "1536"),
        ("weight_decay", "0.0"),
        ("adam_beta2", "0.5"),
        ("max_grad_norm", "0.1"),
        ("router_z_loss_coef", "1e-2"),
        ("schedule", "constant"),
        ("seed", "5"),
        ("data_seed", "5"),
        ("fim_rate", "0.1"),
        ("train_tokens", "4096"),
        ("bf16", "true"),
        ("optim", "adamw_torch"),
    ],
)
def test_a_changed_key_stops_a_continued_run(key: str, value: str, cut_run: Path, command_line: Callable) -> None:
    with pytest.raises(RecipeError, match=rf"\n  {key}: .* in the checkpoint, .* now"):
        pretrain.main(command_line("stage1", cut_run, resume_from="auto", **STEPS | {key: value}))


def test_an_allowed_change_acts_and_is_noted(finished_run: Path, cut_run: Path, command_line: Callable) -> None:
    changes = {"learning_rate": "2e-3", "learning_rates": "2e-3 1e-3", "weight_decay": 0.0, "adam_beta2": 0.5}
    arguments = command_line("stage1", cut_run, resume_from="auto", **STEPS)
    for name, value in changes.items():
        arguments += [f"--{name}", *str(value).split()]
    pretrain.main([*arguments, "--allow_changes", *changes])
    before, after = metrics(finished_run), metrics(cut_run)
    assert after[0]["learning_rate"] == before[0]["learning_rate"]
    assert after[2]["learning_rate"] == 1e-3
    assert after[3]["loss"] != before[3]["loss"]
    events = {event["key"]: event for event in read_events(cut_run) if event["event"] == "change"}
    assert events.keys() == changes.keys()
    assert (events["adam_beta2"]["saved"], events["adam_beta2"]["current"]) == (0.95, 0.5)
    # From here on the new values are the run's.
    assert read_marker(cut_run / "checkpoint-4")["identity"]["adam_beta2"] == 0.5
    first, second = (load_file(folder / "model.safetensors") for folder in (finished_run, cut_run))
    assert any((first[name] != second[name]).any() for name in first)


def test_the_stage_after_never_takes_a_run_that_was_cut_short(
    cut_run: Path, finished_run: Path, command_line: Callable, tmp_path: Path
) -> None:
    shutil.copy(finished_run / "config.json", cut_run)
    shutil.copy(finished_run / "model.safetensors", cut_run)
    fields = {"init_optimizer": False, "warmup_steps": 0, **STEPS}
    with pytest.raises(RecipeError, match="has not finished"):
        pretrain.main(command_line("stage2", tmp_path / "next", init_from=cut_run, **fields))
    (cut_run / "checkpoint-2" / COMPLETE_MARKER).unlink()
    with pytest.raises(RecipeError, match="no whole checkpoint"):
        pretrain.main(command_line("stage2", tmp_path / "next", init_from=cut_run / "checkpoint-2", **fields))


def test_weights_are_named_by_their_content(tmp_path: Path) -> None:
    for name, last in (("first", b"a"), ("second", b"a"), ("other", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"0" * 5_000_000 + last)
    names = [weights_name(str(tmp_path / name)) for name in ("first", "second", "other")]
    assert names[0] == names[1] != names[2]
    assert weights_name("org/model@main", "abc") == "org/model@main (abc)"
