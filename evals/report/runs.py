"""Section 4: the results of `evals run` as a report reads them, and the paired tests between them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.report.statistics import holm_adjust, mcnemar_exact


@dataclass(frozen=True)
class Run:
    """A run's results.json, and the verdict of every sample.

    Args:
        label (`str`): names it in tables: the model's folder or id, and what is not the default of `evals run`.
        kind (`str`): "base" or "instruct".
        results (`dict`): of results.json.
        verdicts (`dict`): by task, then by sample id; of several answers to a problem the first.
        answers (`dict`): by task, a (problem, cluster, whether right) per answer, infra errors left out.
    """

    label: str
    kind: str
    results: dict[str, Any]
    verdicts: dict[str, dict[str, str]]
    answers: dict[str, list[tuple[str, str, bool]]]


@dataclass(frozen=True)
class PairedTest:
    """What two runs did with the same samples of one task: how many only the first, and only the second, got right."""

    task: str
    first: str
    second: str
    n: int
    num_only_first: int
    num_only_second: int
    p: float
    adjusted_p: float

    @property
    def difference(self) -> float:
        """The first's fraction right minus the second's."""
        return (self.num_only_first - self.num_only_second) / self.n


def read_run(folder: Path) -> Run:
    """Read the output folder of `evals run`.

    Raises:
        FileNotFoundError: no results.json there.
    """
    path = folder / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no results.json there; give the --output of an `evals run`")
    results = json.loads(path.read_text(encoding="utf-8"))
    verdicts, answers = {}, {}
    for task in results["tasks"]:
        samples = folder / "samples" / f"{task}.jsonl"
        if samples.is_file():
            lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
            verdicts[task] = {line["id"]: line["verdict"] for line in reversed(lines)}
            answers[task] = [
                (line["id"], line.get("cluster", line["id"]), line["verdict"] == "pass")
                for line in lines
                if line["verdict"] != "infra_error"
            ]
    label = results["model"].rstrip("/")
    label = "/".join(Path(label).parts[-2:]) if Path(label).is_absolute() else label
    kind = "base" if results["base"] else "instruct"
    if kind == "base":
        label += " (base)"
    if results["preset"] != "standard":
        label += f" ({results['preset']} prompts)"
    return Run(label, kind, results, verdicts, answers)


def paired_tests(runs: Sequence[Run]) -> list[PairedTest]:
    """Compare every two runs on the samples they share; p-values are adjusted over all comparisons (Holm).

    Source: McNemar's exact test; infra errors of either run leave a sample out.
    """
    counts = []
    for first, second in itertools.combinations(runs, 2):
        for task in first.verdicts.keys() & second.verdicts.keys():
            ours, theirs = first.verdicts[task], second.verdicts[task]
            shared = [i for i in ours.keys() & theirs.keys() if "infra_error" not in (ours[i], theirs[i])]
            if not shared:
                continue
            only_first = sum(ours[i] == "pass" != theirs[i] for i in shared)
            only_second = sum(theirs[i] == "pass" != ours[i] for i in shared)
            counts.append((task, first.label, second.label, len(shared), only_first, only_second))
    counts.sort()
    p_values = [mcnemar_exact(*count[4:]) for count in counts]
    adjusted = holm_adjust(p_values)
    return [PairedTest(*count, p, q) for count, p, q in zip(counts, p_values, adjusted, strict=True)]
