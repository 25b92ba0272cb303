"""Section 3.2, Table 1: what a recipe is going to do, worked out before the first step and without a GPU.

The same plan is printed by `python -m recipes plan`, by `--dry_run`, and written beside what was consumed in the card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.reporting.costs import Assumptions

if TYPE_CHECKING:
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.geometry import Geometry
    from recipes.running.plateau import PlateauSchedule
    from recipes.running.stage_keys import StageArguments


@dataclass
class SourcePlan:
    """One source of tokens: what the stage wants and what there is.

    Attributes:
        name: path in Table 1, code.raw for example.
        share: of the stage's tokens, 0..1.
        wanted_tokens: of the whole stage, by the share.
        available_tokens: None where the data has not been built yet.
        planned_tokens: of the rows that the order of the stage gives it; as many as wanted, to within a row. Before
            packing, rows count as full.
        is_stated: whether `available_tokens` is what the recipe says, for want of the data.
    """

    name: str
    share: float
    wanted_tokens: int
    available_tokens: int | None = None
    planned_tokens: int | None = None
    is_stated: bool = False

    @property
    def trained_tokens(self) -> int:
        """Tokens that the stage will train on: as planned where that is known."""
        return self.wanted_tokens if self.planned_tokens is None else self.planned_tokens

    @property
    def epochs(self) -> float | None:
        """Passes over the source, None where its size is not known."""
        return self.trained_tokens / self.available_tokens if self.available_tokens else None


@dataclass
class StagePlan:
    """What a stage will do.

    Attributes:
        kind: pretrain, sft or dpo.
        num_steps: optimizer steps; None where it depends on data that is not built yet.
        learning_rates: at the first, the middle and the last step.
        flops_per_token: forward and backward, with the whole square of attention scores, as reported MFU mostly counts.
        causal_flops_per_token: with the half of it that causal attention needs.
        notes: lines about the data: removed rows, padding, what is missing.
    """

    kind: str
    stage: str
    recipe_path: str
    output_dir: str
    init_from: str
    sequence_length: int
    rows_per_step: int
    num_devices: int
    rows_per_device: int
    accumulation: int
    schedule: str
    num_steps: int | None = None
    learning_rates: tuple[float, float, float] | None = None
    total_parameters: int = 0
    active_parameters: int = 0
    training_state_bytes: int = 0
    flops_per_token: float = 0.0
    causal_flops_per_token: float = 0.0
    sources: list[SourcePlan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def tokens_per_step(self) -> int:
        """Positions of one optimizer step."""
        return self.rows_per_step * self.sequence_length

    @property
    def total_tokens(self) -> int | None:
        """Positions of the whole stage."""
        return None if self.num_steps is None else self.num_steps * self.tokens_per_step

    @property
    def total_flops(self) -> float | None:
        """Of the whole stage."""
        return None if self.total_tokens is None else self.total_tokens * self.flops_per_token


def build_learning_rate(arguments: StageArguments, num_steps: int, tokens_per_step: int) -> Callable[[int], float]:
    """Return the stage's learning rate by step.

    Args:
        arguments: a StageArguments.
        num_steps: optimizer steps of the stage.
        tokens_per_step: turns milestones_tokens into steps.

    Returns:
        Step (from 0) to learning rate.

    Raises:
        RecipeError: the schedule's keys do not fit together.

    Source: paper Table 1.
    """
    from recipes.running.recipe_loading import RecipeError
    from recipes.running.schedules import build_schedule, milestones_in_steps, warmup_in_steps

    try:
        warmup_steps = warmup_in_steps(arguments.warmup_steps or 0, num_steps)
        if arguments.schedule == "multi_step_constant" and arguments.drop_on != "tokens":
            return _plateau_schedule(arguments, num_steps, warmup_steps)
        multiplier = build_schedule(
            arguments.schedule,
            learning_rate=arguments.learning_rate,
            num_steps=num_steps,
            min_learning_rate=arguments.min_learning_rate,
            warmup_steps=warmup_steps,
            learning_rates=arguments.learning_rates,
            milestones=milestones_in_steps(arguments.milestones_tokens, tokens_per_step),
            timescale_fraction=arguments.timescale_fraction,
            decay_fraction=arguments.decay_fraction,
            decay_shape=arguments.decay_shape,
        )
    except ValueError as error:
        raise RecipeError(f"{arguments.recipe_path}: schedule: {arguments.schedule}: {error}") from error
    return lambda step: multiplier(min(step, num_steps - 1)) * arguments.learning_rate


def _plateau_schedule(arguments: StageArguments, num_steps: int, warmup_steps: int) -> PlateauSchedule:
    """Return the schedule that drops on a plateau, or as another run did.

    Raises:
        ValueError: its keys do not fit together.
    """
    from recipes.running.plateau import PlateauRule, PlateauSchedule, levels_by_factor, read_drops

    if warmup_steps >= num_steps:
        raise ValueError(f"warmup_steps is {warmup_steps}: it must lie between 0 and num_steps, {num_steps}.")
    levels: Sequence[float] = arguments.learning_rates
    if arguments.plateau_factor is not None:
        levels = levels_by_factor(arguments.learning_rate, arguments.min_learning_rate, arguments.plateau_factor)
    if levels[0] != arguments.learning_rate:
        raise ValueError(f"learning_rates starts with {levels[0]}, learning_rate is {arguments.learning_rate}.")
    if arguments.drop_on == "recorded":
        return PlateauSchedule(levels, warmup_steps, None, read_drops(Path(arguments.recorded_drops or "")))
    window_steps = 1 if arguments.drop_on == "validation_loss" else arguments.plateau_window_steps
    patience, min_improvement = arguments.plateau_patience, arguments.plateau_min_improvement
    rule = PlateauRule(window_steps, patience, min_improvement, arguments.drop_on)
    return PlateauSchedule(levels, warmup_steps, rule)


def start_plan(arguments: StageArguments, kind: str, config: Geometry | BailingMoeConfig) -> StagePlan:
    """Return the part of a plan that needs no data.

    Args:
        arguments: a StageArguments with accumulation derived.
        kind: pretrain, sft or dpo.
        config: the model's configuration.

    Returns:
        A plan without steps, sources and learning rates.

    Source: ours; the counting is modeling_ling.accounting's.
    """
    from modeling_ling.accounting import count_parameters, training_flops_per_token, training_state_bytes
    from recipes.running.causal_models import is_ling

    if getattr(config, "model_type", None) is not None and not is_ling(config):
        return _start_plan_of_other(arguments, kind, config)
    has_adapter = bool(getattr(arguments, "lora_rank", 0))
    # Beside adapters the weights stay: no gradient of them, no moments.
    flops_share = 2 / 3 if has_adapter else 1
    parameters = count_parameters(config)
    # In full precision weights and gradients have four bytes and there is no second copy of the weights.
    num_bytes = 2 if arguments.bf16 else 4
    state = training_state_bytes(config, weight_bytes_per_value=num_bytes, gradient_bytes_per_value=num_bytes)
    return StagePlan(
        **_facts_of_recipe(arguments, kind),
        total_parameters=parameters.total,
        active_parameters=parameters.active,
        training_state_bytes=state["weights"] if has_adapter else state["total"],
        flops_per_token=flops_share * training_flops_per_token(config, arguments.sequence_length, causal=False),
        causal_flops_per_token=flops_share * training_flops_per_token(config, arguments.sequence_length),
    )


def _facts_of_recipe(arguments: StageArguments, kind: str) -> dict[str, Any]:
    """Return the part of a plan that is the recipe's own, whatever model it trains."""
    return {
        "kind": kind,
        "stage": arguments.stage or kind,
        "recipe_path": arguments.recipe_path,
        "output_dir": arguments.output_dir,
        "init_from": arguments.init_from,
        "sequence_length": arguments.sequence_length,
        "rows_per_step": arguments.batch_rows_per_step,
        "num_devices": arguments.world_size,
        "rows_per_device": arguments.per_device_train_batch_size,
        "accumulation": arguments.gradient_accumulation_steps,
        "schedule": arguments.schedule,
    }


def _start_plan_of_other(arguments: StageArguments, kind: str, config: Any) -> StagePlan:
    """Return the beginning of the plan of a model of another architecture; see `start_plan`."""
    from transformers import AutoModelForCausalLM

    plan = _plan_of_size(arguments, kind, config, AutoModelForCausalLM)
    plan.notes.insert(0, f"a {config.model_type}, trained with plain cross-entropy")
    return plan


def start_plan_of_head(arguments: StageArguments, kind: str, config: Any) -> StagePlan:
    """Return the beginning of the plan of a model that judges texts; see `start_plan`."""
    from transformers import AutoModelForSequenceClassification

    plan = _plan_of_size(arguments, kind, config, AutoModelForSequenceClassification)
    plan.notes.insert(0, f"a {config.model_type} with a head of {config.num_labels} output(s)")
    return plan


def _plan_of_size(arguments: StageArguments, kind: str, config: Any, auto_class: Any) -> StagePlan:
    from recipes.running.causal_models import activation_bytes, measure_model

    size = measure_model(config, arguments.sequence_length, auto_class)
    rank = getattr(arguments, "lora_rank", 0)
    plan = StagePlan(
        **_facts_of_recipe(arguments, kind),
        total_parameters=size.total,
        active_parameters=size.active,
        # Weights, gradients and two moments in float32; beside adapters the weights alone.
        training_state_bytes=size.total * ((2 if arguments.bf16 else 4) if rank else 16),
        # Of weights that stay no gradient is computed.
        flops_per_token=size.flops_per_token * (2 / 3 if rank else 1),
        causal_flops_per_token=size.causal_flops_per_token * (2 / 3 if rank else 1),
    )
    num_tokens = plan.rows_per_device * plan.sequence_length
    activations = activation_bytes(config, num_tokens, bf16=arguments.bf16)
    plan.notes.append(
        f"about {(plan.training_state_bytes + activations) / 1e9:,.1f} GB on one device, estimated: "
        f"{plan.training_state_bytes / 1e9:,.1f} of training state, {activations / 1e9:,.1f} of activations for "
        f"{num_tokens:,} tokens at once (activation_checkpointing: true needs less)"
    )
    return plan


def complete_plan(plan: StagePlan, arguments: StageArguments, num_steps: int) -> Callable[[int], float]:
    """Enter the number of steps and the learning rates.

    Args:
        plan: changed in place.
        arguments: a StageArguments.
        num_steps: optimizer steps.

    Returns:
        The learning rate by step.
    """
    learning_rate_at = build_learning_rate(arguments, num_steps, plan.tokens_per_step)
    plan.num_steps = num_steps
    middle = max(num_steps // 2, 0)
    plan.learning_rates = (learning_rate_at(0), learning_rate_at(middle), learning_rate_at(num_steps - 1))
    rule = getattr(learning_rate_at, "rule", None)
    if rule is not None:
        levels = ", ".join(f"{level:.3g}" for level in getattr(learning_rate_at, "levels", ()))
        windows = f"windows of {rule.window_steps} steps bring no training loss"
        if rule.watches == "validation_loss":
            windows = "evaluations bring no validation loss"
        plan.notes.append(
            f"the learning rate goes down {levels}: a level lower whenever {rule.patience} {windows} lower by "
            f"{rule.min_improvement:.2%}; no drop is planned"
        )
    plan.notes += evaluation_notes(arguments)
    return learning_rate_at


def evaluation_notes(arguments: StageArguments) -> list[str]:
    """Return what is evaluated in the course of a stage, in words."""
    notes = []
    rows = "all rows" if arguments.eval_rows is None else f"up to {arguments.eval_rows:,} rows"
    if arguments.eval_every_steps:
        sources = ", ".join(arguments.held_out_names()) or f"the datasets' split {arguments.eval_split}"
        how = f", {arguments.eval_batch_rows:,} at once" if arguments.eval_batch_rows > 1 else ""
        notes.append(f"held-out loss on {sources} every {arguments.eval_every_steps:,} steps, over {rows} each{how}")
    if arguments.eval_tasks_every_steps:
        limit = (
            "all problems" if arguments.eval_tasks_limit is None else f"{arguments.eval_tasks_limit:,} problems each"
        )
        notes.append(
            f"{', '.join(arguments.eval_tasks)} every {arguments.eval_tasks_every_steps:,} steps: {limit}, training "
            f"waits for {arguments.eval_tasks_minutes:g} minutes at most"
        )
    return notes


def _count(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"


SOURCE_HEADER = ("source", "share", "tokens wanted", "planned", "available", "epochs")


def describe_sources(sources: Sequence[SourcePlan]) -> list[str]:
    """Return a text table: source, share, tokens wanted, planned and available, epochs."""
    rows = [SOURCE_HEADER, *(source_cells(source) for source in sources)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(SOURCE_HEADER))]
    lines = ["  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    if any(source.is_stated for source in sources):
        lines.append("  * what the recipe states as corpus_tokens; the token files are not there")
    return lines


def source_cells(source: SourcePlan) -> tuple[str, ...]:
    """Return one source's row of the table."""
    available = "not built yet" if source.available_tokens is None else _count(source.available_tokens)
    return (
        source.name,
        f"{source.share:.2%}",
        _count(source.wanted_tokens),
        "-" if source.planned_tokens is None else _count(source.planned_tokens),
        available + ("*" if source.is_stated else ""),
        "-" if source.epochs is None else f"{source.epochs:.2f}",
    )


def joined_sources(plans: Sequence[StagePlan]) -> list[SourcePlan]:
    """Return the sources over several stages of pre-training, whose tokens and epochs add up.

    Source: the paper's corpora (section 2) over Table 1's tokens: 1.35, 2.4 and 1.4 epochs of raw, related and
    synthetic code.
    """
    joined: dict[str, SourcePlan] = {}
    stages = [plan for plan in plans if plan.kind == "pretrain"]
    total = sum(source.wanted_tokens for plan in stages for source in plan.sources)
    for source in (source for plan in stages for source in plan.sources):
        before = joined.get(source.name)
        wanted = source.wanted_tokens + (before.wanted_tokens if before else 0)
        planned = source.trained_tokens + (before.trained_tokens if before else 0)
        joined[source.name] = SourcePlan(
            source.name, wanted / total, wanted, source.available_tokens, planned, source.is_stated
        )
    return list(joined.values())


def in_order(plans: Sequence[StagePlan]) -> list[int]:
    """Return the numbers of plans so that each comes behind the one whose folder it begins with."""
    left, order = list(range(len(plans))), []
    while left:
        folders = {plans[number].output_dir for number in left}
        first = next((number for number in left if plans[number].init_from not in folders), left[0])
        order.append(first)
        left.remove(first)
    return order


def plan_facts(plan: StagePlan, assumptions: Assumptions) -> list[tuple[str, str]]:
    """Return what a plan says besides its sources, as pairs of name and words."""
    facts = [
        ("begins with", plan.init_from),
        ("writes to", plan.output_dir),
        ("parameters", f"{plan.total_parameters:,}, of which {plan.active_parameters:,} active per token"),
        (
            "steps",
            f"{_count(plan.num_steps)} of {plan.tokens_per_step:,} tokens "
            f"({plan.rows_per_step:,} rows of {plan.sequence_length:,})",
        ),
        (
            "accumulation",
            f"{plan.accumulation} (derived: {plan.rows_per_step:,} rows / {plan.num_devices:,} device(s) / "
            f"{plan.rows_per_device} at once)",
        ),
        ("tokens", _count(plan.total_tokens)),
        (
            "training state",
            f"{plan.training_state_bytes / 1e9:,.2f} GB over all devices"
            + (
                f", {plan.training_state_bytes / plan.num_devices / 1e9:,.2f} GB on each where it is sharded"
                if plan.num_devices > 1
                else ""
            )
            + ", activations not counted",
        ),
        (
            "compute",
            f"{plan.flops_per_token / 1e9:,.3g} GFLOP/token ({plan.causal_flops_per_token / 1e9:,.3g} with causal "
            "attention's half of the scores)" + (f", {plan.total_flops:.3g} FLOP in all" if plan.total_flops else ""),
        ),
    ]
    if plan.total_flops:
        facts.append(("time", assumptions.describe(plan.total_flops, plan.num_devices)))
    if plan.learning_rates:
        start, middle, end = plan.learning_rates
        words = f"{start:.3g} at the start, {middle:.3g} in the middle, {end:.3g} at the end ({plan.schedule})"
        facts.append(("learning rate", words))
    return facts


def render_plan(
    plan: StagePlan, assumptions: Assumptions | None = None, learning_rate_at: Callable[[int], float] | None = None
) -> str:
    """Return the plan as text for a terminal.

    Args:
        plan: complete or not; what is not known is said to be.
        assumptions: behind hours and cost.
        learning_rate_at: drawn where it is given.

    Returns:
        Lines, without a final line end.
    """
    from recipes.reporting.curves import text_curve

    lines = [f"{plan.stage} ({plan.kind}): {plan.recipe_path or 'no recipe file'}"]
    lines.extend(f"  {name:<18}{words}" for name, words in plan_facts(plan, assumptions or Assumptions()))
    if learning_rate_at is not None and plan.num_steps:
        lines.extend(text_curve(learning_rate_at, plan.num_steps))
    if plan.sources:
        lines.extend(describe_sources(plan.sources))
    lines.extend(f"  note: {note}" for note in plan.notes)
    return "\n".join(lines)


def render_total(plans: Sequence[StagePlan], assumptions: Assumptions) -> str:
    """Return what stages of pre-training come to together: tokens, compute, hours, cost, and epochs per source."""
    known = [plan for plan in plans if plan.kind == "pretrain" and plan.total_flops is not None]
    if len(known) < 2:
        return ""
    tokens = sum(plan.total_tokens or 0 for plan in known)
    flops = sum(plan.total_flops or 0.0 for plan in known)
    names = ", ".join(plan.stage for plan in known)
    lines = [
        f"Together ({names})",
        f"  {'tokens':<18}{tokens:,}",
        f"  {'compute':<18}{flops:.3g} FLOP",
        f"  {'time':<18}{assumptions.describe(flops, max(plan.num_devices for plan in known))}",
        *describe_sources(joined_sources(plans)),
    ]
    return "\n".join(lines)
