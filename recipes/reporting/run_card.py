"""Section 3.2: the model card of a run, made from what the run planned, logged and consumed. Nothing in it is typed."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.reporting.evaluation_tables import evaluation_section
from recipes.reporting.planning import StagePlan
from recipes.reporting.provenance import code_commit, command_text, lineage
from recipes.reporting.run_page import alarm_lines
from recipes.running.causal_models import LING_TYPE

if TYPE_CHECKING:
    from recipes.running.stage_keys import StageArguments

LING_FIGURES = (
    *("balance loss (1.0 = even)", "router z-loss", "expert load, worst layer, max / mean", "dead experts at the end"),
    "log lines with a routing alarm",
)
VERSIONED_PACKAGES = ("torch", "transformers", "trl", "accelerate", "datasets", "tokenizers", "numpy")


@functools.cache
def installed_versions() -> dict[str, str]:
    """Return the versions of what trained, and of Python."""
    versions = {"python": platform.python_version()}
    for name in VERSIONED_PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def collect_run(
    arguments: StageArguments,
    plan: StagePlan,
    metrics: list[dict[str, Any]],
    consumed: dict[str, int],
    data_facts: dict[str, Any],
    resumed_from: Path | None,
    wall_seconds: float,
    command_line: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything the card says, as JSON.

    Args:
        arguments: a StageArguments.
        plan: what was planned.
        metrics: the lines of metrics.jsonl.
        consumed: tokens per source.
        data_facts: removed rows, fingerprint.
        resumed_from: a checkpoint or None.
        wall_seconds: of this process, loading not counted.
        command_line: of the script, without its name.

    Returns:
        A mapping that json can write.
    """
    from recipes.reporting.devices import current_device_name

    seconds = sum(line["seconds"] for line in metrics)
    # Token files do not say which datasets they are of.
    dataset_names = getattr(arguments, "source_datasets", None) or list(
        getattr(arguments, "shares_of_datasets", dict)()
    )
    tokens = metrics[-1]["tokens_seen"] if metrics else 0
    return {
        "stage": plan.stage,
        "kind": plan.kind,
        "recipe": Path(plan.recipe_path).name,
        "init_from": Path(plan.init_from).name if Path(plan.init_from).is_dir() else plan.init_from,
        **lineage(plan.init_from, dataset_names, arguments.push_to_hub_repo),
        "command": command_text(plan.kind, command_line),
        "code": code_commit(),
        "plan": {**asdict(plan), "output_dir": Path(plan.output_dir).name, "recipe_path": Path(plan.recipe_path).name},
        "consumed_tokens": consumed,
        "data": data_facts,
        "first": metrics[0] if metrics else {},
        "last": metrics[-1] if metrics else {},
        "num_log_lines": len(metrics),
        "num_alarm_lines": len(alarm_lines(metrics)),
        "tokens_seen": tokens,
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "peak_resident_bytes": max((line["peak_resident_bytes"] for line in metrics), default=0),
        "resumed_from": None if resumed_from is None else resumed_from.name,
        "wall_seconds": round(wall_seconds, 1),
        "optimizer": {
            "name": str(getattr(arguments.optim, "value", arguments.optim)),
            "betas": [arguments.adam_beta1, arguments.adam_beta2],
            "weight_decay": arguments.weight_decay,
            "max_grad_norm": arguments.max_grad_norm,
            "moments_from_init": arguments.init_optimizer,
        },
        "device": current_device_name(),
        "num_devices": plan.num_devices,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": installed_versions(),
    }


def _table(header: list[str], rows: list[list[Any]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines.extend("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    return lines


def _source_table(run: dict[str, Any]) -> list[str]:
    rows = []
    for source in run["plan"]["sources"]:
        consumed = run["consumed_tokens"].get(source["name"])
        share = consumed / max(sum(run["consumed_tokens"].values()), 1) if consumed is not None else None
        rows.append(
            [
                source["name"],
                f"{source['share']:.2%}",
                "-" if share is None else f"{share:.2%}",
                f"{source['wanted_tokens']:,}",
                "-" if source["planned_tokens"] is None else f"{source['planned_tokens']:,}",
                "-" if consumed is None else f"{consumed:,}",
                "-" if not source["available_tokens"] else f"{source['available_tokens']:,}",
            ]
        )
    header = ["source", "share", "share consumed", "tokens wanted", "planned", "consumed", "available"]
    return _table(header, rows)


def _figures(run: dict[str, Any]) -> list[list[str]]:
    first, last = run["first"], run["last"]
    plan = run["plan"]
    start, middle, end = plan["learning_rates"]

    def change(name: str, digits: int = 4) -> str:
        ends = (first.get(name), last.get(name))
        return " -> ".join("-" if end is None else f"{end:.{digits}f}" for end in ends)

    rows = [
        ["steps", f"{last.get('step', 0):,} of {plan['num_steps']:,}"],
        ["tokens seen", f"{run['tokens_seen']:,}"],
        ["loss, first -> last log line", change("loss")],
        ["balance loss (1.0 = even)", change("balance_loss")],
        ["router z-loss", change("z_loss")],
        ["expert load, worst layer, max / mean", change("worst_load_max_over_mean", 2)],
        ["dead experts at the end", str(last.get("num_dead_experts", "-"))],
        ["log lines with a routing alarm", f"{run['num_alarm_lines']:,} of {run['num_log_lines']:,}"],
        ["learning rate, start / middle / end", f"{start:.3g} / {middle:.3g} / {end:.3g} ({plan['schedule']})"],
        ["tokens per second", f"{run['tokens_per_second']:,}" if run["tokens_per_second"] else "-"],
        ["MFU", str(last.get("model_flops_utilization", "n/a"))],
        ["peak resident memory", f"{run['peak_resident_bytes'] / 1e9:.2f} GB"],
        ["device", f"{run['num_devices']} x {run['device']}"],
    ]
    if not _is_ling(run):
        rows = [row for row in rows if row[0] not in LING_FIGURES]
    rows.extend([name, change(name)] for name in ("rewards/margins", "rewards/accuracies") if name in last)
    return rows


def _is_ling(run: dict[str, Any]) -> bool:
    return bool(run.get("model_type", LING_TYPE) == LING_TYPE)


def _front_matter(run: dict[str, Any]) -> str:
    """Return the head of the card; a model of another maker keeps its own licence, which is not known here."""
    import yaml

    facts: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if _is_ling(run):
        facts |= {"license": "mit", "tags": ["bailing_moe", "mixture-of-experts", "code", "ling-coder-recipes"]}
    else:
        facts["tags"] = [run["model_type"], "code", "fill-in-the-middle", "ling-coder-recipes"]
    if run.get("base_model"):
        facts |= {"base_model": run["base_model"], "base_model_relation": "finetune"}
    if run.get("datasets"):
        facts["datasets"] = run["datasets"]
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip()


USAGE = {
    "pretrain": """inputs = tokenizer("def fibonacci(n):", return_tensors="pt")""",
    "chat": """messages = [{"role": "user", "content": "Write a Python function that reverses a list."}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)""",
}


def _usage(run: dict[str, Any]) -> list[str]:
    """Return code that loads the model by the name that its reader knows it by, and asks it something."""
    name, remote = run.get("repository") or ".", ", trust_remote_code=True" if _is_ling(run) else ""
    return [
        *([] if run.get("repository") else ["In this folder:", ""]),
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{name}"{remote})',
        f'tokenizer = AutoTokenizer.from_pretrained("{name}"{remote})',
        USAGE.get(run["kind"], USAGE["chat"]),
        'answer = model.generate(**inputs, max_new_tokens=128)[0, inputs["input_ids"].shape[1] :]',
        "print(tokenizer.decode(answer, skip_special_tokens=True))",
        "```",
        "",
    ]


def _scores(run: dict[str, Any]) -> list[str]:
    """Return the table of what `evals run` scored, where it has."""
    if not run.get("scores"):
        return []
    rows = [[score["task"], f"{100 * score['value']:.1f}", score["n"], score["notes"]] for score in run["scores"]]
    return ["## Scores", "", *_table(["task", "%", "n", "measured with"], rows), ""]


def _opening(run: dict[str, Any]) -> list[str]:
    plan = run["plan"]
    size = f"{plan['total_parameters']:,} parameters ({plan['active_parameters']:,} active per token)"
    if _is_ling(run):
        return [
            f"A Ling mixture-of-experts model of {size} after the "
            f"stage *{run['stage']}* of the Ling-Coder-Lite recipe (arXiv 2503.17793)."
        ]
    return [f"A `{run['model_type']}` model of {size}, trained further with plain cross-entropy."]


def render_card(run: dict[str, Any]) -> str:
    """Return the card as Markdown with the Hub's front matter.

    Args:
        run: what `collect_run` returned.

    Returns:
        The text of README.md.
    """
    plan = run["plan"]
    lines = [
        "---",
        _front_matter(run),
        "---",
        "",
        f"# {run['stage']}",
        "",
        *_opening(run),
        f"It began with `{run['init_from']}` and was trained by the recipe `{run['recipe']}`.",
        "",
        *_usage(run),
        *_scores(run),
        "## The run",
        "",
        *_table(["figure", "value"], _figures(run)),
        "",
        *evaluation_section(run),
        "## Data: plan against consumed",
        "",
        *_source_table(run),
        "",
    ]
    lines.extend(f"- {name}: {value}" for name, value in run["data"].items())
    optimizer = run["optimizer"]
    lines.extend(
        [
            "",
            "## Settings",
            "",
            f"- batch: {plan['rows_per_step']} rows of {plan['sequence_length']} tokens per step "
            f"(accumulation {plan['accumulation']})",
            f"- optimizer: {optimizer['name']}, betas {optimizer['betas']}, weight decay {optimizer['weight_decay']}, "
            f"gradient clipped at {optimizer['max_grad_norm']}, moments "
            + ("taken over from the stage before" if optimizer["moments_from_init"] else "fresh"),
            f"- resumed from: {run['resumed_from'] or 'nothing, one unbroken run'}",
            f"- trained on {run['date']} with "
            + ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
            "",
            "Loss, learning rate, gradient norm"
            + (" and the load of every layer's experts" if _is_ling(run) else "")
            + " are in `metrics.jsonl`, drawn in `curves.html`. `verification.json` says what a rerun is compared with "
            "(`python -m recipes verify`).",
            "",
        ]
    )
    return "\n".join(lines)


def write_card(output_dir: Path, run: dict[str, Any]) -> Path:
    """Write README.md into the model folder."""
    path = output_dir / "README.md"
    path.write_text(render_card(run), encoding="utf-8")
    return path
