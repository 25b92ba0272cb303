"""Section 3.2: how a model is sharded over devices (FSDP2), said once for training and for the plan of its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import MixedPrecisionPolicy
    from transformers import PreTrainedModel

# The class that `fsdp_transformer_layer_cls_to_wrap` of recipes/accelerate_configs names.
SHARDED_LAYER = "BailingMoeDecoderLayer"


def mixed_precision_policy(bf16: bool) -> MixedPrecisionPolicy:
    """Return what is computed in which precision.

    Weights are held in float32 and gathered in bfloat16. Gradients are summed over the devices in float32, and the
    outputs stay as the model gives them: accelerate's own policy would round both the sums and the loss to bfloat16,
    whose steps near 4 nats are 0.03.
    """
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy

    if not bf16:
        return MixedPrecisionPolicy()
    return MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)


def use_own_precision(accelerator: Accelerator) -> None:
    """Put `mixed_precision_policy` in place of accelerate's own, where it shards."""
    plugin = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None and plugin.fsdp_version == 2:
        plugin.mixed_precision_policy = mixed_precision_policy(accelerator.mixed_precision == "bf16")


def shard_model(model: nn.Module, mesh: DeviceMesh, *, bf16: bool) -> None:
    """Shard a model in place as the training's launch files do: every decoder layer for itself, then the rest."""
    from torch.distributed.fsdp import fully_shard

    settings: dict[str, Any] = {"mesh": mesh, "mp_policy": mixed_precision_policy(bf16)}
    for module in list(model.modules()):
        if type(module).__name__ == SHARDED_LAYER:
            fully_shard(module, **settings)
    fully_shard(model, **settings)


def gather_weights(model: nn.Module, *, keep: bool) -> dict[str, torch.Tensor]:
    """Return the whole weights of a sharded model, gathered one tensor at a time.

    Args:
        model: sharded; all processes call this together.
        keep: whether this process wants them, in its own memory.

    Returns:
        Name to tensor on the CPU; empty where they are not kept.
    """
    gathered = {}
    for name, tensor in model.state_dict().items():
        whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
        if keep:
            gathered[name] = whole.detach().cpu()
    return gathered


def whole_copy(model: PreTrainedModel, weights: dict[str, torch.Tensor], device: torch.device) -> PreTrainedModel:
    """Return an unsharded model beside a sharded one: each process can run it by itself.

    Args:
        model: sharded; its parameters stay where they are.
        weights: what `gather_weights` kept.
        device: of the copy, which takes as much memory as the whole model.
    """
    from torch.distributed.fsdp import FSDPModule

    # fully_shard puts a class of its own before the model's.
    plain: Any = next(kind for kind in type(model).__mro__ if not issubclass(kind, FSDPModule))
    copy: Any = plain(model.config)
    copy.load_state_dict(weights)
    return cast("PreTrainedModel", copy.to(device))
