"""Section 4.1: from the verdicts of answers to a task's entry in results.json: a score, its interval, its parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from evals.report.statistics import pass_at_k, rate_interval, wilson_interval

KS = (1, 5, 10, 25, 50, 100)


def summarize(records: Sequence[Any], clusters: Sequence[str], subsets: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return value, n, interval and counts of a task; an infra error is left out.

    Args:
        records: `SampleRecord`s, those of a problem beside each other.
        clusters: of each record, what its problem has in common with others (`Benchmark.cluster`).
        subsets: of each record, the subsets that it counts to (`Benchmark.subsets`).

    Returns:
        "value" (mean over problems of pass@1), "n" (problems), "interval" (95 %; Wilson's for one answer to each of
        independent problems, else a bootstrap over clusters), "pass_at_k" and "num_samples" where there are several
        answers, "exact_match" where answers are compared with a reference, "verdicts", "extraction", "subsets". Where
        a server says why answers ended, "finish_reasons" and how many the limit of tokens left "without_text"; where
        answers did not come, "faults": each reason with their number.
    """
    entry = score_of(records, clusters)
    entry["verdicts"] = dict(sorted(Counter(record.verdict for record in records).items()))
    entry["extraction"] = dict(sorted(Counter(record.extraction for record in records if record.extraction).items()))
    ends = Counter(record.finish_reason for record in records if record.finish_reason)
    if ends:
        entry["finish_reasons"] = dict(sorted(ends.items()))
        entry["without_text"] = sum(record.silent for record in records)
    faults = Counter(record.fault for record in records if record.fault)
    if faults:
        entry["faults"] = dict(faults.most_common())
    exact = [record.exact for record in records if record.exact is not None]
    if exact:
        entry["exact_match"] = sum(exact) / len(exact)
    members: dict[str, list[int]] = defaultdict(list)
    for index, of_record in enumerate(subsets):
        for kind, name in of_record.items():
            members[f"{kind}/{name}"].append(index)
    entry["subsets"] = {
        name: score_of([records[i] for i in chosen], [clusters[i] for i in chosen])
        for name, chosen in sorted(members.items())
    }
    return entry


def score_of(records: Sequence[Any], clusters: Sequence[str]) -> dict[str, Any]:
    """Return value, n, interval and, for several answers to a problem, pass@k."""
    by_problem: dict[str, list[bool]] = defaultdict(list)
    cluster_of = {}
    for record, cluster in zip(records, clusters, strict=True):
        if record.verdict != "infra_error":
            by_problem[record.id].append(record.verdict == "pass")
            cluster_of[record.id] = cluster
    if not by_problem:
        return {"value": None, "n": 0, "interval": None, "reason": "every answer was an infra error"}
    rates = {name: sum(right) / len(right) for name, right in by_problem.items()}
    value = sum(rates.values()) / len(rates)
    num_samples = max(map(len, by_problem.values()))
    independent = len(set(cluster_of.values())) == len(cluster_of)
    if num_samples == 1 and independent:
        interval = wilson_interval(round(sum(rates.values())), len(rates))
    else:
        interval = rate_interval(list(rates.values()), [cluster_of[name] for name in rates])
    entry = {"value": value, "n": len(rates), "interval": list(interval)}
    if num_samples > 1:
        counts = [(len(right), sum(right)) for right in by_problem.values()]
        fewest = min(n for n, _ in counts)
        ks = [k for k in KS if k <= fewest]
        entry["num_samples"] = num_samples
        entry["pass_at_k"] = {str(k): sum(pass_at_k(n, c, k) for n, c in counts) / len(counts) for k in ks}
    return entry
