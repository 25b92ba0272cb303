"""What a training run pushes: the model, at the revision of its step and on main."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi

from recipes.running.run_folder import RUN_FILE
from recipes.stages.outcome import push_model
from tests.hub_server import HubServer

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
