"""Section 2.2.1: do independent ways to judge quality agree? Rank correlations between columns of scores."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder

FASTTEXT_COLUMN = "quality"
MEAN_PREFIX = "mean_"
SCORE_PREFIX = "score_"  # of the columns that scorers write, unless the config names them otherwise
MIN_ROWS = 10


def score_columns(names: Iterable[str]) -> list[str]:
    """Return the columns of scores among a table's; those of repositories are means of files."""
    bare = {name: name.removeprefix(MEAN_PREFIX) for name in names}
    return [name for name, column in bare.items() if column == FASTTEXT_COLUMN or column.startswith(SCORE_PREFIX)]


def spearman(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float] | None:
    """Return Spearman's rank correlation with its 95 % interval (Fieller's), or None where there is none.

    There is none with fewer than ten rows, or where all values of a column are equal.
    """
    if len(first) < MIN_ROWS or min(len(set(first)), len(set(second))) < 2:
        return None
    from scipy.stats import spearmanr

    rho = float(spearmanr(first, second).statistic)
    if abs(rho) >= 1 - 1e-12:
        return rho, rho, rho
    reach = 1.96 * math.sqrt(1.06 / (len(first) - 3))
    return rho, math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach)


def agreement_lines(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return a line per pair of columns that have rows in common: rank correlation, interval and number of such rows.

    Source: paper 2.2.1 (independent routes to high quality); the measure is ours.
    """
    lines = []
    for first, second in combinations(columns, 2):
        known = [
            (a, b) for a, b in zip(columns[first], columns[second], strict=True) if a is not None and b is not None
        ]
        if not known:
            continue
        found = spearman([a for a, _ in known], [b for _, b in known])
        told = f"{found[0]:+.3f}, 95 % {found[1]:+.3f} to {found[2]:+.3f}" if found else "cannot be told"
        lines.append(f"  {first} and {second}: Spearman {told}, n={len(known):,}")
    return lines


def columns_of_scores(dataset: DatasetFolder) -> dict[str, list[float | None]]:
    """Return the columns of scores of a dataset."""
    found: dict[str, list[float | None]] = {name: [] for name in score_columns(dataset.columns)}
    for batch in dataset.batches(list(found)):
        for name in found:
            found[name] += batch.column(name).to_pylist()
    return found
