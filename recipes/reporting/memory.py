"""Section 3.2: memory of a GPU in training, from one real step of the real sharded model on a machine without one.

The model is built under fake tensors (they have shapes and no content), sharded over a fake process group of the
planned size, and trained for two steps while every allocation is counted: nothing is estimated, and 16.8B parameters
take half a minute and no memory. What an allocator adds on a real GPU (fragments, kernels' workspaces, NCCL's buffers)
is not in it.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig

MAX_PLANNED_SHARE = 0.9
UNEVEN_SHARES = 1.2  # of the even share: what the first GPU holds when the first dimension is not divided evenly
NUM_STEPS = 2  # the first makes the optimizer's moments, which the second's peak stands on
# What the tracker calls a kind of tensor -> what a person does.
KINDS = {
    "SHARDED_PARAM": "weights, this GPU's share",
    "SHARDED_GRAD": "gradients, this GPU's share",
    "OPT": "AdamW's moments, this GPU's share",
    "UNSHARDED_PARAM": "weights gathered for the layer at work",
    "UNSHARDED_GRAD": "gradients before they are shared out",
    "ALL_GATHER": "buffers of gathering",
    "REDUCE_SCATTER": "buffers of sharing out",
    "ACT": "activations kept for the backward pass",
    "TEMP": "temporary",
    "BUFFER": "buffers of the model",
    "INP": "the batch",
}


@dataclass(frozen=True)
class MemoryPlan:
    """Memory of one GPU.

    Attributes:
        peak_bytes: the most that is allocated at once.
        bytes_at_peak: by kind, at that moment; the keys are those of `KINDS`.
        state_bytes: weights and moments, what lies there between two steps.
        state_bytes_by_formula: the same from the count of parameters alone.
    """

    peak_bytes: int
    bytes_at_peak: dict[str, int]
    state_bytes: int
    state_bytes_by_formula: int


def simulate_step(
    config: BailingMoeConfig,
    *,
    num_devices: int,
    rows: int,
    sequence_length: int,
    bf16: bool,
    activation_checkpointing: bool = False,
    fake: bool = True,
) -> MemoryPlan:
    """Train two steps without data or devices and count what one GPU holds.

    It has a process group of its own while it works, so that it is not for a process of distributed training.

    Args:
        config: the model's configuration.
        num_devices: GPUs that the weights are sharded over.
        rows: of one micro-batch on one GPU.
        sequence_length: tokens of a row.
        bf16: compute in bfloat16 over float32 weights.
        activation_checkpointing: recompute each layer in the backward pass.
        fake: False takes real memory on this machine, to check the figures.

    Returns:
        A MemoryPlan.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker

    from modeling_ling import BailingMoeForCausalLM
    from modeling_ling.accounting import count_parameters
    from recipes.running.sharding import shard_model

    fake_tensors = FakeTensorMode(allow_non_fake_inputs=True) if fake else contextlib.nullcontext()
    with _fake_devices(num_devices) as mesh, fake_tensors:
        model = BailingMoeForCausalLM(config)
        # It looks at the positions' values, which fake tensors do not have.
        model.model._refuse_positions_beyond_context = lambda *_, **__: None  # type: ignore[method-assign]
        model.train()
        if activation_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        shard_model(model, mesh, bf16=bf16)
        # Under fake tensors a fused or "foreach" step on sharded weights is counted at the size of the whole model,
        # because its shapes are worked out with tensors of that size; real ones never exist (tests/recipes/reporting).
        optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
        input_ids = torch.zeros(rows, sequence_length, dtype=torch.long)
        tracker = FSDPMemTracker(model, optimizer)
        tracker.track_inputs((input_ids,))
        with tracker:
            for step in range(NUM_STEPS):
                output: Any = model(input_ids=input_ids, labels=input_ids, use_cache=False, output_router_logits=True)
                output.loss.backward()
                del output
                optimizer.step()
                optimizer.zero_grad()
                if step == 0:
                    tracker.reset_mod_stats()
    peak = _by_kind(tracker.get_tracker_snapshot("peak"))
    now = _by_kind(tracker.get_tracker_snapshot("current"))
    return MemoryPlan(
        peak_bytes=peak.pop("Total"),
        bytes_at_peak={name: size for name, size in peak.items() if size},
        state_bytes=now.get("SHARDED_PARAM", 0) + now.get("OPT", 0),
        state_bytes_by_formula=round(count_parameters(config).total * (4 + 8) / num_devices),
    )


@contextlib.contextmanager
def _fake_devices(number: int) -> Iterator[DeviceMesh]:
    """Make this process the first of a number that there are not."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=number)  # type: ignore[no-untyped-call]
    try:
        yield init_device_mesh("cpu", (number,))
    finally:
        dist.destroy_process_group()


def _by_kind(snapshot: dict[Any, dict[Any, int]]) -> dict[str, int]:
    """Return the sizes by kind, over the devices that hold anything (there is one)."""
    sizes: dict[str, int] = {}
    for kinds in snapshot.values():
        for kind, size in kinds.items():
            name = str(kind).rpartition(".")[2]
            sizes[name] = sizes.get(name, 0) + size
    return sizes


def describe_memory(plan: MemoryPlan, *, device_bytes: int | None = None) -> str:
    """Return the plan as lines of text, the largest kind first."""
    lines = [f"  peak of one GPU   {plan.peak_bytes / 1e9:,.2f} GB, of which"]
    for name, size in sorted(plan.bytes_at_peak.items(), key=lambda item: -item[1]):
        lines.append(f"    {size / 1e9:10.2f} GB  {KINDS.get(name, name)}")
    lines.append(
        f"  between steps     {plan.state_bytes / 1e9:,.2f} GB of weights and moments; "
        f"by the count of parameters {plan.state_bytes_by_formula / 1e9:,.2f} GB"
    )
    if plan.state_bytes > UNEVEN_SHARES * plan.state_bytes_by_formula:
        lines.append(
            "  note: FSDP2 divides a tensor along its first dimension, experts along their number. More GPUs than that "
            "save nothing and gather padding: shard over as many as divide it, and replicate that (HSDP)"
        )
    if device_bytes:
        share = plan.peak_bytes / device_bytes
        verdict = "fits" if share <= MAX_PLANNED_SHARE else "does not fit"
        lines.append(
            f"  {verdict} a GPU of {device_bytes / 1e9:.0f} GB: {share:.0%} of it; plan for "
            f"{MAX_PLANNED_SHARE:.0%} at most (the allocator's fragments, NCCL and kernels need the rest)"
        )
    return "\n".join(lines)


class SimulationError(RuntimeError):
    """A step that cannot be simulated."""


def simulate(config: BailingMoeConfig, **settings: Any) -> MemoryPlan:
    """Call `simulate_step`, whose arguments these are.

    Raises:
        SimulationError: the step failed; the message is the last line of what went wrong.
    """
    try:
        return simulate_step(config, **settings)
    except Exception as error:
        raise SimulationError("".join(traceback.format_exception_only(error)).strip().splitlines()[-1]) from error
