"""Section 3.2: the settings that a plan needs, without the libraries that train: half a second instead of nine.

Keys and types are checked as for training. What only a trainer can refuse (an optimizer's name, say) shows when the
recipe is run; `--dry_run` stops there too.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_yaml import parse_yaml
from recipes.running.library_fields import library_fields
from recipes.running.library_keys import refused_keys
from recipes.running.recipe_keys import KEY_CLASSES
from recipes.running.recipe_loading import (
    RecipeError,
    check_keys,
    fit_value,
    load_recipe,
    nearest,
    without_other_schedules,
)
from recipes.running.stage_keys import StageArguments


def settings_for_plan(path: str, overrides: Sequence[str] = (), num_devices: int = 1) -> tuple[str, StageArguments]:
    """Read one recipe as a plan needs it: in full precision, without looking for a GPU.

    Args:
        path (`str`): the YAML file.
        overrides (sequence of `str`): further command-line arguments, `--field value`.
        num_devices (`int`): that train together.

    Returns:
        kind of training ("pretrain", "sft" or "dpo"), and its keys with steps and accumulation derived.

    Raises:
        RecipeError: the recipe or an override cannot be used.
    """
    values = without_other_schedules(load_recipe(path), overrides)
    kind = values.get("recipe")
    if kind not in KEY_CLASSES:
        raise RecipeError(f"{path}: recipe: {kind!r} must say which script runs it: pretrain, sft, dpo or distill.")
    key_class = KEY_CLASSES[kind]
    library = library_fields(kind)
    hints = {name: field.hint for name, field in library.items()} | typing.get_type_hints(key_class)
    own = {field.name for field in fields(key_class)}
    refused = refused_keys(kind, library, own)
    values = check_keys(values, hints, refused, path) | _read_overrides(overrides, hints, refused)
    settings = key_class(**{name: value for name, value in values.items() if name in own})
    for name, field in library.items():
        if name not in own:
            setattr(settings, name, values.get(name, field.default))
    settings.recipe_path, settings.bf16 = path, False
    settings.__dict__["world_size"] = num_devices  # a property of TrainingArguments
    settings.__dict__["process_index"] = 0
    settings.expand_paths()
    settings.finish()
    return kind, settings


def _read_overrides(arguments: Sequence[str], hints: dict[str, Any], refused: dict[str, str]) -> dict[str, Any]:
    """Return the values of `--field value ...` arguments, each in the type of its field."""
    given: dict[str, list[str]] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            flag, separator, value = argument.partition("=")
            name = flag.removeprefix("--").replace("-", "_")
            if name not in hints:
                raise RecipeError(f"Unknown argument {argument!r}. {nearest(name, hints, refused, '--')}")
            given[name] = [value] if separator else []
        elif name:
            given[name].append(argument)
        else:
            raise RecipeError(f"{argument!r} stands before any --field.")
    values = {key: _convert(key, texts, hints[key]) for key, texts in given.items()}
    return check_keys(values, hints, refused, "command line")


def _convert(name: str, texts: list[str], hint: Any) -> Any:
    if not texts:
        texts = ["true"]  # a flag alone
    candidates: list[Any] = [[_parsed(text) for text in texts]]
    if len(texts) == 1:
        candidates = [_parsed(texts[0]), texts[0], *candidates]
    for candidate in candidates:
        fits, value = fit_value(candidate, hint)
        if fits:
            return value
    raise RecipeError(f"--{name}: {' '.join(texts)!r} is no value of this field.")


def _parsed(text: str) -> Any:
    try:
        return parse_yaml(text)
    except ConfigError:
        return text


__all__ = ["settings_for_plan"]
