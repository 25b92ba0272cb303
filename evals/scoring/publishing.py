"""Section 4.1: results on the Hub, in one commit: results.json, every answer, scores, and what lighteval writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evals.errors import UsageError
from evals.scoring.hub_scores import score_files
from modeling_ling.hub_calls import PublishError
from modeling_ling.publishing import publish_files

HUB_URL = "https://huggingface.co"
CARD = """---
tags:
- evaluation
- lighteval
---
# Evaluation of {model}

`results.json` holds scores with n and 95 % intervals, `samples/` every answer with its question, its verdict and a
right answer, `results/` and `details/` what lighteval writes. Benchmarks are no training data: keep them out of any
corpus. Scores of whole benchmarks are in `.eval_results/` in the form that a model's page shows, to be copied into the
model's repository.

{table}
"""


def push_results(output: Path, repo_id: str, results: dict[str, Any], private: bool = True) -> str:
    """Push the output folder of `evals run` to a dataset repository; samples of an earlier run's tasks stay out.

    Args:
        output (`Path`): the folder.
        repo_id (`str`): ORG/NAME; created if it does not exist.
        results: content of results.json.
        private (`bool`): of a repository that is created here.

    Returns:
        The address of the repository.

    Raises:
        UsageError: the name or the token will not do, or the repository holds something else that was pushed from here.
        PublishError: the Hub could not be reached or refused; the results are complete on this machine.
    """
    lines = ["| task | score | n | 95 % |", "| --- | ---: | ---: | --- |"]
    for name, task in results["tasks"].items():
        if task["value"] is not None:
            low, high = task["interval"]
            lines.append(f"| {name} | {task['value']:.1%} | {task['n']} | {low:.1%} to {high:.1%} |")
    card = CARD.format(model=results["model"], table="\n".join(lines))
    files: dict[str, Path | bytes] = {"README.md": card.encode()}
    own = [output / "results.json", *(output / "samples" / f"{name}.jsonl" for name in results["tasks"])]
    files |= {path.relative_to(output).as_posix(): path for path in own if path.is_file()}
    logged = output / "lighteval"
    files |= {path.relative_to(logged).as_posix(): path for path in sorted(logged.rglob("*")) if path.is_file()}
    # With the address of these answers: in the model's repository the files show where a score comes from.
    files |= score_files(results, source_url=f"{HUB_URL}/datasets/{repo_id}")
    message = f"Evaluate {results['model']}"
    try:
        return publish_files(files, repo_id, kind="results", commit_message=message, private=private).url
    except (ValueError, PublishError) as error:
        # A refused token is both: the user's to mend.
        error_class = UsageError if isinstance(error, ValueError) else PublishError
        raise error_class(
            f"{error} The results are complete in {output}: the same command asks nothing anew."
        ) from error
