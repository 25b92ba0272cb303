"""Section 2.1: the gate's measured error rates, as they are printed with every verdict."""

from __future__ import annotations

import json
from typing import Any

from recipes.ablation_gate.error_rates import RATES_FILE
from recipes.ablation_gate.judging import POWER


def known_rates(num_seeds: int) -> dict[str, Any]:
    """Return how often the gate errs with so many pairs of runs, from the committed record.

    Args:
        num_seeds: pairs of runs; beyond those measured, the most that were.

    Returns:
        The rows of candidates, false approvals and false rejections with their intervals, the smallest effect that is
        found with a chance of 80 %, in units of the spread between pairs, and the command that measured it.
    """
    from evals.report.statistics import wilson_interval

    record = json.loads(RATES_FILE.read_text(encoding="utf-8"))
    counts = sorted({row["num_seeds"] for row in record["rates"]})
    measured = max((count for count in counts if count <= num_seeds), default=counts[0])
    rows = [row for row in record["rates"] if row["num_seeds"] == measured]
    planted = record["original_intact_fraction"]
    not_good = [row for row in rows if row["intact_fraction"] <= planted]
    not_bad = [row for row in rows if row["intact_fraction"] >= planted]
    good = [row for row in rows if row["intact_fraction"] > planted]
    found = [row["effect_in_spreads"] for row in good if row["num_approved"] >= POWER * row["num_repeats"]]

    def rate(of: list[dict[str, Any]], key: str) -> dict[str, Any]:
        wrong, total = sum(row[key] for row in of), sum(row["num_repeats"] for row in of)
        return {"num": wrong, "of": total, "interval": list(wilson_interval(wrong, total))}

    return {
        "num_seeds": measured,
        "false_approvals": rate(not_good, "num_approved"),
        "false_approvals_of_neutral": rate([row for row in rows if row["intact_fraction"] == planted], "num_approved"),
        "false_rejections": rate(not_bad, "num_rejected"),
        "found_from_effect_in_spreads": min(found, default=None),
        "rows": rows,
        "parameters": record["parameters"],
        "command": record["command"],
        "date": record["date"],
    }


def describe_rates(rates: dict[str, Any]) -> str:
    """Return them in a sentence."""
    wrong, neutral, size = (
        rates["false_approvals"],
        rates["false_approvals_of_neutral"],
        rates["found_from_effect_in_spreads"],
    )
    low, high = neutral["interval"]
    found = (
        f"a gain of {size:g} times the spread between pairs is found with a chance of 80 % or more"
        if size is not None
        else "no planted gain was found with a chance of 80 %"
    )
    return (
        f"Measured with {rates['num_seeds']} pairs of runs of a model of {rates['parameters']:,} parameters: "
        f"{wrong['num']} of {wrong['of']} neutral or bad candidates approved (of neutral alone {neutral['num']} of "
        f"{neutral['of']}, interval {low:.1%} to {high:.1%}); {found}."
    )
