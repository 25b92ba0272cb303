"""Pages of a run's answers: question, answer, the code that was found in it, verdict and why, to be filtered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from evals.errors import UsageError
from evals.report.documents import render
from evals.report.records import Block, Part, Record, title_of, write_records
from evals.report.runs import Run, read_run, read_samples
from evals.report.settings import settings_table

ANSWERS = "answers"  # name of the pages
NO_QUESTION = "It was not written down; python -m evals rescore adds it."
NO_ANSWER = "Nothing: there is no answer."
WHOLE_ANSWER = "All of the answer, as it stands."
NOTHING_FOUND = "Nothing was found."
MAX_LINE_CHARS = 160
SEVERAL_LANGUAGES = ("multipl_e_", "mbxp_plus_", "humanevalfix_")
IN_PYTHON = ("humaneval", "mbpp", "bigcodebench", "ds1000", "livecodebench", "cruxeval", "held_out_execution")
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
class TaskAnswers:
    """A task's line in the index; `shown` are the verdicts of the answers that stand on the pages."""

    name: str
    addresses: list[str]
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
    left_out = [
        f"{name} ({task.get('reason') or 'not kept, or not chosen'})"
        for name, task in run.results["tasks"].items()
        if name not in entries
    ]
    only = f"Those alone that are {', '.join(sorted(verdicts))}." if verdicts else ""
    written = write_records(
        output,
        ANSWERS,
        (
            _record(name, entry)
            for name, of_task in entries.items()
            for entry in of_task
            if not verdicts or entry.verdict in verdicts
        ),
        title=f"Answers of {run.label}",
        subtitle=f"Read from {folder}",
        filters={"task": "task", "verdict": "verdict", "how": "code was found"},
        notes=[only] if only else [],
        links={"index.html": "Scores of all tasks"},
    )
    answers = [_task_of(run, name, of_task, written, verdicts) for name, of_task in entries.items()]
    hows = sorted({how for task in answers for how in task.hows})
    all_verdicts = sorted({verdict for task in answers for verdict in task.verdicts})
    index = render(
        "samples_index.html",
        title=f"Answers of {run.label}",
        subtitle=f"Read from {folder}",
        headers=["task", "score", "answers", *all_verdicts],
        rows=[_cells(task, all_verdicts) for task in answers],
        links=_links(answers, all_verdicts),
        hows=hows,
        how_rows=[[task.name, *(f"{task.hows[how]:,}" for how in hows)] for task in answers if task.hows],
        left_out=left_out,
        settings=settings_table([run.results]),
    )
    (output / "index.html").write_text(index, encoding="utf-8")
    return output / "index.html"


def _record(task: str, entry: Entry) -> Record:
    """Return an answer as a record."""
    language = language_of_task(task)
    blocks = [Block("Question", entry.prompt)] if entry.prompt else [Block("Question", NO_QUESTION)]
    end = f"ended by: {entry.end}" if entry.end else ""
    blocks.append(Block("Answer", entry.prediction, side=1, note=end))
    if entry.found is None:
        blocks.append(Block("Judged", NO_ANSWER if entry.fault else WHOLE_ANSWER, side=2))
    else:
        blocks.append(
            Block("Found in it, and judged", entry.found or NOTHING_FOUND, language if entry.found else "", 2)
        )
    if entry.reference:
        blocks.append(Block("A right answer", entry.reference, language, side=2))
    why = f"{entry.how}: {entry.message}" if entry.how and entry.message else entry.how or entry.message
    number = f"answer {entry.sample + 1} of {entry.num_answers}" if entry.num_answers > 1 else ""
    groups = {"task": [task], "verdict": [entry.verdict], "how": [entry.how] if entry.how else []}
    title = title_of(entry.id, entry.prompt)
    facts = {"task": task, "id": "" if title == entry.id else entry.id, "why": why}
    return Record(
        key=f"{task}/{entry.id}/{entry.sample}",
        title=title,
        line=", ".join(part for part in (number, why[:MAX_LINE_CHARS]) if part),
        blocks=blocks,
        marks=[entry.verdict],
        facts={name: value for name, value in facts.items() if value},
        groups=groups,
    )


def sample_files(run: Run, tasks: Collection[str] | None = None) -> dict[str, Path]:
    """Return the files of samples of a run's tasks; names of tasks become names of pages, and are checked for it.

    Raises:
        UsageError: a name is none of a task.
    """
    if wrong := [name for name in run.results["tasks"] if not re.fullmatch(r"\w[\w.+-]*", name)]:
        raise UsageError(f"{run.folder / 'results.json'}: {wrong[0]!r} is no name of a task")
    paths = {name: run.folder / "samples" / f"{name}.jsonl" for name in run.results["tasks"]}
    return {name: path for name, path in paths.items() if path.is_file() and (tasks is None or name in tasks)}


def language_of_task(name: str) -> str:
    """Return the programming language of the answers to a task, for their colors; "" where there is none."""
    if name.startswith(SEVERAL_LANGUAGES):
        return name.rpartition("_")[2]
    return "sql" if name.startswith("spider") else "python" if name.startswith(IN_PYTHON) else ""


def score_text(task: dict[str, Any]) -> str:
    """Return a task's score with its interval, or "-"."""
    if task.get("value") is None:
        return "-"
    low, high = task["interval"]
    return f"{100 * task['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _cells(task: TaskAnswers, verdicts: Sequence[str]) -> list[str]:
    counts = [f"{task.verdicts[verdict]:,}" if verdict in task.verdicts else "-" for verdict in verdicts]
    return [task.name, task.score, f"{task.num_answers:,}", *counts]


def _links(tasks: Sequence[TaskAnswers], verdicts: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return where the cells of the index lead: to a task's answers, and to those with one verdict."""
    links = {}
    for row, task in enumerate(tasks):
        if task.addresses:
            links[row, 0] = f"{task.addresses[0]}#{urlencode({'task': task.name})}"
        if len(task.addresses) == 1:  # a filter is of one page
            links |= {
                (row, column): f"{task.addresses[0]}#{urlencode({'task': task.name, 'verdict': verdict})}"
                for column, verdict in enumerate(verdicts, 3)
                if verdict in task.shown
            }
    return links


def _task_of(
    run: Run, name: str, entries: Sequence[Entry], written: Sequence[tuple[str, Part]], verdicts: Collection[str]
) -> TaskAnswers:
    found = Counter(entry.verdict for entry in entries)
    return TaskAnswers(
        name=name,
        addresses=[address for address, part in written if name in part.groups.get("task", ())],
        score=score_text(run.results["tasks"][name]),
        num_answers=len(entries),
        verdicts=found,
        hows=Counter(entry.how for entry in entries if entry.how),
        shown=set(found) & set(verdicts) if verdicts else set(found),
    )
