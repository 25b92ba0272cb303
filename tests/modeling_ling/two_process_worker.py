"""One of two processes of a parallel run, compared with a single process on the same input.

    python -m tests.forked_launch 2 tests/modeling_ling/two_process_worker.py FOLDER MODE ...

Each process also computes the single-process result of FOLDER/MODE/model by itself; rank 0 writes
FOLDER/MODE/result.json.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers.distributed import DistributedConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from modeling_ling import BailingMoeForCausalLM
from modeling_ling.export import export_model

# transformers' own sharding. The processes of "tensor" and "expert" share a batch, those of the others split it.
LAYOUTS = {
    "tensor": {"tp_size": 2},
    "expert": {"tp_size": 2, "ep_size": 2},
    "fsdp": {"fsdp_size": 2},
    "fsdp_expert": {"fsdp_size": 2, "ep_size": 2},
}
SPLITS_THE_BATCH = ("fsdp", "fsdp_expert")


def token_ids() -> torch.Tensor:
    return torch.randint(0, 509, (4, 40), generator=torch.Generator().manual_seed(1))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def everywhere(value: object) -> list:
    values: list = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def compare_sharded(mode: str, folder: str) -> dict[str, object]:
    """Forward, backward and greedy decoding of a model that transformers has sharded, beside a whole one."""
    ids, rank = token_ids(), dist.get_rank()
    single = BailingMoeForCausalLM.from_pretrained(folder).train()
    expected = single(ids, labels=ids, use_cache=False)
    expected.loss.backward()

    sharded = BailingMoeForCausalLM.from_pretrained(folder, distributed_config=DistributedConfig(**LAYOUTS[mode]))
    experts = [layer.mlp.experts for layer in sharded.model.layers if layer.is_moe]
    held = {  # before the first forward: FSDP2 then holds some weights whole
        "local_expert_matrices": everywhere([module.down_proj.to_local().shape[0] for module in experts]),
        "local_expert_columns": everywhere([module.down_proj.to_local().shape[2] for module in experts]),
        "local_head_rows": everywhere(sharded.lm_head.weight.to_local().shape[0]),
        "head_scale_error": float((sharded.lm_head.scale() - single.lm_head.scale()).abs().max()),
    }
    mine = ids.chunk(2)[rank] if mode in SPLITS_THE_BATCH else ids
    output = sharded.train()(mine, labels=mine, use_cache=False)
    output.loss.backward()
    logits = expected.logits.chunk(2)[rank] if mode in SPLITS_THE_BATCH else expected.logits
    errors = {}
    for name, parameter in sharded.named_parameters():
        reference = single.get_parameter(name).grad
        errors[name] = float((whole(parameter.grad) - reference).norm() / reference.norm().clamp(min=1e-9))
    arguments = {"max_new_tokens": 8, "do_sample": False}
    prompt = ids[:2, :8]
    generated = sharded.eval().generate(prompt, **arguments)
    return held | {
        "losses": everywhere(output.loss.item()),
        "expected_loss": expected.loss.item(),
        "logit_error": max(everywhere(float((output.logits - logits).detach().abs().max()))),
        "gradient_errors": errors,
        "generated_equal": all(everywhere(torch.equal(generated, single.eval().generate(prompt, **arguments)))),
        "fewest_tokens_of_an_expert": expected.expert_assignments.min(1).values.tolist(),
        "tokens_of_each_half_of_the_experts": [half.sum().item() for half in expected.expert_assignments.chunk(2, 1)],
    }


def train_with_fully_shard(folder: str, result: Path) -> dict[str, object]:
    """Two optimizer steps, sharded by decoder layer as accelerate's FSDP2 does it, then an export.

    accelerate itself takes FSDP for accelerators only; these are the calls that it makes.
    """
    ids, rank, steps = token_ids(), dist.get_rank(), 2

    def optimizer_of(model: torch.nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.5)

    def train(model: torch.nn.Module, batch: torch.Tensor) -> list[float]:
        optimizer, losses = optimizer_of(model), []
        for _ in range(steps):
            loss = model(batch, labels=batch, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        return losses

    single = BailingMoeForCausalLM.from_pretrained(folder).train()
    expected_losses = train(single, ids)
    model = BailingMoeForCausalLM.from_pretrained(folder).train()
    mesh = init_device_mesh("cpu", (2,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    local_rows = everywhere(model.model.layers[0].attention.query_key_value.weight.to_local().shape[0])
    losses = everywhere(train(model, ids.chunk(2)[rank]))
    state_dict = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if rank == 0:
        export_model(model, None, result.with_suffix(""), state_dict=state_dict)
        single.save_pretrained(result.with_suffix(".single"))
    return {
        "losses": [sum(pair) / 2 for pair in zip(*losses, strict=True)],
        "expected_losses": expected_losses,
        "wrapped_layer": type(model.model.layers[0]).__name__,
        "local_rows": local_rows,
    }


def main() -> None:
    root, modes = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for mode in modes:
        folder, result = str(root / mode / "model"), root / mode / "result.json"
        report = train_with_fully_shard(folder, result) if mode == "fully_shard" else compare_sharded(mode, folder)
        if dist.get_rank() == 0:
            result.write_text(json.dumps(report))
        dist.barrier()
    dist.destroy_process_group()
