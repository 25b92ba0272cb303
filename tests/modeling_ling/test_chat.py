"""`chat` remembers the conversation, begins anew on request and says what cannot be done."""

import io
import json
from pathlib import Path

import pytest

from modeling_ling.__main__ import main
from modeling_ling.commands import chat
from modeling_ling.export import export_model


@pytest.fixture
def folder(build_model, tokenizer, tmp_path: Path) -> Path:
    export_model(build_model(vocab_size=len(tokenizer), max_position_embeddings=64), tokenizer, tmp_path / "model")
    return tmp_path / "model"


def test_a_message_is_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", str(folder), "--message", "Add.", "--max-new-tokens", "3"]) == 0
    assert "Add." not in capsys.readouterr().out  # the answer alone


def test_a_conversation_is_remembered_until_it_begins_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def answer(model, tokenizer, messages, settings):
        asked.append([message["content"] for message in messages])
        return f"answer {len(asked)}"

    monkeypatch.setattr(chat, "answer", answer)
    monkeypatch.setattr("sys.stdin", io.StringIO("first\n\nsecond\n/new\nthird\n/exit\nfourth\n"))
    assert main(["chat", str(folder), "--system", "Be brief."]) == 0
    assert asked == [
        ["Be brief.", "first"],
        ["Be brief.", "first", "answer 1", "second"],
        ["Be brief.", "third"],
    ]


def test_a_conversation_too_long_and_a_model_without_template_are_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", str(folder), "--message", "word " * 200]) == 1
    assert "/new starts another" in capsys.readouterr().err
    (folder / "chat_template.jinja").unlink()
    assert main(["chat", str(folder), "--message", "Add."]) == 1
    assert "no chat template" in capsys.readouterr().err
    for name, words in ((str(folder / "nowhere"), "no such folder"), (str(folder.parent), "has no config.json")):
        assert main(["chat", name, "--message", "Add."]) == 2
        assert words in capsys.readouterr().err
    assert json.loads((folder / "config.json").read_text())["model_type"] == "bailing_moe"
