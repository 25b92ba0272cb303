"""Section 3.2: reading a recipe (a flat YAML file per training stage, and the parts that it includes) strictly.

TRL's parser checks less than one thinks: the last of two equal keys wins in silence, `steps: 3.7` stays a float in an
int field, `steps: [1, 2]` stays a list. So the file is read as the builders read theirs and checked here, before
TrlParser sees it, and every complaint names the key, the value, what is allowed and what to type instead.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import os
import sys
import types
import typing
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar, cast

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import WORDS_OF_BOOLS
from datasets_builders.building.strict_yaml import exact_int, read_yaml
from modeling_ling.near_names import nearest_name
from recipes.running.schedules import keys_of_others


class RecipeClass(Protocol):
    """What a recipe fills: a dataclass that knows which of its keys may not be written."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def refused_keys(cls) -> dict[str, str]:
        """Return those keys, each with the reason."""


# What a recipe says of its parts: `include: [common.yaml]`, and `override: [learning_rate]` for the keys of them that
# it sets anew. A part says `recipe: common`, includes nothing, and is not run.
INCLUDE_KEY, OVERRIDE_KEY, KIND_KEY, PART_KIND = "include", "override", "recipe", "common"

# What other trainers call the keys that are written most.
OTHER_NAMES = (
    ("model model_name model_name_or_path base_model pretrained_model_name_or_path model_path", ("init_from",)),
    ("tokenizer_name tokenizer_path tokenizer_name_or_path", ("tokenizer",)),
    ("data data_path dataset_name dataset_path train_file train_data data_files", ("dataset", "data_root")),
    ("lr peak_lr", ("learning_rate",)),
    ("min_lr lr_min", ("min_learning_rate",)),
    ("lr_scheduler scheduler lr_scheduler_type lr_schedule", ("schedule",)),
    ("epochs num_epochs n_epochs", ("num_train_epochs", "train_tokens")),
    ("tokens max_tokens num_tokens total_tokens", ("train_tokens",)),
    ("max_seq_length max_seq_len seq_length seq_len cutoff_len block_size context_length", ("sequence_length",)),
    ("batch_size micro_batch_size train_batch_size per_device_batch_size", ("per_device_train_batch_size",)),
    (
        "global_batch_size total_batch_size effective_batch_size",
        ("global_batch_tokens", "global_batch_rows", "global_batch_pairs"),
    ),
    ("use_lora use_peft lora lora_r peft lora_alpha", ("lora_rank",)),
    ("resume resume_from_checkpoint checkpoint", ("resume_from",)),
    ("eval_dataset val_data eval_file validation_file val_size val_set_size test_size", ("eval_data",)),
    ("hub_model_id hub_repo repo_id push", ("push_to_hub_repo",)),
)

Arguments = TypeVar("Arguments", bound=RecipeClass)


class RecipeError(ValueError):
    """A recipe that cannot be run as written: says which key, which value, what is allowed and what to do."""


class DevicesError(RecipeError):
    """A batch that so many devices cannot share; `usable` is the largest number below it that can, or 0."""

    def __init__(self, message: str, usable: int) -> None:
        super().__init__(message)
        self.usable = usable


def load_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe and the parts that it includes as one flat mapping.

    Args:
        path (`str` or `Path`): the YAML file.

    Returns:
        `dict`: key to value, unchecked but for duplicates.

    Raises:
        RecipeError: no such file, not YAML, not a mapping, a part, or a key written twice: in one file, in two parts,
            or in the recipe and a part without being named under `override`.
    """
    path = Path(path)
    values = _read_file(path)
    if values.get(KIND_KEY) == PART_KIND:
        raise RecipeError(f"{path} is a part that recipes include, and no recipe. Run one that includes it.")
    parts, overridden = (_names(values.pop(key, []), f"{path}: {key}") for key in (INCLUDE_KEY, OVERRIDE_KEY))
    merged: dict[str, Any] = {}
    origins: dict[str, Path] = {}
    for part in (path.parent / name for name in parts):
        for key, value in _read_part(part).items():
            if key in origins:
                raise RecipeError(f"{path}: {key!r} stands in {origins[key]} and in {part}. Remove one of them.")
            merged[key], origins[key] = value, part
    for key in values:
        if key in origins and key not in overridden:
            raise RecipeError(
                f"{path}: {key!r} stands in {origins[key]} too. Remove one, or write `{OVERRIDE_KEY}: [{key}]`."
            )
    for key in overridden:
        if key not in origins or key not in values:
            missing = "no part has" if key not in origins else "is not set here"
            raise RecipeError(f"{path}: {OVERRIDE_KEY}: {key!r} {missing}. Remove it from the list.")
    return merged | values


def is_part(path: str | Path) -> bool:
    """Return whether a file is a part of recipes, which plans of a whole folder pass over."""
    return Path(path).is_file() and _read_file(Path(path)).get(KIND_KEY) == PART_KIND


def _read_part(path: Path) -> dict[str, Any]:
    values = _read_file(path)
    if values.pop(KIND_KEY, None) != PART_KIND:
        raise RecipeError(f"{path} is included, so it must say `{KIND_KEY}: {PART_KIND}`.")
    for key in (INCLUDE_KEY, OVERRIDE_KEY):
        if key in values:
            raise RecipeError(f"{path}: {key}: only a recipe includes; name its parts in the recipe itself.")
    return values


def _read_file(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; name a recipe in it, or all of them, {path}/*.yaml, to plan.")
    if not path.is_file():
        raise RecipeError(f"There is no recipe at {path}. Shipped ones are in recipes/configs/; give one by --config.")
    try:
        return read_yaml(path)
    except ConfigError as error:
        raise RecipeError(str(error)) from error


def _names(value: Any, where: str) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RecipeError(f"{where}: {value!r} must be a list of names.")
    return names


def describe_hint(hint: Any) -> str:
    """Return a type as a user reads it."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("NoneType", "null").replace("None", "null")


def fit_value(value: Any, hint: Any) -> tuple[bool, Any]:
    """Return whether a value fits a type hint, and the value as the field wants it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True, value
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            fits, fitted = fit_value(value, argument)
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
        items = [fit_value(item, arguments[0]) if arguments else (True, item) for item in value]
        return all(good for good, _ in items), [item for _, item in items]
    if origin is dict or hint is dict:
        return isinstance(value, dict), value
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return any(value in (member, member.value) for member in hint), value
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool), value
    if hint is int:
        number = exact_int(value)
        return number is not None, number
    if hint is bool and isinstance(value, str) and value.lower() in WORDS_OF_BOOLS:
        return True, WORDS_OF_BOOLS[value.lower()]
    if isinstance(hint, type):
        return isinstance(value, hint), value
    return True, value


def check_recipe(values: dict[str, Any], argument_class: type[RecipeClass], path: str | Path) -> dict[str, Any]:
    """Check every key of a recipe against the fields of its dataclass.

    Args:
        values (`dict`): what `load_recipe` returned.
        argument_class (`type`): the dataclass whose fields are the allowed keys.
        path (`str` or `Path`): named in the messages.

    Returns:
        `dict`: the values, lists and numbers in the types of their fields.

    Raises:
        RecipeError: an unknown key, one that would do nothing, or a value of the wrong type.
    """
    hints = typing.get_type_hints(argument_class)
    allowed = {field.name: hints[field.name] for field in dataclasses.fields(argument_class) if field.init}
    return check_keys(values, allowed, argument_class.refused_keys(), path)


def check_keys(
    values: dict[str, Any], hints: dict[str, Any], refused: Mapping[str, str], path: str | Path
) -> dict[str, Any]:
    """Check every key as `check_recipe` does: the known keys with their types, and the refused with the reason."""
    checked = {}
    for key, value in values.items():
        if key in refused:
            raise RecipeError(f"{path}: {key} (value {value!r}) may not be written: {refused[key]}. Remove it.")
        if key not in hints:
            raise RecipeError(f"{path}: unknown key {key!r} (value {value!r}). {nearest(str(key), hints, refused)}")
        fits, fitted = fit_value(value, hints[key])
        if not fits:
            raise RecipeError(
                f"{path}: {key}: {value!r} is {type(value).__name__}, but {describe_hint(hints[key])} is wanted. "
                f"Write a value of that type."
            )
        checked[key] = fitted
    return checked


def without_other_schedules(values: dict[str, Any], flags: Iterable[str]) -> dict[str, Any]:
    """Leave out a recipe's keys of its own schedule where a flag names another one, and say so.

    Args:
        values (`dict`): of the recipe.
        flags (iterable of `str`): `--field value` or `--field=value` arguments.

    Returns:
        `dict`: the values that the `schedule` and `drop_on` of the flags can have.
    """
    texts = list(flags)
    given = {}
    for number, flag in enumerate(texts):
        name, separator, value = flag.partition("=")
        given[name.replace("-", "_").lstrip("_")] = value if separator else "".join(texts[number + 1 : number + 2])
    left_out = keys_of_others(values, given.get("schedule"), given.get("drop_on"))
    if left_out and os.environ.get("RANK", "0") == "0":
        print(f"Other than in the recipe, without its {', '.join(left_out)}.", file=sys.stderr)
    return {key: value for key, value in values.items() if key not in left_out}


def nearest(name: str, hints: Iterable[str], refused: Iterable[str], prefix: str = "") -> str:
    """Return what to say of an unknown name: the nearest that may be written, or where they are listed.

    Args:
        name (`str`): as it was typed, without the prefix.
        hints (iterable of `str`): all known names.
        refused (iterable of `str`): those of them that may not be written.
        prefix (`str`): `--` on a command line.
    """
    near = nearest_name(name, sorted({*hints} - {*refused}), OTHER_NAMES)
    return f"Did you mean {prefix + near!r}?" if near else "Remove it, or see --help for the keys."


def split_config_flag(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take `--config PATH` or `--config=PATH` out of a command line.

    Args:
        arguments (sequence of `str`): the command line without the program's name.

    Returns:
        path or None, and the other arguments.

    Raises:
        RecipeError: --config without a path, or twice.
    """
    paths: list[str] = []
    rest: list[str] = []
    waiting = False
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


def parse_recipe(argument_class: type[Arguments], arguments: Sequence[str] | None = None) -> Arguments:
    """Parse a command line: a recipe given by --config, and flags that override its keys.

    Args:
        argument_class (`type`): the dataclass to fill: PretrainArguments, SFTArguments or DPOArguments.
        arguments (sequence of `str`, *optional*): the command line without the program's name; sys.argv's by default.

    Returns:
        The filled dataclass; `recipe_path` holds the path of the recipe.

    Raises:
        RecipeError: anything wrong with the recipe or with a flag's name.
    """
    from trl import TrlParser

    path, rest = split_config_flag(sys.argv[1:] if arguments is None else list(arguments))
    refused = argument_class.refused_keys()
    known = [field.name for field in dataclasses.fields(argument_class)]
    for argument in rest:
        name = argument.split("=")[0].removeprefix("--").replace("-", "_")
        if argument.startswith("--") and name in refused:
            raise RecipeError(f"{argument}: {name} may not be given: {refused[name]}.")
        # Before the parser, which would first say what the recipe lacks.
        if argument.startswith("--") and name.removeprefix("no_") not in (*known, "help"):
            raise RecipeError(f"Unknown argument {argument!r}. {nearest(name, known, refused, '--')}")

    class Parser(TrlParser):
        """Says what is wrong, without a page of usage before it."""

        def error(self, message: str) -> NoReturn:
            raise RecipeError(message)

    # Abbreviated flags would turn a typo into another field.
    parser = Parser(cast(Any, argument_class), allow_abbrev=False)
    if path is not None:
        values = check_recipe(without_other_schedules(load_recipe(path), rest), argument_class, path)
        parser.set_defaults_with_config(**values, recipe_path=str(path))
    try:
        parsed, unknown = parser.parse_args_into_dataclasses(args=rest, return_remaining_strings=True)
    except RecipeError:
        raise
    except (ValueError, ImportError) as error:  # what the library itself refuses: bf16 without the hardware, say
        raise RecipeError(f"{path or 'command line'}: {error}") from error
    if unknown:
        raise RecipeError(f"{unknown[0]!r} belongs to no flag. Write --key value, or see --help for the keys.")
    return parsed


def quiet_environment() -> None:
    """Set what keeps a CPU run quiet and reproducible; what the user has set stays."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # What bitsandbytes says of a kernel for four bits when it is imported, which nobody asked for.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # Between two of the libraries, nothing that a recipe could change.
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")
