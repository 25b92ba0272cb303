"""Chat examples chosen from the questions."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_builders.building import ConfigError
from datasets_builders.released.sft import SFTBuilder, SFTConfig


def test_splits_are_those_of_the_questions_and_nothing_leaks(questions, chats) -> None:
    split_of = {row["mid"]: row["split"] for row in questions.rows}
    assert chats.rows
    for row in chats.rows:
        assert split_of[row["mid"]] == row["split"]
    for column in ("cluster", "code"):
        values = {
            split: {row[column] for row in chats.rows if row["split"] == split} for split in ("train", "validation")
        }
        assert not (values["train"] & values["validation"]) - {""}


def test_caps_hold_for_training_rows_only(questions, chats) -> None:
    kinds = Counter((row["kind"], row["split"]) for row in chats.rows)
    before = Counter((row["kind"], row["split"]) for row in questions.rows)
    assert kinds["code_repair", "train"] == 40 < before["code_repair", "train"]
    assert kinds["code_repair", "validation"] == before["code_repair", "validation"]
    assert chats.result.ledger.step("balance").reasons["enough_of_this_kind"] > 0


def test_validation_holds_scorable_execution_predictions(chats) -> None:
    validation = load_dataset(str(chats.folder), split="validation")
    assert validation.column_names[:4] == ["mid", "messages", "tags", "languages"]
    rows = [row for row in validation if row["kind"] == "execution_prediction"]
    assert len(rows) >= 50
    for row in rows:
        assert row["code"] and row["call"] and row["messages"][1]["content"] == row["answer"]
    assert all(row["call"] == row["answer"] == "" for row in validation if row["kind"] == "code_repair")


def test_kinds_and_length_are_chosen(questions, tmp_path: Path) -> None:
    config = SFTConfig(
        output_dir=str(tmp_path / "sft"),
        input=str(questions.folder),
        kinds=["execution_prediction"],
        max_chars=500,
        preference_fraction=0,
        num_tasks=1,
    )
    result = SFTBuilder(config).run()
    reasons = result.ledger.step("select_rows").reasons
    assert reasons["kind_not_wanted"] > 0 and reasons["too_long"] > 0
    rows = [row for path in (tmp_path / "sft" / "data").iterdir() for row in pq.read_table(path).to_pylist()]
    assert {row["kind"] for row in rows} == {"execution_prediction"}
    assert max(sum(len(message["content"]) for message in row["messages"]) for row in rows) <= 500
    assert sum(result.num_rows.values()) == len(questions.rows) - sum(reasons.values())
    assert json.loads((tmp_path / "sft" / "ledger.json").read_text())["steps"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kinds": ["poetry"]}, "kinds names 'poetry'"),
        ({"max_rows": {"poetry": 3}}, "max_rows names 'poetry'"),
        ({"kinds": []}, "kinds is empty"),
        ({"max_chars": 0}, "max_chars is 0"),
    ],
)
def test_impossible_values_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SFTConfig(output_dir="out", **values)
