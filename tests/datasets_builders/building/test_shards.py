"""Shards as they are pushed again: of what has not changed, most bytes are those that the Hub has already."""

import gzip
import json
from random import Random

import pyarrow as pa
from datatrove.data import Document
from pyarrow import parquet

from datasets_builders.building.language_configs import PlannedShard, ShardPlace
from datasets_builders.building.shards import ShardWriter

NUM_DOCUMENTS = 400
WINDOW_BYTES, EVERY_BYTES = 64, 2048


def documents() -> list[Document]:
    draw = Random(0)
    words = [f"name_{number}" for number in range(5000)]
    texts = (" ".join(draw.choices(words, k=2000)) for _ in range(NUM_DOCUMENTS))
    return [Document(text=text, id=f"{number:04d}", metadata={}) for number, text in enumerate(texts)]


def known_share(new: bytes, old: bytes) -> float:
    """Return which part of a file another one holds, by windows of its bytes."""
    starts = range(0, len(new) - WINDOW_BYTES, EVERY_BYTES)
    return sum(new[start : start + WINDOW_BYTES] in old for start in starts) / len(starts)


def shard_of(folder, docs: list[Document]) -> bytes:
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    writer = ShardWriter(folder, [[PlannedShard(ShardPlace("train", 0, 1), ())]], str, schema, "id", "text")
    writer.attach("write", 0, folder / "ledger", folder / "removed", None)
    list(writer.run(iter(docs), 0, 1))
    path = folder / "train_00000_of_00001.parquet"
    assert parquet.read_metadata(path).num_rows == len(docs)
    return path.read_bytes()


def test_without_a_few_rows_most_bytes_of_a_shard_stay(tmp_path):
    docs = documents()
    before = shard_of(tmp_path / "before", docs)
    after = shard_of(tmp_path / "after", [doc for doc in docs if doc.id not in ("0003", "0200")])
    assert before != after and known_share(after, before) > 0.5


def test_of_rows_of_one_id_the_merged_one_says_where_the_other_stands(tmp_path):
    places = {"b": "copy.py", "a": "prices.py"}
    docs = [Document(text, "0", metadata={"repository": "shop", "path": path}) for text, path in places.items()]
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    writer = ShardWriter(tmp_path, [[PlannedShard(ShardPlace("train", 0, 1), ())]], str, schema, "id", "text")
    writer.attach("write", 0, tmp_path / "ledger", tmp_path / "removed", None)
    assert [doc.text for doc in writer.run(iter(docs), 0, 1)] == ["a"]
    with gzip.open(tmp_path / "removed" / "write" / "00000.jsonl.gz") as lines:
        (line,) = map(json.loads, lines)
    assert (line["metadata"]["path"], line["kept"]) == ("copy.py", "shop/prices.py")
