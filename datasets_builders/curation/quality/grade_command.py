"""Section 2.2.1: a teacher LLM grades files.

    python -m datasets_builders grade --input outputs/source_code --output outputs/grades.jsonl \\
        --base-url http://127.0.0.1:8000/v1 --model Qwen/Qwen2.5-Coder-32B-Instruct --sample 1000 --dry-run

Without --dry-run the questions are asked. Interrupted or not, the same command asks nothing again that was answered:
OUTPUT.answers keeps the answers. A file without a usable answer stands in OUTPUT.removed.jsonl with the reason.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets_builders.asking import Endpoint, add_endpoint_arguments, check_endpoint, endpoint_of
from datasets_builders.building.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, HelpFormatter
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.curation.assessment.inspection import TEXT_COLUMNS, Sample
from datasets_builders.curation.quality.agreement import agreement_lines, score_columns
from datasets_builders.curation.quality.grading import (
    ATTEMPTS,
    CHARACTERS_PER_TOKEN,
    LEAST,
    MAX_CHARACTERS,
    MOST,
    PROMPT_FILE,
    RESPECTS,
    Rubric,
    as_document,
    grade_files,
    graded_rows,
    write_rows,
)
from datasets_builders.curation.quality.labelled_rows import rows_of

SUFFIXES = (".jsonl", ".parquet")
Row = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Grade a sample; 0 when done, 1 when the server gave no answers, 2 when the command cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        endpoint, rubric = endpoint_of(options), _rubric(options)
        if options.output.suffix not in SUFFIXES:
            raise ConfigError(f"--output {options.output} must end in {' or '.join(SUFFIXES)}")
        if not options.dry_run:
            check_endpoint(endpoint)
        rows, left_out = sampled_rows(options)
        print("\n".join(_plan(rows, left_out, rubric, endpoint)))
        if options.dry_run:
            print(f"the first question:\n\n{rubric.question(as_document(rows[0]))}")
            return EXIT_OK
        grades, removed = grade_files(rows, rubric, endpoint, _beside(options.output, "answers"))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    graded = graded_rows(rows, grades, endpoint.model)
    write_rows(options.output, graded)
    without = [
        {"id": row["id"], "path": row["path"], "reason": removed[row["id"]][0], "detail": removed[row["id"]][1]}
        for row in rows
        if row["id"] in removed
    ]
    write_rows(_beside(options.output, "removed.jsonl"), without)
    print("\n".join(_summary(options.output, graded, without)))
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datasets_builders grade",
        description=__doc__,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--input", required=True, help=".parquet or .jsonl file, dataset folder, or ORG/NAME")
    parser.add_argument("--output", type=Path, required=True, help="FILE.jsonl or FILE.parquet of graded rows")
    parser.add_argument("--content-column", help=f"default: the first there is of {', '.join(TEXT_COLUMNS)}")
    parser.add_argument("--sample", type=int, default=1000, help="files that are graded; 0 grades all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--dry-run", action="store_true", help="print what would be asked, and ask nothing")
    parser.add_argument("--prompt", type=Path, default=PROMPT_FILE, help="file of the question, with $content in it")
    parser.add_argument(
        "--respects", default=",".join(RESPECTS), help=f"names of the answer's grades, {LEAST} to {MOST} each"
    )
    parser.add_argument("--max-characters", type=int, default=MAX_CHARACTERS, help="of a file that are shown")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="answers asked for until one is well-formed")
    parser.add_argument("--enforce-form", action="store_true", help="let the server enforce the form, if it can")
    add_endpoint_arguments(parser, required=True)
    return parser


def _rubric(options: argparse.Namespace) -> Rubric:
    if min(options.attempts, options.max_characters) < 1 or options.sample < 0:
        raise ConfigError("--attempts and --max-characters must be at least 1, --sample at least 0")
    try:
        prompt = options.prompt.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--prompt {options.prompt} cannot be read: {error}") from None
    respects = [name.strip() for name in options.respects.split(",") if name.strip()]
    return Rubric(prompt, respects, options.max_characters, options.attempts, options.enforce_form)


def sampled_rows(options: argparse.Namespace) -> tuple[list[Row], Counter[str]]:
    """Return the rows that are graded, {id, text, path, language} and scores that they have, and what was left out.

    Raises:
        ConfigError: the input cannot be read, has no text, or has no row to grade.
    """
    from tqdm import tqdm

    sample, left_out, seen = Sample(options.sample or sys.maxsize, options.seed), Counter[str](), set[str]()
    for row in tqdm(rows_of(options.input), desc="read", unit=" rows", disable=None):
        column = options.content_column or next((name for name in TEXT_COLUMNS if name in row), TEXT_COLUMNS[0])
        if column not in row:
            raise ConfigError(f"{options.input} has no column {column!r}; it has {', '.join(row)}")
        text = row[column]
        if not isinstance(text, str) or not text.strip():
            left_out["empty"] += 1
            continue
        identifier = str(row.get("id") or content_id(text))
        if identifier in seen:
            left_out["same_id"] += 1
            continue
        seen.add(identifier)
        known = {name: row.get(name) for name in ("path", "language", *score_columns(row))}
        sample.offer({"id": identifier, "text": text} | known)
    rows = sample.rows()
    if not rows:
        raise ConfigError(f"--input {options.input} has no file to grade ({dict(left_out) or 'it has no rows'})")
    left_out["not_in_the_sample"] = len(seen) - len(rows)
    return rows, left_out


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f"{output.name}.{what}")


def _plan(rows: list[Row], left_out: Counter[str], rubric: Rubric, endpoint: Endpoint) -> list[str]:
    characters = sum(len(rubric.question(as_document(row))) for row in rows)
    asked = math.ceil(characters / CHARACTERS_PER_TOKEN)
    return [
        f"{len(rows):,} questions to {endpoint.model} at {endpoint.base_url}, {endpoint.concurrency} at once",
        *_counted("left out", +left_out),
        f"about {asked:,} tokens of questions ({CHARACTERS_PER_TOKEN} characters each), answers of up to "
        f"{endpoint.max_tokens:,} tokens each; up to {rubric.attempts} times where an answer is malformed",
    ]


def _summary(output: Path, graded: list[Row], without: list[Row]) -> list[str]:
    grades = Counter(row["grade"] for row in graded)
    columns = {name: [row[name] for row in graded] for name in ("grade", *score_columns(graded[0]))}
    return [
        f"{output}: {len(graded):,} graded files; grades "
        + ", ".join(f"{grade}: {grades[grade]:,}" for grade in range(LEAST, MOST + 1)),
        *_counted("without a grade", Counter(row["reason"] for row in without)),
        *agreement_lines(columns),
        f"learn from them: train-quality-model --input {output} --label-column grade --positive-at 4 --output FOLDER",
    ]


def _counted(what: str, counts: Counter[str]) -> list[str]:
    return [f"{what}: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))] if counts else []
