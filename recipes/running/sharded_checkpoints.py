"""Section 3.2: checkpoints that every process wrote its share of, read by any number of processes, sharded or not.

accelerate writes weights and moments by torch's distributed checkpoints, under the names of the parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS_FOLDER = "pytorch_model_fsdp_0"
MOMENTS_FOLDER = "optimizer_0"


def is_sharded(checkpoint: Path) -> bool:
    """Whether a checkpoint's weights are in shards."""
    return (checkpoint / WEIGHTS_FOLDER).is_dir()


def read_weights(model: nn.Module, checkpoint: Path) -> None:
    """Load the weights of a sharded checkpoint into a model, in place.

    Args:
        model: sharded or not; where there are several processes, all of them call this.
        checkpoint: of the same model.
    """
    import torch.distributed.checkpoint as distributed_checkpoint

    weights = {"model": model.state_dict()}
    distributed_checkpoint.load(weights, checkpoint_id=str(checkpoint / WEIGHTS_FOLDER))
    model.load_state_dict(weights["model"])


def read_moments(model: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Path) -> int:
    """Load the moments of a sharded checkpoint into an optimizer; its rates, decay and betas stay as they are.

    Args:
        model: whose parameters the optimizer has.
        optimizer: torch's own, without accelerate's shell.
        checkpoint: of the same model.

    Returns:
        Number of parameters that received moments.
    """
    import torch.distributed.checkpoint as distributed_checkpoint
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    settings = settings_of(optimizer)
    moments: dict[str, Any] = {"optimizer": get_optimizer_state_dict(model, optimizer)}
    distributed_checkpoint.load(moments, checkpoint_id=str(checkpoint / MOMENTS_FOLDER))
    set_optimizer_state_dict(model, optimizer, optim_state_dict=moments["optimizer"])
    restore_settings(optimizer, settings)
    return len(moments["optimizer"]["state"])


def shard_as(parameter: torch.Tensor, state: dict[str, Any]) -> dict[str, Any]:
    """Return whole moments as a parameter is sharded; as they are where it is not.

    Args:
        parameter: sharded or not.
        state: of the whole parameter, as an unsharded run saved it; the same in every process.
    """
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor):
        return state
    # Each process has all of it and takes its share: nothing is sent.
    return {
        name: distribute_tensor(
            value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
        )
        if hasattr(value, "shape") and value.shape == parameter.shape
        else value
        for name, value in state.items()
    }


def settings_of(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return what the groups of an optimizer say besides their parameters."""
    return [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]


def restore_settings(optimizer: torch.optim.Optimizer, settings: list[dict[str, Any]]) -> None:
    """Give the groups what `settings_of` returned."""
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)


__all__ = ["is_sharded", "read_moments", "read_weights", "restore_settings", "settings_of", "shard_as"]
