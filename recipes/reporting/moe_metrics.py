"""Section 3.1: how evenly the experts of a Mixture-of-Experts model are used, measured on what a step really routed.

1.0 is perfect for the two load figures. A dead expert received less than 1 % of the mean load since the last log line.
What the model's forward counts stays on its device until a line is logged: no step waits for a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

DEAD_SHARE_OF_MEAN = 0.01
# With fewer tokens an expert may be without one by chance.
MIN_TOKENS_FOR_DEAD = 100


def summarize_load(assignments: torch.Tensor, entropy_sums: torch.Tensor, num_tokens: float) -> dict[str, object]:
    """Return the load figures of a log line.

    Args:
        assignments: (num_layers, num_experts) tokens sent to each expert.
        entropy_sums: (num_layers,) summed router entropies in nats.
        num_tokens: tokens the sums run over.

    Returns:
        load_max_over_mean, load_min_over_mean, dead_experts, router_entropy (nats): one value per layer each, and
        worst_load_max_over_mean and num_dead_experts over all layers.

    Source: ours; max over mean is the load imbalance that OLMo reports.
    """
    mean = assignments.mean(dim=1, keepdim=True).clamp(min=1e-9)
    relative = assignments / mean
    dead = (relative < DEAD_SHARE_OF_MEAN).sum(dim=1)
    highest = relative.max(dim=1).values
    return {
        "load_max_over_mean": [round(value, 4) for value in highest.tolist()],
        "load_min_over_mean": [round(value, 4) for value in relative.min(dim=1).values.tolist()],
        "dead_experts": [int(value) for value in dead.tolist()],
        "router_entropy": [round(value, 6) for value in (entropy_sums / max(num_tokens, 1.0)).tolist()],
        "worst_load_max_over_mean": round(float(highest.max()), 4),
        "num_dead_experts": int(dead.sum()),
    }


@dataclass
class StepTotals:
    """What `StepStatistics` gathered, over all processes, as numbers.

    Attributes:
        values: loss parts, summed.
        layer_losses: (2, num_layers), balance and z-loss of each layer, summed as the loss parts are.
        load: the figures of `summarize_load`.
        mean_load: tokens of an expert, on average.
        num_tokens: real tokens that went through the model, those of dropped steps too.
    """

    values: dict[str, float]
    layer_losses: torch.Tensor
    load: dict[str, object]
    mean_load: float
    num_tokens: int


def routing_health(totals: StepTotals, num_steps: int, alarm: float | None) -> dict[str, object]:
    """Return what a log line says of the routing, layer by layer.

    Args:
        totals: since the log line before.
        num_steps: steps of these totals; with 0 all figures are None.
        alarm: times the mean load of its layer that an expert may have; None gives no alarms.

    Returns:
        The figures of `summarize_load`, layer_balance_loss and layer_z_loss (their means over layers are the line's
        balance_loss and z_loss), and routing_alarms, in words.
    """
    names = ("layer_balance_loss", "layer_z_loss")
    if not num_steps:
        return {**dict.fromkeys((*totals.load, *names)), "routing_alarms": []}
    means = (totals.layer_losses / num_steps).tolist()
    layers = {name: [round(value, 6) for value in values] for name, values in zip(names, means, strict=True)}
    return {**totals.load, **layers, "routing_alarms": routing_alarms(totals.load, totals.mean_load, alarm)}


def routing_alarms(load: dict[str, Any], mean_load: float, alarm: float | None) -> list[str]:
    """Return what is wrong with the load, in words: an expert that takes too much, or experts that get nothing.

    Args:
        load: of `summarize_load`.
        mean_load: tokens of an expert, on average: with few, none for one of them is chance.
        alarm: as for `routing_health`.
    """
    if alarm is None:
        return []
    alarms = [
        f"layer {layer}: an expert has {highest:.1f} times the mean load"
        for layer, highest in enumerate(load["load_max_over_mean"])
        if highest > alarm
    ]
    if mean_load >= MIN_TOKENS_FOR_DEAD:
        alarms += [
            f"layer {layer}: {dead} of the experts have no load"
            for layer, dead in enumerate(load["dead_experts"])
            if dead
        ]
    return alarms


class StepStatistics:
    """What is gathered between two log lines, on the device: loss parts, and what the routers did."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again at zero, after a log line."""
        self._sums: dict[str, torch.Tensor] = {}
        self._before_step: dict[str, torch.Tensor] = {}

    def begin_step(self) -> None:
        """Note where a step begins, for `drop_step`."""
        self._before_step = dict(self._sums)

    def drop_step(self) -> None:
        """Forget what was added since `begin_step`, but for the number of its tokens: they were read all the same."""
        assignments = self._sums["assignments"]
        dropped = assignments - self._before_step.get("assignments", torch.zeros_like(assignments))
        before = self._before_step.get("dropped_assignments")
        self._sums = {name: self._before_step.get(name, torch.zeros_like(value)) for name, value in self._sums.items()}
        self._sums["dropped_assignments"] = dropped if before is None else before + dropped

    def __bool__(self) -> bool:
        return bool(self._sums)

    def add(self, **values: torch.Tensor) -> None:
        """Add tensors of any shape to the sums of their names."""
        for name, value in values.items():
            value = value.detach().double()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def totals(self, accelerator: Accelerator, num_experts_per_tok: int) -> StepTotals:
        """Sum over processes and read everything back, in one transfer of each kind.

        Args:
            accelerator: accelerate's, for the number of processes and the reduction.
            num_experts_per_tok: k of the top-k router.

        Returns:
            StepTotals, of `assignments`, `entropy_sums`, `layer_losses` and all other values added.
        """
        device = self._sums["assignments"].device
        flat = torch.cat([value.to(device).reshape(-1) for value in self._sums.values()])
        if accelerator.num_processes > 1:
            flat = accelerator.reduce(flat)
        pieces = flat.cpu().split([value.numel() for value in self._sums.values()])
        sums = {name: piece.view(self._sums[name].shape) for name, piece in zip(self._sums, pieces, strict=True)}
        assignments, entropy_sums = sums.pop("assignments"), sums.pop("entropy_sums")
        layer_losses = sums.pop("layer_losses", torch.zeros(2, assignments.shape[0]))
        assignments_per_token = assignments.shape[0] * num_experts_per_tok
        num_tokens = float(assignments.sum()) / assignments_per_token
        num_dropped_tokens = float(sums.pop("dropped_assignments", torch.zeros(1)).sum()) / assignments_per_token
        return StepTotals(
            values={name: float(value) for name, value in sums.items()},
            layer_losses=layer_losses,
            load=summarize_load(assignments, entropy_sums, num_tokens),
            mean_load=float(assignments.mean()),
            num_tokens=round(num_tokens + num_dropped_tokens),
        )
