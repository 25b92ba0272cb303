"""What the quickstart says last can be typed as it stands."""

import shlex
import sys
from pathlib import Path

import pytest

from recipes.console import PROGRAMS, SHORT
from recipes.quickstart.__main__ import activation, closing
from recipes.quickstart.step_runner import StepRecord


def test_what_is_typed_next_is_whole_whatever_the_folder_is_called(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    record = StepRecord("a", "a", "", "", 60.0, 60.0, 2**30)
    said = closing(Path("my outputs"), [record], Path("my outputs/report.html"))
    typed = [shlex.split(line, comments=True) for line in said.partition("Next:\n")[2].splitlines()]
    assert [words[:3] for words in typed] == [
        ["ling-coder", "chat", "my outputs/model"],
        ["ling-coder", "data", "browse"],
        ["ling-coder", "evals", "samples"],
        ["ling-coder", "--help"],
    ]
    assert "chat" in SHORT and {"data", "evals"} <= PROGRAMS.keys()


def test_the_environment_is_entered_first_where_the_shell_is_not_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    assert activation() == "  source .venv/bin/activate\n"
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / ".venv"))
    assert activation() == ""
