"""Section 2.1, manual sample scoring: a page that a person fills in, and the file that it saves, read back."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from evals.report.records import Block, Record, parts_of, records_page

GRADES = {5: "exemplary", 4: "good", 3: "usable", 2: "poor", 1: "should not be here"}

QUESTION = (
    "Grade each sample as training data: is it correct, readable, complete and worth learning from? What you enter is "
    "kept in this browser. Save the file at the end and give it to inspect --review."
)


def review_page(name: str, dataset: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page: a sample at a time, five grades and a comment, by keys; it saves `review.json` or a CSV file.

    Args:
        name (`str`): of the dataset.
        dataset (`str`): its digest, so that a review is never read back for other rows.
        rows: the sample, see `inspection.read_rows`.

    Source: paper 2.1; the five grades are ours.
    """
    part = next(parts_of(map(_record, rows), max_records=max(len(rows), 1)))
    left_out = len(rows) - len(part.encoded)
    return records_page(
        part,
        title=f"Review of {name}",
        filters={"language": "language"},
        notes=[QUESTION] + [f"The page is full: {left_out:,} rows of the sample are not on it."] * (left_out > 0),
        review=dataset,
        grades=dict(reversed(GRADES.items())),
    )


def _record(row: Mapping[str, Any]) -> Record:
    language = row.get("language") or ""
    facts = {name: str(row[name]) for name in ("repository", "path", "language") if row.get(name)}
    is_code = row.get("kind") in (None, "code", "script")
    return Record(
        key=str(row["id"]),
        title=row.get("path") or str(row["id"]),
        line=" · ".join(facts[name] for name in ("language", "repository") if name in facts),
        blocks=[Block("text", row["text"], language if is_code else "")],
        facts=facts,
        groups={"language": [language]} if language else {},
    )


def read_review(path: Path, dataset: str, ids: Sequence[str]) -> list[float]:
    """Return the scores of a review, 0 to 100.

    Args:
        path (`Path`): `review.json` or `review.csv`, as the page saves them.
        dataset (`str`): digest of the dataset that is inspected.
        ids (sequence of `str`): of the sample.

    Raises:
        ConfigError: no such file, a review of other rows, a grade that is none, or no grade at all.

    Source: ours; grade g counts (g - 1) / 4.
    """
    try:
        of_dataset, given = _rows_of_review(path)
        scores = {str(row["id"]): row["score"] for row in given}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigError(f"--review {path} cannot be read: {type(error).__name__}: {error}") from None
    if of_dataset != dataset:
        raise ConfigError(f"--review {path} is of other rows ({of_dataset} and not {dataset}); grade the new sample")
    if foreign := set(scores) - set(ids):
        raise ConfigError(
            f"--review {path}: {sorted(foreign)[0]} is not in the sample; use the same --sample and --seed"
        )
    for name, score in scores.items():
        if score not in GRADES:
            raise ConfigError(f"--review {path}: {name} has the grade {score!r}; grades are 1 to 5")
    if not scores:
        raise ConfigError(f"--review {path} has no grades yet")
    return [25.0 * (score - 1) for score in scores.values()]


def _rows_of_review(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return of which dataset a review is, and its rows."""
    if path.suffix != ".csv":
        review = json.loads(path.read_text(encoding="utf-8"))
        return review["dataset"], review["scores"]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows: list[dict[str, Any]] = [{**row, "score": int(row["score"])} for row in csv.DictReader(lines)]
    datasets = {str(row["dataset"]) for row in rows} or {""}
    if len(datasets) > 1:
        raise ValueError("it is of several datasets")
    return datasets.pop(), rows


def read_llm_scores(path: Path, ids: Sequence[str]) -> list[float]:
    """Return an LLM's scores of the sample, 0 to 100, from JSON Lines or Parquet with `id` and `score`.

    Raises:
        ConfigError: the file cannot be read, or has no valid score of a row of the sample.

    Source: paper 2.1; the format is ours.
    """
    wanted, found = set(ids), {}
    try:
        for row in _rows_of_scores(path):
            score = row["score"]
            if str(row["id"]) in wanted and isinstance(score, int | float) and 0 <= score <= 100:
                found[str(row["id"])] = float(score)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"--llm-scores {path} cannot be read: {type(error).__name__}: {error}") from None
    if not found:
        raise ConfigError(f"--llm-scores {path} has no score between 0 and 100 of a row of the sample")
    return list(found.values())


def _rows_of_scores(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path, columns=["id", "score"]).to_pylist()
    with path.open(encoding="utf-8") as lines:  # not splitlines(): a text in JSON may hold U+2028
        return [json.loads(line) for line in lines]
