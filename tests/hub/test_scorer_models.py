"""A scorer's model comes from the Hub, pinned to the commit that was there when the build began."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.hub_server import WRITE_TOKEN, HubServer
from tests.small_bert import save_bert

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

FIND_AND_SCORE = """
from huggingface_hub import HfApi
from datasets_builders.curation.quality.scorer_models import load_scorer
from datasets_builders.curation.quality.scorers import Scorer, read_scorers

whole, half = read_scorers([
    {"kind": "classifier", "model": "acme/grader"},
    {"kind": "classifier", "model": "acme/half", "column": "score_half"},
])
scorer = Scorer.found(whole)
HfApi().delete_file("config.json", "acme/grader")
answer = [scorer.source.revision, scorer.source.identity(), load_scorer(scorer, 0).scores(["x = 1"])]
try:
    Scorer.found(half)
except ValueError as error:
    answer.append(str(error))
"""


def test_a_model_of_the_hub_is_pinned_to_its_commit_and_must_be_whole(
    online: HubServer, tmp_path: Path, run_client: Callable[..., Any]
) -> None:
    save_bert(tmp_path / "grader", ["grade"], ["x = 1\ny = x + 1\n"])
    api, commits = HfApi(endpoint=online.url, token=WRITE_TOKEN), []
    for name, left_out in (("acme/grader", None), ("acme/half", "*.safetensors")):
        api.create_repo(name)
        commits.append(api.upload_folder(repo_id=name, folder_path=tmp_path / "grader", ignore_patterns=left_out).oid)
    revision, identity, ((score,),), refusal = run_client(FIND_AND_SCORE)
    assert (revision, identity) == (commits[0], f"acme/grader@{commits[0]}") and isinstance(score, float)
    assert "acme/half has no *.safetensors" in refusal
