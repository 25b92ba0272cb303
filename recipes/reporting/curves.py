"""Section 3.2, Table 1: a learning-rate curve as text, for a terminal."""

from __future__ import annotations

from collections.abc import Callable

WIDTH, HEIGHT = 64, 7


def sampled(curve: Callable[[int], float], num_steps: int, num_points: int) -> list[tuple[int, float]]:
    """Return (step, value) at evenly spaced steps, the first and the last among them."""
    last, gaps = num_steps - 1, max(min(num_points, num_steps) - 1, 1)
    return [(step, curve(step)) for step in (round(last * number / gaps) for number in range(gaps + 1))]


def text_curve(curve: Callable[[int], float], num_steps: int) -> list[str]:
    """Return a curve over steps in lines of text, its highest and its lowest value beside it.

    Args:
        curve: value by step.
        num_steps: at least 1.

    Returns:
        `HEIGHT` lines and one for the steps; a curve that never moves is one line.
    """
    values = [value for _, value in sampled(curve, num_steps, WIDTH)]
    low, high = min(values), max(values)
    height = HEIGHT if high > low else 1
    rows = [[" "] * len(values) for _ in range(height)]
    for column, value in enumerate(values):
        rows[round((high - value) / ((high - low) or 1.0) * (height - 1))][column] = "*"
    labels = [""] * height
    labels[0], labels[-1] = f"{high:.3g}", f"{low:.3g}"
    lines = [f"{label:>10} |{''.join(row).rstrip()}" for label, row in zip(labels, rows, strict=True)]
    end = f"step {num_steps:,}"
    return [*lines, f"{'':>10}  0{end:>{max(len(values) - 1, len(end) + 1)}}"]
