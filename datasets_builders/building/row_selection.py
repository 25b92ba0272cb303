"""Section 2: rows of a dataset by the values that a user typed, whatever the columns' types are."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError

MAX_NAMED_VALUES, MAX_NAMED_CHARS = 12, 40
NOTHING = ("", "none", "null")  # how a value that is not there is typed
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


def check_columns(dataset: DatasetFolder, names: set[str]) -> None:
    """Refuse columns that a dataset does not have.

    Raises:
        ConfigError: says which it has.
    """
    if missing := sorted(name for name in names if top_of(name, dataset.columns) not in (*dataset.columns, "split")):
        raise ConfigError(f"{dataset.path} has no column {', '.join(missing)}; it has {', '.join(dataset.columns)}")


def top_of(name: str, columns: list[str]) -> str:
    """Return the column that a name is of: itself, or of `metadata.language` the first part."""
    return name if name in columns else name.partition(".")[0]


def numbers_of_rows(dataset: DatasetFolder, where: Mapping[str, str]) -> list[int]:
    """Return the numbers, over all shards, of the rows that have these values.

    Args:
        dataset (`DatasetFolder`): whose rows.
        where (mapping): column to value, as typed. A name with points goes into nested columns.

    Raises:
        ConfigError: no such column, or no row; says which values there are where those are few.
    """
    check_columns(dataset, set(where))
    columns = sorted({top_of(name, dataset.columns) for name in where} & {*dataset.columns})
    numbers, start = [], 0
    seen: dict[str, set[str]] = {name: set() for name in where}
    for shard in dataset.shards:
        rows = shard.rows(columns) if columns else [{}] * shard.num_rows
        for number, row in enumerate(rows, start):
            values = {name: value_at({"split": shard.split} | row, name) for name in where}
            if all(has_value(values[name], wanted) for name, wanted in where.items()):
                numbers.append(number)
            if not numbers:
                _note(values, seen)
        start += shard.num_rows
    if not numbers:
        wanted = ", ".join(f"{name}={value}" for name, value in where.items())
        known = [f"{name} is {' or '.join(sorted(words))}" for name, words in seen.items() if _are_few(words)]
        raise ConfigError(f"{dataset.path}: none of {start:,} rows has {'. '.join([wanted, *known])}")
    return numbers


def _note(values: Mapping[str, Any], seen: dict[str, set[str]]) -> None:
    """Add values of columns to what was seen of them; one more than is named is enough."""
    for name, value in values.items():
        if len(seen[name]) <= MAX_NAMED_VALUES:
            seen[name].add("none" if value is None else str(value)[: MAX_NAMED_CHARS + 1])


def _are_few(words: set[str]) -> bool:
    is_short = all(len(word) <= MAX_NAMED_CHARS and "\n" not in word for word in words)
    return len(words) <= MAX_NAMED_VALUES and is_short


def value_at(row: Mapping[str, Any], name: str) -> Any:
    """Return the value under a name, which may go into nested columns by points; None where there is none."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def has_value(value: object, wanted: str) -> bool:
    """Return whether a value is the one that was typed: `true`, `3`, `0.5`, `2026-12-01`, `none`, JSON, or a text.

    Args:
        value: of a row. Of a list, any element may be the one.
        wanted: as typed.
    """
    if value is None or value == "" or value == []:
        return wanted.lower() in NOTHING
    if isinstance(value, bool):
        return wanted.lower() in (TRUE if value else FALSE)
    if isinstance(value, int):
        typed = _read(int, wanted.replace(",", ""))
        return value == (_read(float, wanted) if typed is None else typed)
    if isinstance(value, float):
        return _read(float, wanted) == value or (value != value and wanted.lower() == "nan")
    if isinstance(value, datetime.datetime | datetime.date):
        return wanted in (str(value), value.isoformat()) or _read(type(value).fromisoformat, wanted) == value
    if isinstance(value, list) and any(has_value(part, wanted) for part in value if part is not None):
        return True
    if isinstance(value, list | dict):
        return _read(json.loads, wanted) == value
    return str(value) == wanted


def _read(reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except ValueError:
        return None
