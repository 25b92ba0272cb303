"""Pages that hold two runs side by side, problem by problem: what the second won, what it lost, and the paired test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evals.errors import UsageError
from evals.report.documents import render
from evals.report.records import Block, Record, title_of, write_records
from evals.report.runs import PairedTest, Run, paired_tests, read_runs, read_samples, write_json
from evals.report.samples import Entry, entries_of, language_of_task, sample_files
from evals.report.settings import differing, settings_table

MAX_ANSWERS = 4  # shown of each run, of several to a problem
CHANGED = ("won", "lost")
NOT_JUDGED = "infra_error"
EXPLANATION = (
    "Won: the second run is right more often than the first; lost: less often. Only problems that both runs answered "
    "count. Intervals of the difference by the paired bootstrap, p-values by McNemar's exact test, or by sign flips of "
    "clusters where problems belong together or have several answers; adjusted for all tasks (Holm)."
)
HEADERS = [
    "task",
    "problems",
    "first",
    "second",
    "difference",
    "95 % interval",
    "won",
    "lost",
    "test",
    "p",
    "adjusted p",
]


@dataclass(frozen=True)
class ProblemPair:
    """What two runs did with one problem.

    Args:
        change (`str`): "won", "lost", "both right", "both wrong" (or, of several answers, "as often"), "not judged".
        rates (`str`): how many answers of each are right, where that is not clear.
        second_prompt (`str`): where the second run was asked otherwise.
        sides: of each run its label, the first of its answers, and how many more there are.
    """

    id: str
    change: str
    rates: str
    prompt: str
    second_prompt: str
    reference: str
    sides: Sequence[tuple[str, Sequence[Entry], int]]


@dataclass(frozen=True)
class TaskComparison:
    """Two runs' answers to one task: a pair for each problem that both answered, and the test over them."""

    task: str
    test: PairedTest | None
    pairs: list[ProblemPair]
    only_first: list[str]
    only_second: list[str]
    scores: tuple[float, float]

    def ids(self, change: str) -> list[str]:
        """Return the problems of one kind of change."""
        return [pair.id for pair in self.pairs if pair.change == change]


def compare(first: Path, second: Path, tasks: Collection[str] | None = None) -> tuple[list[Run], list[TaskComparison]]:
    """Return two runs and the comparison of each task that both answered.

    Args:
        first, second: output folders of `evals run`; what the second does better is won.
        tasks: by default all.

    Raises:
        UsageError: no runs there, or they share no problem.
    """
    runs = read_runs([first, second])
    files = [sample_files(run, tasks) for run in runs]
    shared = [name for name in files[0] if name in files[1]]
    # The first of paired_tests is the one that is better where its difference is above 0.
    tests = {test.task: test for test in paired_tests([runs[1], runs[0]], shared)}
    compared = [
        _compared(name, runs, [entries_of(read_samples(found[name])) for found in files], tests.get(name))
        for name in shared
    ]
    compared = [comparison for comparison in compared if comparison.pairs]
    if not compared:
        raise UsageError(f"{first} and {second} have answers to no problem in common: nothing can be compared")
    return runs, compared


def _compared(
    task: str, runs: Sequence[Run], entries: Sequence[Sequence[Entry]], test: PairedTest | None
) -> TaskComparison:
    by_problem: list[dict[str, list[Entry]]] = []
    for of_run in entries:
        grouped: dict[str, list[Entry]] = defaultdict(list)
        for entry in of_run:
            grouped[entry.id].append(entry)
        by_problem.append(grouped)
    ours, theirs = by_problem
    pairs = [_pair(name, [run.label for run in runs], ours[name], theirs[name]) for name in ours if name in theirs]
    judged = [(_rate(ours[pair.id]), _rate(theirs[pair.id])) for pair in pairs if pair.change != "not judged"]
    scores = tuple(sum(rates) / len(judged) for rates in zip(*judged, strict=True)) if judged else (0.0, 0.0)
    return TaskComparison(
        task=task,
        test=test,
        pairs=pairs,
        only_first=[name for name in ours if name not in theirs],
        only_second=[name for name in theirs if name not in ours],
        scores=(scores[0], scores[1]),
    )


def _pair(identifier: str, labels: Sequence[str], ours: list[Entry], theirs: list[Entry]) -> ProblemPair:
    asked_otherwise = theirs[0].prompt and ours[0].prompt and theirs[0].prompt != ours[0].prompt
    sides = [
        (label, answers[:MAX_ANSWERS], len(answers[MAX_ANSWERS:]))
        for label, answers in zip(labels, (ours, theirs), strict=True)
    ]
    several = max(len(ours), len(theirs)) > 1
    return ProblemPair(
        id=identifier,
        change=_change(_judged(ours), _judged(theirs)),
        rates=f"{_right_of(ours)}, then {_right_of(theirs)}"
        if several
        else f"{ours[0].verdict}, then {theirs[0].verdict}",
        prompt=ours[0].prompt or theirs[0].prompt,
        second_prompt=theirs[0].prompt if asked_otherwise else "",
        reference=ours[0].reference or theirs[0].reference,
        sides=sides,
    )


def _judged(answers: Sequence[Entry]) -> list[bool]:
    return [entry.verdict == "pass" for entry in answers if entry.verdict != NOT_JUDGED]


def _change(ours: Sequence[bool], theirs: Sequence[bool]) -> str:
    if not ours or not theirs:
        return "not judged"
    before, after = sum(ours) / len(ours), sum(theirs) / len(theirs)
    if after != before:
        return "won" if after > before else "lost"
    return {1.0: "both right", 0.0: "both wrong"}.get(after, "as often")


def _rate(answers: Sequence[Entry]) -> float:
    judged = _judged(answers)
    return sum(judged) / len(judged)


def _right_of(answers: Sequence[Entry]) -> str:
    judged = _judged(answers)
    return f"{sum(judged)} of {len(judged)} right"


def summary_of(comparison: TaskComparison) -> str:
    """Return what a comparison found, in a sentence."""
    won, lost = len(comparison.ids("won")), len(comparison.ids("lost"))
    test = comparison.test
    if test is None:
        return f"{comparison.task}: no problem has a verdict in both runs"
    low, high = (100 * end for end in test.interval)
    return (
        f"{comparison.task}: {won:,} won and {lost:,} lost of {test.n:,} problems, {100 * test.difference:+.1f} points "
        f"(95 % {low:+.1f} to {high:+.1f}), {test.method} p={test.p:.3g}"
    )


def write_comparison(
    runs: Sequence[Run], compared: Sequence[TaskComparison], output: Path, with_unchanged: bool = False
) -> list[Path]:
    """Write index.html, a page for each task, and comparison.json; return the paths of the first and the last.

    Args:
        with_unchanged: show the answers to problems that neither run is better at, too.
    """
    output.mkdir(parents=True, exist_ok=True)
    settings = settings_table([run.results for run in runs])
    in_both = {comparison.task for comparison in compared}
    for comparison in compared:
        write_records(
            output,
            comparison.task,
            (_record(comparison.task, pair) for pair in comparison.pairs if with_unchanged or pair.change in CHANGED),
            title=f"{comparison.task}: {runs[1].label} against {runs[0].label}",
            filters={"change": "change"},
            notes=[summary_of(comparison), *filter(None, [_others(comparison, with_unchanged)])],
            links={"index.html": "All tasks of this comparison"},
        )
    index = render(
        "comparison_index.html",
        title=f"{runs[1].label} against {runs[0].label}",
        subtitle=f"first: {runs[0].label} ({runs[0].folder}); second: {runs[1].label} ({runs[1].folder})",
        explanation=EXPLANATION,
        headers=HEADERS,
        rows=[_cells(comparison) for comparison in compared],
        links={(row, 0): f"{comparison.task}.html" for row, comparison in enumerate(compared)},
        left_out=sorted({name for run in runs for name in run.results["tasks"]} - in_both),
        differing=[settings[number] for number in differing(settings)] + _rows_that_differ(runs, in_both),
        first=f"first: {runs[0].label}",
        second=f"second: {runs[1].label}",
    )
    (output / "index.html").write_text(index, encoding="utf-8")
    write_json(output / "comparison.json", _plain(runs, compared))
    return [output / "index.html", output / "comparison.json"]


def _record(task: str, pair: ProblemPair) -> Record:
    """Return a problem with the answers of both runs as a record."""
    language = language_of_task(task)
    title = "Question, as the first was asked" if pair.second_prompt else "Question"
    blocks = [Block(title, pair.prompt)] if pair.prompt else []
    if pair.second_prompt:
        blocks.append(Block("Question, as the second was asked", pair.second_prompt))
    for side, (label, answers, num_more) in enumerate(pair.sides, 1):
        for answer in answers:
            number = f", answer {answer.sample + 1}" if answer.num_answers > 1 else ""
            why = ": ".join(part for part in (answer.how, answer.message) if part)
            blocks.append(Block(f"{label}{number}", answer.prediction, side=side, marks=[answer.verdict], note=why))
            if answer.found and answer.found != answer.prediction:
                blocks.append(Block("found in it, and judged", answer.found, language, side))
        if num_more or not answers:
            blocks.append(Block(label, f"and {num_more} more answers" if num_more else "No answer.", side=side))
    if pair.reference:
        blocks.append(Block("A right answer", pair.reference, language))
    title = title_of(pair.id, pair.prompt)
    facts = {} if title == pair.id else {"id": pair.id}
    return Record(pair.id, title, pair.rates, blocks, [pair.change], facts, {"change": [pair.change]})


def _others(comparison: TaskComparison, with_unchanged: bool) -> str:
    counts = Counter(pair.change for pair in comparison.pairs if pair.change not in CHANGED)
    parts = [f"{name}: {number:,}" for name, number in counts.most_common()]
    parts += [f"answered by the first alone: {len(comparison.only_first):,}"] * bool(comparison.only_first)
    parts += [f"answered by the second alone: {len(comparison.only_second):,}"] * bool(comparison.only_second)
    if counts and not with_unchanged:
        parts.append("--all shows these problems too")
    return "; ".join(parts)


def _cells(comparison: TaskComparison) -> list[str]:
    test, before, after = comparison.test, *(f"{100 * score:.1f} %" for score in comparison.scores)
    if test is None:
        return [comparison.task, "0", "-", "-", "-", "-", "-", "-", "-", "-", "-"]
    low, high = (100 * end for end in test.interval)
    found = [f"{100 * test.difference:+.1f} points", f"{low:+.1f} to {high:+.1f}"]
    changes = [f"{len(comparison.ids(change)):,}" for change in CHANGED]
    p_values = [test.method, f"{test.p:.3g}", f"{test.adjusted_p:.3g}"]
    return [comparison.task, f"{test.n:,}", before, after, *found, *changes, *p_values]


def _rows_that_differ(runs: Sequence[Run], tasks: Collection[str]) -> list[list[str]]:
    """Return the tasks whose rows are not the same in both runs, as rows of the table of settings."""
    rows = []
    for name in sorted(tasks):
        data = [run.results["tasks"][name].get("data") or {} for run in runs]
        if data[0].get("sha256") != data[1].get("sha256"):
            shown = [f"{each.get('rows', '-')} rows, {str(each.get('sha256', '-'))[:12]}" for each in data]
            rows.append([f"rows of {name}", *shown])
    return rows


def _plain(runs: Sequence[Run], compared: Sequence[TaskComparison]) -> dict[str, object]:
    tasks = {
        comparison.task: {
            "test": asdict(comparison.test) if comparison.test else None,
            "scores": list(comparison.scores),
            "changes": {
                change: comparison.ids(change) for change in dict.fromkeys(pair.change for pair in comparison.pairs)
            },
            "only_first": comparison.only_first,
            "only_second": comparison.only_second,
        }
        for comparison in compared
    }
    return {"first": str(runs[0].folder), "second": str(runs[1].folder), "tasks": tasks}
