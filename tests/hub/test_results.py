"""Results of an evaluation on a loopback Hub."""

import json
from pathlib import Path

import pytest

from evals.scoring.publishing import push_results
from tests.hub_server import HubServer


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder as `evals run` leaves it."""
    folder = tmp_path / "evaluation"
    for name, text in {
        "samples/humaneval.jsonl": '{"id": "HumanEval/0"}\n',
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


def test_results_and_details_arrive_in_one_commit(online: HubServer, output: Path):
    from huggingface_hub import HfApi, hf_hub_download

    push_results(output, "acme/scores", RESULTS)
    api = HfApi(endpoint=online.url)
    files = set(api.list_repo_files("acme/scores", repo_type="dataset"))
    assert files - {".gitattributes"} == {
        "README.md", "results.json", "samples/humaneval.jsonl", "results/model/results_1.json",
        "details/model/1/details_task|0_1.parquet",
    }  # fmt: skip
    assert api.repo_info("acme/scores", repo_type="dataset").private
    card = Path(hf_hub_download("acme/scores", "README.md", repo_type="dataset", endpoint=online.url)).read_text()
    assert "| humaneval | 50.0% | 164 | 42.0% to 58.0% |" in card and "mbpp" not in card


def test_a_refused_push_says_that_nothing_is_lost(online: HubServer, output: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(RuntimeError, match="they are complete"):
        push_results(output, "acme/scores", RESULTS)
