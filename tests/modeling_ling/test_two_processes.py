"""Sharded over two processes (gloo, on a CPU), the model computes what it computes in one.

The balance loss is a statistic of each process's own tokens, so it is left out where the processes split a batch.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeling_ling import BailingMoeForCausalLM
from tests.forked_launch import launch
from tests.modeling_ling.conftest import make_model, needs_transformers_5_23

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("two_process_worker.py")
MODELS: dict[str, dict[str, object]] = {
    "fsdp": {"router_aux_loss_coef": 0.0},
    "fully_shard": {"router_aux_loss_coef": 0.0},
}
NEWER_MODELS: dict[str, dict[str, object]] = {
    "tensor": {"first_k_dense_replace": 1, "num_shared_experts": 2},
    "expert": {},
    "fsdp_expert": {"router_aux_loss_coef": 0.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each way to share a model, with its model and the result of two processes that shared it."""
    root = tmp_path_factory.mktemp("two_processes")
    models = MODELS if needs_transformers_5_23.args[0] else MODELS | NEWER_MODELS
    for mode, overrides in models.items():
        make_model(**overrides).save_pretrained(root / mode / "model")
    launch(WORKER, root, *models)
    return root


def report_of(folder: Path, mode: str) -> dict:
    return json.loads((folder / mode / "result.json").read_text(encoding="utf-8"))


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
def test_tensor_parallel_equals_one_process(folder):
    report = report_of(folder, "tensor")
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_columns"] == [[12, 12]] * 2, "each process has half of the width of every expert"
    assert sorted(report["local_head_rows"]) == [254, 255]


@needs_transformers_5_23
def test_expert_parallel_equals_one_process(folder):
    report = report_of(folder, "expert")
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_matrices"] == [[8, 8, 8]] * 2, "each process has half of the experts of every layer"


@needs_transformers_5_23
def test_expert_parallel_over_different_batches_equals_one_process(folder):
    report = report_of(folder, "fsdp_expert")
    check_equal_to_one_process(report)
    check_every_expert_worked(report)
    assert report["local_expert_matrices"] == [[8, 8, 8]] * 2


def test_fsdp2_of_transformers_equals_one_process(folder):
    report = report_of(folder, "fsdp")
    check_equal_to_one_process(report)
    assert sorted(report["local_head_rows"]) == [254, 255]


def test_fsdp2_by_decoder_layer_trains_and_saves_as_one_process_does(folder):
    report = report_of(folder, "fully_shard")
    assert report["wrapped_layer"] == "FSDPBailingMoeDecoderLayer"
    assert report["local_rows"] == [48, 48]
    assert report["losses"] == pytest.approx(report["expected_losses"], abs=1e-5)
    assert report["losses"][1] < report["losses"][0]
    saved = load_file(folder / "fully_shard" / "result" / "model.safetensors")
    single = load_file(folder / "fully_shard" / "result.single" / "model.safetensors")
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: tensor.shape for name, tensor in single.items()
    }, "the released names and shapes"
    for name, tensor in saved.items():
        torch.testing.assert_close(tensor, single[name], atol=1e-5, rtol=1e-4, msg=name)
    loaded = BailingMoeForCausalLM.from_pretrained(folder / "fully_shard" / "result")
    assert torch.equal(loaded.lm_head.weight, saved["lm_head.weight"])
