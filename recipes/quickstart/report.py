"""The quickstart's report: what came in, what became of it, what was trained, and what it scores. Nothing is typed.

Everything is read from what the steps wrote: ledgers, datasets, metrics.jsonl, run.json, results.json.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from evals.report.page import Page
from evals.scoring.held_out_choice import MEASURES
from recipes.quickstart.step_runner import StepRecord

DATASETS = {
    "source_code": "2.2.1: file-level source code",
    "standard_library": "2.2.1: file-level source code that the questions also come from",
    "documentation": "2.3: documentation, a stand-in for natural language",
    "arithmetic": "3.2: computed word problems, a stand-in for math",
    "synthetic_qa": "2.4: SyntheticQA, answers computed by program analysis",
    "sft": "3.2.3: the SFT set",
    "dpo": "3.2.4: the DPO set, verified by execution",
    "tokenized": "3.2: token shards, the five sources of Table 1",
}
# Files of `evaluation/`, and what was weighed.
CHOICES = {
    "held_out_exchange": "Right answers against the right answers of other questions of the kind",
    "held_out_choice": "Right answers against answers to the same question that were seen to be wrong",
}
STAGES = ("stage1", "stage2", "annealing", "sft", "dpo")
PACKAGES = ("torch", "transformers", "trl", "accelerate", "datasets", "datatrove", "lighteval")
SAMPLE_CHARS = 900
MAX_REPLIES, MAX_REPLY_CHARS = 3, 300


def write_report(output: Path, records: Sequence[StepRecord]) -> tuple[Path, Path]:
    """Write `report.html` and `report.md` below `output` from what the steps left there; return both paths."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    page = Page(
        "Ling-Coder recipes: the whole paper once, in the small",
        f"{today}; {os.cpu_count()} CPU cores, Python {platform.python_version()}; {versions}",
    )
    add_replies(page, output / "evaluation" / "samples" / "held_out_execution.jsonl")
    add_scores(page, output / "evaluation")
    add_training(page, output)
    add_data(page, output / "datasets")
    add_questions(page, output / "datasets" / "synthetic_qa")
    add_timing(page, records)
    add_next(page, output)
    return page.save(output / "report.html")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or None when it was never written."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file, or none when it was never written."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def add_scores(page: Page, evaluation: Path) -> None:
    """Add held-out loss and held-out execution prediction, before and after."""
    page.heading("Before and after")
    page.paragraph(
        "Held-out functions, and their near-duplicates, are in no question that was trained on. Their files are in the "
        "raw code of pre-training, as they would be for any model trained on public code."
    )
    loss = read_json(evaluation / "held_out_loss.json")
    if loss:
        low, high = loss["difference"]["interval"]
        rows = [
            ["initial weights", f"{loss['baseline']['mean']:.3f}", loss["n"], ""],
            ["after all stages", f"{loss['model']['mean']:.3f}", loss["n"], ""],
            ["difference, paired", f"{loss['difference']['mean']:.3f}", loss["n"], f"{low:.3f} to {high:.3f}"],
        ]
        page.table(
            ["weights", "nats per token", "n", "95 % interval"], rows, "Held-out loss on answers, lower is better"
        )
        verdict = "falls" if high < 0 else "does not fall"
        page.paragraph(f"The held-out loss {verdict}: the interval {'excludes' if high < 0 else 'includes'} zero.")
    for name, caption in CHOICES.items():
        choice = read_json(evaluation / f"{name}.json")
        if choice:
            add_choice(page, choice, caption)
    results = read_json(evaluation / "results.json")
    for name, task in (results or {}).get("tasks", {}).items():
        add_task(page, name, task)


def add_choice(page: Page, choice: dict[str, Any], caption: str) -> None:
    """Add how often right answers were found likelier than wrong ones, and whether that beats a coin."""
    rows = []
    for kind, measures in choice["kinds"].items():
        figures = measures["mean"]
        sides = [[f"{side['accuracy']:.1%}", interval_text(side)] for side in (figures["baseline"], figures["model"])]
        rows.append([kind.replace("_", " "), figures["n"], *sides[0], *sides[1]])
    header = ["questions", "n", "initial weights", "95 % interval", "after all stages", "95 % interval"]
    page.table(
        header,
        rows,
        f"{caption}: how often they are likelier, by log-probability per token; a coin has {choice['chance']:.0%}",
    )
    add_measures(page, choice["kinds"]["all"])
    if choice.get("other_kinds"):
        add_verdict(
            page, choice["other_kinds"]["mean"], choice["chance"], "Against answers to questions of other kinds"
        )
    add_verdict(page, choice["kinds"]["all"]["mean"], choice["chance"], "Over all questions")


def add_measures(page: Page, overall: dict[str, Any]) -> None:
    """Add the same choices by each measure: what favors short or usual answers shows in the initial weights, too."""
    rows = []
    for measure, figures in overall.items():
        sides = [[f"{side['accuracy']:.1%}", interval_text(side)] for side in (figures["baseline"], figures["model"])]
        rows.append([MEASURES[measure], *sides[0], *sides[1]])
    header = ["log-probability", "initial weights", "95 % interval", "after all stages", "95 % interval"]
    page.table(header, rows, "The same over all questions, by how answers are compared; verdicts are per token")


def add_verdict(page: Page, overall: dict[str, Any], chance: float, against: str) -> None:
    """Say whether weights beat a coin and the initial weights, and by how much the right answers are likelier."""
    low, high = overall["difference"]["interval"]
    beats_chance, beats_initial = overall["model"]["interval"][0] > chance, low > 0
    page.paragraph(
        f"{against} it {'beats' if beats_chance else 'does not beat'} a coin, and "
        f"{'beats' if beats_initial else 'does not beat'} the initial weights: {overall['difference']['mean']:+.1%}, "
        f"95 % interval {low:+.1%} to {high:+.1%}, paired; p = {overall['p_value']:.2g} by sign flips. Questions about "
        f"one function, or of functions that exchange answers, count as one observation: {overall['num_clusters']}."
        f"{margins_text(overall)}"
    )


def margins_text(overall: dict[str, Any]) -> str:
    """Return by how much right answers were found likelier, before and after; nothing where one observation is all."""
    sides = [("initial weights", overall["baseline"]), ("after all stages", overall["model"])]
    if any(side["margin_nats"]["interval"] is None for _, side in sides):
        return ""
    words = [
        "{} {:+.3f} ({:+.3f} to {:+.3f})".format(label, side["margin_nats"]["mean"], *side["margin_nats"]["interval"])
        for label, side in sides
    ]
    return f" Right answers are likelier by, in nats per token: {', '.join(words)}."


def add_task(page: Page, name: str, task: dict[str, Any]) -> None:
    """Add one task's score beside its baselines, and say whether it beats them."""
    if task.get("value") is None:
        page.paragraph(f"`{name}` could not be scored: {task.get('reason', 'no reason given')}")
        return
    rows = [["after all stages", f"{task['value']:.1%}", task["n"], interval_text(task)]]
    for label, baseline in (task.get("baselines") or {}).items():
        value = baseline["value"] if isinstance(baseline, dict) else baseline
        interval = interval_text(baseline) if isinstance(baseline, dict) else ""
        rows.append([label.replace("_", " "), "-" if value is None else f"{value:.1%}", task["n"], interval])
    page.table(["weights", task["metric"], "n", "95 % interval"], rows, f"{name}, higher is better")
    others = [row for row in rows[1:] if row[1] != "-"]
    beaten = [row[0] for row in others if task["value"] > float(row[1].rstrip("%")) / 100]
    missed = [row[0] for row in others if row[0] not in beaten]
    if missed:
        page.paragraph(f"It does not beat: {', '.join(missed)}. A model of this size and budget is not expected to.")
    cut = (task.get("finish_reasons") or {}).get("length", 0)
    if cut:
        page.paragraph(f"{cut} of its answers were cut at the limit of tokens.")
    isolation = task.get("isolation")
    if isolation:
        verdicts = ", ".join(f"{name} {count:,}" for name, count in (task.get("verdicts") or {}).items())
        page.paragraph(f"Isolation of executed code: {isolation}. Verdicts: {verdicts}.")


def interval_text(value: dict[str, Any]) -> str:
    """Return an interval of fractions in per cent, or nothing."""
    interval = value.get("interval")
    return f"{interval[0]:.1%} to {interval[1]:.1%}" if interval else ""


def add_training(page: Page, output: Path) -> None:
    """Add the loss curves of the five stages, the expert load and a table of figures."""
    page.heading("Training: five stages")
    lines = {stage: read_lines(output / stage / "metrics.jsonl") for stage in STAGES}
    lines = {stage: found for stage, found in lines.items() if found}
    rows = []
    for stage, found in lines.items():
        seconds = sum(line["seconds"] for line in found)
        tokens = found[-1]["tokens_seen"]
        memory = max(line["peak_resident_bytes"] for line in found)
        first, last = found[0]["loss"], found[-1]["loss"]
        rate = f"{tokens / max(seconds, 1e-9):,.0f}"
        rows.append(
            [stage, found[-1]["step"], tokens, f"{first:.3f}", f"{last:.3f}", rate, f"{memory / 2**30:.2f} GiB"]
        )
    header = ["stage", "steps", "tokens", "first loss", "last loss", "tokens/s", "peak memory"]
    page.table(header, rows, "Losses are those of the objective of each stage (nats per token; DPO: its own)")
    pretraining = {stage: curve(found, "loss") for stage, found in lines.items() if stage not in ("sft", "dpo")}
    page.line_chart(
        "pretraining_loss",
        pretraining,
        caption="Pre-training loss",
        x_label="tokens of the stage",
        y_label="nats per token",
    )
    for stage in ("sft", "dpo"):
        if stage in lines:
            series = {stage: curve(lines[stage], "loss")}
            page.line_chart(
                f"{stage}_loss", series, caption=f"{stage.upper()} loss", x_label="tokens of the stage", y_label="loss"
            )
    add_expert_load(page, lines)


def curve(lines: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """Return (tokens seen, value) of the log lines that have the key."""
    return [(line["tokens_seen"], line[key]) for line in lines if line.get(key) is not None]


def add_expert_load(page: Page, lines: dict[str, list[dict[str, Any]]]) -> None:
    """Add the load of the experts per layer over all stages: maximum over mean, 1.0 when balanced."""
    series: dict[str, list[tuple[float, float]]] = {}
    boundaries: dict[str, float] = {}
    before = 0
    for stage, found in lines.items():
        boundaries[stage] = before
        for line in found:
            for layer, load in enumerate(line["load_max_over_mean"]):
                series.setdefault(f"layer {layer}", []).append((before + line["tokens_seen"], load))
        before += found[-1]["tokens_seen"]
    page.line_chart(
        "expert_load",
        series,
        caption="Expert load per layer: the busiest expert over the mean; 1.0 is balanced",
        x_label="tokens over all stages",
        y_label="max / mean",
        boundaries=boundaries,
    )
    dead = {stage: found[-1]["num_dead_experts"] for stage, found in lines.items()}
    counts = ", ".join(f"{stage} {number}" for stage, number in dead.items())
    page.paragraph(f"Dead experts (below 1 % of the mean load) at the end of each stage: {counts}.")


def add_data(page: Page, datasets: Path) -> None:
    """Add each dataset's ledger: input + created = output + removed + merged, per step, and the reasons."""
    page.heading("Data: the ledger")
    page.paragraph(
        "Per step, input + created = output + removed + merged; what is removed lies in `removed/` with its reason."
    )
    for name, title in DATASETS.items():
        ledger = read_json(datasets / name / "ledger.json")
        if not ledger:
            continue
        page.heading(f"{name} (section {title})", level=3)
        columns = ["input", "created", "removed", "merged", "output"]
        page.table(
            ["step", *columns], [[step["name"], *(step[column] for column in columns)] for step in ledger["steps"]]
        )
        reasons = [
            [step["name"], reason, count, ", ".join(f"`{example}`" for example in step["examples"].get(reason, [])[:2])]
            for step in ledger["steps"]
            for reason, count in sorted(step["reasons"].items(), key=lambda item: -item[1])
        ]
        if reasons:
            page.table(["step", "reason", "documents", "examples"], reasons)


def add_replies(page: Page, samples: Path) -> None:
    """Add what the initial and the final weights say to the same held-out questions."""
    asked = [row for row in read_lines(samples) if "prompt" in row]
    short = [row for row in asked if len(row["prompt"]) <= SAMPLE_CHARS] or asked
    if not short:
        return
    page.heading("What it says, before and after")
    page.paragraph(
        "Held-out questions, answered by the initial weights and after all stages, with the verdict. In minutes of "
        "training so small a model learns what answers look like; whether it learned more is measured below."
    )
    for row in short[:MAX_REPLIES]:
        before, after = (cut_reply(row.get(key, "")) for key in ("baseline_prediction", "prediction"))
        parts = {
            "HUMAN": row["prompt"][:SAMPLE_CHARS],
            "INITIAL WEIGHTS": before,
            f"AFTER ALL STAGES ({row['verdict']})": after,
            "RIGHT ANSWER": row.get("reference", ""),
        }
        page.code("\n\n".join(f"{title}\n{text}" for title, text in parts.items()))


def cut_reply(text: str) -> str:
    """Return the beginning of a reply; blanks alone are said."""
    return text.strip()[:MAX_REPLY_CHARS] or "(blanks)"


def add_questions(page: Page, folder: Path) -> None:
    """Add a question and its answer of each kind."""
    page.heading("Sample questions and answers")
    shown: set[str] = set()
    for row in DatasetFolder(folder).rows(["kind", "messages"], "train"):
        question, answer = (message["content"] for message in row["messages"][:2])
        if row["kind"] in shown or len(question) + len(answer) > SAMPLE_CHARS:
            continue
        shown.add(row["kind"])
        page.heading(row["kind"], level=3)
        page.code(f"HUMAN\n{question}\n\nASSISTANT\n{answer}")


def add_timing(page: Page, records: Sequence[StepRecord]) -> None:
    """Add seconds and peak memory per step, and the commands."""
    page.heading("Time and memory")
    figures = [(r.name, r.seconds, r.processor_seconds, r.peak_memory_bytes) for r in records]
    seconds = sum(record.seconds for record in records)
    processor_seconds = sum(record.processor_seconds for record in records)
    figures.append(("all", seconds, processor_seconds, max(record.peak_memory_bytes for record in records)))
    rows = [[name, f"{clock:.1f} s", f"{used:.1f} s", f"{peak / 2**30:.2f} GiB"] for name, clock, used, peak in figures]
    page.table(
        ["step", "time", "processor time", "peak memory"], rows, "Memory of all processes of a step, read every second"
    )
    page.code("\n".join(record.command for record in records))


def add_next(page: Page, output: Path) -> None:
    """Add what to type next."""
    page.heading("Next, and at real scale")
    page.code(
        f"python -m datasets_builders browse {output / 'datasets' / 'sft'}   # its rows, as a page\n"
        f"python -m evals samples {output / 'evaluation'}   # every answer, as a page\n"
        f"python -m recipes plan recipes/configs/tiny/*.yaml --data_root {output}   # what a recipe will cost\n"
        f"python -m evals run --model {output / 'model'} --tasks humaneval --data-dir FOLDER_WITH_HUMANEVAL\n"
        "python -m datasets_builders source_code input_dir=PATH output_dir=OUT --push-to ORG/NAME\n"
        "accelerate launch --config_file recipes/accelerate_configs/fsdp2_one_node.yaml \\\n"
        "    recipes/pretrain.py --config YOURS.yaml"
    )
