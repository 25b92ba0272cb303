"""Addresses of pages: patterns, kinds of sites, and the command that finds what else belongs to recalled pages."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.__main__ import main
from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.web_pages.addresses import (
    OTHER,
    SITE_CATEGORIES,
    AddressPatterns,
    CategorizeSites,
    read_address_file,
)
from datasets_builders.code_related.web_pages.builder import WebPagesConfig
from datasets_builders.code_related.web_pages.recall_command import Paths, patterns_of


@pytest.mark.parametrize(
    ("pattern", "url", "is_named"),
    [
        ("docs.*/*", "https://docs.python.org/3/", True),
        ("docs.*/*", "https://olddocs.python.org/3/", False),
        ("example.org/wiki/*", "http://www.Example.org/WIKI/Page?x=1#y", True),
        ("example.org/wiki/*", "http://example.org/wiki", False),
        ("example.org/wiki/*", "http://example.org.evil.com/wiki/a", False),
        ("*/viewtopic*", "https://a.org/forum/viewtopic.php?t=3", True),
        ("a.org/*", "https://a.org", True),
        ("a.org/c++/*", "https://a.org/c++/x", True),
        ("a.org/x.y", "https://a.org/xzy", False),
        ("a.org/*", "a.org/no/scheme", False),
        ("a.org/*", "", False),
        ("*/*", "http://[bad", False),
    ],
)
def test_a_pattern_names_whole_addresses(pattern: str, url: str, is_named: bool) -> None:
    assert AddressPatterns([pattern]).match(url) is is_named


@pytest.mark.parametrize(
    ("url", "category"),
    [
        ("https://stackoverflow.com/questions/11227809/why", "forum"),
        ("https://unix.stackexchange.com/a/1", "forum"),
        ("https://forum.example.net/", "forum"),
        ("https://docs.python.org/3/library/re.html", "documentation"),
        ("https://numpy.readthedocs.io/en/latest/", "documentation"),
        ("https://doc.rust-lang.org/std/", "documentation"),
        ("https://github.com/a/b", "repository"),
        ("https://shop.example.com/item/3", "shop"),
        ("https://www.example.com/products/4", "shop"),
        ("https://someone.medium.com/text", "blog"),
        ("https://www.example.com/", OTHER),
    ],
)
def test_sites_have_kinds(url: str, category: str) -> None:
    assert CategorizeSites(SITE_CATEGORIES, {}).category_of(url) == category


@pytest.mark.parametrize(
    ("content", "words"),
    [("# nothing\n", "no pattern"), ("https://a.org/*\n", "line 1"), ("a.org/*\n\nb.org\n", "line 3")],
)
def test_a_file_of_patterns_is_checked(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(ConfigError, match=words):
        read_address_file(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"category_limits": {"market": {"num_bytes": [0, 1]}}}, "unknown kind of sites 'market'"),
        ({"category_limits": {"forum": {"quality": [0, 1]}}}, "unknown column 'quality'"),
        ({"category_limits": {"forum": {"num_bytes": [2, 1]}}}, "minimum, maximum"),
        ({"topic": "cooking"}, "code, math"),
        ({"columns": {"body": "html"}}, "'body' is none of ours"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WebPagesConfig(output_dir="out", **fields)


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A folder of pages with scores: a manual with a section of recipes, a forum, a shop."""
    rows = [
        *((f"https://lang.org/manual/ch{number}.html", 0.9, "documentation") for number in range(12)),
        *((f"https://lang.org/manual/api/f{number}.html", 0.2, "documentation") for number in range(3)),
        *((f"https://lang.org/food/r{number}.html", 0.1, "other") for number in range(20)),
        *((f"https://forum.org/viewtopic.php?t={number}", 0.8, "forum") for number in range(15)),
        *((f"https://shop.org/p/{number}", 0.01, "shop") for number in range(30)),
        ("https://tiny.org/", 0.99, "other"),
        ("", 0.99, "other"),
    ]
    table = {
        "id": [f"{number:032x}" for number in range(len(rows))],
        "url": [url for url, _, _ in rows],
        "quality": [score for _, score, _ in rows],
        "site_category": [category for *_, category in rows],
    }
    folder = tmp_path / "pages"
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "data" / "train_00000_of_00001.parquet")
    return folder


def test_paths_of_recalled_pages_become_patterns(
    scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "addresses.txt"
    assert main(["recall-addresses", "--input", str(scored), "--output", str(output)]) == 0
    lines = output.read_text().splitlines()
    assert lines[0] == "# quality from 0.5 on; of 4 sites 2 are about the topic"
    # The shortest paths: neither food nor the shop.
    assert lines[1:] == ["forum.org/*  # 15 pages, 100% recalled", "lang.org/manual/*  # 15 pages, 80% recalled"]
    patterns = AddressPatterns(read_address_file(output))
    assert patterns.match("https://lang.org/manual/api/f1.html") and not patterns.match("https://lang.org/food/r1.html")
    shown = capsys.readouterr().out
    assert "1 pages without an address or a score" in shown and "forum: 15 pages" in shown


def test_pages_that_only_a_query_tells_apart_are_one_path() -> None:
    paths = Paths()
    for number in range(30):
        paths.add(["viewtopic.php"] if number % 2 else ["members", f"m{number}"], bool(number % 2))
    assert [pattern for pattern, _ in patterns_of("a.org", paths, 0.6, 10)] == ["a.org/viewtopic.php*"]


def test_what_the_command_cannot_use_is_named(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["recall-addresses", "--input", str(scored), "--output", str(tmp_path / "a.txt")]
    for more, words in (
        (["--score-column", "score_classifier"], "no column 'score_classifier'"),
        (["--min-share", "0"], "--min-share"),
    ):
        assert main([*common, *more]) == 2
        assert words in capsys.readouterr().err
