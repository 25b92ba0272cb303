"""Section 3.2, Table 1: the keys of a recipe that every kind of training has, and how they are checked.

YAML key = field = CLI flag; nothing here needs a library that trains.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from inspect import get_annotations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from recipes.running.library_keys import OPTIMIZERS, refused_keys
from recipes.running.recipe_loading import DevicesError, RecipeError
from recipes.running.schedules import (
    DECAY_SHAPES,
    DEFAULT_DECAY_FRACTION,
    DROPS_ON,
    KEYS_OF_DROPS,
    SCHEDULE_KEYS,
    SCHEDULE_NAMES,
    keys_of_others,
)
from recipes.running.stopping import NONFINITE_POLICIES

if TYPE_CHECKING:
    # What the keys are checked with comes from the class that they are put over.
    from transformers import TrainingArguments as LibraryArguments
else:
    LibraryArguments = object

DATA_ROOT_PLACEHOLDER = "{data_root}"
# What is evaluated by, and the keys that do nothing without it.
EVALUATION_KEYS = {
    "eval_every_steps": ("eval_data", "eval_split", "eval_rows", "eval_batch_rows"),
    "eval_tasks_every_steps": ("eval_tasks", "eval_tasks_limit", "eval_tasks_held_out", "eval_tasks_minutes"),
}


@dataclass
class StageArguments(LibraryArguments):
    """What every stage has, whatever trains it."""

    kind: ClassVar[str]

    recipe: str = field(default="", metadata={"help": "pretrain, sft or dpo: which script runs this recipe"})
    stage: str = field(default="", metadata={"help": "the stage's name in the paper, for the card"})
    recipe_path: str = field(default="", metadata={"help": "set by --config"})
    output_dir: str = field(default="", metadata={"help": "the run's folder, a model folder at the end"})
    data_root: str = field(
        default="outputs/quickstart", metadata={"help": "replaces {data_root} in every path of the recipe"}
    )
    init_from: str = field(
        default="preset:tiny",
        metadata={"help": "weights to begin with: preset:NAME, the output_dir of a stage, or org/name[@revision]"},
    )
    plan_preset: str = field(
        default="", metadata={"help": "geometry to plan with while init_from is not at hand; preset:tiny by default"}
    )
    init_optimizer: bool = field(
        default=False, metadata={"help": "take the optimizer's moments from init_from's last checkpoint too"}
    )
    resume_from: str | None = field(
        default=None, metadata={"help": "continue a run: a checkpoint-N folder, or auto for the last in output_dir"}
    )
    allow_changes: list[str] = field(
        default_factory=list,
        metadata={"help": "settings that may differ from the checkpoint's when a run is continued"},
    )
    overwrite_output_dir: bool = field(
        default=False,
        metadata={
            "help": "move an earlier run in output_dir into previous-N/ of it and begin anew; nothing is deleted"
        },
    )
    on_nonfinite: str = field(
        default="stop",
        metadata={
            "help": "a loss or gradient that is not finite: stop, skip the update, or rollback to the last "
            "checkpoint's weights and go on behind the step"
        },
    )
    max_nonfinite_steps: int = field(
        default=10, metadata={"help": "updates that skip and rollback leave out before the run stops after all"}
    )
    tokenizer: str = field(
        default="{data_root}/tokenizer", metadata={"help": "folder with tokenizer.json, or org/name[@revision]"}
    )
    sequence_length: int = field(default=512, metadata={"help": "tokens in a row"})
    schedule: str = field(default="cosine", metadata={"help": f"learning-rate law: {', '.join(SCHEDULE_NAMES)}"})
    min_learning_rate: float = field(default=0.0, metadata={"help": "where the schedule ends"})
    learning_rates: list[float] = field(
        default_factory=list, metadata={"help": "multi_step_constant: the levels; the first is learning_rate"}
    )
    milestones_tokens: list[int] = field(
        default_factory=list, metadata={"help": "multi_step_constant: tokens after which the next level begins"}
    )
    timescale_fraction: float = field(
        default=0.01, metadata={"help": "inverse_sqrt_pinned: time constant as a share of the stage"}
    )
    decay_fraction: float = field(
        default=DEFAULT_DECAY_FRACTION, metadata={"help": "wsd: share of the steps over which the learning rate falls"}
    )
    decay_shape: str = field(default="1-sqrt", metadata={"help": f"wsd: {', '.join(DECAY_SHAPES)}"})
    drop_on: str = field(
        default="tokens",
        metadata={
            "help": "multi_step_constant: what brings the next level: tokens (milestones_tokens), train_loss or "
            "validation_loss (a plateau of it), recorded (the drops of another run)"
        },
    )
    plateau_window_steps: int = field(
        default=100, metadata={"help": "drop_on train_loss: steps whose losses are averaged and compared"}
    )
    plateau_patience: int = field(
        default=3,
        metadata={
            "help": "drop_on train_loss: windows in a row without a new low before a drop; drop_on validation_loss: "
            "evaluations"
        },
    )
    plateau_min_improvement: float = field(
        default=0.001, metadata={"help": "drop_on a loss: share by which a new low must be lower"}
    )
    plateau_factor: float | None = field(
        default=None,
        metadata={"help": "drop_on a loss: each level times this, down to min_learning_rate; or learning_rates"},
    )
    recorded_drops: str | None = field(
        default=None, metadata={"help": "drop_on recorded: the learning_rate_drops.jsonl of a run"}
    )
    router_aux_loss_coef: float | None = field(
        default=0.015, metadata={"help": "coefficient of the balance loss; null keeps the model's"}
    )
    router_z_loss_coef: float | None = field(
        default=1e-4, metadata={"help": "coefficient of the router's z-loss; null keeps the model's"}
    )
    router_warmup_steps: int = field(
        default=0, metadata={"help": "steps over which random routing gives way to learned routing; 0: none"}
    )
    freeze_router: bool = field(
        default=False, metadata={"help": "do not train the routers; their losses are then logged, not added"}
    )
    packed_dir: str = field(
        default="{data_root}/packed", metadata={"help": "where encoded and packed rows are kept for the next run"}
    )
    packing_workers: int | None = field(
        default=None, metadata={"help": "processes that encode and pack; null: one per core where there is much to do"}
    )
    eval_every_steps: int = field(
        default=0,
        metadata={
            "help": "steps between measurements of the held-out loss, which is measured before the first and after the "
            "last step too; 0: none"
        },
    )
    eval_data: dict | str | None = field(
        default=None,
        metadata={
            "help": "held-out sources by name, on the command line as JSON: a .ds file (pretrain), a folder, a file or "
            "org/name[@revision]; or one place alone, such as a folder like tokenized for all sources of the mixture; "
            "null: eval_split of the datasets (sft, dpo)"
        },
    )
    eval_split: str = field(default="validation", metadata={"help": "split of the datasets that are held out"})
    eval_rows: int | None = field(
        default=256, metadata={"help": "rows of each held-out source, spread evenly over it; null: all"}
    )
    eval_batch_rows: int = field(default=1, metadata={"help": "held-out rows that a device takes at once"})
    eval_tasks: list[str] = field(
        default_factory=list, metadata={"help": "tasks of evals that checkpoints are asked: humaneval, say"}
    )
    eval_tasks_every_steps: int = field(
        default=0, metadata={"help": "steps between answers to eval_tasks, which the finished model is asked too"}
    )
    eval_tasks_limit: int | None = field(default=20, metadata={"help": "problems of each of eval_tasks; null: all"})
    eval_tasks_held_out: str | None = field(
        default=None, metadata={"help": "folder of the sft builder, whose questions held_out_execution asks"}
    )
    eval_tasks_minutes: float = field(
        default=20.0, metadata={"help": "minutes that eval_tasks may take; training waits, and goes on without them"}
    )
    routing_alarm: float | None = field(
        default=4.0,
        metadata={
            "help": "an expert with more than so many times a layer's mean load, or one without load, is an alarm: a "
            "line on the terminal and in metrics.jsonl; null: none"
        },
    )
    show_batch: bool = field(default=False, metadata={"help": "decode the first batch and stop"})
    dry_run: bool = field(default=False, metadata={"help": "print the plan and stop"})
    push_to_hub_repo: str | None = field(
        default=None, metadata={"help": "ORG/NAME: push the finished model, private, to revision step-N"}
    )
    push_checkpoints: bool = field(
        default=False,
        metadata={"help": "push each checkpoint to the branch of its step too, while the run goes on"},
    )

    @classmethod
    def refused_keys(cls) -> dict[str, str]:
        """Return the library's keys that a recipe may not write, each with the reason."""
        own = {name for base in cls.__mro__ if issubclass(base, StageArguments) for name in get_annotations(base)}
        return refused_keys(cls.kind, [item.name for item in fields(cls) if item.init], own)

    def expand_paths(self) -> None:
        """Put data_root into every string that names it."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, str) and DATA_ROOT_PLACEHOLDER in value:
                setattr(self, item.name, value.replace(DATA_ROOT_PLACEHOLDER, self.data_root))

    def refuse(self, key: str, limit: str, fix: str) -> NoReturn:
        """Raise a RecipeError that names the key, its value, the limit and the fix."""
        where = f"{self.recipe_path}: " if self.recipe_path else ""
        value = getattr(self, key)
        shown = value.value if isinstance(value, Enum) else value
        raise RecipeError(f"{where}{key}: {shown!r} is not allowed: {limit}. {fix}")

    def mapping_of(self, key: str) -> dict[str, Any]:
        """Return the value of a key that is a mapping, given on the command line as JSON.

        Raises:
            RecipeError: neither.
        """
        value = getattr(self, key)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                self.refuse(key, f"on the command line it must be JSON ({error})", "Or write it in the recipe.")
        if not isinstance(value, dict):
            self.refuse(key, "a mapping is wanted", "Write {name: value, ...}.")
        return value

    def check_stage(self) -> None:
        """Check the values that a type cannot.

        Raises:
            RecipeError: the first value out of its limits.
        """
        if self.recipe and self.recipe != self.kind:
            self.refuse("recipe", f"this is a recipe for recipes/{self.recipe}.py", f"Run recipes/{self.recipe}.py.")
        if self.schedule not in SCHEDULE_NAMES:
            self.refuse("schedule", f"it must be one of {', '.join(SCHEDULE_NAMES)}", "Choose one of them.")
        self.check_numbers()
        self.check_schedule_keys()
        self.check_evaluation()
        self.check_folders()
        if self.sequence_length < 8:
            self.refuse("sequence_length", "a row needs at least 8 tokens", "512 is usual for the tiny model.")
        if self.learning_rate <= 0:
            self.refuse("learning_rate", "it must be above 0", "3e-4 is stage 1's.")
        if not 0 <= self.min_learning_rate <= self.learning_rate:
            self.refuse(
                "min_learning_rate", f"it must lie between 0 and learning_rate, {self.learning_rate}", "Lower it."
            )
        if self.per_device_train_batch_size < 1:
            self.refuse("per_device_train_batch_size", "it must be at least 1", "It counts rows per device.")
        if self.on_nonfinite not in NONFINITE_POLICIES:
            self.refuse("on_nonfinite", f"it must be one of {', '.join(NONFINITE_POLICIES)}", "stop is the safe one.")
        if self.push_checkpoints and not self.push_to_hub_repo:
            self.refuse("push_checkpoints", "push_to_hub_repo says where to", "Write push_to_hub_repo: ORG/NAME.")
        if self.max_nonfinite_steps < 0:
            self.refuse("max_nonfinite_steps", "it counts updates", "0 stops at the first.")
        if self.packing_workers is not None and self.packing_workers < 1:
            self.refuse("packing_workers", "it must be at least 1", "null takes one per core.")
        if self.routing_alarm is not None and self.routing_alarm <= 1:
            self.refuse("routing_alarm", "1 is the mean load itself", "4 is the default; null gives no alarm.")
        if self.router_warmup_steps < 0:
            self.refuse("router_warmup_steps", "it counts optimizer steps", "0 leaves the warm-up out.")
        if self.router_warmup_steps and self.freeze_router:
            self.refuse("router_warmup_steps", "freeze_router is true, so nothing would be learned", "Set it to 0.")
        if getattr(self.save_strategy, "value", self.save_strategy) == "best":
            self.refuse(
                "save_strategy",
                "a run goes on from its last checkpoint, not from a best one",
                "Write steps, epoch or no.",
            )
        optimizer = getattr(self.optim, "value", self.optim)
        if optimizer is not None and optimizer not in OPTIMIZERS:  # a plan does not know the library's default
            self.refuse("optim", f"it must be one of {', '.join(OPTIMIZERS)}", "adamw_torch runs anywhere.")
        if self.save_total_limit is not None and self.save_total_limit < 2:
            self.refuse(
                "save_total_limit",
                "a run killed while it saves needs the checkpoint before",
                "Write 2 or more, or null.",
            )

    def check_numbers(self) -> None:
        """Refuse numbers that are none, or have no end: comparisons with them decide nothing.

        Raises:
            RecipeError: names the first.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            for number in value if isinstance(value, list) else [value]:
                if isinstance(number, float) and not math.isfinite(number):
                    self.refuse(item.name, "a finite number is wanted", "Write one.")

    def check_folders(self) -> None:
        """Refuse an output_dir that holds what the stage begins with: a fresh start would move that away.

        Raises:
            RecipeError: names both.
        """
        start, output = Path(self.init_from).resolve(), Path(self.output_dir or ".").resolve()
        is_own_checkpoint = start.parent == output and start.name.startswith("checkpoint-")
        if start.is_dir() and (start == output or is_own_checkpoint):
            self.refuse("output_dir", f"init_from, {self.init_from}, lies in it", "Give another.")

    def check_evaluation(self) -> None:
        """Refuse keys of evaluation that contradict each other, or that do nothing without another.

        Raises:
            RecipeError: names the first.
        """
        defaults = {item.name: item.default if item.default is not MISSING else [] for item in fields(StageArguments)}
        for switch, keys in EVALUATION_KEYS.items():
            if getattr(self, switch) < 0:
                self.refuse(switch, "it counts optimizer steps", "0 leaves it out.")
            for key in keys if not getattr(self, switch) else ():
                if getattr(self, key) != defaults[key]:
                    self.refuse(key, f"it does nothing without {switch}", f"Set {switch}, or remove it.")
            if getattr(self, switch) and self.kind == "distill":
                self.refuse(switch, "a distilled model is measured at the end, on rows held out", "Remove it.")
        for key in ("eval_rows", "eval_batch_rows", "eval_tasks_limit"):
            if getattr(self, key) is not None and getattr(self, key) < 1:
                self.refuse(
                    key, "it must be at least 1", "null takes all." if key != "eval_batch_rows" else "1 is safe."
                )
        if self.eval_data is not None and not self.held_out_names():
            self.refuse("eval_data", "at least one source is wanted", "Write {name: path}.")
        if self.schedule == "multi_step_constant" and self.drop_on == "validation_loss" and not self.eval_every_steps:
            self.refuse("drop_on", "a validation loss has to be measured", "Set eval_every_steps and eval_data.")
        if self.eval_tasks_every_steps and not self.eval_tasks:
            self.refuse("eval_tasks", "eval_tasks_every_steps is set", "Name some: `python -m evals list` shows them.")
        if self.eval_tasks_minutes <= 0:
            self.refuse("eval_tasks_minutes", "it must be above 0", "20 is the default.")

    def held_out_names(self) -> dict[str, str]:
        """Return the held-out sources that are named, and where they lie; a place alone is named after itself.

        Raises:
            RecipeError: not a mapping of names to places.
        """
        if self.eval_data is None:
            return {}
        if isinstance(self.eval_data, str) and not self.eval_data.lstrip().startswith("{"):
            place = self.eval_data.replace(DATA_ROOT_PLACEHOLDER, self.data_root)
            return {place.rstrip("/").rpartition("/")[2]: place}
        for name, place in self.mapping_of("eval_data").items():
            if not isinstance(name, str) or not isinstance(place, str):
                self.refuse("eval_data", f"{name!r}: {place!r} is no name with a place", "Write {name: path}.")
        return {
            name: place.replace(DATA_ROOT_PLACEHOLDER, self.data_root)
            for name, place in self.mapping_of("eval_data").items()
        }

    def check_schedule_keys(self) -> None:
        """Refuse keys that do nothing in the schedule, or in the way that its drops come about.

        Raises:
            RecipeError: names the first.
        """
        defaults = {item.name: item.default if item.default is not MISSING else [] for item in fields(StageArguments)}
        given = [key for key in SCHEDULE_KEYS if getattr(self, key) != defaults[key]]
        for key in keys_of_others(given, self.schedule):
            owners = ", ".join(SCHEDULE_KEYS[key])
            self.refuse(key, f"it does nothing in schedule {self.schedule}", f"Remove it; it belongs to {owners}.")
        if self.schedule != "multi_step_constant":
            return
        if self.drop_on not in DROPS_ON:
            self.refuse("drop_on", f"it must be one of {', '.join(DROPS_ON)}", "tokens needs milestones_tokens.")
        for key in given:
            if key in KEYS_OF_DROPS and self.drop_on not in KEYS_OF_DROPS[key]:
                owners = " or ".join(KEYS_OF_DROPS[key])
                self.refuse(key, f"it does nothing with drop_on {self.drop_on}", f"Remove it; it needs {owners}.")
        if "min_learning_rate" in given and self.plateau_factor is None:
            self.refuse("min_learning_rate", "the last of learning_rates is the lowest", "Remove it.")
        if self.drop_on == "recorded" and self.recorded_drops is None:
            self.refuse("recorded_drops", "drop_on is recorded", "Name the learning_rate_drops.jsonl of a run.")
        if self.plateau_factor is not None and self.learning_rates:
            self.refuse("plateau_factor", "learning_rates name the levels", "Remove one of the two.")
        if self.plateau_factor is None and len(self.learning_rates) < 2:
            self.refuse("learning_rates", "a learning rate in steps needs two levels or more", "Or use constant.")

    @property
    def batch_rows_per_step(self) -> int:
        """Rows of one optimizer step over all processes, once accumulation has been derived."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps * self.world_size

    def derive_accumulation(self, key: str, rows_per_step: int) -> None:
        """Set gradient_accumulation_steps so that a step has the wanted rows.

        Args:
            key: the recipe's key, for the message.
            rows_per_step: rows over all processes and micro-batches.

        Raises:
            RecipeError: not a multiple of what all devices take at once; names the nearest sizes that are.
        """
        at_once = self.per_device_train_batch_size * self.world_size
        if rows_per_step < 1 or rows_per_step % at_once:
            lower = rows_per_step // at_once * at_once
            near = " or ".join(str(size) for size in (lower, lower + at_once) if size)
            usable = next(
                (
                    number
                    for number in range(self.world_size - 1, 0, -1)
                    if rows_per_step % (self.per_device_train_batch_size * number) == 0
                ),
                0,
            )
            devices = f", take {usable} device(s)" if usable else ""
            where = f"{self.recipe_path}: " if self.recipe_path else ""
            raise DevicesError(
                f"{where}{key}: {getattr(self, key)!r} is not allowed: it makes {rows_per_step} rows per step, but "
                f"{self.world_size} device(s) take {self.per_device_train_batch_size} row(s) each at once. Make it "
                f"{near} rows{devices}, or change per_device_train_batch_size.",
                usable,
            )
        self.gradient_accumulation_steps = rows_per_step // at_once
