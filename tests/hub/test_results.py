"""Results of an evaluation on a loopback Hub."""

import json
from pathlib import Path

import pytest
import yaml

from evals.errors import UsageError
from evals.scoring.hub_scores import score_files, write_scores
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


REVISION = "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"
RESULTS = {
    "model": "org/model",
    "preset": "standard",
    "base": False,
    "limit": None,
    "sampling": {"num_samples": 1, "temperature": 0.0, "system_prompt": None, "prefill": "```{language}\n"},
    "tasks": {
        "humaneval": {
            "metric": "pass@1",
            "value": 0.5,
            "n": 164,
            "interval": [0.42, 0.58],
            "data": {"source": f"hf://datasets/openai/openai_humaneval@{REVISION}"},
        },
        "mbpp": {"value": None, "reason": "no data"},
    },
}
PUSHED = {
    ".eval_results/humaneval.yaml", "README.md", "results.json", "samples/humaneval.jsonl",
    "results/model/results_1.json", "details/model/1/details_task|0_1.parquet", ".gitattributes", MANIFEST,
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

    gsm8k = {"metric": "exact_match", "value": 0.1, "n": 1, "interval": [0.0, 0.9], "data": {"source": "/data/gsm8k"}}
    both = {**RESULTS, "tasks": {**RESULTS["tasks"], "gsm8k": gsm8k}}
    push_results(output, "acme/scores", both)
    assert {"samples/gsm8k.jsonl", ".eval_results/gsm8k.yaml"} <= files_on(online)
    HfApi(endpoint=online.url).upload_file(
        path_or_fileobj=b"by hand", path_in_repo="samples/notes.jsonl", repo_id="acme/scores", repo_type="dataset"
    )
    push_results(output, "acme/scores", RESULTS)
    assert files_on(online) == PUSHED | {"samples/notes.jsonl"}


def test_the_hub_reads_the_scores_back(online: HubServer, output: Path):
    from huggingface_hub import EvalResultEntry, hf_hub_download, parse_eval_result_entries

    push_results(output, "acme/scores", RESULTS)
    path = hf_hub_download("acme/scores", ".eval_results/humaneval.yaml", repo_type="dataset", endpoint=online.url)
    assert parse_eval_result_entries(yaml.safe_load(Path(path).read_text())) == [
        EvalResultEntry(
            dataset_id="openai/openai_humaneval",
            task_id="humaneval",
            value=50.0,
            dataset_revision=REVISION,
            source_url="https://huggingface.co/datasets/acme/scores",
            source_name="Answers and verdicts",
            notes="pass@1 in %, n=164, 95 % interval 42.0 to 58.0; standard prompts, chat; greedy; prefill "
            "'```{language}\\n'",
        )
    ]


@pytest.mark.parametrize(
    ("name", "task", "limit"),
    [
        ("humaneval", {}, 10),
        ("humaneval", {"value": None}, None),
        ("held_out_execution", {}, None),
        ("bbh", {}, None),
    ],
)
def test_what_is_no_score_of_a_benchmark_of_the_hub_is_left_out(name: str, task: dict, limit: int | None):
    tasks = {name: {**RESULTS["tasks"]["humaneval"], **task}}
    assert score_files({**RESULTS, "limit": limit, "tasks": tasks}) == {}


def test_a_local_source_has_no_revision_and_an_earlier_runs_file_goes(tmp_path: Path):
    local = {**RESULTS["tasks"]["humaneval"], "data": {"source": "/data/humaneval/HumanEval.jsonl.gz"}}
    write_scores(tmp_path, {**RESULTS, "tasks": {"humaneval": local}})
    (entry,) = yaml.safe_load((tmp_path / ".eval_results" / "humaneval.yaml").read_text())
    assert entry["dataset"] == {"id": "openai/openai_humaneval", "task_id": "humaneval"} and "source" not in entry
    write_scores(tmp_path, {**RESULTS, "tasks": {"mbpp": local}})
    assert [path.name for path in (tmp_path / ".eval_results").iterdir()] == ["mbpp.yaml"]


def test_a_refused_push_says_what_to_do(online: HubServer, output: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UsageError, match=r"hf auth login.*The results are complete in"):
        push_results(output, "acme/scores", RESULTS)
