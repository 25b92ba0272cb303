"""The commands that publish, against the loopback Hub: a builder's --push-to, and the push of a finished stage."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from datasets_builders.__main__ import main
from evals.__main__ import main as evaluate
from modeling_ling.hub_calls import PublishRefusedError
from modeling_ling.push_options import check_right_to_write
from tests.hub_server import HubServer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]
ROOT = Path(__file__).parents[2]


def build_and_push(hub: HubServer, tmp_path: Path, target: str, *options: str, token: str | None = "hf_test"):
    command = [sys.executable, "-m", "datasets_builders", "arithmetic", f"output_dir={tmp_path / 'arithmetic'}"]
    command += ["num_documents=30", "num_tasks=1", "--push-to", target, *options]
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


@pytest.mark.parametrize(
    ("target", "options", "token", "code", "words"),
    [
        ("acme/arithmetic", (), None, 2, "hf auth login"),
        ("acme/arithmetic", (), "hf_read", 2, "only reads"),
        ("others/arithmetic", (), "hf_test", 2, "Push to one of: "),
        ("no slash", (), "hf_test", 2, "--push-to"),
        ("acme/arithmetic", ("--tag", "a..b"), "hf_test", 2, "no name of a branch or a tag"),
    ],
)
def test_what_would_be_refused_at_the_end_stops_before_anything_is_built(
    hub: HubServer, tmp_path: Path, target: str, options: tuple[str, ...], token: str | None, code: int, words: str
):
    ended = build_and_push(hub, tmp_path, target, *options, token=token)
    assert ended.returncode == code
    assert words in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "arithmetic").exists()


def test_a_folder_is_pushed_publicly_to_a_branch_under_a_tag_that_stays(
    online: HubServer, dataset_folder: Path, capsys: pytest.CaptureFixture[str]
):
    push = ["push", str(dataset_folder), "--push-to", "acme/numbers"]
    assert main([*push, "--public", "--revision", "tried", "--tag", "v1"]) == 0
    assert "/tree/v1" in capsys.readouterr().out
    api = HfApi(online.url)
    refs = api.list_repo_refs("acme/numbers", repo_type="dataset")
    commit = api.dataset_info("acme/numbers", revision="tried").sha
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", commit)]
    assert {branch.name for branch in refs.branches} == {"main", "tried"}
    assert not api.dataset_info("acme/numbers").private
    # The same again is the same commit; another one does not move what others rely on.
    assert main([*push, "--public", "--revision", "tried", "--tag", "v1"]) == 0
    (dataset_folder / "README.md").write_text((dataset_folder / "README.md").read_text() + "\nMore.\n")
    assert main([*push, "--public", "--revision", "tried", "--tag", "v1"]) == 1
    assert "Give another tag" in capsys.readouterr().err
    assert api.list_repo_refs("acme/numbers", repo_type="dataset").tags[0].target_commit == commit


@pytest.mark.parametrize(
    ("target", "code", "words"), [("others/results", 1, "may not write to others"), ("x", 2, "--push-to")]
)
def test_results_that_could_not_be_pushed_are_not_asked_for(
    online: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, code: int, words: str
):
    output = tmp_path / "out"
    run = ["run", "--model", "nobody/nothing", "--tasks", "humaneval", "--output", str(output), "--push-to", target]
    assert evaluate(run) == code
    assert words in capsys.readouterr().err
    assert not output.exists()


def test_options_of_a_push_without_one_and_a_folder_without_shards_are_refused(
    tmp_path: Path, dataset_folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["arithmetic", f"output_dir={tmp_path}", "--public"]) == 2
    assert "add --push-to" in capsys.readouterr().err
    assert main(["push", str(tmp_path), "--push-to", "acme/numbers"]) == 2
    assert "holds no data/*.parquet" in capsys.readouterr().err
    assert main(["push", str(dataset_folder)]) == 2
    assert "--push-to ORG/NAME says where to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"name": "me", "auth": {"accessToken": {"role": "fineGrained", "fineGrained": {"scoped": []}}}}, "no write"),
        (
            {"name": "me", "orgs": [{"name": "acme", "roleInOrg": "read"}], "auth": {"accessToken": {"role": "write"}}},
            "only reads in acme",
        ),
        ({"name": "me", "auth": {"accessToken": {"role": "write"}}}, "Push to one of: me"),
    ],
)
def test_rights_are_read_from_the_account(
    online: HubServer, monkeypatch: pytest.MonkeyPatch, account: dict[str, Any], words: str
):
    monkeypatch.setattr(HfApi, "whoami", lambda self: account)
    with pytest.raises(PublishRefusedError, match=words):
        check_right_to_write("acme/numbers")
    scope = {"entity": {"type": "org", "name": "acme"}, "permissions": ["repo.content.read", "repo.write"]}
    allowed = {"name": "me", "auth": {"accessToken": {"role": "fineGrained", "fineGrained": {"scoped": [scope]}}}}
    monkeypatch.setattr(HfApi, "whoami", lambda self: allowed)
    check_right_to_write("acme/numbers")


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
