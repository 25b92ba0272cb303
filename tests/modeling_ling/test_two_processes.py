"""Sharded over two processes (gloo, on a CPU), the model computes what it computes in one.

The balance loss is a statistic of each process's own tokens, so it is left out where the processes split a batch.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from modeling_ling import BailingMoeForCausalLM
from tests.modeling_ling.conftest import needs_transformers_5_23

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("two_process_worker.py")
SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_two_processes(mode: str, model_folder: Path, result: Path) -> dict:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    address = ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    log = result.with_suffix(".log")
    with log.open("w") as output:  # a file: a pipe would stay open as long as any grandchild lives
        process = subprocess.Popen(
            [*launcher, *address, str(WORKER), mode, str(model_folder), str(result)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )
        try:
            process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            for child in [*psutil.Process(process.pid).children(recursive=True), process]:
                child.kill()
            pytest.fail(f"{mode}: no result after {SECONDS} seconds\n{log.read_text()[-4000:]}")
    assert process.returncode == 0, f"{mode}: exit code {process.returncode}\n{log.read_text()[-6000:]}"
    return json.loads(result.read_text())


@pytest.fixture
def run(build_model, tmp_path):
    def start(mode: str, **overrides) -> dict:
        build_model(**overrides).save_pretrained(tmp_path / "model")
        return run_two_processes(mode, tmp_path / "model", tmp_path / "result.json")

    return start


def check_equal_to_one_process(report: dict) -> None:
    mean_loss = sum(report["losses"]) / 2
    assert mean_loss == pytest.approx(report["expected_loss"], abs=1e-5)
    assert report["logit_error"] < 1e-5
    worst = max(report["gradient_errors"], key=report["gradient_errors"].get)
    assert report["gradient_errors"][worst] < 1e-4, f"gradient of {worst}"
    assert report["head_scale_error"] < 1e-6
    assert report["generated_equal"]


def check_every_expert_worked(report: dict) -> None:
    # An expert without tokens would hide a wrong exchange.
    assert min(report["fewest_tokens_of_an_expert"]) > 0
    assert min(report["tokens_of_each_half_of_the_experts"]) > 0


@needs_transformers_5_23
def test_tensor_parallel_equals_one_process(run):
    report = run("tensor", first_k_dense_replace=1, num_shared_experts=2)
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_columns"] == [[12, 12]] * 2, "each process has half of the width of every expert"
    assert sorted(report["local_head_rows"]) == [254, 255]


@needs_transformers_5_23
def test_expert_parallel_equals_one_process(run):
    report = run("expert")
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_matrices"] == [[8, 8, 8]] * 2, "each process has half of the experts of every layer"


@needs_transformers_5_23
def test_expert_parallel_over_different_batches_equals_one_process(run):
    report = run("fsdp_expert", router_aux_loss_coef=0.0)
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_matrices"] == [[8, 8, 8]] * 2


def test_fsdp2_of_transformers_equals_one_process(run):
    report = run("fsdp", router_aux_loss_coef=0.0)
    check_equal_to_one_process(report)
    assert sorted(report["local_head_rows"]) == [254, 255]


def test_fsdp2_by_decoder_layer_trains_and_saves_as_one_process_does(run, tmp_path):
    report = run("fully_shard", router_aux_loss_coef=0.0)
    assert report["wrapped_layer"] == "FSDPBailingMoeDecoderLayer"
    assert report["local_rows"] == [48, 48]
    assert report["losses"] == pytest.approx(report["expected_losses"], abs=1e-5)
    assert report["losses"][1] < report["losses"][0]
    saved = load_file(tmp_path / "result" / "model.safetensors")
    single = load_file(tmp_path / "result.single" / "model.safetensors")
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: tensor.shape for name, tensor in single.items()
    }, "the released names and shapes"
    for name, tensor in saved.items():
        torch.testing.assert_close(tensor, single[name], atol=1e-5, rtol=1e-4, msg=name)
    loaded = BailingMoeForCausalLM.from_pretrained(tmp_path / "result")
    assert torch.equal(loaded.lm_head.weight, saved["lm_head.weight"])
