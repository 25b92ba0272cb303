"""Benchmark rows from the Hub: pinned to a commit that the results name."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from huggingface_hub import HfApi

from evals.benchmarks.rows import BenchmarkDataError
from evals.benchmarks.source import BenchmarkSource
from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]
SOURCE = BenchmarkSource("sums", ("test.jsonl",), "acme/sums", ("task_id", "prompt"), 2, "MIT")


@pytest.fixture(autouse=True)
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are the Hub's."""
    monkeypatch.delenv("LING_BENCHMARKS_DIR", raising=False)


def push(hub: HubServer, tmp_path: Path, prompts: list[str]) -> str:
    file = tmp_path / "test.parquet"
    parquet.write_table(pa.table({"task_id": [str(n) for n in range(len(prompts))], "prompt": prompts}), file)
    api = HfApi(hub.url)
    api.create_repo("acme/sums", repo_type="dataset", exist_ok=True)
    arguments = {"path_in_repo": "data/test-00000-of-00001.parquet", "repo_id": "acme/sums", "repo_type": "dataset"}
    return api.upload_file(path_or_fileobj=file, **arguments).oid


def test_rows_come_from_mains_commit_which_is_named(hub: HubServer, run_client, tmp_path: Path, online: HubServer):
    first = push(online, tmp_path, ["1 + 1", "2 + 2"])
    code = f"""
from dataclasses import replace
from evals.benchmarks.source import BenchmarkSource
source = {SOURCE!r}
answer = [source.load(), replace(source, revision={first!r}).load()]
"""
    found, pinned = run_client(code)
    assert found == pinned == [[{"task_id": "0", "prompt": "1 + 1"}, {"task_id": "1", "prompt": "2 + 2"}],
                               f"hf://datasets/acme/sums@{first}"]  # fmt: skip
    second = push(online, tmp_path, ["1 + 1", "3 + 3"])
    found, pinned = run_client(code)
    assert found[1] == f"hf://datasets/acme/sums@{second}" and found[0][1]["prompt"] == "3 + 3"
    assert pinned[1] == f"hf://datasets/acme/sums@{first}" and pinned[0][1]["prompt"] == "2 + 2"


def test_rows_that_were_read_before_are_there_without_the_hub(hub: HubServer, tmp_path: Path, online: HubServer):
    push(online, tmp_path, ["1 + 1", "2 + 2"])
    environment = {**os.environ, **hub.env(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_DATASETS_CACHE", None)
    code = f"from evals.benchmarks.source import BenchmarkSource\nprint({SOURCE!r}.load())\nimport os; os._exit(0)"

    def load() -> str:
        # -u: the process leaves at once, see run_client.
        command = [sys.executable, "-u", "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    first = load()
    hub.__exit__(None, None, None)
    assert load().split("hf://")[0] == first.split("hf://")[0] and "@" in first


def test_a_benchmark_that_is_not_on_the_hub_says_where_it_can_be_had(online: HubServer):
    with pytest.raises(BenchmarkDataError, match=r"acme/sums cannot be loaded .*put test.jsonl into DIR/sums"):
        SOURCE.load()
