"""Files that appear whole or not at all: written under a temporary name beside the target, then renamed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def temporary_name(path: Path) -> Path:
    """Return the name under which `path` is written until it is complete."""
    return path.with_name(path.name + TEMPORARY_SUFFIX)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` on success, remove it on an error.

    Args:
        path (`Path`): the final name; its folder is made when missing.

    Yields:
        `Path`: where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def remove_temporary_files(folder: Path) -> int:
    """Remove what an interrupted run left half written below `folder`.

    Returns:
        `int`: how many files were removed.
    """
    leftovers = [path for path in folder.rglob(f"*{TEMPORARY_SUFFIX}") if path.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)
