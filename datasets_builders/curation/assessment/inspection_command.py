"""Section 2.1, quality assessment, as a command.

The first run holds every row against every rule, draws a sample and writes `review.html` for people and
`review.sample.jsonl` for an LLM; a later one reads their scores: --review review.json, --llm-scores FILE. With
--base-url and --model the LLM is asked at once. `inspection.json` holds the verdict: below the threshold, 85, the exit
code is 1 and the dataset is not published unless forced. Where rows have scores of several models, their rank
correlations are printed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets_builders.asking import Teacher
    from datasets_builders.building.dataset_folder import DatasetFolder
    from datasets_builders.curation.assessment.inspection import Verdict

HELP = "inspect the quality of a finished dataset: rules, sample, score out of 100 (section 2.1)"
EXAMPLE = "python -m datasets_builders inspect outputs/source_code"

NUM_WORST = 10
REVIEW_PAGE, SAMPLE_FILE, REPORT_PAGE = "review.html", "review.sample.jsonl", "inspection.html"
LLM_FILE, ANSWERS_FOLDER = "review.llm.jsonl", "review.llm.answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from datasets_builders.asking import add_teacher_arguments
    from datasets_builders.curation.assessment.inspection import THRESHOLD, WEIGHTS

    parser.add_argument("dataset", type=Path, help="folder of a finished dataset: of code, prose, chat or preferences")
    parser.add_argument("--sample", type=int, default=50, help="number of rows that people and the LLM score")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--review", type=Path, help="review.json, as review.html saves it")
    parser.add_argument("--llm-scores", type=Path, help="JSON Lines with id and score, 0 to 100")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="score from which the dataset passes")
    parser.add_argument(
        "--weights",
        type=float,
        nargs=3,
        metavar=tuple(name.upper() for name in WEIGHTS),
        default=list(WEIGHTS.values()),
        help="weights of the parts; those that are missing are left out of the mean",
    )
    add_teacher_arguments(parser, required=False)


def run(options: argparse.Namespace) -> int:
    """Inspect a dataset; return 0 when it passes, 1 when not."""
    from datasets_builders.asking import teacher_of
    from datasets_builders.building.dataset_folder import DatasetFolder
    from datasets_builders.building.errors import ConfigError
    from datasets_builders.curation.assessment.inspection import WEIGHTS
    from datasets_builders.curation.quality.agreement import agreement_lines, columns_of_scores

    teacher = teacher_of(vars(options)) if options.base_url or options.model else None
    if teacher and options.llm_scores:
        raise ConfigError("--llm-scores and --base-url both give the LLM's scores; leave one out")
    dataset = DatasetFolder(options.dataset)
    verdict = inspect(
        dataset,
        sample_rows=options.sample,
        seed=options.seed,
        review=options.review,
        llm_scores=options.llm_scores,
        teacher=teacher,
        threshold=options.threshold,
        weights=dict(zip(WEIGHTS, options.weights, strict=True)),
    )
    print("\n".join([*lines_of(verdict), *agreement_lines(columns_of_scores(dataset))]))
    print(f"to read: {dataset.path / REPORT_PAGE}; to fill in: {dataset.path / REVIEW_PAGE}")
    return 0 if verdict.passed else 1


def inspect(
    dataset: DatasetFolder,
    *,
    sample_rows: int,
    seed: int,
    threshold: float,
    weights: Mapping[str, float],
    review: Path | None = None,
    llm_scores: Path | None = None,
    teacher: Teacher | None = None,
) -> Verdict:
    """Run the inspection and write its files into the dataset's folder.

    Args:
        dataset (`DatasetFolder`): what is inspected.
        sample_rows (`int`), seed (`int`): of the sample.
        threshold (`float`): score from which it passes.
        weights (dict): of the parts, by name.
        review (`Path`, *optional*): what people said of the sample.
        llm_scores (`Path`, *optional*): what an LLM said of it.
        teacher (`Teacher`, *optional*): an LLM that is asked now.

    Raises:
        ConfigError: the dataset, or what comes back from people or an LLM, cannot be used.
        BuildError: the LLM gave no answers.
    """
    from datasets_builders.asking import check_teacher
    from datasets_builders.curation.assessment import inspection
    from datasets_builders.curation.assessment.review import read_llm_scores, read_review, review_page

    if teacher:
        check_teacher(teacher)
    folder, digest = dataset.path, dataset.digest()
    sample = inspection.Sample(sample_rows, seed)
    with inspection.Verification() as verification:
        for row in _with_progress(inspection.read_rows(dataset)):
            verification.check(row)
            sample.offer(row)
    rows = sample.rows()
    ids = [str(row["id"]) for row in rows]
    parts = {"rules": verification.part()}
    if llm_scores:
        parts["llm"] = inspection.part_of_scores(read_llm_scores(llm_scores, ids))
    elif teacher:
        parts["llm"] = inspection.part_of_scores(_asked_scores(rows, teacher, folder))
    if review:
        parts["human"] = inspection.part_of_scores(read_review(review, digest, ids))
    verdict = inspection.judge(digest, parts, verification, weights, threshold)
    (folder / REVIEW_PAGE).write_text(review_page(folder.resolve().name, digest, rows), encoding="utf-8")
    lines = (json.dumps({name: row[name] for name in ("id", "language", "path", "text")}) for row in rows)
    (folder / SAMPLE_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    inspection.write_verdict(folder, verdict)
    _write_page(folder, verdict)
    return verdict


def _asked_scores(rows: list[dict[str, Any]], teacher: Teacher, folder: Path) -> list[float]:
    """Return the LLM's scores of the sample; the file beside the review has them with their ids."""
    from datasets_builders.curation.quality.grading import PROMPT_FILE, Rubric, grade_files, graded_rows, write_rows

    rubric = Rubric(PROMPT_FILE.read_text(encoding="utf-8"))
    grades, removed = grade_files(rows, rubric, teacher, folder / ANSWERS_FOLDER)
    for reason, count in Counter(reason for reason, _ in removed.values()).items():
        print(f"  llm: {count} of {len(rows)} rows without a score: {reason}")
    graded = graded_rows(rows, grades, teacher.model)
    write_rows(folder / LLM_FILE, graded)
    return [row["score"] for row in graded]


def _with_progress(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    from tqdm import tqdm

    return tqdm(rows, desc="inspect", unit=" rows", disable=None)


def lines_of(verdict: Verdict) -> list[str]:
    """Return a verdict as lines for the terminal."""
    word = "PASSED" if verdict.passed else "REFUSED"
    lines = [f"{word}: {verdict.score:.1f} of 100, threshold {verdict.threshold:g} = {verdict.formula}"]
    for name, part in verdict.parts.items():
        spread = f", 95 % {part.low:.1f} to {part.high:.1f}" if part.low != part.high else ""
        lines.append(f"  {name:6s} {part.score:5.1f}  n={part.n:,}{spread}")
    lines += [f"  {name:6s} not scored, not counted" for name in verdict.missing]
    lines += [f"  {reason}: {count:,} rows" for reason, count in verdict.worst[:NUM_WORST]]
    return lines


def _write_page(folder: Path, verdict: Verdict) -> None:
    from evals.report.page import Page

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
