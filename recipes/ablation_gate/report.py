"""Section 2.1: the verdict as text for a terminal and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recipes.ablation_gate.known_rates import describe_rates

HEADER = ["measure", "n", "control", "experiment", "difference", "95 % interval", "p (Holm)", "says", "would be found"]
WORDS = {
    "approve": "APPROVE: the data do the model good",
    "reject": "REJECT: the data do the model harm",
    "not_enough_evidence": "NOT ENOUGH EVIDENCE",
}


def describe_verdict(record: dict[str, Any]) -> str:
    """Return the verdict in lines of text, with the gate's error rates below."""
    lines = [f"{WORDS[record['verdict']]} ({record['reason']})"]
    for row in measure_rows(record):
        lines.append("  " + ", ".join(f"{name} {cell}" for name, cell in zip(HEADER, row, strict=True) if cell != "-"))
    return "\n".join([*lines, describe_rates(record["error_rates"])])


def measure_rows(record: dict[str, Any]) -> list[list[str]]:
    """Return a row per measure; above 0 the experiment did better."""
    rows = []
    for result in record["measures"]:
        low, high = result["interval"]
        rows.append(
            [
                result["name"],
                f"{result['num_pairs']} x {result['num_items']:,}",
                f"{result['control']:.4f}",
                f"{result['experiment']:.4f}",
                f"{result['difference']:+.4f}",
                "-" if low is None else f"{low:+.4f} to {high:+.4f}",
                f"{result['adjusted_p']:.3g}",
                result["says"],
                "-" if result["detectable"] is None else f"{result['detectable']:.4f}",
            ]
        )
    return rows


def save_report(path: Path, record: dict[str, Any]) -> Path:
    """Write the page and its Markdown form; return the page's path."""
    from evals.report.page import Page

    candidate = record["candidate"]
    page = Page(
        f"Ablation study of {candidate['dataset'] or ', '.join(candidate['files'])}",
        subtitle=f"{record['date']}, {record['recipe']}, {record['parameters']:,} parameters",
    )
    page.paragraph(f"{WORDS[record['verdict']]}: {record['reason']}.")
    page.table(HEADER, measure_rows(record))
    page.paragraph(
        "Differences above 0 mean that the experimental group did better. A measure says better or worse only where "
        "two tests agree: Student's over the pairs of runs and sign flips over the items; n is pairs x items. The last "
        "column is the difference that as many runs with this spread find with a chance of 80 %."
    )
    for name, data in record["held_out"].items():
        if data["num_left_out_as_in_candidate"]:
            left_out = data["num_left_out_as_in_candidate"]
            documents = "document was" if left_out == 1 else "documents were"
            page.paragraph(f"{left_out:,} held-out {documents} left out of {name}: the candidate holds them.")
    page.heading("The study")
    page.table(
        ["setting", "value"],
        [
            ["both groups began with", record["checkpoint"]],
            ["tokens of every run", f"{record['tokens_per_run']:,}"],
            ["of them from the candidate, experimental group", f"{record['candidate_tokens_per_run'] or 0:,}"],
            ["pairs of runs", str(record["num_seeds"])],
            ["device", record["device"]],
        ],
        aligned=False,
    )
    page.code(record["command"])
    page.heading("How often the gate errs")
    rates = record["error_rates"]
    page.paragraph(describe_rates(rates))
    page.table(
        ["candidate", "effect, nats", "effect / spread", "approved", "rejected", "of"],
        [
            [
                row["candidate"],
                f"{row['effect_nats']:+.4f}",
                f"{row['effect_in_spreads']:+.2f}",
                row["num_approved"],
                row["num_rejected"],
                row["num_repeats"],
            ]
            for row in rates["rows"]
        ],
        caption=f"Data of planted worth, {rates['date']}: {rates['command']}",
    )
    return page.save(path)[0]
