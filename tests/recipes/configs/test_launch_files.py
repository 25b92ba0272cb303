"""The launch files: read by accelerate's own parser, and the Slurm script with stand-ins for Slurm's two commands."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

ROOT = Path(__file__).resolve().parents[3]
LAUNCH_FILES = sorted((ROOT / "recipes" / "accelerate_configs").glob("*.yaml"))


def test_there_is_one_for_every_size() -> None:
    names = {path.stem for path in LAUNCH_FILES}
    assert names == {"cpu", "one_gpu", "fsdp2_one_node", "fsdp2_many_nodes", "hsdp_many_nodes"}


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.stem)
def test_a_launch_file_has_only_keys_that_accelerate_knows(path: Path) -> None:
    config = load_config_from_file(str(path))
    flags = vars(launch_command_parser().parse_args(["script.py"]))
    assert set(config.fsdp_config) <= set(flags)
    assert set(config.parallelism_config) <= set(flags)
    assert config.num_processes >= config.num_machines
    if config.fsdp_config:
        assert config.fsdp_config["fsdp_version"] == 2
        assert config.fsdp_config["fsdp_transformer_layer_cls_to_wrap"] == "BailingMoeDecoderLayer"
        assert config.fsdp_config["fsdp_state_dict_type"] == "SHARDED_STATE_DICT"


def test_shards_and_copies_make_all_gpus() -> None:
    config = load_config_from_file(str(ROOT / "recipes" / "accelerate_configs" / "hsdp_many_nodes.yaml"))
    sizes = config.parallelism_config
    copies, shards = (sizes[f"parallelism_config_dp_{kind}_size"] for kind in ("replicate", "shard"))
    assert copies * shards == config.num_processes
    assert 64 % shards == 0  # experts are divided along their number


def test_the_slurm_script_starts_each_machine_with_its_own_rank(tmp_path: Path) -> None:
    commands = {
        "scontrol": "echo node-a; echo node-b",
        # Both machines, one after the other.
        "srun": 'shift; for id in 0 1; do SLURM_NODEID=$id "$@"; done',
        "accelerate": 'printf "%s\\n" "$*"',
    }
    for name, body in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node-[a-b]"}
    environment |= {"SLURM_NNODES": "2", "SLURM_JOB_ID": "123456"}
    script = str(ROOT / "recipes" / "accelerate_configs" / "train.slurm")
    arguments = ["recipes/pretrain.py", "recipes/configs/lite/stage1.yaml", "--stage", "two words"]
    ended = subprocess.run([script, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split("--machine_rank ")[1].split()[0] for line in lines] == ["0", "1"]
    parsed = launch_command_parser().parse_args(lines[1].split()[1:])
    assert (parsed.num_machines, parsed.num_processes, parsed.machine_rank) == (2, 16, 1)
    assert (parsed.main_process_ip, parsed.main_process_port) == ("node-a", 13456)
    assert parsed.training_script == "recipes/pretrain.py"
    assert parsed.training_script_args[-4:] == ["auto", "--stage", "two", "words"]
    assert subprocess.run([script], capture_output=True).returncode == 2


@pytest.mark.skipif(shutil.which("pkill") is None, reason="pkill, of procps, is on every machine of a cluster")
def test_the_slurm_script_tells_training_to_stop_and_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('training', flush=True)\n"
        "signal.pause()\n",
        encoding="utf-8",
    )
    commands = {
        "scontrol": "echo node-a",
        "srun": 'while [[ $1 == --* ]]; do shift; done; SLURM_NODEID=0 exec "$@"',
        "accelerate": f"exec {sys.executable} -u train.py --config x",
    }
    for name, body in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node-a"}
    environment |= {"SLURM_NNODES": "1", "SLURM_JOB_ID": "1"}
    script = str(ROOT / "recipes" / "accelerate_configs" / "train.slurm")
    job = subprocess.Popen(
        [script, "train.py", "recipe.yaml"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "training\n"
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=60) == 7
