"""Held-out files are in no way in the training data."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.adapting.holding_out import MAX_SHARED_LINES, hold_out, telling_lines


def row(path: str, lines: list[str]) -> dict[str, Any]:
    return {"path": path, "repository": "project", "language": "Python", "content": "\n".join(lines) + "\n"}


def own_lines(name: str, number: int = 20) -> list[str]:
    return [f"    value_{name}_{index} = compute({index})" for index in range(number)]


ROWS = [row(f"{number}.py", own_lines(str(number))) for number in range(20)]


def test_a_share_is_held_out_and_the_same_ones_whatever_the_order() -> None:
    found = hold_out(ROWS, share=0.2)
    assert len(found.held_out) == 4
    assert len(found.train) == 16
    again = hold_out(ROWS[::-1], share=0.2)
    assert {item["path"] for item in again.held_out} == {item["path"] for item in found.held_out}
    other = hold_out(ROWS, share=0.2, seed=1)
    assert {item["path"] for item in other.held_out} != {item["path"] for item in found.held_out}


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("an indented copy", lambda lines: [f"    {line}" for line in lines]),
        ("a copy inside of a longer file", lambda lines: [*own_lines("more", 200), *lines]),
        ("most of it", lambda lines: lines[:15]),
        ("two thirds among as much else", lambda lines: [*lines[:14], *own_lines("else", 14)]),
        ("a backup with another head", lambda lines: ["# backup of an earlier version", *lines[1:]]),
    ],
)
def test_what_is_like_a_held_out_file_is_not_trained_on(what: str, make: Any) -> None:
    target = hold_out(ROWS, share=0.05).held_out[0]
    rows = [*ROWS, row("zz/copy.py", make(target["content"].splitlines()))]
    for seed in range(10):
        found = hold_out(rows, share=0.05, seed=seed)
        held, trained = ({item["path"] for item in items} for items in (found.held_out, found.train))
        assert not (target["path"] in held and "zz/copy.py" in trained), what
        assert not ("zz/copy.py" in held and target["path"] in trained), what


def test_imports_and_braces_make_no_two_files_alike() -> None:
    head = ["import collections.abc", "from somewhere import something", "}", "else:", "return None"]
    rows = [row(f"{number}.py", [*head, *own_lines(str(number), 9)]) for number in range(10)]
    assert not hold_out(rows).too_alike


def test_too_little_code_is_said_to_be() -> None:
    with pytest.raises(ValueError, match="at least two are needed"):
        hold_out(ROWS[:1])
    with pytest.raises(ValueError, match="nothing is left to train on"):
        hold_out([ROWS[0], {**ROWS[0], "path": "b.py"}])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), min_size=8, max_size=30, unique=True), min_size=4, max_size=12))
def test_no_training_file_holds_half_of_a_held_out_one(files: list[list[int]]) -> None:
    rows = [row(f"{number}.py", [f"statement_number({line})" for line in lines]) for number, lines in enumerate(files)]
    try:
        found = hold_out(rows, share=0.3)
    except ValueError:
        return
    for held in found.held_out:
        lines = telling_lines(held["content"])
        for trained in found.train:
            assert len(lines & telling_lines(trained["content"])) <= MAX_SHARED_LINES * len(lines)
    assert len(found.held_out) + len(found.train) + len(found.too_alike) == len(rows)
