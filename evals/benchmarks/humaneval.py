"""Section 4.3: HumanEval, 164 Python functions to complete (Chen et al. 2021, MIT licence)."""

from __future__ import annotations

import os
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row, check_columns, read_rows

HUB_ID, HUB_CONFIG, SPLIT = "openai/openai_humaneval", "openai_humaneval", "test"
COLUMNS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
NUM_ROWS = 164
FILE_NAMES = ("HumanEval.jsonl.gz", "HumanEval.jsonl", "HumanEval.parquet")
DATA_VARIABLE = "LING_BENCHMARKS_DIR"


def load_humaneval(data_dir: Path | None = None) -> tuple[list[Row], str]:
    """Load the rows from a local folder if one is given, else from the Hub.

    Args:
        data_dir (`Path`, *optional*): has `humaneval/HumanEval.jsonl.gz` (or .jsonl, .parquet); default: the folder
            named by the environment variable LING_BENCHMARKS_DIR.

    Returns:
        (rows, where they came from).

    Raises:
        BenchmarkDataError: no such file, the Hub cannot be reached, other columns, or not 164 rows.

    Source: columns and split as on the Hub.
    """
    folder = data_dir or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if folder:
        rows, where = _from_folder(folder / "humaneval")
    else:
        rows, where = _from_hub()
    check_columns(rows, COLUMNS, where)
    if len(rows) != NUM_ROWS:
        raise BenchmarkDataError(f"{where} has {len(rows)} rows, HumanEval has {NUM_ROWS}")
    return rows, where


def _from_folder(folder: Path) -> tuple[list[Row], str]:
    for name in FILE_NAMES:
        if (folder / name).is_file():
            return read_rows(folder / name), str(folder / name)
    raise BenchmarkDataError(f"{folder} holds none of {', '.join(FILE_NAMES)}; {HOW_TO_GET}")


def _from_hub() -> tuple[list[Row], str]:
    from datasets import load_dataset

    try:
        rows = load_dataset(HUB_ID, HUB_CONFIG, split=SPLIT).to_list()
    except Exception as error:  # whatever the Hub's client raises: offline, a proxy, a renamed repository
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BenchmarkDataError(f"{HUB_ID} cannot be loaded ({reason}); {HOW_TO_GET}") from error
    return rows, f"hf://datasets/{HUB_ID}"


HOW_TO_GET = (
    f"let the Hub be reached ({HUB_ID}), or put HumanEval.jsonl.gz of github.com/openai/human-eval into "
    f"DIR/humaneval and give --data-dir DIR or {DATA_VARIABLE}=DIR"
)
