"""A config per language: how its files are called, how many there are, and that readers find them all."""

import hashlib
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Features, Value
from datatrove.data import Document

from datasets_builders.building import Builder, CardParts, Generator, Stage, intermediate
from datasets_builders.building.config import ConfigPerLanguageFields
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.intermediate import StageReader, StageWriter
from datasets_builders.building.language_configs import PlannedShard, ShardPlace, config_of, labels_of, shared_out

LANGUAGES = ["Python"] * 24 + ["C#"] * 6 + ["C++", "Jupyter Notebook", "c#", "other", "", "a/b"]


class Rows(Generator):
    """Make a row per language, some of the validation split."""

    name = "rows"

    def __init__(self, languages):
        super().__init__()
        self.languages = languages

    def generate(self, rank, world_size):
        for number, language in enumerate(self.languages):
            if number % world_size == rank:
                split = "validation" if number % 5 == 4 else "train"
                yield Document(f"text {number} " * 20, f"{number:04d}", metadata={"language": language, "split": split})


@dataclass
class RowsConfig(ConfigPerLanguageFields):
    """Fields of the builder below."""

    languages: str = "\n".join(LANGUAGES)


class RowsBuilder(Builder[RowsConfig]):
    name, summary, config_class, counted_column = "rows", "rows of many languages", RowsConfig, "language"

    @property
    def features(self):
        return Features({name: Value("string") for name in ("id", "text", "language")})

    def stages(self):
        return [Stage("make", [Rows(self.config.languages.split("\n"))], tasks=self.config.num_tasks)]

    def card(self):
        return CardParts("Rows", "Rows.", license="mit")


def built(folder, **fields):
    RowsBuilder(RowsConfig(output_dir=str(folder), num_shards=4, **fields)).run()
    return DatasetFolder(folder)


def hashes(dataset):
    return {path: hashlib.sha256((dataset.path / "data" / path).read_bytes()).hexdigest() for path in names(dataset)}


def names(dataset):
    data = dataset.path / "data"
    return sorted(path.relative_to(data).as_posix() for path in data.glob("*.parquet"))


def front_of(dataset):
    return yaml.safe_load((dataset.path / "README.md").read_text().split("---\n")[1])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return built(tmp_path_factory.mktemp("rows") / "out")


def test_each_language_has_its_share_of_the_files(dataset):
    hashed = {name: hashlib.sha256(name.encode()).hexdigest()[:8] for name in ("C#", "c#")}
    labels = {"Python", "C++", "Jupyter_Notebook", f"C-Sharp-{hashed['C#']}", f"c-Sharp-{hashed['c#']}", "other"}
    assert {shard.label for shard in dataset.shards} == labels
    train = [shard.path.name for shard in dataset.shards_of("train")]
    assert [name for name in train if ".Python." in name] == [
        f"train_{n:05d}_of_00003.Python.parquet" for n in range(3)
    ]
    assert len(train) < 4 + len(labels)
    for name in names(dataset):
        rows = pq.read_table(dataset.path / "data" / name).to_pylist()
        assert len({config_of(row["language"]) for row in rows}) == 1
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_nothing_is_lost_and_the_card_names_the_files_of_each(dataset):
    assert sorted(row["id"] for row in dataset.rows()) == [f"{number:04d}" for number in range(len(LANGUAGES))]
    assert dataset.splits == ["train", "validation"]
    front = front_of(dataset)
    configs = {config["config_name"]: config["data_files"] for config in front["configs"]}
    assert list(configs) == ["default", "C#", "C++", "Jupyter Notebook", "Python", "c#"]
    assert configs["default"][0] == {"split": "train", "path": "data/train_*.parquet"}
    assert configs["Python"] == [
        {"split": split, "path": f"data/{split}_*.Python.parquet"} for split in ("train", "validation")
    ]
    infos = {info["config_name"]: info["splits"] for info in front["dataset_info"]}
    counted = {name: sum(split["num_examples"] for split in splits) for name, splits in infos.items()}
    assert counted == {"default": 36, "C#": 6, "C++": 1, "Jupyter Notebook": 1, "Python": 24, "c#": 1}


def test_the_bytes_are_the_same_for_any_number_of_workers(dataset, tmp_path):
    assert hashes(built(tmp_path / "out", workers=2)) == hashes(dataset)


def test_small_files_share_the_ranks_of_large_ones():
    sizes = [400, 300, 300, *[1] * 300]
    shards = [PlannedShard(ShardPlace("train", n, len(sizes)), (str(n),), size) for n, size in enumerate(sizes)]
    ranks = shared_out(shards, 4)
    assert sorted(shard.place.number for rank in ranks for shard in rank) == list(range(len(sizes)))
    assert sorted(sum(shard.num_bytes for shard in rank) for rank in ranks) == [300, 300, 300, 400]
    assert shared_out(shards, 4) == ranks and len(shared_out(shards[:2], 4)) == 2


def test_a_finished_build_is_seen_and_a_lost_file_is_built_again(dataset):
    config = RowsConfig(output_dir=str(dataset.path), num_shards=4)
    assert RowsBuilder(config).run().state == "finished"
    before = hashes(dataset)
    (dataset.path / "data" / "train_00001_of_00003.Python.parquet").unlink()
    assert RowsBuilder(config).run().state != "finished"
    assert hashes(dataset) == before


@pytest.mark.parametrize(
    ("fields", "configs", "path"),
    [
        ({"config_per_language": False}, ["default"], "data/train_*.parquet"),
        ({"languages": "\n".join(["Go"] * 9)}, ["default", "Go"], "data/train_*.parquet"),
        ({"languages": "\n".join(["", "a/b", "all", "x" * 81])}, ["default"], "data/train_*.parquet"),
    ],
    ids=["switched off", "one language", "no language that names a config"],
)
def test_without_several_languages_the_files_bear_no_name_of_one(tmp_path, fields, configs, path):
    dataset = built(tmp_path / "out", **fields)
    assert [name for name in names(dataset) if "train" in name] == [f"train_{n:05d}_of_00004.parquet" for n in range(4)]
    front = front_of(dataset)
    assert [config["config_name"] for config in front["configs"]] == configs
    assert {config["data_files"][0]["path"] for config in front["configs"]} == {path}


def test_labels_are_those_of_the_stack():
    found = labels_of(["C#", "C++", "Jupyter Notebook", "F*", "ASP.NET", "1C Enterprise", "Кумир"])
    assert list(found.values()) == ["C-Sharp", "C++", "Jupyter_Notebook", "F-", "ASP-NET", "1C_Enterprise", "-----"]
    assert len(set(labels_of(["a b", "a_b", "A b", "ab"]).values())) == 4


def test_a_rank_keeps_few_files_open(tmp_path, monkeypatch):
    monkeypatch.setattr(intermediate, "MAX_OPEN_FILES", 3)
    docs = [Document(f"text {number}", f"{number:03d}") for number in range(40)]
    opened = []
    monkeypatch.setattr(
        StageWriter, "_opened", lambda self, *given, made=StageWriter._opened: opened.append(1) or made(self, *given)
    )
    list(StageWriter(tmp_path, lambda doc: f"bucket-{int(doc.id) % 10}").run(iter(docs)))
    assert len(opened) == 40  # each was closed in between
    read = StageReader(tmp_path, [[f"bucket-{number}" for number in range(10)]]).run(None)
    assert sorted(doc.id for doc in read) == [doc.id for doc in docs]
    assert not list(tmp_path.rglob("*.tmp"))
