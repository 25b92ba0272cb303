"""Section 2.1: a dataset goes to the Hub when no verdict stands between."""

import json
import re
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.description import UNPUBLISHED
from datasets_builders.building.identity import file_sha256
from modeling_ling.hub_branch import CARD_FILE, Content
from modeling_ling.hub_calls import PublishError
from modeling_ling.publishing import DEFAULT_IGNORE, PublishResult, files_to_publish, publish_files

INSPECTION_FILE = "inspection.json"
# What `python -m recipes ablation --dataset FOLDER` puts beside the card.
ABLATION_FILE = "ablation_verdict.json"
NUM_WORST = 5
_LISTED_SHARD = re.compile(r"^\| sha256 of (\S+\.parquet) \| `([0-9a-f]{64})` \|$", re.MULTILINE)


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


def ablation_verdict(folder: Path) -> dict[str, Any] | None:
    """Return what the ablation study found of these very rows, or None.

    Raises:
        ValueError: there is a verdict that cannot be read.

    Source: paper 2.1.
    """
    path = folder / ABLATION_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        is_current = record["candidate"]["dataset_digest"] == DatasetFolder(folder).digest()
        ablation_section(record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); run the study again, or remove the file") from error
    return record if is_current else None


def refusal_of_ablation(folder: Path) -> str | None:
    """Return why the ablation study keeps a folder from being published, or None.

    A verdict on other rows, those of an older build, does not count.

    Source: paper 2.1: only data that make a model better are taken.
    """
    try:
        record = ablation_verdict(folder)
    except ValueError as error:
        return str(error)
    if record is None or record["verdict"] != "reject":
        return None
    return (
        f"the ablation study rejected this dataset: {record['reason']}. Mend it and build again, or publish it with "
        "--force"
    )


def refusals(folder: Path) -> list[str]:
    """Return what keeps a folder from being published, empty for nothing."""
    return list(filter(None, (refusal_of_damage(folder), refusal_of_inspection(folder), refusal_of_ablation(folder))))


def ablation_section(record: dict[str, Any]) -> str:
    """Return what a dataset's card says of its ablation study.

    Args:
        record: of `ablation_verdict.json`.
    """
    lines = [
        "## Ablation study",
        "",
        f"Verdict: **{_cell(record['verdict']).replace('_', ' ')}** ({_cell(record['reason'])}). Two groups of "
        f"{record['num_seeds']} models of {record['parameters']:,} parameters went on from "
        f"`{_cell(record['checkpoint'])}` for {record['tokens_per_run']:,} tokens each, one of them with half of its "
        "tokens from this dataset.",
        "",
        "| measure | control | with this dataset | difference, above 0 is better | p |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {_cell(result['name'])} | {result['control']:.4f} | {result['experiment']:.4f} | "
        f"{result['difference']:+.4f} | {result['adjusted_p']:.3g} |"
        for result in record["measures"]
    ]
    wrong = record["error_rates"]["false_approvals"]
    lines += [
        "",
        f"On data of known worth the study approved {wrong['num']} of {wrong['of']} neutral or bad candidates.",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: object) -> str:
    """Return a text that ends neither a cell nor a line."""
    return " ".join(str(text).replace("|", "\\|").replace("`", "'").split())


def refusal_of_damage(folder: Path) -> str | None:
    """Return how the shards differ from those that the card lists, or None.

    A card that lists none is not of a builder: then each shard has to be readable. Who loads the dataset meets what
    arrives damaged or is left out.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = folder / "data"
    force = "or take it as it is with --force"
    card = folder / CARD_FILE
    listed = dict(_LISTED_SHARD.findall(card.read_text(encoding="utf-8"))) if card.is_file() else {}
    found = {path.relative_to(data).as_posix() for path in data.glob("*.parquet")}
    for path in sorted({*listed, *found}):
        if path not in found:
            return f"data/{path} is not there, but the card lists it; build the dataset again, {force}"
        if listed and path not in listed:
            return f"data/{path} would be loaded too, but is no shard that the card lists; remove it, {force}"
        try:
            pq.read_metadata(data / path)
        except (OSError, pa.ArrowException) as error:
            why = " ".join(str(error).split())
            return f"data/{path} cannot be read ({why}); remove it and build the dataset again, {force}"
        if listed and file_sha256(data / path) != listed[path]:
            return (
                f"data/{path} is not what it was when the card was written: it is damaged or was edited; remove it and "
                f"build the dataset again, {force}"
            )
    return None


def publish_dataset(
    folder: Path,
    repo_id: str,
    *,
    private: bool = True,
    revision: str | None = None,
    tag: str | None = None,
    force: bool = False,
    endpoint: str | None = None,
) -> PublishResult:
    """Push a finished dataset to the Hub as `publish_folder` does, unless it is damaged or a verdict refused it.

    The card on the Hub loads the dataset by its name there, and says what the ablation study found; a verdict on other
    rows stays at home.

    Args:
        folder (`Path`): what a builder wrote.
        repo_id (`str`): `namespace/name` on the Hub.
        private, revision, tag: see `publish_folder`.
        force (`bool`): publish it all the same.
        endpoint (`str`, *optional*): address of the Hub.

    Raises:
        PublishError: the dataset is damaged, a verdict refuses it, or the Hub did; the message says what to do.
    """
    paths = files_to_publish(folder, DEFAULT_IGNORE)
    if not force and (refused := refusals(folder)):
        raise PublishError(refused[0])
    files: dict[str, Content] = {path.relative_to(folder).as_posix(): path for path in paths}
    try:
        record = ablation_verdict(folder)
    except ValueError:  # it was refused above, and --force was given
        record = None
    card = (folder / CARD_FILE).read_text(encoding="utf-8").replace(f'"{UNPUBLISHED}"', f'"{repo_id}"')
    if record is None:
        files.pop(ABLATION_FILE, None)
    else:
        card = f"{card.rstrip()}\n\n{ablation_section(record)}"
    files[CARD_FILE] = card.encode()
    return publish_files(
        files,
        repo_id,
        kind="dataset",
        private=private,
        revision=revision,
        tag=tag,
        commit_message=f"Publish {folder.resolve().name}",
        endpoint=endpoint,
    )
