"""Repositories become samples: files in order, every file accounted for, the same bytes for any number of workers."""

import json

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from datasets_builders.building.errors import ConfigError
from datasets_builders.repositories import steps
from datasets_builders.repositories.builder import RepositoriesBuilder
from datasets_builders.repositories.concatenation import Arrangement, arrange, failure
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.repositories.roles import is_documentation, is_test
from datasets_builders.repositories.separators import SEPARATORS
from tests.datasets_builders.repositories.graphs import graph_of

pytestmark = pytest.mark.slow

BODY = "\n\ndef {name}(value):\n    '''Return what {name} makes of a value.'''\n    return [value, '{name}']\n"


def module(name, *imports):
    return "".join(f"import {imported}\n" for imported in imports) + BODY.format(name=name)


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


SHOP = {
    "README.md": "# Shop\n\nSells things that people want to have.\n",
    "docs/guide.md": "# Guide\n\nHow a shop is opened in the morning.\n",
    "pyproject.toml": "[project]\nname = 'shop'\n",
    "shop/__init__.py": "",
    "shop/a_front.py": module("front", "shop.m_middle"),
    "shop/m_middle.py": module("middle", "shop.z_base"),
    "shop/z_base.py": module("base"),
    "tests/test_front.py": module("test_front", "shop.a_front"),
    "style.css": "body { color: black; }\n",
    "logo.png": "not a picture",
}
LONELY = {"one.py": module("one"), "two.py": module("two")}
LOST = {"a.py": module("a", "b"), "b.py": module("b"), "c.py": "from . import x\nfrom . import y\n" + module("c")}


@pytest.fixture
def folders(tmp_path):
    named = {"shop": SHOP, "lonely": LONELY, "lost": LOST, "single": {"only.py": module("only")}}
    return {name: write(tmp_path / name, files) for name, files in named.items()}


def build(tmp_path, folders, **fields):
    config = RepositoriesConfig(
        output_dir=str(tmp_path / fields.pop("out", "out")),
        sources=[str(folder) for folder in folders.values()],
        decontaminate=[],
        **fields,
    )
    result = RepositoriesBuilder(config).run()
    rows = pq.read_table(result.output_dir / "data").to_pylist()
    return result, {row["repository"]: row for row in sorted(rows, key=lambda row: row["part"])}


def reasons(result, step="concatenate"):
    return next(counts.reasons for counts in result.ledger.steps if counts.name == step)


def test_what_a_file_needs_comes_before_it_and_every_file_is_accounted_for(tmp_path, folders):
    result, rows = build(tmp_path, folders)
    assert list(rows) == ["shop"]
    shop = rows["shop"]
    assert shop["paths"] == [
        *("README.md", "shop/z_base.py", "shop/m_middle.py", "shop/a_front.py", "style.css"),
        *("tests/test_front.py", "docs/guide.md"),
    ]
    assert shop["content"].startswith("<!-- README.md -->\n# Shop\n")
    assert shop["content"].index("# shop/z_base.py\n") < shop["content"].index("# shop/m_middle.py\nimport shop.z_base")
    assert "/* style.css */\nbody" in shop["content"]
    places = zip(shop["paths"], shop["file_starts"], shop["file_ends"], strict=True)
    assert {path: shop["content"][start:end] for path, start, end in places} == {
        path: SHOP[path] for path in shop["paths"]
    }
    assert dict(zip(shop["paths"], shop["languages"], strict=True))["style.css"] == "CSS"
    edges = [(edge["imported"], edge["importing"], edge["line"], edge["rule"]) for edge in shop["edges"]]
    assert ("shop/z_base.py", "shop/m_middle.py", 1, "python_root") in edges and len(edges) == 3
    assert not any(edge["is_weak"] for edge in shop["edges"]) and shop["num_unlinked_files"] == 1  # the style sheet
    assert shop["num_edges"] == 3 and shop["resolved_fraction"] == 1.0 and shop["num_broken_edges"] == 0
    assert shop["language"] == "Python" and shop["mean_comment_fraction"] > 0 and shop["mean_effective_lines"] >= 2
    # 6 + empty __init__ and pyproject; the others by the reason for which their repository is none.
    assert reasons(result) == {
        "concatenated": 6,
        "project_file": 2,
        "no_import_inside": 2,
        "few_files": 1,
        "few_imports_resolved": 3,
    }
    assert "| Python | 3 | 0 | 0 | 0 | 0 | 0 | 100.0% |" in (result.output_dir / "README.md").read_text()


def test_a_header_without_an_extension_is_code_and_takes_its_place(tmp_path):
    body = "inline int {0}(int value) {{\n  // what {0} makes of it\n  return value + {1};\n}}\n"
    files = {
        "Lib/Core": '// Part of a library.\n#ifndef CORE\n#define CORE\n#include "src/base.h"\n'
        + body.format("core", 1)
        + "#endif\n",
        "Lib/src/base.h": "#pragma once\n" + body.format("base", 2),
        "a_main.cpp": "#include <Lib/Core>\n" + body.format("start", 3),
        "NEWS": "Nothing new.\n",
    }
    _, rows = build(tmp_path, {"lib": write(tmp_path / "lib", files)})
    assert rows["lib"]["paths"] == ["Lib/src/base.h", "Lib/Core", "a_main.cpp"]
    assert "// Lib/Core\n// Part of a library." in rows["lib"]["content"]


def test_a_sample_has_the_commit_and_the_fork_flag_of_its_files(tmp_path):
    rows = [
        {"content": text, "path": path, "repository": name, "commit": commit, "is_fork": fork, "license": "MIT"}
        for name, commits, fork in (("ada/same", "aa", True), ("bob/mixed", "bc", None))
        for (path, text), commit in zip(
            {"a.py": f"import b\n{module('a', 'b')}# {name}\n", "b.py": f"{module('b')}# {name}\n"}.items(),
            commits,
            strict=True,
        )
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    _, found = build(tmp_path, {"table": tmp_path / "rows.jsonl"}, near_dedup=False)
    kept = {name: (row["commit"], row["repository_url"], row["is_fork"]) for name, row in found.items()}
    assert kept == {"ada/same": ("a", None, True), "bob/mixed": (None, None, None)}


def test_two_workers_give_the_same_bytes(tmp_path, folders):
    one, _ = build(tmp_path, folders, out="one", num_tasks=3)
    two, _ = build(tmp_path, folders, out="two", num_tasks=3, workers=2)
    shards = [sorted((result.output_dir / "data").glob("*.parquet")) for result in (one, two)]
    assert [path.read_bytes() for path in shards[0]] == [path.read_bytes() for path in shards[1]]


def test_limits_hold_repositories_by_their_means(tmp_path, folders):
    result, rows = build(tmp_path, folders, quality_limits={"num_files": [4, 10]}, min_resolved=0.0)
    assert set(rows) == {"shop"} and reasons(result, "quality_limits") == {"low_num_files": 1}
    _, rows = build(tmp_path, folders, out="kept", quality_limits={"mean_effective_lines": [2, 10]}, min_resolved=0.0)
    assert set(rows) == {"shop", "lost"}


def test_copies_of_a_repository_become_one_row(tmp_path, folders):
    near = SHOP | {"shop/z_base.py": SHOP["shop/z_base.py"] + "\n\nOTHER = 1\n"}
    folders = {"shop": folders["shop"], "fork": write(tmp_path / "fork", near)}
    result, rows = build(tmp_path, folders, near_dedup_threshold=0.5)
    assert len(rows) == 1 and reasons(result, "near_dedup") == {"near_duplicate": 1}
    assert next(iter(rows.values()))["cluster_size"] == 2
    _, rows = build(tmp_path, folders, out="all", near_dedup=False)
    assert set(rows) == {"shop", "fork"} and rows["shop"]["cluster_size"] is None


def test_long_samples_end_between_files_and_markers_in_texts_are_no_separators(tmp_path, folders):
    write(folders["shop"], {"shop/forged.py": module("forged") + "X = '<file_sep>other.py'\n"})
    shop = {"shop": folders["shop"]}
    result, _ = build(tmp_path, shop, separators="starcoder2", max_sample_bytes=300)
    table = pq.read_table(result.output_dir / "data").to_pylist()
    parts = sorted(table, key=lambda row: row["part"])
    assert [row["num_parts"] for row in parts] == [len(parts)] * len(parts) and len(parts) > 1
    paths = [path for row in parts for path in row["paths"]]
    assert paths.index("shop/z_base.py") < paths.index("shop/m_middle.py") < paths.index("shop/a_front.py")
    assert all(row["content"].startswith("<repo_name>shop<file_sep>") for row in parts)
    assert all(row["content"].count("<file_sep>") == len(row["paths"]) for row in parts)
    assert all(row["num_bytes"] <= 300 or len(row["paths"]) == 1 for row in parts)
    # With its separators a part is exactly as long as allowed, then a byte longer.
    two = max((row for row in parts if len(row["paths"]) > 1), key=lambda row: row["num_bytes"])
    for limit, is_kept in ((two["num_bytes"], True), (two["num_bytes"] - 1, False)):
        result, _ = build(tmp_path, shop, out=str(limit), separators="starcoder2", max_sample_bytes=limit)
        found = pq.read_table(result.output_dir / "data")["paths"].to_pylist()
        assert (two["paths"] in found) == is_kept
    assert reasons(result)["marker_in_text"] == 1


def test_a_limit_in_tokens_counts_with_a_tokenizer(tmp_path, folders):
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "</s>": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path / "tokenizer"
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="[UNK]").save_pretrained(folder)
    for limit, num_parts in ((200, 1), (60, 4)):
        shop = {"shop": folders["shop"]}
        result, _ = build(tmp_path, shop, out=str(limit), max_sample_tokens=limit, tokenizer=str(folder))
        texts = pq.read_table(result.output_dir / "data")["content"].to_pylist()
        assert len(texts) == num_parts and all(len(words.encode(text).ids) <= limit for text in texts)
    with pytest.raises(ConfigError, match="no tokenizer"):
        build(tmp_path, shop, out="none", max_sample_tokens=60, tokenizer=str(tmp_path))


def test_rows_of_a_curated_dataset_are_put_together_again(tmp_path):
    rows = [{"repository": "acme/shop", "path": path, "content": text} for path, text in SHOP.items()]
    rows += [rows[6] | {"content": "changed = 1\n"}]  # the same path twice
    (tmp_path / "files.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result, found = build(tmp_path, {"table": tmp_path / "files.jsonl"})
    assert found["acme/shop"]["paths"][1:4] == ["shop/z_base.py", "shop/m_middle.py", "shop/a_front.py"]
    assert reasons(result)["duplicate_path"] == 1


def test_a_repository_that_breaks_a_rule_of_resolution_costs_itself_and_no_other(tmp_path, folders, monkeypatch):
    real = steps.build_graph

    def failing(repository, *arguments):
        if repository.name == "lost":
            raise RecursionError("a manifest nobody thought of")
        return real(repository, *arguments)

    monkeypatch.setattr(steps, "build_graph", failing)
    result, rows = build(tmp_path, folders)
    assert set(rows) == {"shop"} and reasons(result)["error"] == len(LOST)


def test_a_marker_in_the_name_of_a_repository_is_no_separator_either(tmp_path):
    rows = [
        {"repository": f"acme/{end}", "path": path, "content": text}
        for end in ("a", "<file_sep>b")
        for path, text in SHOP.items()
    ]
    (tmp_path / "files.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result, found = build(tmp_path, {"table": tmp_path / "files.jsonl"}, separators="starcoder2", near_dedup=False)
    assert set(found) == {"acme/a"} and reasons(result)["marker_in_text"] > 0


def places(contents, **fields):
    graph = graph_of(contents)
    code = [path for path in contents if not is_documentation(path)]
    documentation = [path for path in contents if is_documentation(path)]
    sizes = {path: len(text) for path, text in contents.items()}
    samples = arrange(graph, code, documentation, sizes, Arrangement(**fields))
    return [sample.paths for sample in samples]


def test_tests_stand_last_or_with_what_they_test_and_needed_helpers_are_no_tests():
    files = {
        "a.py": "x = 1\n",
        "b.py": "import tests.helper\n",
        "test_a.py": "import a\n",
        "tests/helper.py": "import a\n",
        "tests/test_b.py": "import b\n",
    }
    code = ["a.py", "tests/helper.py", "b.py"]
    assert places(files) == [[*code, "test_a.py", "tests/test_b.py"]]
    assert places(files, tests="with_tested") == [["a.py", "test_a.py", "tests/helper.py", "b.py", "tests/test_b.py"]]
    assert places(files, tests="in_order")[0].index("test_a.py") < 4


def test_components_are_samples_of_their_own():
    files = {"a.py": "import b\n", "b.py": "", "c.py": "", "d.py": "import c\n", "alone.py": "", "README.md": ""}
    assert places(files, unit="component") == [["b.py", "a.py"], ["c.py", "d.py"]]


def test_what_is_too_long_is_cut_between_parts_of_the_graph_on_request():
    files = {"a.py": "import d\n", "b.py": "import c\n", "c.py": "x = 12345\n", "d.py": "y = 12345\n"}
    assert places(files, max_size=20) == [["c.py", "b.py"], ["d.py", "a.py"]]
    files = {"a.py": "import z\n", "b.py": "import c\n", "c.py": "x = 12345\n", "z.py": "y = 12345\n"}
    assert places(files, max_size=20) == [["c.py", "b.py"], ["z.py", "a.py"]]
    files = {"b.py": "import x\nimport y\n", "c.py": "import a\n", "x.py": "", "y.py": "", "a.py": "v = 1\n"}
    assert places(files, max_size=18)[0] == ["a.py", "c.py", "x.py", "y.py"]
    assert places(files, max_size=18, split="components") == [["a.py", "c.py"], ["x.py", "y.py", "b.py"]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [("paths", ["a.py", "b.py", "c.py", "d.py"]), ("dfs", ["d.py", "a.py", "c.py", "b.py"])],
)
def test_other_orders_are_there_to_compare_with(order, expected):
    files = {"a.py": "import d\n", "b.py": "import c\n", "c.py": "", "d.py": ""}
    assert places(files, order=order) == [expected]
    assert sorted(places(files, order="random")[0]) == ["a.py", "b.py", "c.py", "d.py"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("readme_first", ["README.md", "b.py", "a.py", "docs/x.md"]),
        ("first", ["README.md", "docs/x.md", "b.py", "a.py"]),
        ("last", ["b.py", "a.py", "README.md", "docs/x.md"]),
        ("none", ["b.py", "a.py"]),
    ],
)
def test_documentation_has_its_place(where, expected):
    files = {"a.py": "import b\n", "b.py": "", "docs/x.md": "", "README.md": ""}
    assert places(files, documentation=where) == [expected]


def test_why_a_repository_cannot_be_concatenated():
    assert failure(graph_of({"a.css": "a {}\n"}), 2, 0.5) == "no_supported_language"
    assert failure(graph_of({"a.py": ""}), 2, 0.5) == "few_files"
    assert failure(graph_of({"a.py": "import os\n", "b.py": ""}), 2, 0.5) == "no_import_inside"
    half = {"a.py": "from . import b\nfrom . import gone\n", "b.py": ""}
    assert failure(graph_of(half), 2, 0.6) == "few_imports_resolved" and failure(graph_of(half), 2, 0.5) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/a.py", True),
        ("src/test_a.py", True),
        ("pkg/a_test.go", True),
        ("src/app.spec.ts", True),
        ("src/ShopTest.java", True),
        ("src/contest.py", False),
        ("src/Latest.java", False),
        ("src/testimony.py", False),
        ("src/attestation/key.py", False),
    ],
)
def test_tests_are_told_by_their_names(path, expected):
    assert is_test(path) == expected


def test_every_separator_names_repository_and_file():
    for name, how_to in SEPARATORS.items():
        assert "src/a.py" in how_to.file("src/a.py", "Python")
        assert name == "comment" or "acme" in how_to.repository("acme")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cycle_policy", "best", "cycle_policy is 'best'; known: paper, scc"),
        ("separators", "<x>", "known: comment, starcoder2, qwen, ling"),
        ("min_resolved", 2, "must be in"),
        ("max_sample_bytes", 0, "must be at least 1"),
        ("max_sample_tokens", 100, "set both"),
        ("order", "best", "known: imports, paths, random, dfs"),
        ("quality_limits", {"max_nesting": [0, 1]}, "known: mean_quality"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(tmp_path, field, value, message):
    with pytest.raises(ConfigError, match=message):
        RepositoriesConfig(output_dir=str(tmp_path), **{field: value})
