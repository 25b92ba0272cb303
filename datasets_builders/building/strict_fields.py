"""Values for the fields of a dataclass, checked strictly: unknown names and wrong types are errors."""

import math
import types
import typing
from dataclasses import fields
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_yaml import exact_int
from modeling_ling.near_names import nearest_name

# Texts in YAML 1.2, booleans in YAML 1.1 and to whoever writes them into a field of booleans.
WORDS_OF_BOOLS = {"yes": True, "on": True, "no": False, "off": False}
# What other programs call the fields that most builders have.
OTHER_NAMES = (
    (
        "input input_dir input_path inputs dataset datasets dataset_name data data_dir data_files source sources code "
        "code_dataset path folder corpus",
        ("input", "input_dir", "inputs", "sources"),
    ),
    ("output out out_dir to save_dir save_path output_path dest", ("output_dir",)),
    ("num_workers num_proc n_jobs jobs processes threads parallel max_workers", ("workers",)),
)


def checked_fields(config_class: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """Return values that are fields of a dataclass, each of its type.

    Args:
        config_class (type): the dataclass.
        values (dict): by the name of the field.
        where (`str`): file or argument that they are from, for messages.

    Raises:
        ConfigError: an unknown field, with the nearest known one, or a wrong type.
    """
    hints = typing.get_type_hints(config_class)
    known = [described.name for described in fields(config_class)]
    checked = {}
    for key, value in values.items():
        if key not in known:
            near = nearest_name(str(key), known, OTHER_NAMES)
            hint = f"did you mean {near!r}?" if near else f"known fields: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown field {key!r} (value {value!r}); {hint}")
        checked[key] = _convert(value, hints[key], f"{where}: field {key!r}")
    return checked


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Return `value` if it has the type `hint`, with the conversions that lose nothing: int to float, 1e6 to int."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(value, next(argument for argument in arguments if argument is not type(None)), where)
    if hint is Any:
        return value
    if origin is list and isinstance(value, list):
        return [_convert(item, arguments[0], f"{where}, item {i}") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _convert(item, arguments[1], f"{where}, key {key!r}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, float) and math.isnan(value):
        raise ConfigError(f"{where} is not a number (nan), which nothing can be compared with")
    if hint is int and (number := exact_int(value)) is not None:
        return number
    if hint is bool and isinstance(value, str) and value.lower() in WORDS_OF_BOOLS:
        return WORDS_OF_BOOLS[value.lower()]
    expected = origin or hint
    # bool is a subclass of int in Python, but `num_shards: true` is a mistake.
    if isinstance(value, expected) and not (expected is int and isinstance(value, bool)):
        return value
    # To YAML, 3.10 is a number, and so is 1e3 to whoever meant a name; null is nothing, true is no text.
    quotes = "; put it in quotes" if hint is str and isinstance(value, int | float | None) else ""
    quotes = "; write {key: value}, such as {kind: ray}" if expected is dict and isinstance(value, str) else quotes
    shown = "null" if value is None else f"{value!r} ({type(value).__name__})"
    raise ConfigError(f"{where} is {shown}, but must be {type_name(hint)}{quotes}")


def type_name(hint: Any) -> str:
    """Return how a type is written in help and errors, such as `int` or `list[str]`."""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
