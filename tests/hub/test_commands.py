"""The commands that publish, against the loopback Hub: a builder's --push-to, and the push of a finished stage."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import HubServer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]
ROOT = Path(__file__).parents[2]


def build_and_push(hub: HubServer, tmp_path: Path, target: str, token: str | None = "hf_test"):
    command = [sys.executable, "-m", "datasets_builders", "arithmetic", f"output_dir={tmp_path / 'arithmetic'}"]
    command += ["num_documents=30", "num_tasks=1", "--push-to", target]
    environment = {**os.environ, **hub.env(tmp_path / "home", token)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_what_a_builder_pushes_loads_as_what_it_built(hub: HubServer, tmp_path: Path, run_client: Callable[..., Any]):
    ended = build_and_push(hub, tmp_path, "acme/arithmetic")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    code = (
        "from datasets import load_dataset\nanswer = [list(row.values()) for row in load_dataset({!r}, split='train')]"
    )
    from_hub, from_folder = (
        run_client(code.format(name)) for name in ("acme/arithmetic", str(tmp_path / "arithmetic"))
    )
    assert from_hub == from_folder
    assert len(from_hub) > 10


def test_a_push_without_a_token_keeps_the_dataset_and_says_how_to_log_in(hub: HubServer, tmp_path: Path):
    ended = build_and_push(hub, tmp_path, "acme/arithmetic", token=None)
    assert ended.returncode != 0
    assert "hf auth login" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "arithmetic" / "data").glob("train_*.parquet"))


def test_a_bad_target_stops_before_anything_is_built(hub: HubServer, tmp_path: Path):
    ended = build_and_push(hub, tmp_path, "no slash")
    assert ended.returncode != 0
    assert "--push-to" in ended.stderr
    assert not (tmp_path / "arithmetic").exists()


def test_a_finished_stage_is_pushed_to_a_revision_of_its_step(
    hub: HubServer, tmp_path: Path, run_client: Callable[..., Any]
):
    folder = tmp_path / "stage"
    (folder / "checkpoint-8").mkdir(parents=True)
    (folder / "checkpoint-8" / "optimizer.pt").write_text("not to be pushed")
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Stage\n")
    files = run_client(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        "from recipes.stages.course import push_model\nfrom huggingface_hub import list_repo_files\n"
        f"push_model(Path({str(folder)!r}), 'acme/ling-tiny', 8)\n"
        "answer = list_repo_files('acme/ling-tiny', revision='step-000000008')"
    )
    assert {"config.json", "README.md"} <= set(files)
    assert not [name for name in files if name.startswith("checkpoint")]
