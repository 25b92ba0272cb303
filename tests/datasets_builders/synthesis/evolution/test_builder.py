"""OSS-Instruct and Evol-Instruct: what is taken of answers, and the builder with a teacher that answers by a rule."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building import ConfigError
from datasets_builders.synthesis.evolution.builder import EvolutionBuilder, EvolutionConfig
from datasets_builders.synthesis.evolution.methods import (
    DOMAINS,
    METHODS,
    draw_method,
    fragment_of,
    parse_composed,
    parse_evolved,
    shares_code,
)
from tests.datasets_builders.synthesis.teachers import MODULES, evolution_teacher, write_seeds
from tests.openai_server import MODEL, RuleServer

ASK = "Write a function that merges two sorted lists."
HARDER = "Write a function that merges k sorted lists that do not fit into memory, in a single pass over each."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HARDER, HARDER),
        (f"  {HARDER}\n\nGive its cost.\n", f"{HARDER}\n\nGive its cost."),
        (f"New problem: {HARDER}", HARDER),
        (f"Problem: {HARDER}", HARDER),
        (f"#Rewritten Prompt#:\n{HARDER}", HARDER),
        (f"**Question:** {HARDER}", HARDER),
        (
            f"{HARDER}\n\n```python\n# Solution: to be written\n```",
            f"{HARDER}\n\n```python\n# Solution: to be written\n```",
        ),
        (
            "编写一个函数，合并 k 个放不进内存的有序链表，每个只读一遍。",
            "编写一个函数，合并 k 个放不进内存的有序链表，每个只读一遍。",
        ),
    ],
)
def test_an_evolved_problem_is_taken(text: str, problem: str) -> None:
    assert parse_evolved(text, ASK) == problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "original problem again"),
        (ASK, "original problem again"),
        (f'"{ASK.upper()}"', "original problem again"),
        (f"{ASK[:-1]}!!", "original problem again"),
        ("Write a function that merges two sorted list.", "hardly differs"),
        (f"{ASK}\n#Rewritten Prompt#:\n{HARDER}", "speaks of the original"),
        (f"Here is the rewritten prompt: {HARDER}", "speaks of the original"),
        (f"{HARDER} This is harder than the original problem.", "speaks of the original"),
        (f"{HARDER}\n\n## Solution\n\nUse a heap.", "brings a solution"),
        (HARDER * 30, "grew from"),
    ],
)
def test_what_is_no_evolved_problem_is_asked_for_again(text: str, told: str) -> None:
    with pytest.raises(MalformedAnswerError, match=told):
        parse_evolved(text, ASK)


def test_a_composed_problem_has_two_marked_parts() -> None:
    text = "Thoughts.\n\n**<<<PROBLEM>>>**\nMerge.\n\nLists.\n<<<SOLUTION>>>\nUse a heap.\n"
    assert parse_composed(text) == ("Merge.\n\nLists.", "Use a heap.")
    for wrong in (
        "Merge.\n<<<SOLUTION>>>\nx",
        "<<<SOLUTION>>>\nx\n<<<PROBLEM>>>\ny",
        "<<<PROBLEM>>>\n<<<SOLUTION>>>\nx",
        "<<<PROBLEM>>>\nx\n<<<SOLUTION>>>\ny\n<<<SOLUTION>>>\nz",
        "",
    ):
        with pytest.raises(MalformedAnswerError):
            parse_composed(wrong)


def test_a_solution_that_stands_in_the_problem_is_none() -> None:
    code = "```python\ndef f(x):\n    return x\n```"
    assert shares_code(f"Complete:\n\n{code}", "```python\ndef f(x):\n  return x\n```")
    assert not shares_code(f"Mend:\n\n{code}", "```python\ndef f(x):\n    return x + 1\n```")


def test_fragments_are_consecutive_lines_that_the_key_decides() -> None:
    text = "\n".join(f"line {number}" for number in range(100))
    fragments = [fragment_of(text, str(key)) for key in range(200)]
    assert all(fragment in text and 1 <= len(fragment.splitlines()) <= 15 for fragment in fragments)
    assert len({len(fragment.splitlines()) for fragment in fragments}) == 15
    assert fragment_of(text, "7") == fragments[7] and fragment_of(" \n\n", "7") == ""


def test_a_bound_on_time_comes_half_as_often() -> None:
    counts = Counter(draw_method(0, str(number)) for number in range(4500))
    assert set(counts) == set(METHODS)
    assert counts["complexity"] == pytest.approx(500, rel=0.2) and counts["constraint"] == pytest.approx(1000, rel=0.2)


def config_of(folder: Path, url: str, **fields: Any) -> EvolutionConfig:
    return EvolutionConfig(
        **{
            "output_dir": str(folder),
            "teachers": [{"model": MODEL, "base_url": url}],
            "natural_languages": {"en": 1},
            "num_tasks": 2,
            "decontaminate": [],
            "min_neighbor_distance": 0,
            "near_dedup_threshold": 1.0,
        }
        | fields
    )


def test_fragments_become_problems_that_become_harder(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds")
    with RuleServer(evolution_teacher) as server:
        config = config_of(tmp_path / "dataset", server.url, code=[str(seeds)], num_fragments=4, num_rounds=2)
        result = EvolutionBuilder(config).run()
        chats = len(server.asked)
        EvolutionBuilder(
            config_of(tmp_path / "again", "http://127.0.0.1:9/v1", code=[str(seeds)], num_fragments=4, num_rounds=2,
                      workers=2, answers_dir=f"{config.output_dir}.answers")
        ).run()  # fmt: skip
        assert len(server.asked) == chats
    ledger = {step.name: step for step in result.ledger.steps}
    composed = ledger["compose_problems"].output
    assert composed > 3 * len(MODULES)
    assert ledger["evolve_1"].output > composed and ledger["evolve_2"].output > ledger["evolve_1"].output
    rows = load_dataset(config.output_dir, split="train")
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) == {"oss_instruct", "evol_instruct"} and kinds["evol_instruct"] > kinds["oss_instruct"]
    assert {row["scenario"] for row in rows} == set(DOMAINS)
    for row in rows:
        assert row["seed_path"] and row["license"] == "PSF-2.0" and row["teacher"] == MODEL
        assert bool(row["evolution"]) == (row["kind"] == "evol_instruct")
        assert (row["messages"][1]["content"].startswith("It counts.")) == (row["kind"] == "oss_instruct")
        assert row["languages"] == (["SQL"] if row["scenario"] == "sql" else ["Python"])
    shards = [next((tmp_path / name / "data").glob("*.parquet")).read_bytes() for name in ("dataset", "again")]
    assert shards[0] == shards[1]


def test_problems_of_another_dataset_are_seeds_and_keep_their_split(tmp_path: Path) -> None:
    (tmp_path / "released" / "data").mkdir(parents=True)
    for split, names in (("train", "abcdef"), ("validation", "xy")):
        rows = [
            {"mid": name * 32, "tags": ["t"], "languages": ["Python"], "messages": [
                {"role": "user", "content": f"Write a function that counts the {name} of a list."},
                {"role": "assistant", "content": "No."},
            ]}
            for name in names
        ]  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "released" / "data" / f"{split}_00000_of_00001.parquet")
    with RuleServer(evolution_teacher) as server:
        config = config_of(tmp_path / "dataset", server.url, problems=[str(tmp_path / "released")])
        result = EvolutionBuilder(config).run()
    ledger = {step.name: step for step in result.ledger.steps}
    assert ledger["drop_seeds"].reasons == {"seed": 8}
    for split, names in (("train", "abcdef"), ("validation", "xy")):
        rows = load_dataset(config.output_dir, split=split)
        assert {row["seed"][0] for row in rows} <= set(names) and len(rows) >= len(names) - 1
        assert {row["kind"] for row in rows} == {"evol_instruct"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "code and problems are empty"),
        ({"problems": ["x"], "num_rounds": 0}, "num_rounds is 0"),
        ({"domains": {"art": 1}}, "unknown 'art'"),
        ({"num_fragments": 0}, "num_fragments is 0"),
    ],
)
def test_wrong_fields_are_told(fields: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        EvolutionBuilder(config_of(tmp_path, "http://127.0.0.1:9/v1", **fields)).check()
