"""Pages of a run's answers: question, answer, the code that was found in it, verdict and why, to be filtered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from evals.errors import UsageError
from evals.report.documents import FILTER_SCRIPT, render
from evals.report.runs import Run, read_run, read_samples
from evals.report.settings import settings_table

Shown = TypeVar("Shown")
PER_PAGE = 500  # answers: a browser takes long over a page of thousands
FINISHED = ("", "stop", "eos_token", "end_turn")  # ends that need no word


@dataclass(frozen=True)
class Entry:
    """An answer as a page shows it.

    Args:
        how (`str`): how its code was found, or why there is no answer.
        found (`str`, *optional*): what was judged; None for all of the answer.
        num_answers (`int`): to the same problem.
        end (`str`): why the model ended, where it did not end by itself.
    """

    id: str
    prompt: str
    reference: str
    prediction: str
    verdict: str
    how: str
    message: str
    found: str | None
    sample: int
    num_answers: int
    end: str
    fault: str


@dataclass(frozen=True)
class TaskPages:
    """A task's line in the index; `shown` are the verdicts of the answers that stand on its pages."""

    name: str
    address: str
    num_pages: int
    score: str
    num_answers: int
    verdicts: Counter[str]
    hows: Counter[str]
    shown: Collection[str]


def entries_of(lines: Sequence[dict[str, Any]]) -> list[Entry]:
    """Return a task's answers as a page shows them; `lines` are of its file of samples."""
    totals = Counter(line["id"] for line in lines)
    first = {line["id"]: line for line in reversed(lines)}  # has what all answers to a problem share
    seen: Counter[str] = Counter()
    entries = []
    for line in lines:
        identifier = line["id"]
        end, fault, found = line.get("finish_reason") or "", line.get("fault") or "", line.get("found")
        entries.append(
            Entry(
                id=identifier,
                prompt=str(first[identifier].get("prompt") or ""),
                reference=str(first[identifier].get("reference") or ""),
                prediction=line["prediction"],
                verdict=line["verdict"],
                how="no answer came" if fault else str(line.get("extraction") or "").replace("_", " "),
                message=str(line.get("message") or ""),
                found=None if found is None or fault else str(found),
                sample=seen[identifier],
                num_answers=totals[identifier],
                end="" if end in FINISHED else str(end),
                fault=str(fault),
            )
        )
        seen[identifier] += 1
    return entries


def write_sample_pages(
    folder: Path, output: Path, tasks: Collection[str] | None = None, verdicts: Collection[str] = ()
) -> Path:
    """Write index.html and pages of each task's answers; return the index's path.

    Args:
        folder: the output folder of `evals run`.
        output: of the pages.
        tasks: which to write; by default all that have answers.
        verdicts: show answers with these verdicts alone; by default all.

    Raises:
        UsageError: no run there, none of the tasks or verdicts in it, or files that `evals run` did not write.
    """
    run = read_run(folder)
    found = {name: read_samples(path) for name, path in sample_files(run, tasks).items()}
    if not found:
        raise UsageError(f"{folder}: no answers to {'these tasks' if tasks else 'any task'} are kept there")
    entries = {name: entries_of(lines) for name, lines in found.items()}
    known = {entry.verdict for of_task in entries.values() for entry in of_task}
    if unknown := set(verdicts) - known:
        raise UsageError(
            f"--verdicts: no answer has {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )
    output.mkdir(parents=True, exist_ok=True)
    pages = [_write_task(run, name, of_task, output, verdicts) for name, of_task in entries.items()]
    hows = sorted({how for page in pages for how in page.hows})
    all_verdicts = sorted({verdict for page in pages for verdict in page.verdicts})
    left_out = [
        f"{name} ({task.get('reason') or 'not kept, or not chosen'})"
        for name, task in run.results["tasks"].items()
        if name not in entries
    ]
    index = render(
        "samples_index.html",
        title=f"Answers of {run.label}",
        subtitle=f"Read from {folder}",
        headers=["task", "score", "answers", *all_verdicts],
        rows=[_cells(page, all_verdicts) for page in pages],
        links=_links(pages, all_verdicts),
        hows=hows,
        how_rows=[[page.name, *(f"{page.hows[how]:,}" for how in hows)] for page in pages if page.hows],
        left_out=left_out,
        settings=settings_table([run.results]),
    )
    (output / "index.html").write_text(index, encoding="utf-8")
    return output / "index.html"


def sample_files(run: Run, tasks: Collection[str] | None = None) -> dict[str, Path]:
    """Return the files of samples of a run's tasks; names of tasks become names of pages, and are checked for it.

    Raises:
        UsageError: a name is none of a task.
    """
    if wrong := [name for name in run.results["tasks"] if not re.fullmatch(r"\w[\w.+-]*", name)]:
        raise UsageError(f"{run.folder / 'results.json'}: {wrong[0]!r} is no name of a task")
    paths = {name: run.folder / "samples" / f"{name}.jsonl" for name in run.results["tasks"]}
    return {name: path for name, path in paths.items() if path.is_file() and (tasks is None or name in tasks)}


def paged(name: str, entries: Sequence[Shown]) -> dict[str, Sequence[Shown]]:
    """Return a task's entries by the file name of the page that they stand on; without entries one page."""
    parts = [entries[start : start + PER_PAGE] for start in range(0, len(entries), PER_PAGE)] or [entries]
    return {f"{name}{f'_{number}' if number > 1 else ''}.html": part for number, part in enumerate(parts, 1)}


def score_text(task: dict[str, Any]) -> str:
    """Return a task's score with its interval, or "-"."""
    if task.get("value") is None:
        return "-"
    low, high = task["interval"]
    return f"{100 * task['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _cells(page: TaskPages, verdicts: Sequence[str]) -> list[str]:
    counts = [f"{page.verdicts[verdict]:,}" if verdict in page.verdicts else "-" for verdict in verdicts]
    return [page.name, page.score, f"{page.num_answers:,}", *counts]


def _links(pages: Sequence[TaskPages], verdicts: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return where the cells of the index lead: to a task's pages, and to its answers with one verdict."""
    links = {}
    for row, page in enumerate(pages):
        links[row, 0] = page.address
        if page.num_pages == 1:  # a filter is of one page
            places = enumerate(verdicts, 3)
            links |= {
                (row, column): f"{page.address}#{urlencode({'verdict': verdict})}"
                for column, verdict in places
                if verdict in page.shown
            }
    return links


def _write_task(run: Run, name: str, entries: list[Entry], output: Path, verdicts: Collection[str]) -> TaskPages:
    shown = [entry for entry in entries if not verdicts or entry.verdict in verdicts]
    parts = paged(name, shown)
    only = f"; here those with {', '.join(sorted(verdicts))}: {len(shown):,}" if verdicts else ""
    score = score_text(run.results["tasks"][name])
    for address, part in parts.items():
        counts = Counter(entry.verdict for entry in part)
        hows = Counter(entry.how for entry in part if entry.how)
        selects = [("verdict", "verdict", dict(counts.most_common()))]
        selects += [("how", "code was found", dict(hows.most_common()))] if hows else []
        page = render(
            "samples.html",
            title=f"{name}: answers of {run.label}",
            subtitle=f"{score}, {len(entries):,} answers{only}",
            script=FILTER_SCRIPT,
            wide=True,
            entries=part,
            selects=selects,
            address=address,
            addresses=list(parts),
        )
        (output / address).write_text(page, encoding="utf-8")
    all_hows = Counter(entry.how for entry in entries if entry.how)
    all_verdicts = Counter(entry.verdict for entry in entries)
    return TaskPages(
        name=name,
        address=next(iter(parts)),
        num_pages=len(parts),
        score=score,
        num_answers=len(entries),
        verdicts=all_verdicts,
        hows=all_hows,
        shown={entry.verdict for entry in shown},
    )
