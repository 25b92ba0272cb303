"""A model that was downloaded or copied in part is said with the file's name, by every program."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modeling_ling.command_line import guarded
from modeling_ling.damaged_files import damaged_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"a": torch.zeros(9)}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"b": torch.zeros(9)}, tmp_path / "model-00002-of-00002.safetensors")
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text('{"model_type": "llama"}')
    return tmp_path


def load(folder: Path) -> int:
    """Read a model as libraries do: each file by a function that is given no more than it needs."""
    for name in ("config.json", "tokenizer.json"):
        json.loads((folder / name).read_text())
    for path in sorted(folder.glob("*.safetensors")):
        load_file(path)
    return 0


@pytest.mark.parametrize(
    ("name", "size"),
    [("model-00002-of-00002.safetensors", size) for size in (0, 7, 40, 90)]
    + [("config.json", 0), ("config.json", 9), ("tokenizer.json", 9)],
)
def test_the_file_that_is_not_whole_is_named(name, size, folder, capsys):
    with (folder / name).open("r+b") as file:
        file.truncate(size)
    assert guarded(lambda: load(folder), "program") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"program: error: {folder / name} is damaged or not whole (") and said.count("\n") == 1
    assert "copy or download it again" in said


def test_what_is_whole_is_blamed_for_nothing(folder, capsys):
    assert guarded(lambda: load(folder), "program") == 0
    assert guarded(lambda: json.loads("[1, "), "program") == 2
    assert capsys.readouterr().err == "program: error: Expecting value: line 1 column 5 (char 4)\n"
    with pytest.raises(KeyError):
        guarded(lambda: {}["a bug"], "program")
    assert damaged_file(ValueError("in words of ours")) is None
