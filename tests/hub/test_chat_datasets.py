"""Conversations of a dataset on the Hub, loaded and streamed, are the rows of its folder; a commit has its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_ling.publishing import publish_folder
from modeling_ling.tokenizer import train_tokenizer
from tests.hub_server import HubServer

pytestmark = pytest.mark.slow

CARD = """---
license: mit
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train_*
---
"""
# In another process: the client keeps caches, and a stream's threads outlive their reader.
CODE = """
from transformers import AutoTokenizer
from recipes.data.chat_rows import ChatSettings, open_chat_store
from recipes.data.chat_sources import ChatSource
from recipes.running.recipe_loading import RecipeError
tokenizer = AutoTokenizer.from_pretrained({tokenizer!r})
def read(dataset, **more):
    store = open_chat_store(ChatSource(dataset, **more), ChatSettings("sft", 64), tokenizer, {cache!r}, 1)
    return [store.fingerprint, store.description["num_kept"], store.folder.name]
answer = {{
    "folder": read({folder!r}),
    "loaded": read("acme/chats"),
    "streamed": read("acme/chats", streaming=True),
    "first rows": read("acme/chats", streaming=True, max_rows=7),
    "older": read("acme/chats@{revision}"),
}}
try:
    read("acme/none")
except RecipeError as error:
    answer["none"] = str(error)
"""


def write(folder: Path, number: int) -> None:
    rows = [
        {
            "mid": str(row),
            "messages": [
                {"role": "user", "content": f"{row}?"},
                {"role": "assistant", "content": "yes " * (1 + row % 5)},
            ],
        }
        for row in range(number)
    ]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        table = pa.Table.from_pylist(rows[shard * number // 2 : (shard + 1) * number // 2])
        pq.write_table(table, folder / "data" / f"train_0000{shard}_of_00002.parquet")
    (folder / "README.md").write_text(CARD, encoding="utf-8")


def test_the_hub_gives_the_rows_of_the_folder(
    online: HubServer, run_client: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "chats"
    train_tokenizer(["yes " * 20], 400).save_pretrained(tmp_path / "tokenizer")
    write(folder, 12)
    publish_folder(folder, "acme/chats", endpoint=online.url, revision="older")
    write(folder, 30)
    publish_folder(folder, "acme/chats", endpoint=online.url)
    paths = {"tokenizer": tmp_path / "tokenizer", "cache": tmp_path / "rows", "folder": folder}
    answer = run_client(CODE.format(revision="older", **{name: str(path) for name, path in paths.items()}))
    assert answer["folder"][:2] == answer["loaded"][:2] == answer["streamed"][:2]
    assert [answer[name][1] for name in ("folder", "first rows", "older")] == [30, 7, 12]
    assert answer["loaded"][2] == answer["streamed"][2], "a stream and a copy of one commit are the same rows"
    assert answer["older"][2] != answer["loaded"][2]
    assert "the Hub has no dataset" in answer["none"]
