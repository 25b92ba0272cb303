"""The results of `evals run` as a report reads them, and the paired tests between them."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from evals.errors import UsageError
from evals.report.settings import rows_asked, settings_but_seed
from evals.report.statistics import difference_interval, holm_adjust, mcnemar_exact, paired_sign_flips


@dataclass(frozen=True)
class Run:
    """A run's results.json, and the verdict of every sample.

    Args:
        label (`str`): names it in tables: the model's folder or id, and what is not the default of `evals run`.
        series (`str`): the label without the seed.
        kind (`str`): "base" or "instruct".
        results (`dict`): of results.json.
        answers (`dict`): by task, a (problem, cluster, whether right) per answer, infra errors left out.
        folder (`Path`): the output folder.
    """

    label: str
    series: str
    kind: str
    results: dict[str, Any]
    answers: dict[str, list[tuple[str, str, bool]]]
    folder: Path


@dataclass(frozen=True)
class PairedTest:
    """What two runs did with the same problems of one task.

    Args:
        n (`int`): problems that both answered.
        num_only_first, num_only_second (`int`): problems that one got right more often than the other.
        difference (`float`): the first's fraction right minus the second's.
        interval: of the difference, 95 %.
        method (`str`): of the p-value.
    """

    task: str
    first: str
    second: str
    n: int
    num_only_first: int
    num_only_second: int
    difference: float
    interval: tuple[float, float]
    method: str
    p: float
    adjusted_p: float


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def read_results(folder: Path) -> dict[str, Any]:
    """Read results.json of an `evals run`.

    Raises:
        UsageError: none there, or another program's.
    """
    path = folder / "results.json"
    if folder.name == path.name and folder.is_file():
        raise UsageError(f"{folder} is a file; give the folder it lies in, {folder.parent}")
    if not path.is_file():
        raise UsageError(f"{folder}: no results.json there; give the --output of an `evals run`")
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(results, dict) or not {"model", "preset", "base", "tasks"} <= results.keys():
        raise UsageError(f"{path} is not of an `evals run`: it lacks model, preset, base or tasks")
    return results


def read_samples(path: Path) -> list[dict[str, Any]]:
    """Read the answers to a task's problems.

    Raises:
        UsageError: a line is not what `evals run` wrote.
    """
    samples = []
    # Not splitlines(): an answer may hold U+2028 or U+0085, which JSON leaves as they are.
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), 1):
        try:
            sample = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}, is not JSON: {error}") from error
        texts = [sample.get(key) for key in ("id", "prediction", "verdict")] if isinstance(sample, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{path}, line {number}, lacks id, prediction or verdict")
        samples.append(sample)
    return samples


def read_run(folder: Path) -> Run:
    """Read the output folder of `evals run`.

    Raises:
        UsageError: no results.json there, or files that `evals run` did not write.
    """
    results = read_results(folder)
    answers = {}
    for task in results["tasks"]:
        samples = folder / "samples" / f"{task}.jsonl"
        if samples.is_file():
            lines = read_samples(samples)
            answers[task] = [
                (line["id"], line.get("cluster", line["id"]), line["verdict"] == "pass")
                for line in lines
                if line["verdict"] != "infra_error"
            ]
    name = results["model"].rstrip("/")
    name = "/".join(Path(name).parts[-2:]) if Path(name).is_absolute() else name
    kind = "base" if results["base"] else "instruct"
    notes = ["base"] * (kind == "base")
    if results["preset"] != "standard":
        notes.append(f"{results['preset']} prompts")
    if results.get("limit"):
        notes.append(f"{results['limit']} rows")
    seed = results.get("sampling", {}).get("seed")
    seeds = [] if seed is None else [f"seed {seed}"]
    return Run(_label(name, notes + seeds), _label(name, notes), kind, results, answers, folder)


def _label(name: str, notes: Sequence[str]) -> str:
    return f"{name} ({', '.join(notes)})" if notes else name


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read the output folders of several runs; those of the same name are numbered.

    Raises:
        UsageError: as `read_run`.
    """
    runs = [read_run(folder) for folder in folders]
    total = Counter(run.label for run in runs)
    seen: Counter[str] = Counter()
    numbered = []
    for run in runs:
        seen[run.label] += 1
        if total[run.label] > 1:
            run = replace(run, label=f"{run.label} #{seen[run.label]}")
        numbered.append(run)
    return numbered


def paired_tests(runs: Sequence[Run], tasks: Collection[str] | None = None) -> list[PairedTest]:
    """Compare every two runs on the problems they share; p-values are adjusted over all comparisons (Holm).

    Args:
        tasks: which to compare; by default all that two runs share.

    Source: McNemar's exact test for one answer to each of independent problems; for several answers, or problems in
    clusters, the randomisation test over clusters. Intervals by the paired bootstrap, over clusters too.
    """
    tests = []
    for first, second in itertools.combinations(runs, 2):
        for task in sorted(first.answers.keys() & second.answers.keys()):
            test = _paired_test(task, first, second) if tasks is None or task in tasks else None
            if test:
                tests.append(test)
    tests.sort(key=lambda test: (test.task, test.first, test.second))
    adjusted = holm_adjust([test.p for test in tests])
    return [replace(test, adjusted_p=p) for test, p in zip(tests, adjusted, strict=True)]


def _paired_test(task: str, first: Run, second: Run) -> PairedTest | None:
    """Return the comparison on one task, not yet adjusted; None if the runs share no problem."""
    ours, theirs = _rates(first.answers[task]), _rates(second.answers[task])
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    cluster_of = {problem: cluster for problem, cluster, _ in first.answers[task]}
    differences = [ours[problem] - theirs[problem] for problem in shared]
    clusters = [cluster_of[problem] for problem in shared]
    num_more, num_less = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    single = all(rates[problem] in (0.0, 1.0) for rates in (ours, theirs) for problem in shared)
    exact = single and len(set(clusters)) == len(clusters)
    return PairedTest(
        task=task,
        first=first.label,
        second=second.label,
        n=len(shared),
        num_only_first=num_more,
        num_only_second=num_less,
        difference=sum(differences) / len(differences),
        interval=difference_interval(differences, clusters),
        method="McNemar" if exact else "sign flips of clusters",
        p=mcnemar_exact(num_more, num_less) if exact else paired_sign_flips(differences, clusters),
        adjusted_p=math.nan,
    )


def _rates(answers: Sequence[tuple[str, str, bool]]) -> dict[str, float]:
    """Return each problem's fraction of right answers."""
    right: dict[str, list[bool]] = defaultdict(list)
    for problem, _, passed in answers:
        right[problem].append(passed)
    return {problem: sum(values) / len(values) for problem, values in right.items()}


@dataclass(frozen=True)
class Spread:
    """Scores in percent of several runs of one model with different seeds."""

    label: str
    task: str
    scores: list[float]

    @property
    def standard_deviation(self) -> float:
        """Of one run, estimated with n - 1."""
        return stdev(self.scores)


def spreads_over_seeds(runs: Sequence[Run]) -> list[Spread]:
    """Return the scores of each task of runs that differ in the seed alone.

    Model, revision, prompts, backend, limit, sampling, versions and the rows themselves have to be equal. Greedy runs
    have no seed, and two runs with the same seed are one.
    """
    groups: dict[tuple[object, ...], dict[int, tuple[Run, float]]] = defaultdict(dict)
    for run in runs:
        seed = run.results.get("sampling", {}).get("seed")
        for name, task in run.results["tasks"].items():
            if seed is not None and task["value"] is not None:
                key = (settings_but_seed(run.results), name, rows_asked(task))
                groups[key].setdefault(seed, (run, 100 * task["value"]))
    return [
        Spread(members[0][0].series, str(name), [score for _, score in members])
        for (_, name, _), by_seed in groups.items()
        if len(members := list(by_seed.values())) > 1
    ]
