import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.building import ConfigError
from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.identity import content_id


def write_shard(folder, name, rows):
    (folder / "data").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / name)


@pytest.fixture
def folder(tmp_path):
    rows = [{"id": f"{n}", "content": f"text {n}", "language": "Go" if n % 3 else "C"} for n in range(7)]
    write_shard(tmp_path, "train_00000_of_00002.parquet", rows[:3])
    write_shard(tmp_path, "train_00001_of_00002.parquet", rows[3:5])
    write_shard(tmp_path, "validation-00000-of-00001.parquet", rows[5:])
    return tmp_path


def test_rows_by_split_and_column(folder):
    dataset = DatasetFolder(folder)
    assert dataset.splits == ["train", "validation"]
    assert dataset.columns == ["id", "content", "language"]
    assert [row["id"] for row in dataset.rows()] == list("0123456")
    assert list(dataset.rows(["id"], "validation")) == [{"id": "5"}, {"id": "6"}]
    assert dataset.counts("language") == {"Go": 4, "C": 3}
    assert dataset.counts("language", "validation") == {"C": 1, "Go": 1}


def test_a_column_that_is_not_there_is_named(folder):
    with pytest.raises(ConfigError, match="has no column stars; it has id, content, language"):
        list(DatasetFolder(folder).rows(["stars"]))


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no data/\*\.parquet"):
        DatasetFolder(tmp_path).check()


def test_the_digest_is_of_the_rows_and_not_of_the_place(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (folder / "data").rename(other / "data")
    before = DatasetFolder(other).digest()
    assert list(DatasetFolder(other).fingerprint()) == sorted(path.name for path in (other / "data").iterdir())
    write_shard(other, "train_00001_of_00002.parquet", [{"id": "3", "content": "changed", "language": "C"}])
    assert DatasetFolder(other).digest() != before


@pytest.mark.parametrize(
    ("front", "license"),
    [("license: mit\n", "mit"), ("license: other\nlicense_name: several\n", "several"), ("", "unknown")],
)
def test_the_licence_is_the_one_of_the_card(folder, front, license):
    assert DatasetFolder(folder).license == "unknown"
    (folder / "README.md").write_text(f"---\n{front}---\n\n# Rows\n")
    assert DatasetFolder(folder).license == license


def test_ranks_share_the_rows_of_all_folders(folder):
    step = ReadRows([folder, folder], columns=["language"])
    documents = [doc for rank in range(3) for doc in step.list_documents(rank, 3)]
    assert sorted(doc.id for doc in documents) == sorted("0123456" * 2)
    assert documents[0].text == "text 0" and documents[0].metadata == {"language": "C", "split": "train"}


def test_content_ids_are_the_published_ones():
    assert content_id("print(1)\n") == "cc42155088fca5730758db72b2a5bca3"
    assert content_id("a", "b") == content_id("a\0b")
    assert len(content_id("half a pair: \ud83d")) == 32
