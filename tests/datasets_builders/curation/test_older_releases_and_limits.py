"""New data beside older datasets, and no more of a language than asked for."""

import gzip
import json

import pyarrow.parquet as pq
import pytest
from datatrove.data import Document

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.deduplication import released
from datasets_builders.curation.quality.language_limits import LanguageLimits
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


def module(name, number):
    lines = [f"    {name}_{step} = value * {step + number} - other // {step + 2}" for step in range(12)]
    return f"def {name}(value, other):\n" + "\n".join(lines) + f"\n    return {name}_11\n"


def build(folder, output, **fields):
    config = SourceCodeConfig(output_dir=str(output), input_dir=str(folder), decontaminate=[], license="MIT", **fields)
    result = SourceCodeBuilder(config).run()
    rows = [row for path in sorted((output / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return result, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("code")
    for number, name in enumerate(("alpha", "beta", "gamma", "delta")):
        (path / f"{name}.py").write_text(module(name, number))
    (path / "run.sh").write_text("#!/bin/sh\nfor name in alpha beta gamma; do\n  echo hello $name and world\ndone\n")
    return path


def test_what_was_released_before_is_left_out(folder, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    (older / "one.py").write_text((folder / "alpha.py").read_text() + "# ask jane.doe@company.com\n")
    (older / "two.py").write_text((folder / "beta.py").read_text().replace("other // 13", "other % 13"))
    build(older, tmp_path / "first", num_tasks=1)
    result, rows = build(folder, tmp_path / "second", num_tasks=2, released_before=[str(tmp_path / "first")])
    assert {row["path"] for row in rows} == {"gamma.py", "delta.py", "run.sh"}
    assert result.ledger.step("near_dedup").reasons == {"near_duplicate": 2}
    older_rows = {row["path"]: row["id"] for row in DatasetFolder(tmp_path / "first").rows()}
    (removed,) = (tmp_path / "second" / "removed" / "near_dedup").iterdir()
    lines = map(json.loads, gzip.decompress(removed.read_bytes()).splitlines())
    into = {line["metadata"]["path"]: line["into"] for line in lines}
    assert into == {
        path: f"released:{older_rows[older]} of first"
        for path, older in (("alpha.py", "one.py"), ("beta.py", "two.py"))
    }
    again, _ = build(folder, tmp_path / "second", num_tasks=2, released_before=[str(tmp_path / "first")])
    assert again.state != "new"
    with pytest.raises(ConfigError, match="holds no data"):
        build(folder, tmp_path / "third", released_before=[str(tmp_path)])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


def test_signatures_of_what_was_released_are_made_once(folder, tmp_path):
    older = tmp_path / "older"
    build(folder, older, num_tasks=1)
    kept = older / ".build" / "signatures"

    def write(name, threshold=0.7):
        released.write_released(tmp_path / name, [str(older)], 3, threshold, batch_size=2)
        return contents(tmp_path / name)

    first = write("first")
    assert sorted(first) == ["00003.bands", "00003.jsonl", "00003.signatures"]
    assert write("second") == first
    assert all((tmp_path / "first" / name).samefile(tmp_path / "second" / name) for name in first)
    assert write("third", threshold=0.5) != first
    assert len(contents(kept)) == 6
    (shard,) = (older / "data").glob("*Shell*")
    shard.unlink()
    fourth = write("fourth")
    assert fourth["00003.jsonl"] != first["00003.jsonl"]
    assert len(contents(kept)) == 3
    for path in kept.glob("*.bands"):
        path.unlink()
    assert write("fifth") == write("sixth") == fourth


def test_signatures_of_a_folder_that_cannot_be_written_to_are_made_each_time(folder, tmp_path):
    older = tmp_path / "older"
    build(folder, older, num_tasks=1)
    (older / ".build" / "signatures").write_text("in the way")
    released.write_released(tmp_path / "first", [str(older)], 0, 0.7)
    released.write_released(tmp_path / "second", [str(older)], 0, 0.7)
    assert contents(tmp_path / "first") == contents(tmp_path / "second") != {}


def drawn(limit, seed=0, languages=("Python", "Shell")):
    docs = [
        Document("x" * 100, f"{language}{number}", metadata={"language": language})
        for number in range(20)
        for language in languages
    ]
    return [doc.id for doc in LanguageLimits({"Python": limit}, seed).run(docs)]


def test_a_smaller_limit_draws_a_part_of_what_a_larger_one_does():
    kept = [{name for name in drawn(limit) if name.startswith("Python")} for limit in (0, 450, 1_000, 1e9)]
    assert [len(names) for names in kept] == [0, 4, 10, 20]
    assert kept[1] < kept[2] < kept[3]
    assert len([name for name in drawn(450) if name.startswith("Shell")]) == 20
    assert drawn(450) == drawn(450) and set(drawn(450)) != set(drawn(450, seed=1))


def test_languages_are_limited_in_a_build(folder, tmp_path):
    size = len((folder / "alpha.py").read_text())
    result, rows = build(folder, tmp_path / "out", language_limits={"Python": size * 1.5}, num_tasks=2)
    assert sorted(row["language"] for row in rows) == ["Python", "Shell"]
    assert result.ledger.step("language_limits").reasons == {"language_limit": 3}
    with pytest.raises(ConfigError, match="Linguist knows no 'Golang'"):
        SourceCodeConfig(output_dir="x", language_limits={"Golang": 1})
