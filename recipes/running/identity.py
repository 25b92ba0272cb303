"""Section 3.2: what makes two starts of a recipe the same run: every setting that the losses depend on, by name.

It is written into each checkpoint, and a run is continued only where nothing of it differs. Left out is what changes
no loss: paths (hashes name their contents instead), logging, saving, and how a step's rows are spread over devices.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.running.library_keys import LOSS_KEYS
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from recipes.running.stage_keys import StageArguments

# Keys of ours that change no loss, or whose content is in the identity by its hash.
KEYS_OUTSIDE_IDENTITY = frozenset(
    {
        *("recipe_path", "output_dir", "data_root", "init_from", "plan_preset", "tokenizer", "tokenized", "dataset"),
        *("stage", "resume_from", "allow_changes", "overwrite_output_dir", "show_batch", "dry_run"),
        *("push_to_hub_repo", "push_checkpoints", "max_epochs", "corpus_tokens", "corpus_samples", "logging_steps"),
        *("save_total_limit", "report_to"),
        *("activation_checkpointing", "on_nonfinite", "max_nonfinite_steps"),
        # An evaluation changes no training; where its loss moves the learning rate, see `stage_identity`.
        *("eval_every_steps", "eval_data", "eval_split", "eval_rows", "eval_batch_rows", "eval_tasks"),
        *("eval_tasks_every_steps", "eval_tasks_limit", "eval_tasks_held_out", "eval_tasks_minutes"),
        # Read into rows, which have a hash of their own.
        *("datasets", "dataset_split", "dataset_columns", "dataset_roles", "dataset_streaming", "packing_workers"),
        *("packed_dir", "over_length", "max_samples"),
    }
)
# What a running optimization can take up at any step; all else is another run.
CHANGEABLE_KEYS = frozenset(
    {
        *("learning_rate", "min_learning_rate", "learning_rates", "milestones_tokens", "schedule", "warmup_steps"),
        *("timescale_fraction", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm"),
        *("router_aux_loss_coef", "router_z_loss_coef", "bf16", "tf32"),
    }
)
_CONFIG_KEYS_OUTSIDE_IDENTITY = frozenset(
    {
        *("transformers_version", "_name_or_path", "dtype", "torch_dtype", "architectures", "auto_map", "use_cache"),
        # Set by the run itself, or by a recipe's key of the same name.
        *("output_router_logits", "router_warmup_steps", "router_aux_loss_coef", "router_z_loss_coef"),
        # The tokenizer's, which has a hash of its own.
        *("bos_token_id", "eos_token_id", "pad_token_id", "tokenizer_class"),
    }
)
_BLOCK_BYTES = 1 << 16
_BLOCKS_PER_FILE = 32
ABSENT = "absent"

Identity = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """A setting that differs between a checkpoint and the recipe that continues it."""

    key: str
    saved: Any
    current: Any

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.saved)} in the checkpoint, {_shown(self.current)} now"


def run_identity(
    settings: StageArguments,
    kind: str,
    *,
    config: BailingMoeConfig,
    data_fingerprint: str,
    tokenizer_fingerprint: str,
) -> Identity:
    """Return the settings that the losses of a run depend on, flat, as JSON values.

    Args:
        settings: with steps and accumulation derived.
        kind: pretrain, sft or dpo.
        config: of the model that the run begins with.
        data_fingerprint: of the rows and their order.
        tokenizer_fingerprint: of what decides ids.

    Returns:
        Setting to value: the recipe's keys, `model.KEY`, `data`, `tokenizer`, `init_from`, `max_steps` and
        `rows_per_step` (rows of one optimizer step over all devices).
    """
    names = {field.name for field in dataclasses.fields(KEY_CLASSES[kind]) if field.init} | LOSS_KEYS[kind]
    identity = {name: _plain(getattr(settings, name)) for name in names - KEYS_OUTSIDE_IDENTITY}
    values = config.to_dict()
    identity |= {
        f"model.{key}": _plain(value) for key, value in values.items() if key not in _CONFIG_KEYS_OUTSIDE_IDENTITY
    }
    identity |= {
        "data": data_fingerprint,
        "tokenizer": tokenizer_fingerprint,
        "init_from": weights_name(settings.init_from, getattr(config, "_commit_hash", None)),
        "max_steps": settings.max_steps,
        "rows_per_step": settings.batch_rows_per_step,
    }
    return dict(sorted(identity.items()))


def weights_name(init_from: str, commit: str | None = None) -> str:
    """Return what names the weights that a run begins with, wherever they lie.

    Args:
        init_from: `preset:NAME`, a folder, or org/name[@revision].
        commit: of a model on the Hub.

    Returns:
        For a folder, a hash of its weight files: of their sizes and of blocks spread over them, since reading a large
        model twice would take minutes and any training moves all of its values.
    """
    folder = Path(init_from)
    if not folder.is_dir():
        return f"{init_from} ({commit})" if commit else init_from
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            for number in range(_BLOCKS_PER_FILE):
                file.seek(max(0, size - _BLOCK_BYTES) * number // (_BLOCKS_PER_FILE - 1))
                digest.update(file.read(_BLOCK_BYTES))
    return f"weights {digest.hexdigest()[:16]}"


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[Change]:
    """Return the settings that differ, in the order of their names but `data` last: a key says more than its hash."""
    names = sorted(saved.keys() | current.keys(), key=lambda name: (name == "data", name))
    changes = [Change(name, saved.get(name, ABSENT), current.get(name, ABSENT)) for name in names]
    return [change for change in changes if change.saved != change.current]


def check_allowed(allow_changes: Sequence[str]) -> None:
    """Refuse a name in `allow_changes` that cannot change within a run.

    Raises:
        RecipeError: names it and those that can.
    """
    for key in allow_changes:
        if key not in CHANGEABLE_KEYS:
            raise RecipeError(
                f"allow_changes: {key!r} cannot change within a run. These can: {', '.join(sorted(CHANGEABLE_KEYS))}. "
                "For anything else start a new stage: init_from this one, with another output_dir."
            )


def permitted_changes(changes: Sequence[Change], allow_changes: Sequence[str], folder: Path) -> list[Change]:
    """Return the changes if `allow_changes` names all of them.

    Args:
        changes: between the checkpoint and the recipe.
        allow_changes: of the recipe, checked.
        folder: the checkpoint, for the message.

    Returns:
        The same changes.

    Raises:
        RecipeError: a setting differs that is not named; the message has every one with both values.
    """
    refused = [change for change in changes if change.key not in allow_changes]
    if refused:
        lines = "\n".join(f"  {change}" for change in refused)
        fixes = ["restore the recipe and the data"]
        changeable = [change.key for change in refused if change.key in CHANGEABLE_KEYS]
        if changeable:
            fixes.append(f"write allow_changes: [{', '.join(changeable)}] to go on with the new value")
        fixes.append("start a new run in another output_dir")
        fixes.append("or write overwrite_output_dir: true, which moves the old run away and begins anew")
        raise RecipeError(f"resume_from: {folder} is of a run with other settings:\n{lines}\n{_sentence(fixes)}")
    return list(changes)


def _sentence(parts: Sequence[str]) -> str:
    text = ", ".join(parts)
    return text[0].upper() + text[1:] + "."


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    if isinstance(value, enum.Enum):
        value = value.value
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _shown(value: Any, length: int = 120) -> str:
    text = value if value is ABSENT else json.dumps(value, sort_keys=True)
    return text if len(text) <= length else text[: length - 3] + "..."


__all__ = ["CHANGEABLE_KEYS", "Change", "Identity", "check_allowed", "differences", "permitted_changes", "run_identity"]
