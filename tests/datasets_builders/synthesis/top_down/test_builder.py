"""Top-down synthesis: titles, trees and their page, and the builder with a teacher that answers by a rule."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building import ConfigError
from datasets_builders.synthesis.top_down.builder import TopDownBuilder, TopDownConfig
from datasets_builders.synthesis.top_down.titles import read_titles
from datasets_builders.synthesis.top_down.tree import (
    Leaf,
    Tree,
    described,
    names_of,
    read_trees,
    trees_page,
    write_trees,
)
from tests.datasets_builders.synthesis.teachers import top_down_teacher
from tests.openai_server import MODEL, RuleServer


def test_our_titles() -> None:
    titles = read_titles()
    assert 190 <= len(titles) <= 220
    assert len({title.name for title in titles}) == len(titles)
    fields = Counter(title.field for title in titles)
    assert set(fields) == {"python", "python_library", "language", "database", "systems", "foundations"}
    assert len({title.language for title in titles if title.field == "language"}) >= 20
    assert {title.field for title in read_titles(fields=["database"])} == {"database"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A | Python | x | y\n", "line 1: write title"),
        ("# list\nA | pyton | x\n", "line 2: Linguist knows no 'pyton'"),
        ("A | Python | x\na | Java | x\n", "stands there twice"),
        ("\n# nothing\n", "holds no title"),
    ],
)
def test_wrong_titles_are_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "titles.txt").write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_titles(tmp_path / "titles.txt")


def test_a_path_in_the_papers_words() -> None:
    assert described(["Python", "Control", "Branches"], 3) == (
        'the "Branches" that belongs to the chapter "Control" that belongs to the book "Python"'
    )
    assert described(["Python", "Control", "Branches", "Match", "Patterns bind.", "Guards"], 4) == (
        'the "Guards" that belongs to the knowledge point "Patterns bind." that belongs to the subsection "Match" that '
        'belongs to the section "Branches" that belongs to the chapter "Control" that belongs to the book "Python"'
    )


def test_a_path_starts_at_subtopics_where_there_are_any() -> None:
    leaf = Leaf(["B", "C", "S"], [("a point", ["x", "y"]), ("another", [])])
    assert list(leaf.paths()) == [
        ["B", "C", "S", "a point", "x"],
        ["B", "C", "S", "a point", "y"],
        ["B", "C", "S", "another"],
    ]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (
            ["1. Lists", "2.3 Sorting lists", "Chapter 4: Trees", "Section 1.2 Heaps"],
            ["Lists", "Sorting lists", "Trees", "Heaps"],
        ),
        (["Lists", "lists ", "LISTS"], ["Lists"]),
        (["64-bit Numbers", "3D Graphics", "2 Phase Commit"], ["64-bit Numbers", "3D Graphics", "Phase Commit"]),
        (["第一章 列表", "C++ 的类"], ["第一章 列表", "C++ 的类"]),
    ],
)
def test_names_come_without_numbers_and_once(given: list[str], names: list[str]) -> None:
    assert names_of(given) == names


def test_a_name_that_is_none_is_asked_for_again() -> None:
    for name in (" ", "7", "--"):
        with pytest.raises(MalformedAnswerError, match="is no name"):
            names_of([name])


def test_trees_are_saved_read_and_shown_as_text(tmp_path: Path) -> None:
    tree = Tree(
        "B", "Python", "en", "python", [Leaf(["B", "C", "<script>alert(1)</script>"], [("p & q", ["s"])])], ["m"]
    )
    write_trees(tmp_path, [tree])
    assert read_trees(tmp_path) == read_trees(tmp_path / "trees.json") == [tree]
    page = trees_page([tree])
    assert "<script" not in page and "p &amp; q" in page and "books: 1, leaves: 1, paths: 1" in page


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '[{"title": "B"}]',
        '[{"title": "B", "leaves": [{"path": ["X", "C"], "knowledge": []}]}]',
        "[" * 100_000,
    ],
)
def test_a_file_that_holds_no_trees_is_the_users_mistake(text: str, tmp_path: Path) -> None:
    (tmp_path / "trees.json").write_text(text)
    with pytest.raises(ConfigError, match="tree"):
        read_trees(tmp_path)


def config_of(folder: Path, url: str, **fields: Any) -> TopDownConfig:
    return TopDownConfig(**{
        "output_dir": str(folder),
        "teachers": [{"model": MODEL, "base_url": url}],
        "max_titles": 2,
        "num_problems": 2,
        "natural_languages": {"en": 1},
        "num_tasks": 2,
        "decontaminate": [],
        "min_neighbor_distance": 0,
    } | fields)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[TopDownConfig, dict[str, Any], RuleServer]:
    with RuleServer(top_down_teacher) as server:
        config = config_of(tmp_path_factory.mktemp("top_down") / "dataset", server.url)
        result = TopDownBuilder(config).run()
    return config, {step.name: step for step in result.ledger.steps}, server


def test_titles_become_trees_paths_and_problems(built) -> None:
    config, ledger, _ = built
    assert [ledger[name].output for name in ("titles", "write_chapters", "write_sections", "write_knowledge")] == [
        2,
        4,
        12,
        12,
    ]
    assert ledger["extract_paths"].output == 12 * 3
    assert ledger["write_problems"].output == 12 * 3 * 2
    (first, second) = read_trees(Path(config.output_dir))
    assert [leaf.path[1] for leaf in first.leaves] == ["First steps"] * 3 + ["Further steps"] * 3
    assert first.teachers == [MODEL] and first.language == "Python" and second.title != first.title
    assert "<details open>" in (Path(config.output_dir) / "trees.html").read_text()


def test_rows_know_their_whole_path(built) -> None:
    config, _ledger, _ = built
    dataset = load_dataset(config.output_dir, split="train")
    assert dataset.column_names[:4] == ["mid", "messages", "tags", "languages"]
    assert len(dataset) == 72
    titles = {tree.title for tree in read_trees(Path(config.output_dir))}
    for row in dataset:
        assert row["knowledge_path"][0] in titles and 4 <= len(row["knowledge_path"]) <= 6
        assert row["topic"].startswith(row["knowledge_path"][-1])
        assert (row["scenario"], row["kind"], row["teacher"]) == ("python", "top_down", MODEL)
    extra = sum("; caching" in row["topic"] for row in dataset)
    assert 0 < extra < 72


def test_saved_trees_give_the_same_bytes_and_ask_for_no_tree(built, tmp_path: Path) -> None:
    config, *_ = built
    with RuleServer(top_down_teacher) as server:
        again = config_of(
            tmp_path / "again", server.url, trees=f"{config.output_dir}/trees.json", max_titles=0, workers=2
        )
        TopDownBuilder(again).run()
    assert not [body for body in server.asked if "textbook" in body["messages"][0]["content"][:40]]
    shards = [
        next(Path(folder).glob("data/*.parquet")).read_bytes() for folder in (config.output_dir, again.output_dir)
    ]
    assert shards[0] == shards[1]
    assert (tmp_path / "again" / "trees.json").read_text() == (Path(config.output_dir) / "trees.json").read_text()


def test_wrong_fields_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give one of the two"):
        config_of(tmp_path, "http://127.0.0.1:9/v1", trees="x")
    with pytest.raises(ConfigError, match="no title is of 'cooking'"):
        TopDownBuilder(config_of(tmp_path, "http://127.0.0.1:9/v1", title_fields=["cooking"])).check()
