"""Blocks of commands mean to forks what they mean to bash."""

import os
from pathlib import Path

import pytest

from tests.readme_blocks import run_block

SHOW = "python -c 'import sys; print(sys.argv[1:])'"


@pytest.mark.parametrize(
    ("block", "status", "written"),
    [
        (f"{SHOW} a 'b c' '' \"$NAME\" *.txt \\\n  --last", 0, "['a', 'b c', '', 'v', 'x.txt', 'y.txt', '--last']\n"),
        (f"{SHOW} 1\n{SHOW} 2", 0, "['1']\n['2']\n"),
        (f"python -c 'raise SystemExit(3)'\n{SHOW} never", 3, ""),
        (f"no_such_program\n{SHOW} never", 127, ""),
        (f"echo by bash\n{SHOW}", 0, "by bash\n[]\n"),
        (f"{SHOW} $UNSET", 1, ""),
    ],
)
def test_words_patterns_and_ends_are_those_of_bash(block: str, status: int, written: str, tmp_path: Path) -> None:
    for name in ("x.txt", "y.txt"):
        (tmp_path / name).touch()
    environment = {**os.environ, "NAME": "v"}
    environment.pop("UNSET", None)
    ended = run_block(block, tmp_path, environment)
    assert (ended.returncode, ended.stdout) == (status, written)
    assert bool(ended.stderr) == (status in (1, 127))
