"""Section 2.1: what the rows of finished shards are like, for the card and the report: numbers and clusters."""

from typing import TYPE_CHECKING

from datasets_builders.building.dataset_folder import DatasetFolder

if TYPE_CHECKING:
    import numpy as np
    from datasets import Features
    from numpy.typing import NDArray

MAX_ROWS = 1_000_000
NUMBERS_PER_BATCH = 1 << 16
NUM_CLUSTERS = 10
NUMERIC_TYPES = ("int64", "float64")
PROFILE_HEADER = ("column", "rows with a value", "5 %", "median", "95 %", "largest")
PICTURE, CAPTION = "pictures/columns.png", "Rows by value; the last bar holds all above the 99th percentile"
CLUSTERS_HEADER = ("files", "repository", "the copy that stays")


def numeric_values(folder: DatasetFolder, features: "Features") -> dict[str, "NDArray[np.float64]"]:
    """Return the values of each numeric column over the first million rows, without those that are null.

    Args:
        folder (`DatasetFolder`): the dataset.
        features: the columns.

    Returns:
        dict: column to values, (rows with one,); a column without any value is left out.
    """
    import numpy as np

    columns = [name for name, kind in features.items() if getattr(kind, "dtype", "") in NUMERIC_TYPES]
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in columns}
    left = MAX_ROWS
    for batch in folder.batches(columns, batch_rows=NUMBERS_PER_BATCH) if columns else ():
        for name in columns:
            values = batch.column(name)[:left].drop_null()
            parts[name].append(values.to_numpy(zero_copy_only=False).astype(np.float64))
        left -= batch.num_rows
        if left <= 0:
            break
    found = {name: np.concatenate([np.empty(0), *some]) for name, some in parts.items()}
    return {name: values[np.isfinite(values)] for name, values in found.items() if np.isfinite(values).any()}


def profile(values: dict[str, "NDArray[np.float64]"]) -> list[list[object]]:
    """Return a row of `PROFILE_HEADER` per column."""
    import numpy as np

    rows: list[list[object]] = []
    for name, found in values.items():
        low, middle, high = np.percentile(found, [5, 50, 95])
        rows.append([name, len(found), float(low), float(middle), float(high), float(found.max())])
    return rows


def varied(values: dict[str, "NDArray[np.float64]"]) -> dict[str, "NDArray[np.float64]"]:
    """Return the columns of which there is a histogram to draw: those with more than one value."""
    return {name: found for name, found in values.items() if found.min() < found.max()}


def largest_clusters(folder: DatasetFolder) -> list[tuple[int, str, str]]:
    """Return a row of `CLUSTERS_HEADER` for each of the rows that stand for most near-duplicates.

    Args:
        folder (`DatasetFolder`): the dataset, with `cluster_size`, and `repository` and `path`, or `site` and `url`.
    """
    import pyarrow.compute as pc

    largest: list[tuple[int, str, str]] = []
    columns = [name for name in ("cluster_size", "repository", "site", "path", "url") if name in folder.columns]
    for batch in folder.batches(columns, batch_rows=NUMBERS_PER_BATCH):
        found = (
            (
                int(row["cluster_size"]),
                row.get("repository") or row.get("site", ""),
                row.get("path") or row.get("url", ""),
            )
            for row in batch.filter(pc.greater(batch.column("cluster_size"), 1)).to_pylist()
        )
        largest = sorted([*largest, *found], key=lambda row: (-row[0], row[1:]))[:NUM_CLUSTERS]
    return largest
