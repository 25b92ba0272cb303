"""A dataset whose shards are no longer those of its card is not published; mistakes of a push are one sentence."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.__main__ import main
from datasets_builders.building.steps import MACHINE_ERRNOS
from datasets_builders.building.verdicts import refusal_of_damage
from datasets_builders.sources.folders import list_folder
from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig

SHARD = "train_00001_of_00002.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arithmetic") / "out"
    ArithmeticBuilder(ArithmeticConfig(output_dir=str(folder), num_documents=20, num_tasks=1, num_shards=2)).run()
    return folder


def flip(shard):
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def dangle(shard):
    shard.unlink()
    shard.symlink_to("/nowhere")


DAMAGES = {
    "a byte is another": (flip, "is not what it was when the card was written"),
    "the end is missing": (lambda shard: shard.write_bytes(shard.read_bytes()[:-40]), "cannot be read"),
    "empty": (lambda shard: shard.write_bytes(b""), "cannot be read"),
    "gone": (lambda shard: shard.unlink(), "is not there, but the card lists it"),
    "a link to nowhere": (dangle, "cannot be read"),
    "one of another build beside it": (
        lambda shard: shutil.copy(shard, shard.with_name("train_00002_of_00003.parquet")),
        "is no shard that the card lists",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_the_card_says_is_refused(damage, built, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(built, folder)
    assert refusal_of_damage(folder) is None
    change, message = DAMAGES[damage]
    change(folder / "data" / SHARD)
    refusal = refusal_of_damage(folder)
    assert message in refusal and refusal.startswith("data/train_0000") and "--force" in refusal


def test_of_a_folder_that_no_builder_wrote_the_shards_must_be_readable(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("# Mine\n")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "data" / "mine.parquet")
    assert refusal_of_damage(tmp_path) is None
    (tmp_path / "data" / "half.parquet").write_bytes(b"PAR1 half")
    assert "data/half.parquet cannot be read" in refusal_of_damage(tmp_path)


MISTAKES = {
    "arguments swapped": (
        ["push", "acme/rows", "--push-to", "here"],
        "there is no folder acme/rows; here is one: `push here",
    ),
    "no such folder": (["push", "nowhere", "--push-to", "acme/rows"], "there is no folder nowhere\n"),
    "the flag of transformers": (["push", "here", "--push_to_hub"], "--push-to-hub is --push-to here"),
    "a config as an argument": (["arithmetic", "my.yaml"], "; a file with fields is given as --config my.yaml"),
    "blanks around the sign": (
        ["arithmetic", "output_dir", "=", "out"],
        "is not of the form field=value, without blanks",
    ),
    "a config of another encoding": (
        ["arithmetic", "--config", "latin.yaml"],
        "latin.yaml is not UTF-8 (line 2); save it",
    ),
    "the order of `hf upload`": (["push", "acme/rows", "here"], "by --push-to: `push here --push-to acme/rows`"),
    "two folders": (["push", "here", "here"], "one folder at a time is pushed, not here here"),
    "where no folder can be made": (["arithmetic", "output_dir=/proc/x"], "output_dir /proc/x cannot be written ("),
    "below a file": (["arithmetic", "output_dir=latin.yaml/x"], "latin.yaml is a file, so nothing can lie in it"),
    "a dataset as code": (["source_code", "output_dir=o", "input_dir=built", "decontaminate=[]"], "is a dataset that"),
    "a folder as config": (["arithmetic", "--config", "here"], "config file here is a folder; name a file in it"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_was_meant(mistake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "built" / "data").mkdir(parents=True)
    (tmp_path / "built" / "ledger.json").write_text("{}")
    (tmp_path / "latin.yaml").write_bytes("seed: 1\nlanguage: de # für\n".encode("latin-1"))
    arguments, message = MISTAKES[mistake]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_list_prints_the_builders(capsys):
    assert main(["list"]) == 0
    assert "source_code" in capsys.readouterr().out


@pytest.mark.parametrize("size", [0, 100, -8])
def test_a_shard_that_is_not_whole_is_named_by_what_reads_it(size, built, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(built, tmp_path / "out")
    shard = tmp_path / "out" / "data" / SHARD
    with shard.open("r+b") as file:
        file.truncate(size if size >= 0 else shard.stat().st_size + size)
    assert main(["browse", "out"]) == 2
    assert f"{SHARD} is damaged or not whole (" in capsys.readouterr().err


def test_an_input_that_goes_away_ends_the_build(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    (folder / "b.py").write_text("x = 1\n")
    first, second = list_folder(folder, [])
    (folder / "a.py").unlink()
    with pytest.raises(FileNotFoundError):
        first.read(10)
    shutil.rmtree(folder)
    with pytest.raises(OSError, match="the input folder is no longer there") as gone:
        second.read(10)
    assert gone.value.errno in MACHINE_ERRNOS
