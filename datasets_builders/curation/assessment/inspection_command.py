"""Section 2.1, quality assessment, as a command.

    python -m datasets_builders inspect outputs/source_code
    python -m datasets_builders inspect outputs/source_code --review review.json

    python -m datasets_builders inspect outputs/source_code --base-url http://127.0.0.1:8000/v1 --model NAME

The first run holds every row against every rule, draws a sample and writes `review.html` for people and
`review.sample.jsonl` for an LLM; a later one reads their scores. With --base-url and --model the LLM is asked at once.
`inspection.json` holds the verdict: below the threshold, 85, the exit code is 1 and the dataset is not published unless
forced. Where rows have scores of several models, their rank correlations are printed.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets_builders.asking.endpoint import add_endpoint_arguments, check_endpoint, endpoint_of
from datasets_builders.building.command_line import HelpFormatter
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.curation.assessment import inspection
from datasets_builders.curation.assessment.review import read_llm_scores, read_review, review_page
from datasets_builders.curation.quality.agreement import agreement_lines, columns_of_scores
from evals.report.page import Page

PROGRESS_ROWS = 2000
NUM_WORST = 10
REVIEW_PAGE, SAMPLE_FILE, REPORT_PAGE = "review.html", "review.sample.jsonl", "inspection.html"
LLM_FILE, ANSWERS_FOLDER = "review.llm.jsonl", "review.llm.answers"


def main(arguments: Sequence[str]) -> int:
    """Inspect a dataset; 0 when it passes, 1 when not, 2 when it cannot be inspected."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets_builders inspect",
        description=__doc__,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("dataset", type=Path, help="folder of a finished dataset: of code, prose, chat or preferences")
    parser.add_argument("--sample", type=int, default=50, help="rows that people and the LLM score")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--review", type=Path, help="review.json, saved by review.html")
    parser.add_argument("--llm-scores", type=Path, help="JSON Lines with id and score, 0 to 100")
    parser.add_argument("--threshold", type=float, default=inspection.THRESHOLD, help="score from which it passes")
    parser.add_argument(
        "--weights",
        type=float,
        nargs=3,
        metavar=("RULES", "LLM", "HUMAN"),
        default=list(inspection.WEIGHTS.values()),
        help="of the parts; those that are missing are left out of the mean",
    )
    add_endpoint_arguments(parser, required=False)
    options = parser.parse_args(arguments)
    try:
        verdict = inspect(options)
    except (ConfigError, BuildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join([*lines_of(verdict), *agreement_lines(columns_of_scores(options.dataset))]))
    print(f"to read: {options.dataset / REPORT_PAGE}; to fill in: {options.dataset / REVIEW_PAGE}")
    return 0 if verdict.passed else 1


def inspect(options: argparse.Namespace) -> inspection.Verdict:
    """Run the inspection and write its files.

    Raises:
        ConfigError: the dataset, or what comes back from people or an LLM, cannot be used.
        BuildError: the LLM gave no answers.
    """
    folder: Path = options.dataset
    if options.base_url or options.model:
        if options.llm_scores:
            raise ConfigError("--llm-scores and --base-url both give the LLM's scores; leave one out")
        check_endpoint(endpoint_of(options))
    dataset = inspection.dataset_digest(folder)
    sample = inspection.Sample(options.sample, options.seed)
    with inspection.Verification() as verification:
        for row in _with_progress(folder):
            verification.check(row)
            sample.offer(row)
    rows = sample.rows()
    ids = [str(row["id"]) for row in rows]
    parts = {"rules": verification.part()}
    if options.llm_scores:
        parts["llm"] = inspection.part_of_scores(read_llm_scores(options.llm_scores, ids))
    elif options.base_url:
        parts["llm"] = inspection.part_of_scores(_asked_scores(rows, options))
    if options.review:
        parts["human"] = inspection.part_of_scores(read_review(options.review, dataset, ids))
    weights = dict(zip(inspection.WEIGHTS, options.weights, strict=True))
    verdict = inspection.judge(dataset, parts, verification, weights, options.threshold)
    (folder / REVIEW_PAGE).write_text(review_page(folder.resolve().name, dataset, rows), encoding="utf-8")
    lines = (json.dumps({name: row[name] for name in ("id", "language", "path", "text")}) for row in rows)
    (folder / SAMPLE_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    inspection.write_verdict(folder, verdict)
    _write_page(folder, verdict)
    return verdict


def _asked_scores(rows: list[dict[str, Any]], options: argparse.Namespace) -> list[float]:
    """Return the LLM's scores of the sample; the file beside the review has them with their ids."""
    from datasets_builders.curation.quality.grading import PROMPT_FILE, Rubric, grade_files, graded_rows, write_rows

    rubric = Rubric(PROMPT_FILE.read_text(encoding="utf-8"))
    grades, removed = grade_files(rows, rubric, endpoint_of(options), options.dataset / ANSWERS_FOLDER)
    for reason, count in Counter(reason for reason, _ in removed.values()).items():
        print(f"  llm: {count} of {len(rows)} rows without a score: {reason}")
    graded = graded_rows(rows, grades, options.model)
    write_rows(options.dataset / LLM_FILE, graded)
    return [row["score"] for row in graded]


def _with_progress(folder: Path):  # type: ignore[no-untyped-def]
    from tqdm import tqdm

    return tqdm(inspection.read_rows(folder), desc="inspect", unit=" rows", disable=None)


def lines_of(verdict: inspection.Verdict) -> list[str]:
    """Return a verdict as lines for the terminal."""
    word = "PASSED" if verdict.passed else "REFUSED"
    lines = [f"{word}: {verdict.score:.1f} of 100, threshold {verdict.threshold:g} = {verdict.formula}"]
    for name, part in verdict.parts.items():
        spread = f", 95 % {part.low:.1f} to {part.high:.1f}" if part.low != part.high else ""
        lines.append(f"  {name:6s} {part.score:5.1f}  n={part.n:,}{spread}")
    lines += [f"  {name:6s} not scored, not counted" for name in verdict.missing]
    lines += [f"  {reason}: {count:,} rows" for reason, count in verdict.worst[:NUM_WORST]]
    return lines


def _write_page(folder: Path, verdict: inspection.Verdict) -> None:
    page = Page(f"Inspection of {folder.resolve().name}", lines_of(verdict)[0])
    page.heading("Parts")
    rows = [
        [name, f"{part.score:.1f}", f"{part.low:.1f} to {part.high:.1f}", part.n]
        for name, part in verdict.parts.items()
    ]
    page.table(["part", "score", "95 %", "n"], [*rows, *([name, "not scored", "-", 0] for name in verdict.missing)])
    page.heading("Faults found by the rules")
    if verdict.worst:
        faults = [[reason, count, ", ".join(verdict.examples[reason])] for reason, count in verdict.worst]
        page.table(["reason", "rows", "examples"], faults)
    else:
        page.paragraph("None: every row keeps every rule.")
    page.save(folder / REPORT_PAGE)
