"""Section 3.2: one model from the last checkpoints of a run, by the mean of their weights.

After a learning rate that was held constant this stands in for its decay: what was learned between two checkpoints
counts by the share that the later ones have, and in the plain mean that share falls linearly to zero. Other decays are
other weights. One checkpoint alone (`--last 1`) is written as it is: so a sharded one becomes a model. Nothing of the
run itself is changed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from modeling_ling.command_line import EXIT_OK
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import find_checkpoints, is_unfinished

if TYPE_CHECKING:
    import torch

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM

HELP = "average the weights of a run's last checkpoints into one model"
EXAMPLE = "python -m recipes average outputs/quickstart/stage2 --last 2 --to outputs/averaged"
AVERAGE_FILE = "average.json"
# What is left of the rate after a share of the way, 1 at 0 and 0 at 1.
DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: (1.0 + math.cos(math.pi * done)) / 2.0,
    "one_minus_sqrt": lambda done: 1.0 - math.sqrt(done),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", type=Path, help="folder of the run, with its checkpoint-N folders")
    parser.add_argument("--last", type=int, default=4, help="how many of the last checkpoints are taken")
    parser.add_argument(
        "--decay",
        choices=sorted(DECAYS),
        default="linear",
        help="decay of the learning rate that the mean stands in for; linear is the plain mean",
    )
    parser.add_argument("--to", type=Path, required=True, help="folder of the averaged model; must not hold one")


def run(options: argparse.Namespace) -> int:
    """Average, and say which checkpoints went in with which weight."""
    shares = average_checkpoints(options.run, options.to, last=options.last, decay=options.decay)
    for name, share in shares.items():
        print(f"{name}: {share:.2%}")
    print(f"The averaged model is in {options.to}.")
    return EXIT_OK


def average_checkpoints(run: Path, target: Path, *, last: int, decay: str = "linear") -> dict[str, float]:
    """Write a Hub-ready model whose weights are the mean of a run's last checkpoints.

    Args:
        run: the run's folder.
        target: of the model.
        last: how many checkpoints.
        decay: one of DECAYS; linear is the plain mean.

    Returns:
        Checkpoint's name to its share.

    Raises:
        RecipeError: too few checkpoints, or a folder in use.
    """
    from modeling_ling.export import export_model, load_tokenizer
    from recipes.running.checkpoints import load_config

    checkpoints = find_checkpoints(run)
    if last < 1 or len(checkpoints) < last:
        raise RecipeError(
            f"--last {last}: {run} has {len(checkpoints)} whole checkpoint(s). Keep more (save_total_limit), or take "
            "fewer."
        )
    if (target / "config.json").exists() or is_unfinished(target):
        raise RecipeError(f"--to: {target} holds a model or a run. Give another folder.")
    chosen = checkpoints[-last:]
    shares = checkpoint_shares(last, decay)
    source = next((folder for folder in (chosen[-1], run) if (folder / "config.json").is_file()), None)
    if source is None:
        raise RecipeError(f"{run} has no config.json, nor have its checkpoints: it is no run that trained a model.")
    config = load_config(str(source))
    mean: dict[str, torch.Tensor] = {}
    for checkpoint, share in zip(chosen, shares, strict=True):
        model = load_checkpoint(checkpoint, config)
        for name, tensor in model.state_dict().items():
            part = tensor.double() * share
            mean[name] = mean[name] + part if name in mean else part
    state = model.state_dict()
    model.load_state_dict({name: tensor.to(state[name].dtype) for name, tensor in mean.items()})
    model.config.output_router_logits = False
    export_model(model, load_tokenizer(str(source)), target)
    named = {checkpoint.name: share for checkpoint, share in zip(chosen, shares, strict=True)}
    record = {"run": run.name, "decay": decay, "shares": named}
    (target / AVERAGE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return named


def checkpoint_shares(count: int, decay: str) -> list[float]:
    """Return the share of each of some checkpoints, oldest first; they sum to one.

    Args:
        count: of checkpoints.
        decay: one of DECAYS.
    """
    left = [DECAYS[decay](number / count) for number in range(count + 1)]
    return [before - after for before, after in itertools.pairwise(left)]


def load_checkpoint(checkpoint: Path, config: BailingMoeConfig) -> BailingMoeForCausalLM:
    """Return the model of a checkpoint, sharded or not, on the CPU."""
    import torch

    from modeling_ling import BailingMoeForCausalLM
    from recipes.running.sharded_checkpoints import is_sharded, read_weights

    if is_sharded(checkpoint):
        model = BailingMoeForCausalLM(config)
        read_weights(model, checkpoint)
        return model
    return cast("BailingMoeForCausalLM", BailingMoeForCausalLM.from_pretrained(checkpoint, dtype=torch.float32))


__all__ = ["average_checkpoints", "checkpoint_shares"]
