"""Section 3.2: a run's figures for a machine to compare: what was run, on what, and how near a rerun must come.

On the same hardware and versions a run is equal to its bits on a CPU, resumed or not. Elsewhere sums are ordered
otherwise, and small differences grow with the steps: the tolerances say what still counts as the same run.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from recipes.running.run_folder import write_json

VERIFICATION_FILE = "verification.json"
# Name of the figure, absolute tolerance: 0 where nothing but the data and the recipe decides.
TOLERANCES = {
    "step": 0.0,
    "tokens_seen": 0.0,
    "loss": 0.05,
    "balance_loss": 0.05,
    "z_loss": 0.1,
    "rewards/margins": 0.05,
    "rewards/accuracies": 0.1,
}


def verification_card(run: dict[str, Any]) -> dict[str, Any]:
    """Return what a rerun is compared with.

    Args:
        run: of run.json.
    """
    last = run["last"]
    figures = {name: last[name] for name in TOLERANCES if last.get(name) is not None}
    resumed = [event for event in run.get("events", []) if event.get("event") in ("resume", "stop", "change")]
    return {
        "stage": run["stage"],
        "kind": run["kind"],
        "command": run["command"],
        "code": run["code"],
        "date": run["date"],
        "hardware": {
            "device": run["device"],
            "num_devices": run["num_devices"],
            "machine": platform.machine(),
            "cpu_count": os.cpu_count(),
        },
        "versions": run["versions"],
        "base_model": run["base_model"],
        "datasets": run["datasets"],
        "data_fingerprint": run["identity"]["data"],
        "metrics": {name: {"value": value, "tolerance": TOLERANCES[name]} for name, value in figures.items()},
        "consumed_tokens": run["consumed_tokens"],
        "resumed": resumed,
    }


def write_verification(output_dir: Path, run: dict[str, Any]) -> Path:
    """Write the card into the model's folder."""
    path = output_dir / VERIFICATION_FILE
    write_json(path, verification_card(run))
    return path


def differences(card: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return in what a rerun is not the run of a card, in words; settings of the machine are no difference.

    Args:
        card: the verification card of the first run.
        other: that of the rerun.
    """
    found = []
    for name in ("kind", "data_fingerprint", "consumed_tokens"):
        if card[name] != other[name]:
            found.append(f"{name}: {card[name]!r} and {other[name]!r}")
    for name, metric in card["metrics"].items():
        theirs = other["metrics"].get(name)
        if theirs is None:
            found.append(f"{name}: {metric['value']} and nothing")
        elif abs(metric["value"] - theirs["value"]) > metric["tolerance"]:
            found.append(f"{name}: {metric['value']} and {theirs['value']}, more than {metric['tolerance']:g} apart")
    return found
