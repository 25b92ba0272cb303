"""Section 3.2, Table 1: the keys of a recipe that are ours, checked without any library: YAML key = field = CLI flag.

`arguments` puts each class over the library's own arguments to train with; `plan_settings` fills it without them.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from recipes.objectives.fim import check_layouts
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
        own = {item.name for item in fields(KEY_CLASSES[cls.kind])}
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
        raise RecipeError(f"{where}{key}: {getattr(self, key)!r} is not allowed: {limit}. {fix}")

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
        self.check_schedule_keys()
        self.check_evaluation()
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


@dataclass
class PretrainKeys(StageArguments):
    """Keys of recipes/pretrain.py: Table 1 and the objectives."""

    kind: ClassVar[str] = "pretrain"

    output_dir: str = field(
        default="outputs/pretrain", metadata={"help": "the run's folder, a model folder at the end"}
    )
    train_tokens: int = field(default=0, metadata={"help": "tokens of the stage; rounded up to whole steps"})
    global_batch_tokens: int = field(default=0, metadata={"help": "tokens of one optimizer step over all devices"})
    mixture: dict | str | None = field(
        default=None, metadata={"help": "Table 1's two-level shares; on the command line as JSON"}
    )
    corpus_tokens: dict | None = field(
        default=None, metadata={"help": "tokens of sources, for a plan while their files are not there"}
    )
    tokenized: str = field(
        default="{data_root}/datasets/tokenized", metadata={"help": "folder that `datasets_builders tokenized` wrote"}
    )
    max_epochs: float = field(
        default=4.0, metadata={"help": "stop before the first step if a source would be repeated more often"}
    )
    mixture_block_rows: int | None = field(
        default=None,
        metadata={
            "help": "rows shuffled among each other; every source's share holds at the end of each such block; null: "
            "the rows of a step"
        },
    )
    data_seed: int | None = field(default=0, metadata={"help": "seed of the mixture's order and of FIM"})
    fim_rate: float = field(default=0.5, metadata={"help": "share of the code documents with the FIM objective"})
    fim_layouts: dict | str | None = field(
        default_factory=lambda: {"psm": 0.5, "spm": 0.5},
        metadata={
            "help": "share of each layout among those: psm, spm, suffix_prefix_middle; on the command line as JSON"
        },
    )
    fim_sources: list[str] = field(
        default_factory=lambda: ["code.raw"], metadata={"help": "sources that get the FIM objective"}
    )
    lora_rank: int = field(
        default=0,
        metadata={"help": "train adapters of this rank beside all linear layers, merged at the end; 0: all weights"},
    )
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    weight_decay: float = field(default=0.1, metadata={"help": "weight decay of AdamW; norms are left out"})
    logging_steps: float = field(default=10, metadata={"help": "steps between lines of metrics.jsonl"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    @property
    def shares(self) -> dict[str, Any]:
        """Table 1's shares, once `finish` has checked them."""
        assert isinstance(self.mixture, dict)
        return self.mixture

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        if isinstance(self.mixture, str):
            try:
                self.mixture = json.loads(self.mixture)
            except json.JSONDecodeError as error:
                self.refuse("mixture", f"on the command line it must be JSON ({error})", "Or write it in the recipe.")
        if not isinstance(self.mixture, dict):
            self.refuse("mixture", "the shares of the sources are wanted", "See recipes/configs/tiny/stage1.yaml.")
        if self.global_batch_tokens < self.sequence_length or self.global_batch_tokens % self.sequence_length:
            self.refuse(
                "global_batch_tokens",
                f"it must be a multiple of sequence_length, {self.sequence_length}",
                f"{max(1, round(self.global_batch_tokens / self.sequence_length)) * self.sequence_length} is near.",
            )
        if self.train_tokens < self.global_batch_tokens:
            self.refuse(
                "train_tokens", f"one step alone takes global_batch_tokens, {self.global_batch_tokens}", "Raise it."
            )
        if self.eval_every_steps and self.eval_data is None:
            self.refuse(
                "eval_data", "eval_every_steps is set", "Name token files that are not trained on: {code: a.ds}."
            )
        if self.eval_tasks and self.lora_rank:
            self.refuse("eval_tasks", "adapters are merged at the end only", "Run `python -m evals` on the result.")
        if self.lora_rank < 0:
            self.refuse("lora_rank", "it must be at least 0", "16 is usual; 0 trains all weights.")
        if not 0 <= self.fim_rate <= 1:
            self.refuse("fim_rate", "it must lie between 0 and 1", "0.5 is usual.")
        self.fim_layouts = self.mapping_of("fim_layouts")
        wrong = check_layouts(self.fim_layouts)
        if wrong:
            self.refuse("fim_layouts", wrong, "{psm: 0.5, spm: 0.5} is usual.")
        if self.mixture_block_rows is not None and self.mixture_block_rows < 1:
            self.refuse("mixture_block_rows", "a block has at least one row", "null takes the rows of a step.")
        if self.max_epochs <= 0:
            self.refuse("max_epochs", "it must be above 0", "1 forbids any repetition.")
        self.derive_accumulation("global_batch_tokens", self.global_batch_tokens // self.sequence_length)
        # 870B tokens are 51,856.04 steps of 2**24: the last of them needs a step too.
        self.max_steps = -(-self.train_tokens // self.global_batch_tokens)


@dataclass
class ChatKeys(StageArguments):
    """Keys of what recipes/sft.py and recipes/dpo.py read."""

    dataset: str = field(default="", metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"})
    datasets: dict | str | None = field(
        default=None,
        metadata={"help": "instead of dataset: several of them, each with its share of the tokens (3, 1, 1, say)"},
    )
    dataset_split: str = field(default="train", metadata={"help": "split of the datasets"})
    dataset_columns: dict | str | None = field(
        default=None,
        metadata={
            "help": "where a dataset names its columns otherwise: messages, prompt, completion, chosen, rejected, "
            "system, role or content to its own name"
        },
    )
    dataset_roles: dict | str | None = field(
        default=None, metadata={"help": "a dataset's name of a role to user, assistant, system, tool or observation"}
    )
    dataset_streaming: bool = field(
        default=False, metadata={"help": "read datasets of the Hub as they come, without a copy on disk"}
    )
    corpus_samples: int | None = field(
        default=None,
        metadata={"help": "conversations, or pairs, of the dataset, for a plan while it is not there"},
    )
    max_samples: int | None = field(default=None, metadata={"help": "take only the first rows, for a trial"})

    def shares_of_datasets(self) -> dict[str, float]:
        """Return the datasets with their shares of the tokens; one alone has all."""
        if self.datasets is None:
            return {self.dataset: 1.0}
        wanted = self.mapping_of("datasets")
        if not wanted:
            self.refuse("datasets", "at least one dataset is wanted", "Write {org/name: 1}, or use dataset.")
        for name, share in wanted.items():
            if not isinstance(share, (int, float)) or isinstance(share, bool) or share <= 0:
                self.refuse("datasets", f"the share of {name} must be a number above 0", "Write {org/name: 3, ...}.")
        return {
            str(name).replace(DATA_ROOT_PLACEHOLDER, self.data_root): share / sum(wanted.values())
            for name, share in wanted.items()
        }

    def check_datasets(self) -> None:
        """Check the keys of the data."""
        self.shares_of_datasets()
        for key in ("dataset_columns", "dataset_roles"):
            if getattr(self, key) is not None:
                self.mapping_of(key)
        if self.max_samples is not None and self.max_samples < 1:
            self.refuse("max_samples", "it must be at least 1", "null takes all.")
        if self.corpus_samples is not None and self.corpus_samples < 1:
            self.refuse("corpus_samples", "it must be at least 1", "null leaves the plan open.")
        if self.num_train_epochs < 1 or self.num_train_epochs != int(self.num_train_epochs):
            self.refuse("num_train_epochs", "whole passes over the data are wanted", "Write 1 or more.")


@dataclass
class SFTKeys(ChatKeys):
    """Keys of recipes/sft.py."""

    kind: ClassVar[str] = "sft"

    output_dir: str = field(default="outputs/sft", metadata={"help": "the run's folder, a model folder at the end"})
    dataset: str = field(
        default="{data_root}/datasets/sft",
        metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"},
    )
    over_length: str = field(
        default="drop",
        metadata={"help": "conversations longer than sequence_length: drop, or split into rows of their own"},
    )
    global_batch_rows: int = field(default=8, metadata={"help": "packed rows of one optimizer step over all devices"})
    bf16: bool | None = field(default=False, metadata={"help": "mixed precision"})  # type: ignore[assignment]  # TRL widens it
    activation_checkpointing: bool | None = field(default=False, metadata={"help": "trade compute for memory"})
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    weight_decay: float = field(default=0.1, metadata={"help": "weight decay of AdamW; norms are left out"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        self.check_datasets()
        if self.over_length not in ("drop", "split"):
            self.refuse("over_length", "it must be drop or split", "drop leaves long conversations out.")
        self.derive_accumulation("global_batch_rows", self.global_batch_rows)


@dataclass
class DPOKeys(ChatKeys):
    """Keys of recipes/dpo.py."""

    kind: ClassVar[str] = "dpo"

    output_dir: str = field(default="outputs/dpo", metadata={"help": "the run's folder, a model folder at the end"})
    dataset: str = field(
        default="{data_root}/datasets/dpo",
        metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"},
    )
    global_batch_pairs: int = field(default=8, metadata={"help": "pairs of one optimizer step over all devices"})
    bf16: bool | None = field(default=False, metadata={"help": "mixed precision"})  # type: ignore[assignment]  # TRL widens it
    activation_checkpointing: bool | None = field(default=False, metadata={"help": "trade compute for memory"})
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        self.check_datasets()
        if self.eval_every_steps and getattr(self, "precompute_ref_log_probs", False):
            self.refuse("eval_every_steps", "precompute_ref_log_probs keeps no reference model", "Set that to false.")
        self.derive_accumulation("global_batch_pairs", self.global_batch_pairs)


@dataclass
class DistillKeys(StageArguments):
    """Keys of recipes/distill: models that judge texts."""

    kind: ClassVar[str] = "distill"

    output_dir: str = field(default="outputs/judge", metadata={"help": "the run's folder, a model folder at the end"})
    init_from: str = field(default="", metadata={"help": "model that gets the head: a folder, or org/name[@revision]"})
    tokenizer: str = field(default="", metadata={"help": "by default init_from's"})
    task: str = field(
        default="classification",
        metadata={"help": "classification (of labels), regression (of a number) or reward (of pairs, Bradley-Terry)"},
    )
    dataset: str = field(default="", metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"})
    dataset_split: str = field(default="train", metadata={"help": "split of the dataset"})
    text_column: str = field(default="content", metadata={"help": "column of the texts"})
    label_column: str = field(default="label", metadata={"help": "column of the labels, or of the numbers"})
    prompt_column: str = field(default="prompt", metadata={"help": "of pairs: column of what was asked"})
    chosen_column: str = field(default="chosen", metadata={"help": "of pairs: column of the better answer"})
    rejected_column: str = field(default="rejected", metadata={"help": "of pairs: column of the worse answer"})
    max_samples: int | None = field(default=None, metadata={"help": "take only the first rows, for a trial"})
    held_out_share: float = field(
        default=0.1, metadata={"help": "share of the rows that are measured with, by a hash of their text"}
    )
    num_train_epochs: float = field(default=3.0, metadata={"help": "passes over the rows"})
    global_batch_rows: int = field(default=32, metadata={"help": "rows, or pairs, of one step over all devices"})
    learning_rate: float = field(default=2e-5, metadata={"help": "at its highest"})
    weight_decay: float = field(default=0.01, metadata={"help": "weight decay of AdamW; norms are left out"})
    logging_steps: float = field(default=10, metadata={"help": "steps between lines of metrics.jsonl"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the task reads."""
        if self.task == "reward":
            return self.prompt_column, self.chosen_column, self.rejected_column
        return self.text_column, self.label_column

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        if not self.init_from:
            self.refuse("init_from", "a model to begin with is wanted", "google-bert/bert-base-uncased, for example.")
        self.tokenizer = self.tokenizer or self.init_from
        self.check_stage()
        if self.task not in ("classification", "regression", "reward"):
            self.refuse("task", "it must be classification, regression or reward", "Choose one of them.")
        if not self.dataset:
            self.refuse("dataset", "the rows to learn from are wanted", "Name a file, a folder or org/name.")
        if not 0 < self.held_out_share < 1:
            self.refuse("held_out_share", "it must lie between 0 and 1", "0.1 is usual.")
        if self.num_train_epochs < 1 or self.num_train_epochs != int(self.num_train_epochs):
            self.refuse("num_train_epochs", "whole passes over the data are wanted", "Write 1 or more.")
        if self.init_optimizer:
            self.refuse("init_optimizer", "a fresh head has no moments", "Set it to false.")
        self.derive_accumulation("global_batch_rows", self.global_batch_rows)


KEY_CLASSES: dict[str, type[PretrainKeys] | type[SFTKeys] | type[DPOKeys] | type[DistillKeys]] = {
    "distill": DistillKeys,
    "pretrain": PretrainKeys,
    "sft": SFTKeys,
    "dpo": DPOKeys,
}
