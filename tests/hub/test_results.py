"""Results of an evaluation on a loopback Hub."""

import json
from pathlib import Path

import pytest

from evals.errors import UsageError
from evals.scoring.publishing import push_results
from tests.hub_server import HubServer

MANIFEST = ".published_files.json"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder as `evals run` leaves it; mbpp was asked in an earlier run."""
    folder = tmp_path / "evaluation"
    for name, text in {
        "samples/humaneval.jsonl": '{"id": "HumanEval/0"}\n',
        "samples/gsm8k.jsonl": '{"id": "gsm8k/0"}\n',
        "lighteval/results/model/results_1.json": "{}",
        "lighteval/details/model/1/details_task|0_1.parquet": "PAR1",
        "cache/x/answers": "not for the Hub",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "results.json").write_text(json.dumps(RESULTS))
    return folder


RESULTS = {
    "model": "org/model",
    "tasks": {
        "humaneval": {"value": 0.5, "n": 164, "interval": [0.42, 0.58]},
        "mbpp": {"value": None, "reason": "no data"},
    },
}
PUSHED = {
    "README.md", "results.json", "samples/humaneval.jsonl", "results/model/results_1.json",
    "details/model/1/details_task|0_1.parquet", ".gitattributes", MANIFEST,
}  # fmt: skip


def files_on(hub: HubServer) -> set[str]:
    from huggingface_hub import HfApi

    return set(HfApi(endpoint=hub.url).list_repo_files("acme/scores", repo_type="dataset"))


def test_results_and_details_arrive_in_one_commit(online: HubServer, output: Path):
    from huggingface_hub import HfApi, hf_hub_download

    assert push_results(output, "acme/scores", RESULTS) == f"{online.url}/datasets/acme/scores"
    api = HfApi(endpoint=online.url)
    assert files_on(online) == PUSHED, "samples of a task that results.json does not have stay at home"
    assert api.repo_info("acme/scores", repo_type="dataset").private
    assert len(api.list_repo_commits("acme/scores", repo_type="dataset")) == 2
    card = Path(hf_hub_download("acme/scores", "README.md", repo_type="dataset", endpoint=online.url)).read_text()
    assert "| humaneval | 50.0% | 164 | 42.0% to 58.0% |" in card and "mbpp" not in card


def test_samples_of_an_earlier_push_go_and_those_of_others_stay(online: HubServer, output: Path):
    from huggingface_hub import HfApi

    both = {**RESULTS, "tasks": {**RESULTS["tasks"], "gsm8k": {"value": 0.1, "n": 1, "interval": [0.0, 0.9]}}}
    push_results(output, "acme/scores", both)
    assert "samples/gsm8k.jsonl" in files_on(online)
    HfApi(endpoint=online.url).upload_file(
        path_or_fileobj=b"by hand", path_in_repo="samples/notes.jsonl", repo_id="acme/scores", repo_type="dataset"
    )
    push_results(output, "acme/scores", RESULTS)
    assert files_on(online) == PUSHED | {"samples/notes.jsonl"}


def test_a_refused_push_says_what_to_do(online: HubServer, output: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UsageError, match=r"hf auth login.*The results are complete in"):
        push_results(output, "acme/scores", RESULTS)
