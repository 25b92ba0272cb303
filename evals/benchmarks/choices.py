"""Section 4.3.3: MMLU, C-Eval and CMMLU: multiple choice with five examples of the same subject."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.benchmarks.source import BenchmarkSource, data_folder

NUM_SHOTS = 5
MMLU_EXAMPLES = 285  # in its development split: five for each of 57 subjects
COLUMNS = ("task_id", "subject", "question", "options", "answer")
MMLU = BenchmarkSource("mmlu", ("test.jsonl", "test.parquet"), "cais/mmlu", COLUMNS, 14042, "MIT", "all")
# The validation split: the answers of the test split were published only in 2025-07, and the paper does not say which.
CEVAL = BenchmarkSource("ceval", ("val/*_val.csv",), "ceval/ceval-exam", COLUMNS, 1346, "CC-BY-NC-SA-4.0", split="val")
CMMLU = BenchmarkSource("cmmlu", ("test/*.csv",), "haonan-li/cmmlu", COLUMNS, 11582, "CC-BY-NC-SA-4.0")


def load_mmlu(source: BenchmarkSource, data_dir: Path | None) -> tuple[list[Row], str]:
    """Load `DIR/mmlu/test.jsonl` and `dev.jsonl` (or .parquet), or cais/mmlu from the Hub.

    Raises:
        BenchmarkDataError: as `BenchmarkSource.load`.
    """
    own = ("question", "subject", "choices", "answer")
    test, where = _published(source, own).load(data_dir)
    dev, _ = _published(source, own, "dev", MMLU_EXAMPLES).load(data_dir)
    rows = [_row(line["subject"], line["question"], line["choices"], "ABCD"[line["answer"]]) for line in test]
    shots = [_row(line["subject"], line["question"], line["choices"], "ABCD"[line["answer"]]) for line in dev]
    return with_shots(rows, shots, where), where


def _published(source: BenchmarkSource, columns: tuple[str, ...], split: str = "test", num_rows: int | None = None):
    from dataclasses import replace

    names = tuple(name.replace("test", split) for name in source.file_names)
    return replace(
        source, file_names=names, columns=columns, split=split, num_rows=num_rows or source.num_rows, sha256=""
    )


def load_csv_subjects(source: BenchmarkSource, data_dir: Path | None, test: str, dev: str) -> tuple[list[Row], str]:
    """Load one file per subject: `DIR/NAME/TEST/*.csv` and `DIR/NAME/DEV/*.csv`, as their authors publish them.

    Raises:
        BenchmarkDataError: no folder, a subject without examples, or another number of questions.
    """
    folder = data_folder(data_dir)
    how = (
        f"put the authors' folders {test}/ and {dev}/ of {source.hub_id} into DIR/{source.name} and give --data-dir DIR"
    )
    if folder is None or not (folder / source.name / test).is_dir():
        raise BenchmarkDataError(f"{source.name} is read from a folder only; {how}")
    rows = [row for path in sorted((folder / source.name / test).glob("*.csv")) for row in _read_subject(path, test)]
    shots = [row for path in sorted((folder / source.name / dev).glob("*.csv")) for row in _read_subject(path, dev)]
    where = str(folder / source.name)
    if len(rows) != source.num_rows:
        raise BenchmarkDataError(f"{where} has {len(rows)} questions, {source.name} has {source.num_rows}; {how}")
    return with_shots(rows, shots, where), where


def _read_subject(path: Path, split: str) -> list[Row]:
    subject = path.stem.removesuffix(f"_{split}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [{key.lower(): value for key, value in line.items()} for line in csv.DictReader(file)]
        return [_row(subject, line["question"], [line[x] for x in "abcd"], line["answer"]) for line in lines]
    except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
        raise BenchmarkDataError(f"{path} is not a table of questions with A, B, C, D and answer: {error!r}") from error


def _row(subject: str, question: str, options: list[str], answer: str) -> Row:
    if len(options) != 4 or answer not in tuple("ABCD"):
        raise BenchmarkDataError(f"{subject}: {question[:60]!r} has {len(options)} options and the answer {answer!r}")
    return {"subject": subject, "question": question.strip(), "options": list(options), "answer": answer}


def with_shots(rows: list[Row], shots: list[Row], where: str) -> list[Row]:
    """Return the rows, numbered within their subjects, each with its subject's first examples."""
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for shot in shots:
        by_subject[shot["subject"]].append(shot)
    missing = sorted({row["subject"] for row in rows if len(by_subject[row["subject"]]) < NUM_SHOTS})
    if missing:
        raise BenchmarkDataError(f"{where}: fewer than {NUM_SHOTS} examples for {', '.join(missing[:5])}")
    counts: dict[str, int] = defaultdict(int)
    answer = []
    for row in rows:
        subject = row["subject"]
        answer.append({**row, "task_id": f"{subject}/{counts[subject]}", "shots": by_subject[subject][:NUM_SHOTS]})
        counts[subject] += 1
    return answer
