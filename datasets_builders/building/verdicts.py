"""Section 2.1: a dataset goes to the Hub when no verdict stands between."""

import json
from pathlib import Path

from datasets_builders.building.dataset_folder import DatasetFolder
from modeling_ling.publishing import PublishError, PublishResult, publish_folder

INSPECTION_FILE = "inspection.json"
NUM_WORST = 5


def refusal_of_inspection(folder: Path) -> str | None:
    """Return why quality inspection keeps a folder from being published, or None.

    A verdict on other rows, those of an older build, does not count.

    Source: paper 2.1: data below the threshold go back for reprocessing.
    """
    path = folder / INSPECTION_FILE
    if not path.is_file():
        return None
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
        passed, dataset, worst = verdict["passed"], verdict["dataset"], verdict["worst"]
        score, threshold = float(verdict["score"]), float(verdict["threshold"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{path} cannot be read ({error}); inspect the dataset again, or remove the file"
    if passed or dataset != DatasetFolder(folder).digest():
        return None
    reasons = ", ".join(f"{reason}: {count}" for reason, count in worst[:NUM_WORST])
    return (
        f"quality inspection refused this dataset: {score:.1f} of 100, threshold {threshold:g} ({reasons}). "
        "Mend it and build again, or publish it with --force"
    )


def publish_dataset(folder: Path, repo_id: str, *, force: bool = False, endpoint: str | None = None) -> PublishResult:
    """Push a finished dataset to the Hub as `publish_folder` does, unless quality inspection refused it.

    Args:
        folder (`Path`): what a builder wrote.
        repo_id (`str`): `namespace/name` on the Hub.
        force (`bool`): publish it all the same.
        endpoint (`str`, *optional*): address of the Hub.

    Raises:
        PublishError: inspection refused the dataset, or the Hub did; the message says what to do.
    """
    if not force and (refusal := refusal_of_inspection(folder)):
        raise PublishError(refusal)
    return publish_folder(folder, repo_id, endpoint=endpoint)
