"""Every key of the libraries either acts or is refused with the reason."""

from dataclasses import fields

import pytest

from recipes.running.library_fields import library_fields
from recipes.running.library_keys import LOSS_KEYS, NOT_KNOWN, RUNNING_KEYS, refused_keys
from recipes.running.plan_settings import settings_for_plan
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import RecipeError
from tests.recipes.conftest import RECIPES


@pytest.mark.parametrize("kind", KEY_CLASSES)
def test_each_key_of_the_libraries_is_accepted_or_refused_with_a_reason(kind: str) -> None:
    library, own = set(library_fields(kind)), {field.name for field in fields(KEY_CLASSES[kind])}
    refused = refused_keys(kind, library, own)
    accepted = LOSS_KEYS[kind] | RUNNING_KEYS[kind]
    assert accepted <= library | own
    assert not LOSS_KEYS[kind] & RUNNING_KEYS[kind]
    assert refused.keys() | accepted | (own & library) == library | accepted
    assert not [key for key, why in refused.items() if why == NOT_KNOWN], "say what the key does here, or why not"
    assert refused_keys(kind, ["a_key_of_a_later_version"], own) == {"a_key_of_a_later_version": NOT_KNOWN}


@pytest.mark.parametrize(
    ("recipe", "key", "value", "reason"),
    [
        ("sft", "loss_type", "dft", "the loss is the model's own"),
        ("sft", "packing", "true", "packed before the trainer sees them"),
        ("sft", "max_length", "9", "use sequence_length"),
        ("sft", "label_smoothing_factor", "0.1", "the loss is the model's own"),
        ("sft", "neftune_noise_alpha", "5.0", "not repeated by a resumed run"),
        ("dpo", "sync_ref_model", "true", "another one"),
        ("dpo", "max_length", "9", "use sequence_length"),
        ("stage1", "enable_jit_checkpoint", "true", "SIGTERM and SIGINT save"),
        ("stage1", "num_train_epochs", "3", "use train_tokens"),
        ("stage1", "gradient_accumulation_steps", "2", "derived"),
        ("stage1", "eval_strategy", "steps", "use eval_every_steps"),
        ("sft", "per_device_eval_batch_size", "8", "eval_batch_rows"),
        ("stage1", "fsdp", "full_shard", "launch file"),
        ("stage1", "fp16", "true", "use bf16"),
    ],
)
def test_a_key_that_would_do_nothing_is_refused(recipe: str, key: str, value: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        settings_for_plan(str(RECIPES / f"{recipe}.yaml"), [f"--{key}", value])
