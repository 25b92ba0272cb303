"""What a training run pushes: the model, at the revision of its step and on main."""

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from recipes import pretrain
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import RUN_FILE, read_events
from recipes.running.stopping import TrainingStoppedError
from recipes.stages.outcome import push_model
from tests.hub_server import HubServer
from tests.recipes.conftest import command_line, small_world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]


def write_run(folder: Path, weights: list[str], step: int) -> Path:
    """Return an output_dir as a finished stage leaves it."""
    for name in (*weights, "checkpoint-8/optimizer.pt", "packed/code.bin", "metrics.jsonl", RUN_FILE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of step {step}")
    (folder / "README.md").write_text(f"---\nlicense: mit\n---\n# Step {step}\n")
    return folder


def weights_on(hub: HubServer, revision: str) -> set[str]:
    return {name for name in HfApi(hub.url).list_repo_files("acme/trained", revision=revision) if "safetensors" in name}


def test_the_last_stage_is_what_the_repositorys_name_gives_and_every_step_keeps_its_branch(
    online: HubServer, tmp_path: Path
) -> None:
    shards = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
    push_model(write_run(tmp_path / "stage1", ["model.safetensors"], 192), "acme/trained", 192)
    api = HfApi(online.url)
    assert api.model_info("acme/trained").sha == api.model_info("acme/trained", revision="step-000000192").sha
    assert api.model_info("acme/trained").private
    pushed = set(api.list_repo_files("acme/trained"))
    assert pushed >= {"README.md", "model.safetensors", "metrics.jsonl"}
    assert not any(name.startswith(("checkpoint-", "packed/", RUN_FILE)) for name in pushed)
    push_model(write_run(tmp_path / "stage2", sorted(shards), 320), "acme/trained", 320)
    assert weights_on(online, "main") == weights_on(online, "step-000000320") == shards
    assert weights_on(online, "step-000000192") == {"model.safetensors"}


STEPS = {"train_tokens": 512 * 4, "save_steps": 2, "save_total_limit": 2, "logging_steps": 2}


def test_each_checkpoint_is_pushed_to_the_branch_of_its_step_while_the_run_goes_on(
    online: HubServer,
    command_line: Callable,  # noqa: F811
    tmp_path: Path,
) -> None:
    from modeling_ling import BailingMoeForCausalLM

    run = tmp_path / "run"
    pretrain.main(command_line("stage1", run, push_to_hub_repo="acme/trained", push_checkpoints="true", **STEPS))
    api = HfApi(online.url)
    branches = {branch.name for branch in api.list_repo_refs("acme/trained").branches}
    assert branches == {"main", "step-000000002", "step-000000004"}
    pushed = [event["revision"] for event in read_events(run) if event["event"] == "pushed"]
    assert pushed == ["step-000000002", "step-000000004"]
    files = set(api.list_repo_files("acme/trained", revision="step-000000002"))
    assert files >= {"model.safetensors", "config.json", "tokenizer.json", "modeling_bailing_moe.py", "README.md"}
    assert not any("optimizer" in name or "trainer_state" in name for name in files)
    assert not list((run / ".pushing").iterdir())
    # The branch of the last step has the finished model and its card.
    assert "metrics.jsonl" in api.list_repo_files("acme/trained", revision="step-000000004")
    assert BailingMoeForCausalLM.from_pretrained(run).config.vocab_size > 0


def test_a_hub_that_cannot_be_reached_costs_the_run_nothing(
    online: HubServer,
    command_line: Callable,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TrainingStoppedError, match="is whole, but was not pushed"):
        pretrain.main(command_line("stage1", run, push_to_hub_repo="acme/trained", push_checkpoints="true", **STEPS))
    assert (run / "model.safetensors").is_file()
    assert [event["event"] for event in read_events(run)].count("not_pushed") == 2


def test_a_token_that_may_not_write_stops_before_the_first_step(
    online: HubServer,
    command_line: Callable,  # noqa: F811
    tmp_path: Path,
) -> None:
    with pytest.raises(RecipeError, match="may not write to others"):
        pretrain.main(command_line("stage1", tmp_path / "run", push_to_hub_repo="others/trained", **STEPS))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_where_to_push_has_to_be_said(command_line: Callable, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(RecipeError, match="push_to_hub_repo says where to"):
        pretrain.main(command_line("stage1", tmp_path / "run", push_checkpoints="true", **STEPS))
