"""The planned memory against memory that a process really takes, and the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_ling import BailingMoeConfig
from recipes.__main__ import main
from recipes.reporting.memory import MemoryPlan, SimulationError, describe_memory, simulate

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "recipes" / "configs" / "tiny"

# Trains two steps of a model of 35M parameters sharded over two devices, of which this process is one, and says what
# was counted and how far the process's own memory rose.
MEASURE = """
import json, sys
from pathlib import Path
from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
from recipes.reporting.memory import simulate_step
import recipes.running.sharding
config = BailingMoeConfig(
    vocab_size=8192, hidden_size=512, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=2, head_dim=64,
    moe_intermediate_size=256, num_experts=16, num_experts_per_tok=4, num_shared_experts=2, norm_head=True,
)
def memory(name):  # not getrusage's peak, which a process takes over from the one that started it
    return 1024 * int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])
before = memory("VmRSS")
plan = simulate_step(config, num_devices=2, rows=2, sequence_length=1024, bf16=True, fake=sys.argv[1] == "fake")
risen = memory("VmHWM") - before
print(json.dumps({"peak": plan.peak_bytes, "risen": risen, "state": [plan.state_bytes, plan.state_bytes_by_formula]}))
"""

# AdamW over sharded layers of 33.6 MB, one of eight devices: 8.4 MB of moments are this device's.
FOREACH = """
import contextlib, sys
import torch
import torch.distributed as dist
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore
dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=8)
mesh = init_device_mesh("cpu", (8,))
with FakeTensorMode(allow_non_fake_inputs=True) if sys.argv[1] == "fake" else contextlib.nullcontext():
    model = torch.nn.Sequential(*[torch.nn.Linear(1024, 1024, bias=False) for _ in range(8)])
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
    tracker = FSDPMemTracker(model, optimizer)
    with tracker:
        for _ in range(2):
            model(torch.zeros(4, 1024)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
kinds = next(iter(tracker.get_tracker_snapshot("peak").values()))
print(next(size for kind, size in kinds.items() if str(kind).endswith("OPT")))
"""


# Runs each program twice, under fake tensors and with real ones, each time as a process of its own, forked when what
# all of them import has been imported once.
RUN_PROGRAMS = """
import gc, os, sys
import torch.distributed._tools.fsdp2_mem_tracker, torch._subclasses.fake_tensor
import torch.testing._internal.distributed.fake_pg
import modeling_ling.modeling_bailing_moe, recipes.reporting.memory, recipes.running.sharding
gc.freeze()
for program in sys.argv[1:]:
    for mode in ("fake", "real"):
        child = os.fork()
        if child == 0:
            sys.argv[1] = mode
            exec(program, {"__name__": "__main__"})
            sys.exit()
        if os.waitpid(child, 0)[1]:
            sys.exit(1)
"""


@pytest.fixture(scope="module")
def measured() -> list[str]:
    """What the programs print last: the first one's under fake tensors and with real ones, the second one's."""
    # Memory that is freed goes back at once, so that the process's peak is the tensors' peak.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment |= {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", RUN_PROGRAMS, MEASURE, FOREACH]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert len(lines) == 4, lines
    return lines


@pytest.mark.slow
def test_the_plan_is_within_a_tenth_of_what_a_process_takes(measured: list[str]):
    planned, taken = map(json.loads, measured[:2])
    assert planned["risen"] < planned["peak"] / 4
    assert planned["peak"] == pytest.approx(taken["risen"], rel=0.1)
    assert planned["state"][0] == pytest.approx(planned["state"][1], rel=0.01)


@pytest.mark.slow
def test_a_foreach_step_is_counted_wrongly_under_fake_tensors_alone(measured: list[str]):
    fake, real = map(int, measured[2:])
    assert real == pytest.approx(8.4e6, rel=0.01)
    assert fake > 10 * real  # once torch counts it rightly, the plan can have the optimizer that training has


@pytest.mark.slow
def test_the_command_says_what_fits(capsys):
    arguments = [str(TINY / "stage1.yaml"), "--num-devices", "4", "--gpu-gb", "0.3"]
    assert main(["memory", *arguments]) == 0
    fits = capsys.readouterr().out
    assert "4 GPU(s), 2 row(s) of 512 tokens at once each, recomputation off" in fits
    assert "fits a GPU of" in fits
    assert main(["memory", *arguments[:-1], "0.01", "--per_device_train_batch_size", "1"]) == 0
    small = capsys.readouterr().out
    assert "1 row(s) of 512 tokens" in small
    assert "does not fit a GPU of" in small
    assert "HSDP" not in fits + small


def test_a_step_that_fails_is_said_in_a_line_and_the_next_one_is_planned():
    sizes = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "head_dim": 16, "moe_intermediate_size": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_experts": 4, "num_experts_per_tok": 2}
    config = BailingMoeConfig(**sizes, **heads)
    with pytest.raises(SimulationError, match=r"^RuntimeError: .*negative dimension.*$"):
        simulate(config, num_devices=2, rows=-1, sequence_length=8, bf16=True)
    assert simulate(config, num_devices=2, rows=1, sequence_length=8, bf16=True).peak_bytes > 0


def test_more_devices_than_experts_are_told_to_replicate():
    plan = MemoryPlan(peak_bytes=10, bytes_at_peak={"OPT": 10}, state_bytes=4, state_bytes_by_formula=1)
    assert "HSDP" in describe_memory(plan)


def test_a_mistake_is_one_sentence(tmp_path, capsys):
    assert main(["memory", str(tmp_path / "none.yaml")]) == 2
    assert "There is no recipe at" in capsys.readouterr().err
    assert main(["memory", str(TINY / "stage1.yaml"), "--num-devices", "0"]) == 2
    assert main(["memory", str(TINY / "stage1.yaml"), "--learning_rat", "1"]) == 2
    assert "learning_rat" in capsys.readouterr().err
