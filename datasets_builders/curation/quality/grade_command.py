"""Section 2.2.1: a teacher LLM grades files.

With --dry-run it says what would be asked. Interrupted or not, the same command asks nothing again that was answered:
OUTPUT.answers keeps the answers. A file without a usable answer stands in OUTPUT.removed.jsonl with the reason.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets_builders.asking import Teacher
    from datasets_builders.curation.quality.grading import Rubric

HELP = "let a teacher LLM grade files, for train-quality-model to learn from (section 2.2.1)"
EXAMPLE = (
    "python -m datasets_builders grade --input outputs/source_code --output outputs/grades.jsonl "
    "--base-url http://127.0.0.1:8000/v1 --model Qwen/Qwen2.5-Coder-32B-Instruct --sample 1000 --dry-run"
)

SUFFIXES = (".jsonl", ".parquet")
Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from datasets_builders.asking import add_teacher_arguments
    from datasets_builders.curation.quality.grading import (
        ATTEMPTS,
        MAX_CHARACTERS,
        MAX_GRADE,
        MIN_GRADE,
        PROMPT_FILE,
        RESPECTS,
    )
    from datasets_builders.curation.row_text import KNOWN

    parser.add_argument("--input", required=True, help=".parquet or .jsonl file, dataset folder, or ORG/NAME")
    parser.add_argument("--output", type=Path, required=True, help="FILE.jsonl or FILE.parquet of graded rows")
    parser.add_argument("--content-column", help=f"column of the text; by default the first there is of {KNOWN}")
    parser.add_argument("--sample", type=int, default=1000, help="number of files that are graded; 0 grades all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--dry-run", action="store_true", help="print what would be asked, and ask nothing")
    parser.add_argument("--prompt", type=Path, default=PROMPT_FILE, help="file of the question, with $content in it")
    parser.add_argument(
        "--respects",
        default=",".join(RESPECTS),
        help=f"names of the answer's grades, {MIN_GRADE} to {MAX_GRADE} each",
    )
    parser.add_argument(
        "--max-characters", type=int, default=MAX_CHARACTERS, help="characters of a file that are shown"
    )
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="answers asked for until one is well-formed")
    parser.add_argument("--enforce-form", action="store_true", help="let the server enforce the form, if it can")
    add_teacher_arguments(parser, required=True)


def run(options: argparse.Namespace) -> int:
    """Grade a sample, or say what would be asked."""
    from datasets_builders.asking import check_teacher, teacher_of
    from datasets_builders.building.errors import ConfigError
    from datasets_builders.curation.quality.grading import as_document, grade_files, graded_rows, write_rows

    teacher, rubric = teacher_of(vars(options)), _rubric(options)
    if options.output.suffix not in SUFFIXES:
        raise ConfigError(f"--output {options.output} must end in {' or '.join(SUFFIXES)}")
    if not options.dry_run:
        check_teacher(teacher)
    rows, left_out = sampled_rows(
        options.input, sample_rows=options.sample, seed=options.seed, content_column=options.content_column
    )
    print("\n".join(_plan(rows, left_out, rubric, teacher)))
    if options.dry_run:
        print(f"the first question:\n\n{rubric.question(as_document(rows[0]))}")
        return 0
    grades, removed = grade_files(rows, rubric, teacher, _beside(options.output, "answers"))
    graded = graded_rows(rows, grades, teacher.model)
    write_rows(options.output, graded)
    without = [
        {"id": row["id"], "path": row["path"], "reason": removed[row["id"]][0], "detail": removed[row["id"]][1]}
        for row in rows
        if row["id"] in removed
    ]
    write_rows(_beside(options.output, "removed.jsonl"), without)
    print("\n".join(_summary(options.output, graded, without)))
    return 0


def _rubric(options: argparse.Namespace) -> Rubric:
    from datasets_builders.building.errors import ConfigError
    from datasets_builders.curation.quality.grading import Rubric

    if min(options.attempts, options.max_characters) < 1 or options.sample < 0:
        raise ConfigError("--attempts and --max-characters must be at least 1, --sample at least 0")
    try:
        prompt = options.prompt.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--prompt {options.prompt} cannot be read: {error}") from None
    respects = [name.strip() for name in options.respects.split(",") if name.strip()]
    return Rubric(prompt, respects, options.max_characters, options.attempts, options.enforce_form)


def sampled_rows(
    source: str, *, sample_rows: int, seed: int, content_column: str | None = None
) -> tuple[list[Row], Counter[str]]:
    """Return the rows that are graded, {id, text, path, language} and scores that they have, and what was left out.

    Args:
        source (`str`): see `rows_of`.
        sample_rows (`int`): how many; 0 for all.
        seed (`int`): of the sample.
        content_column (`str`, *optional*): of the text; by default that of the kind of dataset.

    Raises:
        ConfigError: the input cannot be read, has no text, or has no row to grade.
    """
    from tqdm import tqdm

    from datasets_builders.building.errors import ConfigError
    from datasets_builders.building.identity import content_id
    from datasets_builders.curation.assessment.inspection import Sample
    from datasets_builders.curation.quality.agreement import score_columns
    from datasets_builders.curation.quality.labelled_rows import rows_of
    from datasets_builders.curation.row_text import ID_COLUMNS, text_columns, text_of

    sample, left_out, seen = Sample(sample_rows or sys.maxsize, seed), Counter[str](), set[str]()
    for row in tqdm(rows_of(source), desc="read", unit=" rows", disable=None):
        columns = (content_column,) if content_column else text_columns(row) or ("content",)
        if columns[0] not in row:
            raise ConfigError(f"{source} has no column {columns[0]!r}; it has {', '.join(row)}")
        text = text_of(row, columns)
        if text is None or not text.strip():
            left_out["empty"] += 1
            continue
        identifier = str(next(filter(None, map(row.get, ID_COLUMNS)), None) or content_id(text))
        if identifier in seen:
            left_out["same_id"] += 1
            continue
        seen.add(identifier)
        known = {name: row.get(name) for name in ("language", *score_columns(row), *filter(row.get, ["site"]))}
        sample.offer({"id": identifier, "text": text, "path": row.get("path") or row.get("url")} | known)
    rows = sample.rows()
    if not rows:
        raise ConfigError(f"--input {source} has no file to grade ({dict(left_out) or 'it has no rows'})")
    left_out["not_in_the_sample"] = len(seen) - len(rows)
    return rows, left_out


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f"{output.name}.{what}")


def _plan(rows: list[Row], left_out: Counter[str], rubric: Rubric, teacher: Teacher) -> list[str]:
    from datasets_builders.curation.quality.grading import CHARACTERS_PER_TOKEN, as_document

    characters = sum(len(rubric.question(as_document(row))) for row in rows)
    asked = math.ceil(characters / CHARACTERS_PER_TOKEN)
    return [
        f"{len(rows):,} questions to {teacher.model} at {teacher.base_url}, {teacher.concurrency} at once",
        *_counted("left out", +left_out),
        f"about {asked:,} tokens of questions ({CHARACTERS_PER_TOKEN} characters each), answers of up to "
        f"{teacher.max_tokens:,} tokens each; up to {rubric.attempts} times where an answer is malformed",
    ]


def _summary(output: Path, graded: list[Row], without: list[Row]) -> list[str]:
    from datasets_builders.curation.quality.agreement import agreement_lines, score_columns
    from datasets_builders.curation.quality.grading import MAX_GRADE, MIN_GRADE

    grades = Counter(row["grade"] for row in graded)
    columns = {name: [row[name] for row in graded] for name in ("grade", *score_columns(graded[0]))}
    return [
        f"{output}: {len(graded):,} graded files; grades "
        + ", ".join(f"{grade}: {grades[grade]:,}" for grade in range(MIN_GRADE, MAX_GRADE + 1)),
        *_counted("without a grade", Counter(row["reason"] for row in without)),
        *agreement_lines(columns),
        f"learn from them: train-quality-model --input {output} --label-column grade --positive-at 4 --output FOLDER",
    ]


def _counted(what: str, counts: Counter[str]) -> list[str]:
    return [f"{what}: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))] if counts else []
