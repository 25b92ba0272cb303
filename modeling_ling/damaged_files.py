"""Name the file of a model that could not be read: safetensors and json say what is wrong with it, not which it is."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def damaged_file(error: BaseException) -> str | None:
    """Return which file of weights or settings cannot be read and what to do; None for an error of another kind.

    It is looked for where the functions that were reading had paths at hand, and named where it shows the same damage.
    An error that somebody has put into words of their own is left alone.
    """
    if isinstance(error, json.JSONDecodeError):
        name = next((path for path in _files_of(error, ".json") if _text_of(path) == error.doc), None)
        if name is None:
            return None
    elif _is_of_weights(error):
        name = next((path for path in _files_of(error, ".safetensors") if _has_damaged_weights(path)), None)
    else:
        return None
    return f"{name or 'a file of weights'} is damaged or not whole ({error}): copy or download it again"


def _is_of_weights(error: BaseException) -> bool:
    if "safetensors" not in sys.modules:  # nothing was read by it
        return False
    from safetensors import SafetensorError

    return isinstance(error, SafetensorError)


def _files_of(error: BaseException, ending: str) -> Iterator[Path]:
    """Give the files that functions had at hand or in a folder at hand, those of the innermost function first."""
    seen: set[Path] = set()
    for frame, _ in reversed([*traceback.walk_tb(error.__traceback__)]):
        for value in frame.f_locals.values():
            if not isinstance(value, str | os.PathLike) or len(str(value)) > 4096 or "\n" in str(value):
                continue
            path = Path(value)
            with suppress(OSError, ValueError):
                found = sorted(path.glob(f"*{ending}")) if path.is_dir() else [path] if path.suffix == ending else []
                yield from (file for file in found if file not in seen and file.is_file())
                seen.update(found)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _has_damaged_weights(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return False
    except (SafetensorError, OSError):
        return True
