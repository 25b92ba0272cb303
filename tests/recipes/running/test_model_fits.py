"""What a stage begins with has to fit its rows, its ids, and the precision that it was launched with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_ling.tokenizer import train_tokenizer
from recipes import dpo, pretrain, sft
from recipes.running.recipe_loading import RecipeError

LAUNCH_FILES = Path(__file__).resolve().parents[3] / "recipes" / "accelerate_configs"
STEPS = {"train_tokens": 1024, "schedule": "constant", "logging_steps": 1}


def test_rows_longer_than_the_models_positions_are_refused(command_line: Callable, tmp_path: Path) -> None:
    fields = {"global_batch_tokens": 2048, "sequence_length": 1024, "train_tokens": 8192, "schedule": "constant"}
    with pytest.raises(RecipeError, match=r"sequence_length: 1024 is not allowed: .* has 512 positions"):
        pretrain.main(command_line("stage1", tmp_path / "run", **fields))


def test_another_tokenizer_of_the_same_size_is_refused(command_line: Callable, small_world, tmp_path: Path) -> None:
    other = train_tokenizer([f"zebra {number} quagga\n" * 9 for number in range(90)], 420)
    other.save_pretrained(tmp_path / "other")
    fields = {"init_from": small_world.model, "tokenizer": tmp_path / "other", "sequence_length": 512}
    for stage, script in (("sft", sft), ("dpo", dpo)):
        with pytest.raises(RecipeError, match=r"tokenizer: .* gives other ids .* \(.*model.* differ\)"):
            script.main(command_line(stage, tmp_path / "run", **fields))


@pytest.mark.parametrize(
    ("launched", "bf16", "agrees"),
    [("no", "false", True), ("bf16", "false", False), ("no", "true", False), ("fp16", "false", False)],
)
def test_launch_file_and_recipe_agree_on_the_precision(
    launched: str, bf16: str, agrees: bool, command_line: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launched)
    arguments = [*command_line("stage1", tmp_path / "run", bf16=bf16, **STEPS), "--dry_run"]
    if agrees:
        assert pretrain.main(arguments) is None
        return
    with pytest.raises(RecipeError, match=f"bf16: .* says mixed_precision: {launched}"):
        pretrain.main(arguments)


@pytest.mark.parametrize("short", ["CP", "SP", "TP"])
def test_a_row_is_not_spread_over_devices(
    short: str, command_line: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [*command_line("stage1", tmp_path / "run", **STEPS), "--dry_run"]
    # As `accelerate launch` sets them: copies and shards of the model are no such thing.
    monkeypatch.setenv("ACCELERATE_USE_PARALLELISM_CONFIG", "true")
    monkeypatch.setenv("PARALLELISM_CONFIG_DP_SHARD_SIZE", "2")
    monkeypatch.setenv(f"PARALLELISM_CONFIG_{short}_SIZE", "1")
    assert pretrain.main(arguments) is None
    monkeypatch.setenv(f"PARALLELISM_CONFIG_{short}_SIZE", "2")
    with pytest.raises(RecipeError, match=f"parallelism_config_{short.lower()}_size: 1"):
        pretrain.main(arguments)


@pytest.mark.parametrize("short", ["CP", "TP"])
def test_the_launcher_tells_what_a_row_is_spread_over_as_it_is_looked_for(
    short: str, command_line: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    lines = (LAUNCH_FILES / "fsdp2_one_node.yaml").read_text(encoding="utf-8")
    lines += (
        f"parallelism_config:\n  parallelism_config_{short.lower()}_size: 2\n  parallelism_config_dp_shard_size: 4\n"
    )
    (tmp_path / "launch.yaml").write_text(lines, encoding="utf-8")
    given = launch_command_parser().parse_args(["--config_file", str(tmp_path / "launch.yaml"), "script.py"])
    told = prepare_multi_gpu_env(_validate_launch_command(given)[0])
    for name, value in told.items():
        if name.startswith(("PARALLELISM_CONFIG_", "ACCELERATE_USE_PARALLELISM")):
            monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match=f"parallelism_config_{short.lower()}_size: 1"):
        pretrain.main([*command_line("stage1", tmp_path / "run", **STEPS), "--dry_run"])


def test_a_value_is_shown_as_it_is_written(command_line: Callable, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="optim: 'adafactor' is not allowed"):
        pretrain.main(command_line("stage1", tmp_path / "run", optim="adafactor", **STEPS))


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_of_samples_below_one_is_refused(number: int, command_line: Callable, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"max_samples: {number} is not allowed"):
        sft.main(command_line("sft", tmp_path / "run", max_samples=number))


def test_a_tracker_that_is_not_there_is_refused(command_line: Callable, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"report_to: .* comet_ml is not installed"):
        pretrain.main(
            command_line("stage1", tmp_path / "run", report_to="comet_ml", **STEPS | {"schedule": "constant"})
        )


def test_smoothing_that_the_loss_does_not_use_is_refused(command_line: Callable, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="loss_type sigmoid does not use it"):
        dpo.main(command_line("dpo", tmp_path / "run", label_smoothing=0.1))
