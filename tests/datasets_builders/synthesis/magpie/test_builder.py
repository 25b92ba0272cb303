"""Magpie end to end, with a teacher that answers by a rule."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_builders.building import ConfigError
from datasets_builders.synthesis.magpie.builder import MagpieBuilder, MagpieConfig
from tests.datasets_builders.synthesis.teachers import MagpieTeacher, write_tokenizer
from tests.evals.report.pages import records_in
from tests.openai_server import MODEL, RuleServer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def config_of(folder: Path, tokenizer: Path, url: str, **fields: Any) -> MagpieConfig:
    return MagpieConfig(**{
        "output_dir": str(folder),
        "teachers": [{"model": MODEL, "base_url": url}],
        "tokenizers": {MODEL: str(tokenizer)},
        "num_samples": 40,
        "num_tasks": 2,
        "decontaminate": [],
        "min_neighbor_distance": 0.02,
        "languages": {"Python": 1},
    } | fields)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> tuple[MagpieConfig, dict[str, Any], RuleServer]:
    folder = tmp_path_factory.mktemp("magpie") / "dataset"
    with RuleServer(MagpieTeacher()) as server:
        config = config_of(folder, tokenizer, server.url)
        result = MagpieBuilder(config).run()
    return config, {step.name: step for step in result.ledger.steps}, server


def rows_of(folder: str | Path) -> list[dict[str, Any]]:
    return [row for path in sorted(Path(folder).glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_the_released_columns_come_first_and_every_row_is_a_conversation(built) -> None:
    config, _ledger, _ = built
    dataset = load_dataset(config.output_dir, split="train")
    assert dataset.column_names[:4] == ["mid", "messages", "tags", "languages"]
    assert len(dataset) > 20
    for row in dataset:
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert row["languages"] == ["Python"] and row["kind"] == "magpie" and row["teacher"] == MODEL
        assert "<|im_" not in row["messages"][0]["content"] and "\n" in row["messages"][0]["content"]
        assert row["syntax"] == "valid" and row["verified_by"] == "syntax" and row["num_code_blocks"] == 1
    assert {row["natural_language"] for row in dataset} == {"en", "zh"}


def test_each_bad_answer_is_removed_with_its_reason(built) -> None:
    _, ledger, _ = built
    assert ledger["sample_instructions"].input == 40
    assert ledger["sample_instructions"].reasons == {"no_instruction": 2}
    assert sum(ledger["filter_instructions"].reasons.values()) == 2
    assert ledger["filter_answers"].reasons == {"refusal": ledger["filter_answers"].removed}
    assert ledger["filter_answers"].removed >= 1


def test_instructions_are_sampled_hot_and_answers_are_greedy(built) -> None:
    *_, server = built
    prompts = [body for body in server.asked if "prompt" in body]
    chats = [body for body in server.asked if "messages" in body]
    assert {(body["temperature"], body["top_p"], tuple(body["stop"])) for body in prompts} == {
        (1.0, 1.0, ("<|im_end|>",))
    }
    assert {body["temperature"] for body in chats} == {0.0}
    assert len(prompts) == 40


def test_card_and_samples_say_who_was_asked_and_what_was_lost(built) -> None:
    config, *_ = built
    card = (Path(config.output_dir) / "README.md").read_text()
    assert "language:\n- en\n- zh\n" in card
    assert "From asked to kept" in card and "no_instruction 2" in card and "text_to_code.zh.txt" in card
    assert "## Teachers" in card and "## What was asked" in card
    assert len(records_in(Path(config.output_dir) / "rows.html")) >= 20


@pytest.mark.slow
def test_two_workers_and_kept_answers_give_the_same_bytes_without_a_server(
    built, tmp_path: Path, tokenizer: Path
) -> None:
    config, *_ = built
    again = config_of(
        tmp_path / "again", tokenizer, "http://127.0.0.1:9/v1", workers=2, answers_dir=f"{config.output_dir}.answers"
    )
    MagpieBuilder(again).run()
    shards = [
        next(Path(folder).glob("data/*.parquet")).read_bytes() for folder in (config.output_dir, again.output_dir)
    ]
    assert shards[0] == shards[1]


def test_conversations_of_several_turns(tmp_path: Path, tokenizer: Path) -> None:
    with RuleServer(MagpieTeacher()) as server:
        MagpieBuilder(config_of(tmp_path / "turns", tokenizer, server.url, num_samples=6, num_turns=3)).run()
    rows = rows_of(tmp_path / "turns")
    assert max(len(row["messages"]) for row in rows) == 6
    for row in rows:
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)
    heads = [body["prompt"] for body in server.asked if "prompt" in body]
    assert any("This is how it is done" in head or "这个函数" in head for head in heads)


def test_mistakes_are_told_before_anything_is_asked(tmp_path: Path, tokenizer: Path) -> None:
    with pytest.raises(ConfigError, match="no teacher is called 'other'"):
        MagpieBuilder(config_of(tmp_path, tokenizer, "http://127.0.0.1:9/v1", tokenizers={"other": "x"})).check()
    with pytest.raises(ConfigError, match="nowhere cannot be used"):
        MagpieBuilder(
            config_of(tmp_path, tokenizer, "http://127.0.0.1:9/v1", tokenizers={MODEL: f"{tmp_path}/nowhere"})
        ).check()
    with pytest.raises(ConfigError, match="teachers is empty"):
        MagpieBuilder(MagpieConfig(output_dir=str(tmp_path))).check()


def test_the_ledger_file_is_json(built) -> None:
    config, *_ = built
    names = [step["name"] for step in json.loads((Path(config.output_dir) / "ledger.json").read_text())["steps"]]
    assert names[:3] == ["draw_scenarios", "sample_instructions", "filter_instructions"]
