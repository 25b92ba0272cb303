"""Answers that a teacher's tests judge: what counts as a test, and a builder whose teacher is right now and then."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building import ConfigError
from datasets_builders.synthesis.bottom_up.builder import BottomUpBuilder, BottomUpConfig
from datasets_builders.synthesis.instructions.verified_answers import verifier_of
from datasets_builders.synthesis.verification import Verifier
from tests.datasets_builders.synthesis.teachers import BottomUpTeacher, write_seeds
from tests.openai_server import MODEL, RuleServer

GOOD = ["assert f(1) == 2", "assert f(-1) == 0", "assert abs(f(0.5) - 1.5) < 1e-9"]


def test_tests_of_a_function() -> None:
    verifier = verifier_of({"entry_point": "f", "tests": [f"  {test}\n" for test in GOOD]})
    assert verifier is not None and verifier.tests == "\n".join(GOOD) and verifier.entry_point == "f"
    assert verifier_of({"entry_point": "", "tests": []}) is None


@pytest.mark.parametrize(
    ("name", "tests", "told"),
    [
        ("f", GOOD[:2], "there are 2 tests"),
        ("f()", GOOD, "no name of a function"),
        ("f", [*GOOD, "import os"], "not one assert"),
        ("f", [*GOOD, "assert f(1) == 2; assert f(2) == 3"], "not one assert"),
        ("f", [*GOOD, "assert g(1) == 2"], "does not call f"),
        ("f", [*GOOD, "assert f(1 =="], "is no Python"),
        ("f", [*GOOD, "assert f(" + "(" * 5000], "is no Python"),
    ],
)
def test_what_is_no_test_is_asked_for_again(name: str, tests: list[str], told: str) -> None:
    with pytest.raises(MalformedAnswerError, match=told):
        verifier_of({"entry_point": name, "tests": tests})


class TestingTeacher(BottomUpTeacher):
    """Writes tests of some functions; its first attempt at them is wrong, later ones are right but for some names."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.answered: Counter[str] = Counter()

    def __call__(self, messages: list[dict[str, str]]) -> str | int:
        asked = messages[-1]["content"]
        found = re.search(r"`(f_\w+_\d)`", asked)
        if asked.startswith("Below is a request made of a programmer"):
            tests = [f"assert {found[1]}([{number}]) == {number}" for number in range(4)] if found else []
            return json.dumps({"entry_point": found[1] if found else "", "tests": tests})
        said = super().__call__(messages)
        if said and "This is the answer" in str(said) and found:
            self.answered[found[1]] += 1
            is_right = self.answered[found[1]] == 2 and not found[1].endswith("1")
            value = "shelf[0]" if is_right else "None"
            return f"It is so.\n\n```python\ndef {found[1]}(shelf):\n    return {value}\n```"
        return said


def config_of(folder: Path, seeds: Path, url: str, **fields: Any) -> BottomUpConfig:
    return BottomUpConfig(
        output_dir=str(folder),
        input=str(seeds),
        teachers=[{"model": MODEL, "base_url": url, "concurrency": 1}],
        num_variations=1,
        num_unique_problems=2,
        natural_languages={"en": 1},
        num_tasks=1,
        decontaminate=[],
        min_neighbor_distance=0,
        **fields,
    )


def test_the_share_of_attempts_that_pass_is_noted_and_one_that_passes_is_the_answer(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds")
    with RuleServer(TestingTeacher()) as server:
        config = config_of(tmp_path / "dataset", seeds, server.url, num_attempts=2)
        ledger = BottomUpBuilder(config).run().ledger
        stricter = config_of(
            *(tmp_path / "stricter", seeds, server.url),
            num_attempts=2,
            min_pass_share=0.5,
            answers_dir=f"{config.output_dir}.answers",
        )
        kept = BottomUpBuilder(stricter).run().num_rows["train"]
    rows = load_dataset(config.output_dir, split="train")
    tested = [row for row in rows if row["num_attempts"]]
    assert len(tested) == 10 and len(rows) > len(tested)
    for row in tested:
        passes = row["verified_by"] == "teacher_tests"
        assert row["num_attempts"] == 2 and row["pass_share"] == (0.5 if passes else 0.0)
        assert passes == ("shelf[0]" in row["messages"][1]["content"])
        assert Verifier.from_json(row["verifier"]).entry_point in row["messages"][0]["content"]
    assert {row["pass_share"] for row in tested} == {0.0, 0.5}
    assert all(row["verified_by"] == "syntax" and row["pass_share"] is None for row in rows if not row["num_attempts"])
    assert kept == len(rows) - sum(row["pass_share"] == 0 for row in tested)
    assert ledger.step("verify_answers").removed == 0


def test_shares_in_the_wrong_order_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the first at most the second"):
        config_of(tmp_path, tmp_path, "http://127.0.0.1:9/v1", min_pass_share=0.8, max_pass_share=0.2)
