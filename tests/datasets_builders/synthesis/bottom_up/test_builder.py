"""Bottom-up synthesis: knowledge, the arithmetic, and the builder with a teacher that answers by a rule."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building import ConfigError
from datasets_builders.synthesis.bottom_up.builder import BottomUpBuilder, BottomUpConfig
from datasets_builders.synthesis.bottom_up.knowledge import PRESETS, Topic, expansion_of
from tests.datasets_builders.synthesis.teachers import ANSWER, MODULES, BottomUpTeacher, write_seeds
from tests.openai_server import MODEL, RuleServer


def test_the_arithmetic_of_the_presets() -> None:
    assert PRESETS["paper"].problems_per_seed == (7 + 1) * 5 == 40
    assert PRESETS["card"].problems_per_seed == 7 * 10 == 70
    assert expansion_of("paper", 2, 3).formula == "(3 + 1) x 2 = 8 problems of a seed"
    with pytest.raises(ConfigError, match="known: paper, card"):
        expansion_of("huge", 0, 0)
    with pytest.raises(ConfigError, match="num_variations is -1"):
        expansion_of("paper", -1, 0)


def test_key_points_that_say_the_same_count_once() -> None:
    topic = Topic.of(
        {"topic": " Sorting  lists ", "key_points": ["It is stable.", "it is STABLE", "It takes n log n."]}
    )
    assert topic.as_text() == "Topic: Sorting lists\n- It is stable.\n- It takes n log n."
    with pytest.raises(MalformedAnswerError, match="blank"):
        Topic.of({"topic": " ", "key_points": ["x"]})


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_seeds(tmp_path_factory.mktemp("seeds"))


def config_of(folder: Path, seeds: Path, url: str, **fields: Any) -> BottomUpConfig:
    return BottomUpConfig(**{
        "output_dir": str(folder),
        "input": str(seeds),
        "teachers": [{"model": MODEL, "base_url": url}],
        "num_variations": 2,
        "num_unique_problems": 3,
        "natural_languages": {"en": 1},
        "num_tasks": 2,
        "decontaminate": [],
        "min_neighbor_distance": 0,
    } | fields)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> tuple[BottomUpConfig, dict[str, Any], RuleServer]:
    with RuleServer(BottomUpTeacher()) as server:
        config = config_of(tmp_path_factory.mktemp("bottom_up") / "dataset", seeds, server.url)
        result = BottomUpBuilder(config).run()
    return config, {step.name: step for step in result.ledger.steps}, server


def test_seeds_become_knowledge_variations_and_problems_by_the_arithmetic(built) -> None:
    _, ledger, _ = built
    assert ledger["read_rows"].output == len(MODULES) + 1
    assert ledger["seed_dedup"].output == len(MODULES)  # the copy is merged
    assert ledger["extract_knowledge"].output == len(MODULES)
    assert ledger["evolve_knowledge"].output == 2 * len(MODULES)
    assert ledger["write_problems"].output == (3 + 1) * 2 * len(MODULES)
    assert set(ledger["state_problems"].reasons) <= {"malformed_answer"}


def test_rows_are_statements_that_name_their_seed(built, seeds: Path) -> None:
    config, *_ = built
    known = {row["id"]: row["path"] for row in pq.read_table(next(seeds.glob("data/*"))).to_pylist()}
    dataset = load_dataset(config.output_dir, split="train")
    assert dataset.column_names[:4] == ["mid", "messages", "tags", "languages"]
    assert len(dataset) >= 25
    for row in dataset:
        assert known[row["seed"]] == row["seed_path"]
        assert (row["license"], row["repository"], row["kind"]) == ("PSF-2.0", "cpython", "bottom_up")
        assert row["min_neighbor_distance"] is None  # 0 compares none
        assert row["topic"].startswith("variation ") and row["languages"] == ["Python"]
        assert "?" not in row["messages"][0]["content"] and row["messages"][1]["content"] == ANSWER


def test_the_card_reports_the_arithmetic(built) -> None:
    config, *_ = built
    card = (Path(config.output_dir) / "README.md").read_text()
    assert "(3 + 1) x 2 = 8 problems of a seed" in card
    assert f"| problems ((3 + 1) x 2 = 8 problems of a seed) | {8 * len(MODULES)} | {8 * len(MODULES)} |" in card
    assert "license_name: psf-2.0" in card and "language:\n- en\n" in card


def test_only_problems_that_ask_are_asked_to_be_stated(built) -> None:
    _, _ledger, server = built
    asked = [body["messages"][0]["content"] for body in server.asked if len(body["messages"]) == 1]
    assert sum(text.startswith("The following problem") for text in asked) == 2 * len(MODULES)
    assert sum("response_format" in body for body in server.asked) == len(MODULES) * (1 + 1 + 2)


@pytest.mark.slow
def test_two_workers_and_kept_answers_give_the_same_bytes_without_a_server(built, seeds: Path, tmp_path: Path) -> None:
    config, *_ = built
    again = config_of(
        tmp_path / "again", seeds, "http://127.0.0.1:9/v1", workers=2, answers_dir=f"{config.output_dir}.answers"
    )
    BottomUpBuilder(again).run()
    shards = [
        next(Path(folder).glob("data/*.parquet")).read_bytes() for folder in (config.output_dir, again.output_dir)
    ]
    assert shards[0] == shards[1]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"preset": "both"}, "known: paper, card"),
        ({"natural_languages": {"fr": 1}}, "unknown 'fr'"),
        ({"seed_fraction": 0}, "seed_fraction is 0"),
        ({"min_seed_chars": 900, "max_seed_chars": 800}, "the first at most the second"),
    ],
)
def test_wrong_fields_are_told(fields: dict[str, Any], told: str, seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        config_of(tmp_path, seeds, "http://127.0.0.1:9/v1", **fields)


def test_a_look_ahead_shows_the_prompts_and_leaves_no_traces(seeds: Path, tmp_path: Path) -> None:
    with RuleServer(BottomUpTeacher()) as server:
        builder = BottomUpBuilder(config_of(tmp_path / "new", seeds, server.url))
        plan = "\n".join(builder.plan())
        assert "prompts     those of extract_knowledge can be rendered" in builder.validate()
    assert "extract_knowledge, 1 of 3, user" in plan and "write_problems: 12 requests" in plan
    assert not server.asked and not (tmp_path / "new").exists()


def test_a_model_that_miscounts_loses_what_is_missing_alone(seeds: Path, tmp_path: Path) -> None:
    teacher = BottomUpTeacher()

    def one_less(messages: list[dict[str, str]]) -> str | int:
        said = teacher(messages)
        if "problems" in str(said)[:12]:
            said = json.dumps({"problems": json.loads(str(said))["problems"][:-1]})
        return said

    with RuleServer(one_less) as server:
        ledger = BottomUpBuilder(config_of(tmp_path / "new", seeds, server.url)).run().ledger
        assert len(server.asked) < 60
    assert ledger.step("write_problems").reasons == {"not_written": 2 * len(MODULES)}
    assert ledger.step("write_problems").output == 3 * 2 * len(MODULES)
