"""Section 2.1: what publishing makes of an ablation study's verdict, over a loopback Hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.verdicts import publish_dataset, refusal_of_ablation
from modeling_ling.hub_calls import PublishError
from tests.hub_server import HubServer

RESULT = {"name": "held-out loss, code", "control": 2.0, "experiment": 1.9, "difference": 0.1, "adjusted_p": 0.003}
RECORD = {
    "verdict": "approve",
    "reason": "better on held-out loss, code, worse on nothing",
    "measures": [RESULT],
    "error_rates": {"false_approvals": {"num": 1, "of": 120}},
    "candidate": {"dataset_digest": ""},
    "num_seeds": 4,
    "parameters": 1_100_000_000,
    "checkpoint": "stage2",
    "tokens_per_run": 50_000_000_000,
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A built dataset with a card."""
    from datasets import Dataset

    folder = tmp_path / "notebooks"
    (folder / "data").mkdir(parents=True)
    Dataset.from_list([{"id": "a", "content": "x"}]).to_parquet(folder / "data" / "train_00000_of_00001.parquet")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Data\n", encoding="utf-8")
    return folder


def put_verdict(folder: Path, verdict: str, digest: str | None = None, **changes: object) -> None:
    candidate = {"dataset_digest": DatasetFolder(folder).digest() if digest is None else digest}
    record = RECORD | {"verdict": verdict, "candidate": candidate} | changes
    (folder / "ablation_verdict.json").write_text(json.dumps(record), encoding="utf-8")


def on_the_hub(name: str, server: HubServer) -> dict[str, str]:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.env()["HF_ENDPOINT"])
    texts = {}
    for file in api.list_repo_files(name, repo_type="dataset"):
        if file.endswith((".md", ".json")):
            texts[file] = Path(api.hf_hub_download(name, file, repo_type="dataset")).read_text(encoding="utf-8")
    return texts


def test_an_approved_dataset_says_so_on_its_card(dataset: Path, online: HubServer) -> None:
    put_verdict(dataset, "approve")
    publish_dataset(dataset, "acme/notebooks")
    files = on_the_hub("acme/notebooks", online)
    assert files["README.md"].startswith("---\nlicense: mit\n---\n# Data\n\n## Ablation study\n")
    assert "Verdict: **approve** (better on held-out loss, code" in files["README.md"]
    assert "| held-out loss, code | 2.0000 | 1.9000 | +0.1000 | 0.003 |" in files["README.md"]
    assert json.loads(files["ablation_verdict.json"])["verdict"] == "approve"
    assert "Ablation" not in (dataset / "README.md").read_text()


def test_a_rejected_dataset_goes_by_force_alone_and_its_card_says_so(dataset: Path, online: HubServer) -> None:
    put_verdict(dataset, "reject", reason="worse on humaneval, better on nothing")
    with pytest.raises(PublishError, match="rejected this dataset: worse on humaneval"):
        publish_dataset(dataset, "acme/notebooks")
    publish_dataset(dataset, "acme/notebooks", force=True)
    assert "Verdict: **reject**" in on_the_hub("acme/notebooks", online)["README.md"]


def test_a_verdict_on_other_rows_neither_refuses_nor_shows(dataset: Path, online: HubServer) -> None:
    put_verdict(dataset, "reject", digest="of-another-build")
    publish_dataset(dataset, "acme/notebooks")
    files = on_the_hub("acme/notebooks", online)
    assert "Ablation" not in files["README.md"]
    assert "ablation_verdict.json" not in files


@pytest.mark.parametrize("verdict", ["approve", "not_enough_evidence"])
def test_only_a_rejection_refuses(dataset: Path, verdict: str) -> None:
    put_verdict(dataset, verdict)
    assert refusal_of_ablation(dataset) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"verdict": "approve"}'])
def test_a_damaged_verdict_refuses(dataset: Path, text: str) -> None:
    (dataset / "ablation_verdict.json").write_text(text)
    assert "cannot be read" in (refusal_of_ablation(dataset) or "")


def test_a_text_from_the_verdict_cannot_break_the_card(dataset: Path, online: HubServer) -> None:
    put_verdict(dataset, "approve", measures=[RESULT | {"name": "a | b\n# Heading"}])
    publish_dataset(dataset, "acme/notebooks")
    assert "| a \\| b # Heading | 2.0000 |" in on_the_hub("acme/notebooks", online)["README.md"]
