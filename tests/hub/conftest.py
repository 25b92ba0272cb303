"""Fixtures: a loopback Hub, the client's settings for this process, and client processes with caches of their own."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_ling import hub_calls
from tests import warm_python
from tests.hub_server import HubServer

CARD = """---
license: mit
language: [en]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train_*
  - split: validation
    path: data/validation_*
---
# Numbers
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    """A Hub of its own for a test; listings come in pages of two."""
    with HubServer(tmp_path / "hub", page_size=2) as server:
        yield server


@pytest.fixture
def online(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The Hub, with this process's client let out to it: the rest of the suite runs offline."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http, close_session

    # A command that another test ran in this process has left the client of our programs behind.
    monkeypatch.setattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name, value in hub.env().items():
        monkeypatch.setenv(name, value)
    # The pauses are the real ones, shortened: how long they last is not what the tests are about.
    monkeypatch.setattr(hub_calls, "FIRST_WAIT_SECONDS", 0.01)
    return hub


@pytest.fixture
def run_client(hub: HubServer, tmp_path: Path) -> Callable[..., Any]:
    """Run Python code in a process that knows only the Hub; returns what its `answer` variable holds.

    The process ends with `os._exit`: at the interpreter's own end, pyarrow's threads of a streamed Parquet file
    sometimes abort a process whose work is done (apache/arrow#45214, huggingface/datasets#7566).
    """

    def run(code: str, token: str | None = "hf_test", timeout: float = 120) -> Any:
        answer = tmp_path / "answer.json"
        code += (
            f"\nimport json, os, pathlib\npathlib.Path({str(answer)!r}).write_text(json.dumps(answer))\nos._exit(0)\n"
        )
        home = tmp_path / f"home_{len(list(tmp_path.glob('home_*')))}"
        environment = {**os.environ, **hub.env(home, token), "OMP_NUM_THREADS": "1"}
        environment.pop("HF_DATASETS_CACHE", None)
        command = [sys.executable, "-c", code]
        options = {"env": environment, "capture_output": True, "text": True, "cwd": tmp_path, "timeout": timeout}
        done = warm_python.run(command, libraries="clients", **options)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(answer.read_text())

    return run


def write_shards(folder: Path, split: str, num_shards: int, rows_per_shard: int = 40) -> None:
    """Write Parquet shards of rows (id, text) whose text does not compress to nothing."""
    for shard in range(num_shards):
        ids = [f"{split}-{shard}-{row:04d}" for row in range(rows_per_shard)]
        texts = [f"{name} " + " ".join(str(hash((len(name), row)) % 9973) for row in range(40)) for name in ids]
        path = folder / "data" / f"{split}_{shard:05d}_of_{num_shards:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": ids, "text": texts}), path, compression="zstd")


@pytest.fixture
def dataset_folder(tmp_path: Path) -> Path:
    """A dataset folder as builders write it: shards of two splits, a card, and the build's own state."""
    folder = tmp_path / "numbers"
    write_shards(folder, "train", 3)
    write_shards(folder, "validation", 1)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    (folder / "ledger.json").write_text("{}", encoding="utf-8")
    for state in (".build/stages/read/00000.jsonl", "removed/rules/00000.jsonl"):
        (folder / state).parent.mkdir(parents=True)
        (folder / state).write_text('{"text": "never to be shown"}\n', encoding="utf-8")
    return folder
