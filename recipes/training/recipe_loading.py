"""Section 3.2: reading a recipe (one flat YAML file per training stage) strictly.

TRL's parser checks less than one thinks: the last of two equal keys wins in silence, `steps: 3.7` stays a float in an
int field, `steps: [1, 2]` stays a list. So the file is checked here, before TrlParser sees it, and every complaint
names the key, the value, what is allowed and what to type instead.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import os
import re
import sys
import types
import typing
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

# Fields that Trainer needs but that a recipe may not write: they are derived, or a clearer key of ours exists.
DERIVED_KEYS = {
    "gradient_accumulation_steps": "it is derived from global_batch_tokens",
    "max_steps": "it is derived from train_tokens (pretrain) or num_train_epochs (sft, dpo)",
    "resume_from_checkpoint": "use resume_from",
    "lr_scheduler_type": "use schedule",
    "lr_scheduler_kwargs": "use the schedule's own keys (min_learning_rate, milestones_tokens, ...)",
    "model_init_kwargs": "use init_from",
    "push_to_hub": "use push_to_hub_repo",
    "hub_model_id": "use push_to_hub_repo",
    "train_sampling_strategy": "the order is fixed by the data plan, or a run could not be resumed exactly",
    "ignore_data_skip": "the order is fixed by the data plan, or a run could not be resumed exactly",
}


class RecipeError(ValueError):
    """A recipe that cannot be run as written: says which key, which value, what is allowed and what to do."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a repeated key at any level, and reads 3e-4 as the number it looks like."""


def _construct_unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise RecipeError(
                f"{loader.name}: key {key!r} is written twice, in lines {seen[key]} and {line}. Keep one of them."
            )
        seen[key] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique_mapping)
# YAML 1.1 reads 3e-4 as a string: it wants a dot and a signed exponent.
_UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def load_recipe(path: str | Path) -> dict[str, Any]:
    """Reads one recipe file as a flat mapping.

    Args:
        path: the YAML file.

    Returns:
        Key to value, unchecked but for duplicates.

    Raises:
        RecipeError: no such file, not YAML, not a mapping, or a key written twice.

    Source: ours.
    """
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"There is no recipe at {path}. Shipped ones are in recipes/*/*.yaml; give one by --config.")
    with path.open(encoding="utf-8") as file:
        try:
            values = yaml.load(file, Loader=_UniqueKeyLoader)
        except yaml.YAMLError as error:
            raise RecipeError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must be a mapping of keys to values, one per line; found {type(values).__name__}.")
    return values


def _describe(hint: Any) -> str:
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("NoneType", "null").replace("None", "null")


def _fit(value: Any, hint: Any) -> tuple[bool, Any]:
    """(does the value fit the type hint, the value as the field wants it)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True, value
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            fits, fitted = _fit(value, argument)
            if fits:
                return True, fitted
        return False, value
    if origin is typing.Literal:
        return value in arguments, value
    if hint is type(None) or value is None:
        return value is None and hint is type(None), value
    if origin in (list, Sequence):
        if not isinstance(value, list):
            return False, value
        fits = [_fit(item, arguments[0]) if arguments else (True, item) for item in value]
        return all(good for good, _ in fits), [item for _, item in fits]
    if origin is dict or hint is dict:
        return isinstance(value, dict), value
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return any(value in (member, member.value) for member in hint), value
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool), value
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    if isinstance(hint, type):
        return isinstance(value, hint), value
    return True, value


def check_recipe(values: dict[str, Any], argument_class: type, path: str | Path) -> dict[str, Any]:
    """Checks every key of a recipe against the fields of its dataclass.

    Args:
        values: what `load_recipe` returned.
        argument_class: the dataclass whose fields are the allowed keys.
        path: named in the messages.

    Returns:
        The values, lists and numbers in the types of their fields.

    Raises:
        RecipeError: an unknown key, a derived key, or a value of the wrong type.

    Source: ours.
    """
    hints = typing.get_type_hints(argument_class)
    fields = {field.name for field in dataclasses.fields(argument_class) if field.init}
    checked = {}
    for key, value in values.items():
        if key in DERIVED_KEYS:
            raise RecipeError(f"{path}: {key} (value {value!r}) may not be written: {DERIVED_KEYS[key]}. Remove it.")
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Remove it, or see --help for the keys."
            raise RecipeError(f"{path}: unknown key {key!r} (value {value!r}). {hint}")
        fits, fitted = _fit(value, hints[key])
        if not fits:
            raise RecipeError(
                f"{path}: {key}: {value!r} is {type(value).__name__}, but {_describe(hints[key])} is wanted. "
                f"Write a value of that type."
            )
        checked[key] = fitted
    return checked


def split_config_flag(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Takes `--config PATH` or `--config=PATH` out of a command line.

    Args:
        arguments: the command line without the program's name.

    Returns:
        (path or None, the other arguments).

    Raises:
        RecipeError: --config without a path, or twice.

    Source: ours.
    """
    paths, rest, waiting = [], [], False
    for argument in arguments:
        if waiting:
            paths.append(argument)
            waiting = False
        elif argument == "--config":
            waiting = True
        elif argument.startswith("--config="):
            paths.append(argument.removeprefix("--config="))
        else:
            rest.append(argument)
    if waiting or len(paths) > 1:
        raise RecipeError("Give --config once, followed by the path of one recipe.")
    return (paths[0] if paths else None), rest


def parse_recipe(argument_class: type, arguments: Sequence[str] | None = None) -> Any:
    """Parses a command line: a recipe given by --config, and flags that override its keys.

    Args:
        argument_class: the dataclass to fill: StageArguments and one of TrainingArguments, SFTConfig, DPOConfig.
        arguments: the command line without the program's name; sys.argv's by default.

    Returns:
        The filled dataclass; `recipe_path` holds the path of the recipe.

    Raises:
        RecipeError: anything wrong with the recipe or with a flag's name.

    Source: ours.
    """
    from trl import TrlParser

    path, rest = split_config_flag(sys.argv[1:] if arguments is None else list(arguments))
    for argument in rest:
        name = argument.split("=")[0].removeprefix("--").replace("-", "_")
        if argument.startswith("--") and name in DERIVED_KEYS:
            raise RecipeError(f"{argument}: {name} may not be given: {DERIVED_KEYS[name]}.")
    # Abbreviated flags would turn a typo into another field.
    parser = TrlParser(argument_class, allow_abbrev=False)
    if path is not None:
        values = check_recipe(load_recipe(path), argument_class, path)
        parser.set_defaults_with_config(**values, recipe_path=str(path))
    parsed, unknown = parser.parse_args_into_dataclasses(args=rest, return_remaining_strings=True)
    if unknown:
        fields = [f"--{field.name}" for field in dataclasses.fields(argument_class)]
        near = difflib.get_close_matches(unknown[0].split("=")[0].replace("-", "_").replace("__", "--", 1), fields, n=1)
        hint = f"Did you mean {near[0]}?" if near else "See --help for the fields."
        raise RecipeError(f"Unknown argument {unknown[0]!r}. {hint}")
    return parsed


def quiet_environment() -> None:
    """Settings that keep a CPU run quiet and reproducible; what the user has set stays.

    Source: ours.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Between two of the libraries, nothing that a recipe could change.
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")
