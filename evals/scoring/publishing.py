"""Section 4: results on the Hub, in one commit: results.json, every answer, and lighteval's own results and details."""

from __future__ import annotations

import os
from pathlib import Path

CARD = """---
tags:
- evaluation
- lighteval
---
# Evaluation of {model}

`results.json` holds scores with n and 95 % intervals, `samples/` every answer with its verdict, `results/` and
`details/` what lighteval writes.

{table}
"""


class PushError(RuntimeError):
    """The Hub did not take the results; they are complete on this machine."""


def push_results(output: Path, repo_id: str, results: dict, private: bool = True) -> str:
    """Upload the output folder of `evals run` to a dataset repository.

    Args:
        repo_id (`str`): ORG/NAME; created if it does not exist.
        private (`bool`): of a repository that is created here.

    Returns:
        The address of the commit.

    Raises:
        PushError: the Hub refused: no token, say, or no right to write there.
    """
    import httpx
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    lines = ["| task | score | n | 95 % |", "| --- | ---: | ---: | --- |"]
    for name, task in results["tasks"].items():
        if task["value"] is not None:
            low, high = task["interval"]
            lines.append(f"| {name} | {task['value']:.1%} | {task['n']} | {low:.1%} to {high:.1%} |")
    card = CARD.format(model=results["model"], table="\n".join(lines))
    samples = [output / "samples" / f"{name}.jsonl" for name in results["tasks"]]  # not those of an earlier run
    files = {path: path.relative_to(output) for path in [output / "results.json", *samples]}
    logged = output / "lighteval"
    files |= {path: path.relative_to(logged) for path in logged.rglob("*") if path.is_file()}
    operations = [CommitOperationAdd("README.md", card.encode())]
    operations += [
        CommitOperationAdd(str(target), str(path)) for path, target in sorted(files.items()) if path.is_file()
    ]
    try:
        api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))  # read now: the client's own was read when it was imported
        repo_id = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True).repo_id
        return api.create_commit(
            repo_id, operations, commit_message=f"Evaluate {results['model']}", repo_type="dataset"
        ).commit_url
    except (HfHubHTTPError, LocalTokenNotFoundError, httpx.HTTPError, OSError) as error:
        raise PushError(
            f"the results could not be pushed to {repo_id} ({str(error).strip().splitlines()[0]}); they are complete "
            f"in {output}. Log in with `hf auth login` and run the same command again: nothing is asked anew."
        ) from error
