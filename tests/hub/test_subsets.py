"""A config per language, as the real clients meet it: by name, streamed, at a revision, by files, after a change."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard

from datasets_builders.building.verdicts import publish_dataset
from tests.datasets_builders.building.test_language_configs import LANGUAGES, RowsBuilder, RowsConfig
from tests.hub_server import HubServer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

LOADED = """
from datasets import get_dataset_config_names, load_dataset

def counts(**options):
    loaded = load_dataset("acme/rows", **options)
    return {split: sum(1 for _ in rows) for split, rows in loaded.items()}

answer = {
    "names": get_dataset_config_names("acme/rows"),
    "all": counts(),
    "C#": counts(name="C#"),
    "streamed": counts(name="Jupyter Notebook", streaming=True),
    "C++ streamed": counts(name="C++", streaming=True),
    "branch": counts(name="Python", revision="more"),
    "tag": counts(name="Python", revision="v1.0"),
    "files": counts(data_files="data/*.Python.parquet", verification_mode="no_checks"),
    "languages": sorted({row["language"] for row in load_dataset("acme/rows", "Python", split="train+validation")}),
}
"""


def build(folder: Path, languages: list[str]) -> None:
    RowsBuilder(RowsConfig(output_dir=str(folder), num_shards=4, languages="\n".join(languages))).run()


def test_languages_are_loaded_one_by_one_and_a_change_sends_what_changed(
    online: HubServer, run_client: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "rows"
    build(folder, LANGUAGES)
    publish_dataset(folder, "acme/rows", tag="v1.0")
    sent = online.count("PUT", "")
    publish_dataset(folder, "acme/rows")
    assert online.count("PUT", "") == sent
    build(folder, [*LANGUAGES, "Rust"])  # of the train split: one file of its own, and the card
    publish_dataset(folder, "acme/rows", revision="more")
    assert online.count("PUT", "") == sent + 1
    found = run_client(LOADED)
    assert set(found["names"]) == {"default", "C#", "c#", "C++", "Jupyter Notebook", "Python"}
    assert found["all"] == {"train": 29, "validation": 7}
    assert found["C#"] == {"train": 4, "validation": 2}
    assert found["streamed"] == {"train": 1}
    assert found["C++ streamed"] == {"train": 1}
    assert found["branch"] == found["tag"] == {"train": 20, "validation": 4}
    assert found["files"] == {"train": 24}
    assert found["languages"] == ["Python"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = DatasetCard.load(folder / "README.md")
    assert [config["config_name"] for config in card.data.configs] == [
        "default",
        *sorted([*set(LANGUAGES) - {"other", "", "a/b"}, "Rust"]),
    ]
