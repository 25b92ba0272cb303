"""Sections 2.1 and 2.3: the card of a model that judges texts, made from its run."""

from __future__ import annotations

from typing import Any

USES = {
    "classification": "the probability of its last label, or of the one that `label` names",
    "regression": "its value",
    "reward": "its reward, of a text that holds prompt and answer",
}
SCORER_USE = """```yaml
scorers:  # of the source_code and repositories builders
  - {kind: classifier, model: THIS_FOLDER}
```"""
CHAIN_USE = """```bash
python -m recipes label --model THIS_FOLDER --data pairs.jsonl --to labelled.parquet
```"""


def render_judge_card(run: dict[str, Any], task: str) -> str:
    """Return the text of README.md of a model with a head.

    Args:
        run: what `collect_run` returned, with the stage's facts.
        task: of `distill_keys.TASKS`.
    """
    use = f"{SCORER_USE}\n\nA scorer's column then holds {USES[task]}."
    return _render(run, "text-classification", task, f"with a head for {task}", use)


def render_chain_card(run: dict[str, Any]) -> str:
    """Return the text of README.md of a model that reasons before it judges."""
    use = (
        f"{CHAIN_USE}\n\nBehind each row stand `verdict`, `verdict_probability` and `verdict_chain`; `judge.json` "
        "holds the prompt, the columns that it takes, and the probability from which on a verdict is true."
    )
    return _render(run, "text-generation", "chain", "that writes its reasoning and then a verdict", use)


def _render(run: dict[str, Any], pipeline: str, task: str, what: str, use: str) -> str:
    base = [f"base_model: {run['init_from'].partition('@')[0]}"] if "/" in run["init_from"] else []
    plan, last = run["plan"], run["last"]
    lines = [
        "---",
        "library_name: transformers",
        f"pipeline_tag: {pipeline}",
        *base,
        f"tags: [{run['model_type']}, {task}, ling-coder-recipes]",
        "---",
        "",
        f"# {run['stage']}",
        "",
        f"A `{run['model_type']}` model of {plan['total_parameters']:,} parameters {what}. It began with "
        f"`{run['init_from']}` and was trained by the recipe `{run['recipe']}`.",
        "",
        use,
        "",
        "## Held-out figures",
        "",
    ]
    held_out = {name: value for name, value in run["data"].items() if name.startswith("held-out")}
    lines += [f"- {name.removeprefix('held-out ')}: {value}" for name, value in held_out.items()]
    lines += ["", "## Data and run", ""]
    lines += [f"- {name}: {value}" for name, value in run["data"].items() if name not in held_out]
    optimizer = run["optimizer"]
    lines += [
        f"- steps: {last.get('step', 0):,} of {plan['num_steps']:,}, {plan['rows_per_step']} rows each, of at most "
        f"{plan['sequence_length']} tokens",
        f"- loss, first to last log line: {run['first'].get('loss', 0):.4f} to {last.get('loss', 0):.4f}",
        f"- learning rate: {plan['learning_rates'][0]:.3g} to {plan['learning_rates'][2]:.3g} ({plan['schedule']}), "
        f"{optimizer['name']}, weight decay {optimizer['weight_decay']}",
        f"- trained on {run['date']} on {run['num_devices']} x {run['device']} with "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
        "",
    ]
    return "\n".join(lines)
