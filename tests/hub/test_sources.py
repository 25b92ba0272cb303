"""Builders read datasets from the Hub: streamed, pinned to a commit, over bad lines too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_ling.publishing import publish_folder
from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

BUILD = """
import pyarrow.parquet as pq
from datasets_builders.building.errors import ConfigError
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig

def build(source, **fields):
    config = SourceCodeConfig(output_dir="out", decontaminate=[], sources=[source], **fields)
    try:
        SourceCodeBuilder(config).run()
    except ConfigError as error:
        return str(error)
    return pq.read_table("out/data").to_pylist()
"""


@pytest.fixture
def pushed(online: HubServer, tmp_path: Path) -> HubServer:
    functions = [f"def function_{n}(value):\n    return value * {n} + {n}\n" for n in range(40)]
    paths = [f"src/{n}.py" for n in range(40)]
    table = pa.table({"content": functions, "path": paths, "license": ["MIT"] * 40, "stars": list(range(40))})
    (tmp_path / "rows" / "data").mkdir(parents=True)
    pq.write_table(table, tmp_path / "rows" / "data" / "train_00000_of_00001.parquet", row_group_size=10)
    (tmp_path / "rows" / "README.md").write_text("---\nlicense: mit\n---\n# Code\n", encoding="utf-8")
    publish_folder(tmp_path / "rows", "acme/code", endpoint=online.url)
    return online


def test_rows_of_a_dataset_on_the_hub(pushed: HubServer, run_client: Callable[..., Any], tmp_path: Path) -> None:
    pushed.faults.add("/lfs/", "GET", "500")
    rows = run_client(f"{BUILD}\nanswer = build('hf://datasets/acme/code', near_dedup_threshold=1.0)")
    assert sorted(row["path"] for row in rows) == sorted(f"src/{n}.py" for n in range(40))
    assert {row["repository"] for row in rows} == {"acme/code"}
    assert sum(row["stars"] for row in rows) == sum(range(40))
    assert len(pushed.faults.injected) == 1
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    commit = card.split("hf://datasets/acme/code@")[1].partition("/")[0]
    assert len(commit) == 40


def test_what_is_not_there_stops_the_build(pushed: HubServer, run_client: Callable[..., Any]) -> None:
    sources = ["hf://datasets/acme/code/other/*", "hf://datasets/acme/nothing", "hf://datasets/acme/code@missing"]
    none, unknown, revision = run_client(f"{BUILD}\nanswer = [build(source) for source in {sources!r}]")
    assert "is a Parquet or JSON Lines file that fits" in none
    assert "the Hub has no dataset" in unknown and "has no revision" in revision
