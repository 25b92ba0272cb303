"""What a run was asked for and with which versions, as a report shows it, and what two runs do not have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

NAMES = {"preset": "prompts", "base": "base model", "limit": "limit on rows"}


def settings_of(results: dict[str, Any]) -> dict[str, str]:
    """Return a run's settings and versions as text, by name; what was not asked for is "-".

    Args:
        results: of results.json.
    """
    whole = {name: results.get(name) for name in ("model", "revision", "preset", "base", "backend", "limit")}
    return {
        **{NAMES.get(name, name): setting_text(value) for name, value in whole.items()},
        **{name.replace("_", " "): setting_text(value) for name, value in (results.get("sampling") or {}).items()},
        **{f"version of {name}": setting_text(value) for name, value in (results.get("versions") or {}).items()},
    }


def settings_but_seed(results: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what has to be equal in runs that differ in the seed alone."""
    return tuple(sorted((name, value) for name, value in settings_of(results).items() if name != "seed"))


def rows_asked(task: dict[str, Any]) -> str:
    """Return what has to be equal in a task's entries that are scores of the same rows."""
    data = task.get("data") or {}
    return setting_text([task.get("metric"), data.get("sha256"), data.get("rows")])


def settings_table(runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a row per setting: its name, and its value in each run."""
    found = [settings_of(results) for results in runs]
    names: dict[str, None] = {}
    for settings in found:
        names |= dict.fromkeys(settings)
    return [[name, *(settings.get(name, "-") for settings in found)] for name in names]


def differing(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the numbers of the rows of `settings_table` in which the runs differ."""
    return [number for number, (_, *values) in enumerate(rows) if len(set(values)) > 1]


def setting_text(value: object) -> str:
    """Return a setting as a reader writes it, and never as Python does."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
