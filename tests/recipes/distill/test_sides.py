"""What is held out: whole sites or repositories where the dataset names them, and equal texts always together."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from string import Template
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from recipes.distill.chain_rows import ChainReader
from recipes.distill.examples import ExampleReader, read_all_rows
from recipes.distill.sides import Sides, group_of
from recipes.running.plan_settings import settings_for_plan
from recipes.running.recipe_loading import RecipeError

CONFIGS = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "distill"


def pages(num_sites: int = 40, of_each: int = 6) -> list[dict[str, Any]]:
    return [
        {"content": f"page {page} of {site}", "label": page % 2, "url": f"https://www.site{site}.org/{page}?q=1"}
        for page in range(of_each)
        for site in range(num_sites)
    ]


def read(tokenizer: PreTrainedTokenizerFast, rows: list[dict[str, Any]], column: str, seed: int = 0) -> tuple[set, set]:
    reader = ExampleReader(tokenizer, "classification", ("content", "label"), 32, 0.25, seed, column)
    found = reader.read(rows)
    return tuple({tokenizer.decode(example.rows[0]) for example in side} for side in (found.train, found.held_out))


def sites(texts: set[str]) -> set[str]:
    return {text.rsplit(" ", 1)[1] for text in texts}


def test_rows_of_one_site_stand_on_one_side(tokenizer: PreTrainedTokenizerFast) -> None:
    train, held_out = read(tokenizer, pages(), "url")
    assert len(train) + len(held_out) == 240
    assert not sites(train) & sites(held_out)
    assert 3 <= len(sites(held_out)) <= 20
    # By rows nearly every site is on both sides.
    train, held_out = read(tokenizer, pages(), "")
    assert len(sites(train) & sites(held_out)) > 25


def test_an_equal_text_binds_two_sites_together_in_any_order(tokenizer: PreTrainedTokenizerFast) -> None:
    copies = [
        {"content": "page 0 of 1", "label": 0, "url": "https://site2.org/copy"},
        {"content": "page 1 of 2", "label": 0, "url": "https://site3.org/copy"},
        {"content": "alone of none", "label": 1, "url": None},
    ]
    for seed in range(12):
        sides = [read(tokenizer, rows, "url", seed) for rows in (pages() + copies, copies + pages()[::-1])]
        assert sides[0] == sides[1]
        train = sites(sides[0][0])
        assert len({site in train for site in ("1", "2", "3")}) == 1


def test_sides_do_not_depend_on_the_order() -> None:
    pairs = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "z"), ("d", None), ("e", "y")]
    found = set()
    for order in permutations(pairs):
        sides = Sides()
        for text, group in order:
            sides.join(text, group)
        found.add(tuple(sides.of(text) for text in "abcde"))
    assert found == {("group x", "group x", "group z", "text d", "group x")}


@pytest.mark.parametrize(
    ("value", "group"),
    [
        ("https://www.Example.org:8080/a/b?c", "example.org"),
        ("http://docs.example.org/", "docs.example.org"),
        ("https://[broken/", "https://[broken/"),
        ("owner/name", "owner/name"),
        (7, "7"),
        ("  ", None),
        (None, None),
    ],
)
def test_a_url_is_of_its_site_and_anything_else_of_itself(value: Any, group: str | None) -> None:
    assert group_of({"from": value}, "from") == group


def test_chains_go_by_groups_too(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [
        {"code": f"{repo} {file}", "comment": "c", "chain": "Because.", "verdict": True, "repository": f"r{repo}"}
        for repo in range(30)
        for file in range(4)
    ]
    rows.append({"code": "0 0", "comment": "other", "chain": "No.", "verdict": False, "repository": "r1"})
    reader = ChainReader(
        tokenizer,
        Template("$code\n$comment"),
        ["code", "comment"],
        chain_column="chain",
        verdict_column="verdict",
        max_tokens=64,
        max_new_tokens=16,
        shares=(0.2, 0.2),
        seed=3,
        group_column="repository",
    )
    found = reader.read(rows)
    parts = [
        {tokenizer.decode(example.prompt).split("\n")[0].split()[-2].rsplit(">")[-1] for example in side}
        for side in (found.train, found.validation, found.held_out)
    ]
    assert sum(map(len, (found.train, found.validation, found.held_out))) == 121
    assert all(parts) and len(set.union(*parts)) == sum(map(len, parts)) == 30
    assert len({number for number, part in enumerate(parts) for repo in ("0", "1") if repo in part}) == 1


def test_a_column_that_is_not_there_is_named(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(RecipeError, match="group_column: the dataset has no column 'site'; it has content"):
        read(tokenizer, pages(2), "site")


def test_several_datasets_are_read_one_behind_the_other(tmp_path: Path) -> None:
    names = []
    for part in "ab":
        names.append(str(tmp_path / f"{part}.jsonl"))
        Path(names[-1]).write_text("".join(json.dumps({"content": f"{part}{n}"}) + "\n" for n in range(3)))
    assert [row["content"] for row in read_all_rows(names, "train", 2)] == ["a0", "a1", "b0", "b1"]
    recipe = str(CONFIGS / "quality.yaml")
    assert settings_for_plan(recipe, ["--datasets", *names])[1].dataset_names == names
    assert settings_for_plan(recipe, ["--dataset", names[0]])[1].dataset_names == names[:1]
