"""Builders of code-related text, code beside an older release and with limits, repairs: same bytes, nothing lost.

For one worker and two, after a kill, and with sources in any order.
"""

import gzip
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from datasets_builders.__main__ import main
from datasets_builders.building.builder import Builder
from datasets_builders.building.dataset_folder import DatasetFolder
from tests import warm_python
from tests.datasets_builders.code_related import small_builds
from tests.evals.report.pages import records_in

pytestmark = pytest.mark.slow

MakeBuilder = Callable[[Path, int], Builder[Any]]
TEXTS = ("code_comment_pairs", "commits", "github_threads", "notebooks", "markdown", "web_pages")
NAMES = (*TEXTS, "source_code", "repository_repairs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, and a folder in which each build was killed."""
    found = tmp_path_factory.mktemp("small_builds")
    small_builds.write_inputs(found / "inputs")
    warm_python.run(
        [sys.executable, small_builds.__file__, str(found)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
    )
    return found


@pytest.fixture(scope="module", params=range(len(NAMES)), ids=NAMES)
def make(request: pytest.FixtureRequest, folder: Path) -> MakeBuilder:
    """Return what makes a builder of an output folder and a number of workers."""
    found: MakeBuilder = list(small_builds.builders_of(folder / "inputs"))[request.param]
    return found


def hashes(folder: Path) -> dict[str, str]:
    paths = sorted(folder.glob("data/**/*.parquet"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_one_worker_two_and_a_killed_build_give_the_same_bytes(make: MakeBuilder, folder: Path) -> None:
    one = make(folder / "one", 1).run()
    two = make(folder / "two", 2).run()
    continued = make(folder / "killed", 1).run()
    assert continued.state == "continue"
    assert hashes(one.output_dir) == hashes(two.output_dir) == hashes(continued.output_dir)
    assert len(hashes(one.output_dir)) == 2 and one.num_rows["train"] >= 9
    ledger = one.ledger
    assert [step.reasons for step in ledger.steps] == [step.reasons for step in continued.ledger.steps]
    # Rows and what was removed are what was read and made, step by step, and each that was removed can be looked up.
    for before, step in pairwise(ledger.steps):
        assert before.output == step.input, step.name
    gone = sum(step.removed + step.merged for step in ledger.steps)
    made = sum(step.created for step in ledger.steps)
    assert ledger.steps[0].input + made == one.num_rows["train"] + gone
    listed = Counter[str]()
    for path in one.output_dir.glob("removed/*/*.jsonl.gz"):
        listed[path.parent.name] += gzip.decompress(path.read_bytes()).count(b"\n")
    assert listed == {step.name: step.removed + step.merged for step in ledger.steps if step.reasons}
    assert listed.total() == gone > 0


def test_the_order_of_sources_decides_nothing(folder: Path) -> None:
    makers = small_builds.builders_of(folder / "inputs", **small_builds.code_fields(folder / "inputs", -1))
    make = list(makers)[NAMES.index("source_code")]
    result = make(folder / "reversed", 1).run()
    assert hashes(result.output_dir) == hashes(folder / "one" / "source_code")
    assert result.ledger.step("near_dedup").merged == 6
    assert result.ledger.step("language_limits").reasons == {"language_limit": 7}


@pytest.mark.parametrize("make", range(len(TEXTS)), ids=TEXTS, indirect=True)
def test_inspection_holds_rows_against_the_rules_of_their_kind(make: MakeBuilder, folder: Path) -> None:
    output = make(folder / "one", 1).output_folder
    assert main(["inspect", str(output), "--sample", "3"]) == 0
    shown = {block["text"] for record in records_in(output / "review.html") for block in record["blocks"]}
    assert len(shown) == 3 and shown <= {str(row["text"]) for row in DatasetFolder(output).rows(["text"])}
