"""Finished datasets in object stores: the same bytes, a cut copy that goes on, nothing left of an earlier one."""

import hashlib
import shutil
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from datasets_builders.__main__ import main
from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.store_copy import check_address, copy_dataset
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


class BrokenStore(MemoryFileSystem):
    """A store in memory whose connection breaks, or which keeps half of a file."""

    protocol = "broken"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    puts_left = 0
    cuts_files = False

    def put_file(self, lpath, rpath, **kwargs):
        if not BrokenStore.puts_left:
            raise ConnectionError("connection reset by peer")
        BrokenStore.puts_left -= 1
        super().put_file(lpath, rpath, **kwargs)
        if self.cuts_files:
            self.pipe_file(rpath, self.cat_file(rpath)[:9])


fsspec.register_implementation("broken", BrokenStore, clobber=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    for number in range(6):
        words = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
        lines = "".join(f"name_of_{words[number]} = letter_{word}.of_part({number})\n" for word in words)
        (folder / f"part_{number}.py").write_text(lines)
    fields = {"input_dir": str(folder), "decontaminate": [], "license": "MIT", "num_tasks": 1, "num_shards": 2}
    return SourceCodeBuilder(SourceCodeConfig(output_dir=str(folder.parent / "out"), **fields)).run().output_dir


@pytest.fixture
def dataset(built, tmp_path):
    return shutil.copytree(built, tmp_path / "dataset")


def in_store(address):
    system, root = fsspec.core.url_to_fs(address)
    return {path.removeprefix(root).lstrip("/"): system.cat_file(path) for path in system.find(root)}


def test_a_copy_has_the_published_files_and_their_sums_and_is_read_there(dataset, tmp_path, capsys):
    address = "memory://bucket/copied"
    assert main(["copy", str(dataset), "--to", f"{address}/", "--verify"]) == 0
    found = in_store(address)
    assert not [name for name in found if name.startswith((".build", "removed", "report", "rows"))]
    sums = dict(reversed(line.split("  ")) for line in found.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    assert found["README.md"] == (dataset / "README.md").read_bytes()
    assert main(["copy", str(dataset), "--to", address]) == 0
    assert f"0 files copied, {len(found)} were there" in capsys.readouterr().out
    fields = {"sources": [f"{address}/data/*.parquet"], "decontaminate": [], "num_tasks": 1, "num_shards": 2}
    again = SourceCodeBuilder(SourceCodeConfig(output_dir=str(tmp_path / "again"), **fields)).run()
    assert again.num_rows == {"train": 6}


def test_a_cut_copy_goes_on_and_has_no_sums_until_it_is_whole(dataset):
    address = "broken://bucket/cut"
    BrokenStore.puts_left, copied = 2, []
    with pytest.raises(BuildError, match=r"connection reset.*run the same command again"):
        copy_dataset(dataset, address, report=copied.append)
    assert len(copied) == 3 and "SHA256SUMS" not in in_store(address) and "README.md" not in in_store(address)
    BrokenStore.puts_left = 99
    result = copy_dataset(dataset, address)
    assert result.num_there == 2 and "SHA256SUMS" in in_store(address)
    assert copy_dataset(dataset, address).num_copied == 0


def test_what_the_store_has_otherwise_is_told_and_copied_anew(dataset, monkeypatch):
    address = "broken://bucket/half"
    BrokenStore.puts_left = 99
    monkeypatch.setattr(BrokenStore, "cuts_files", True)
    with pytest.raises(BuildError, match="has 9 bytes in the store, not"):
        copy_dataset(dataset, address)
    monkeypatch.setattr(BrokenStore, "cuts_files", False)
    copy_dataset(dataset, address, verify=True)
    system, root = fsspec.core.url_to_fs(address)
    changed = system.cat_file(f"{root}/ledger.json")[:-1] + b" "
    system.pipe_file(f"{root}/ledger.json", changed)
    with pytest.raises(BuildError, match=r"ledger\.json: another SHA-256"):
        copy_dataset(dataset, address, verify=True)
    assert copy_dataset(dataset, address, verify=True).num_copied == 1


def test_shards_of_an_earlier_build_go_and_other_files_stay(dataset):
    address = "memory://bucket/twice"
    copy_dataset(dataset, address)
    system, root = fsspec.core.url_to_fs(address)
    system.pipe_file(f"{root}/data/train_00000_of_00009.parquet", b"old")
    system.pipe_file(f"{root}/notes.txt", b"mine")
    result = copy_dataset(dataset, address)
    assert result.removed == ["data/train_00000_of_00009.parquet"] and "notes.txt" in in_store(address)
    assert "SHA256SUMS" in in_store(address)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("bucket/folder", "must be an address"),
        ("s3://", "must be an address"),
        ("https://host/folder", "HTTP only reads"),
        ("hf://datasets/ann/rows", "push FOLDER"),
        ("s3://key:secret@bucket/folder", "do not belong into addresses"),
    ],
)
def test_addresses_that_are_not_written_to_are_refused(address, message):
    with pytest.raises(ConfigError, match=message):
        check_address(address)


def test_an_unknown_protocol_and_no_dataset_are_the_users_mistakes(dataset, tmp_path, capsys):
    assert main(["copy", str(dataset), "--to", "nothere://bucket/folder"]) == 2
    assert main(["copy", str(tmp_path), "--to", "memory://bucket/none"]) == 2
    with pytest.raises(ConfigError, match=r"copy FOLDER --to s3://bucket/folder"):
        BuilderConfig(output_dir="s3://bucket/folder")
    check_address("abfss://container@account.dfs.core.windows.net/folder")
