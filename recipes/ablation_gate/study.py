"""Section 2.1: the course of an ablation study: train both groups, score, judge, write report and verdict."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import CommandFailedError
from recipes.ablation_gate.judging import Verdict, judge
from recipes.ablation_gate.known_rates import known_rates
from recipes.ablation_gate.report import describe_verdict, save_report
from recipes.ablation_gate.request import CANDIDATE_SOURCE, CONTROL, EXPERIMENT, Request
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import RUN_FILE, write_json

if TYPE_CHECKING:
    from recipes.ablation_gate.judging import Measure
    from recipes.ablation_gate.scoring import HeldOut
    from recipes.reporting.costs import Assumptions
    from recipes.running.recipe_keys import PretrainKeys

VERDICT_FILE, STUDY_FILE, REPORT_FILE = "ablation_verdict.json", "study.json", "report.html"
PRETRAIN_DOOR = Path(__file__).resolve().parent.parent / "pretrain.py"
SCORING_BATCH = 8


def describe_plan(request: Request, num_devices: int, assumptions: Assumptions) -> str:
    """Return what the study will do and cost, without a step.

    Args:
        request: of the study.
        num_devices: that train together.
        assumptions: behind hours and cost.

    Raises:
        RecipeError: the recipe or the request cannot be used.
    """
    from recipes.reporting.plan_command import whole_plan
    from recipes.reporting.planning import render_plan

    settings = request.settings()
    texts = []
    flops = 0.0
    for arm in (CONTROL, EXPERIMENT):
        plan, _ = whole_plan(str(request.recipe), request.overrides(arm, 0, settings), num_devices)
        flops += plan.total_flops or 0.0
        texts += [f"{arm.capitalize()} group:", render_plan(plan, assumptions), ""]
    done = sum(is_finished(request.run_folder(arm, seed)) for arm, seed in request.arms())
    total = flops * request.num_seeds
    texts += [
        f"{request.num_seeds} pairs of runs, seeds 0 to {request.num_seeds - 1}; {done} of {2 * request.num_seeds} "
        "runs are there already",
        f"all together: {total:.3g} FLOPs, {assumptions.describe(total, num_devices)}",
        f"measured by: {', '.join([*request.held_out, *([request.tasks] if request.tasks else [])])}",
    ]
    return "\n".join(texts)


def run_study(request: Request, command: str) -> Verdict:
    """Run what is missing of a study, and judge.

    Args:
        request: of the study.
        command: that asked for it, for the record.

    Returns:
        The verdict; `ablation_verdict.json` and `report.html` are in the output folder.

    Raises:
        RecipeError: the request cannot be used, or the folder holds another study.
        CommandFailedError: a run did not end well; the same command continues.
    """
    settings = request.settings()
    check_study(request, settings)
    held_out = _held_out(request, settings)
    for arm, seed in request.arms():
        if not is_finished(request.run_folder(arm, seed)):
            print(f"== {arm}, seed {seed}", flush=True)
            train_run(request, arm, seed, settings)
    verdict = judge(measure(request, held_out))
    record = verdict_record(request, settings, verdict, held_out, command)
    print(describe_verdict(record), flush=True)
    save_report(request.output / REPORT_FILE, record)
    write_json(request.output / VERDICT_FILE, record)
    if request.dataset is not None:
        write_json(request.dataset / VERDICT_FILE, record)
    return verdict


def check_study(request: Request, settings: PretrainKeys) -> None:
    """Note what the study is; refuse a folder with the runs of another.

    Raises:
        RecipeError: names what differs.
    """
    path, identity = request.output / STUDY_FILE, json.loads(json.dumps(request.identity(settings)))
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        if changed := [key for key in identity if there.get(key) != identity[key]]:
            raise RecipeError(
                f"{request.output} holds another study: {', '.join(changed)} differ. Give another --output, or the "
                "arguments of that study."
            )
    request.output.mkdir(parents=True, exist_ok=True)
    write_json(path, identity)


def is_finished(folder: Path) -> bool:
    """Whether a run has written its model."""
    try:
        return bool(json.loads((folder / RUN_FILE).read_text(encoding="utf-8")).get("finished"))
    except (OSError, ValueError):
        return False


def train_run(request: Request, arm: str, seed: int, settings: PretrainKeys) -> None:
    """Train one model, from its last checkpoint where there is one.

    Raises:
        CommandFailedError: it did not end well.
    """
    arguments = ["--config", str(request.recipe), *request.overrides(arm, seed, settings), "--resume_from", "auto"]
    if request.launch_config is None:
        from recipes.running.stopping import RunInterruptedError, TrainingStoppedError
        from recipes.stages.course import run_recipe
        from recipes.stages.pretraining import PretrainStage

        try:
            run_recipe(PretrainStage, arguments)
        except (RunInterruptedError, TrainingStoppedError) as error:
            raise CommandFailedError(f"{arm}, seed {seed}: {error}; the same command continues") from error
        return
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(request.launch_config)]
    code = subprocess.run([*launch, str(PRETRAIN_DOOR), *arguments], check=False).returncode
    if code:
        raise CommandFailedError(f"{arm}, seed {seed}: training ended with {code}; the same command continues")


def _held_out(request: Request, settings: PretrainKeys) -> list[HeldOut]:
    from recipes.ablation_gate.scoring import read_held_out
    from recipes.running.checkpoints import load_tokenizer

    tokenizer = load_tokenizer(settings.tokenizer)
    return [
        read_held_out(name, path, request, tokenizer, settings.sequence_length)
        for name, path in request.held_out.items()
    ]


def measure(request: Request, held_out: Sequence[HeldOut]) -> list[Measure]:
    """Score all models on everything; what was scored before is read."""
    from recipes.ablation_gate.scoring import benchmark_measures, held_out_measures, losses_of, run_benchmarks

    losses = {}
    fingerprints = {data.name: data.fingerprint for data in held_out}
    for arm, seed in request.arms():
        path = request.output / "losses" / f"{arm}-{seed}.json"
        path.parent.mkdir(exist_ok=True)
        there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if there.get("held_out") != fingerprints:
            found = losses_of(request.run_folder(arm, seed), held_out, SCORING_BATCH) if held_out else {}
            there = {"held_out": fingerprints, "losses": found}
            write_json(path, there)
        losses[arm, seed] = there["losses"]
    measures = held_out_measures(losses, [data.name for data in held_out])
    if request.tasks:
        runs = {
            (arm, seed): run_benchmarks(
                request.run_folder(arm, seed),
                request.tasks,
                request.evals_options,
                request.output / "benchmarks" / f"{arm}-{seed}",
            )
            for arm, seed in request.arms()
        }
        measures += benchmark_measures(runs)
    return measures


def verdict_record(
    request: Request, settings: PretrainKeys, verdict: Verdict, held_out: Sequence[HeldOut], command: str
) -> dict[str, Any]:
    """Return the verdict as JSON: what was compared, what was found, and how often the gate errs."""
    from recipes.ablation_gate.request import candidate_fingerprint
    from recipes.reporting.run_card import installed_versions
    from recipes.running.stopping import strict_json

    def run_of(arm: str) -> dict[str, Any]:
        return json.loads((request.run_folder(arm, 0) / RUN_FILE).read_text(encoding="utf-8"))

    control, experiment = run_of(CONTROL), run_of(EXPERIMENT)
    return {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "measures": [strict_json(asdict(result)) for result in verdict.measures],
        "error_rates": known_rates(request.num_seeds),
        "candidate": {
            "files": [path.name for path in request.candidate],
            "content_sha256": candidate_fingerprint(request.candidate),
            "dataset": None if request.dataset is None else request.dataset.resolve().name,
            "dataset_digest": None if request.dataset is None else dataset_digest(request.dataset),
        },
        "recipe": request.recipe.name,
        "checkpoint": control["init_from"],
        "parameters": control["plan"]["total_parameters"],
        "tokens_per_run": control["tokens_seen"],
        "candidate_tokens_per_run": experiment["consumed_tokens"].get(CANDIDATE_SOURCE),
        "num_seeds": request.num_seeds,
        "held_out": {
            data.name: {
                "num_documents": len(data.rows),
                "num_left_out_as_in_candidate": data.num_in_candidate,
                "sha256": data.fingerprint,
            }
            for data in held_out
        },
        "tasks": request.tasks,
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": control["device"],
        "versions": installed_versions(),
    }


def dataset_digest(folder: Path) -> str:
    """Return the hash of a dataset's rows: a verdict on other rows does not count."""
    from datasets_builders.building.dataset_folder import DatasetFolder

    return DatasetFolder(folder).digest()
