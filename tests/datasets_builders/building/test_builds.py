"""A whole build: the same bytes for any number of workers, a card, and rows that load_dataset gives back."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from datasets_builders.building.stages import BuildResult
from datasets_builders.languages.grammars import GRAMMAR_PACKAGES
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def test_one_and_two_workers_write_the_same_bytes(run_cli, code_folder, tmp_path, shard_hashes):
    found = []
    for workers in (1, 2):
        done = run_cli(
            "source_code",
            "decontaminate=[]",
            f"input_dir={code_folder}",
            f"output_dir=out{workers}",
            "num_shards=3",
            f"workers={workers}",
        )
        assert done.returncode == 0, done.stderr
        found.append(shard_hashes(tmp_path / f"out{workers}"))
    assert found[0] == found[1]
    assert list(found[0]) == [f"train_0000{number}_of_00003.parquet" for number in range(3)]


def test_more_parts_than_a_process_may_open_files_are_no_error(command, environment, tmp_path):
    arguments = command("arithmetic", "num_documents=300", "num_tasks=80", "output_dir=out")
    limited = ["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *arguments]
    done = subprocess.run(limited, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_code_is_hashed_without_importing_it(environment):
    code = (
        "import sys; from datasets_builders.source_code.builder import SourceCodeBuilder as builder; "
        "from datasets_builders.building.code_version import code_sha256; before = set(sys.modules); "
        "code_sha256(builder); print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_code_of_a_dataset_is_what_decides_its_bytes_with_the_data_beside_it(environment, tmp_path):
    for package in ("datasets_builders", "evals"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys; from datasets_builders.repositories.builder import RepositoriesBuilder as builder\n"
        "from datasets_builders.building.code_version import code_sha256\n"
        "for path in sys.argv[1:]:\n"
        "    before = code_sha256(builder); open(path, 'a').write('\\n'); print(path, code_sha256(builder) != before)"
    )
    changed = [
        *("repositories/queries/python.scm", "languages/linguist.json", "curation/quality/prompts/ask_llm.txt"),
        *("curation/deduplication/near.py", "building/executors/ranks.py", "repositories/resolution/php.py"),
    ]
    same = [
        *("repositories/configs/corpus.yaml", "README.md", "building/report.py"),
        *(f"building/executors/{name}.py" for name in ("choice", "local", "options", "ray", "slurm", "slurm_queue")),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *(f"datasets_builders/{name}" for name in changed + same)],
        env=environment | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    found = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    expected = {f"datasets_builders/{name}": str(name in changed) for name in changed + same}
    assert found == expected, done.stderr


def test_every_library_that_decides_belongs_to_a_dataset_of_code(code_folder, tmp_path):
    (tmp_path / "words.txt").write_text("darn\n")
    config = SourceCodeConfig(
        output_dir=str(tmp_path / "out"), input_dir=str(code_folder), toxicity_words=[str(tmp_path / "words.txt")]
    )
    steps = [step for stage in SourceCodeBuilder(config).stages() for step in stage.pipeline]
    libraries = {library for step in steps for library in step.libraries}
    models = {"fasttext-numpy2-wheel", "pyahocorasick", "rensa"}
    assert libraries == {
        "tree-sitter",
        *GRAMMAR_PACKAGES,
        *models,
        "faust-cchardet",
        "google-re2",
        "license-expression",
    }
    assert all(version(library) for library in libraries)


def test_another_grammar_makes_another_dataset_of_code_and_the_same_word_problems(run_cli, code_folder, tmp_path):
    shutil.rmtree(code_folder / "email")
    builds = (["source_code", f"input_dir={code_folder}", "decontaminate=[]"], ["arithmetic", "num_documents=40"])
    code = SourceCodeConfig(decontaminate=[], output_dir=str(tmp_path / "source_code"), input_dir=str(code_folder))
    SourceCodeBuilder(code).run()
    ArithmeticBuilder(ArithmeticConfig(output_dir=str(tmp_path / "arithmetic"), num_documents=40)).run()
    installed = tmp_path / "site" / "tree_sitter_dart-99.0.dist-info" / "METADATA"
    installed.parent.mkdir(parents=True)
    installed.write_text("Metadata-Version: 2.1\nName: tree-sitter-dart\nVersion: 99.0\n")
    said = {
        name: run_cli(name, *fields, f"output_dir={tmp_path / name}", search_path=tmp_path / "site").stderr
        for name, *fields in builds
    }
    assert "changed: versions since the last build" in said["source_code"]
    assert "is already built from the same config" in said["arithmetic"]


def test_load_dataset_gives_the_rows_streaming_too_and_the_card_has_metadata_ledger_and_lineage(code_folder, tmp_path):
    config = SourceCodeConfig(
        decontaminate=[], output_dir=str(tmp_path / "out"), input_dir=str(code_folder), license="MIT", num_shards=2
    )
    result = SourceCodeBuilder(config).run()
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert result.num_rows == {"train": len(rows)}
    streamed = list(load_dataset(str(tmp_path / "out"), split="train", streaming=True))
    assert streamed == rows.to_list()
    by_path = {row["path"]: row for row in streamed}
    assert by_path["json/scanner.py"]["content"] == (code_folder / "json/scanner.py").read_text()
    assert by_path["json/scanner.py"]["language"] == "Python"
    card = (tmp_path / "out" / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["license"] == "mit"
    assert metadata["configs"][0]["data_files"] == [{"split": "train", "path": "data/train_*.parquet"}]
    assert metadata["size_categories"] == ["n<1K"]
    for expected in (
        "removed | merged | output |",
        "Merge documents with the same id",
        "same_content",
        "`json/decoder.py",
        "| sha256 of train_00000",
    ):
        assert expected in card


def test_a_finished_build_is_found_and_a_changed_one_starts_over(code_folder, tmp_path, shard_hashes):
    shutil.rmtree(code_folder / "email")

    def build(**fields) -> BuildResult:
        return SourceCodeBuilder(
            SourceCodeConfig(decontaminate=[], output_dir=str(tmp_path / "out"), input_dir=str(code_folder), **fields)
        ).run()

    def build_plan(**fields) -> str:
        config = SourceCodeConfig(
            decontaminate=[], output_dir=str(tmp_path / "out"), input_dir=str(code_folder), **fields
        )
        return "\n".join(SourceCodeBuilder(config).plan())

    assert "holds a dataset" not in build_plan()
    first = build()
    again = build(workers=2)
    assert (first.state, again.state) == ("new", "finished")
    assert again.num_rows == first.num_rows
    assert again.ledger == first.ledger
    assert "holds a dataset" in build_plan(num_shards=2)
    assert build(num_shards=2).state == "changed: config"
    (code_folder / "extra.py").write_text("value = 1\nother_value = value\n")
    changed = build(num_shards=2)
    assert changed.state == "changed: inputs"
    assert changed.num_rows["train"] == first.num_rows["train"] + 1
    before = shard_hashes(tmp_path / "out")
    (tmp_path / "out/data/train_00000_of_00002.parquet").unlink()
    build(num_shards=2)
    assert shard_hashes(tmp_path / "out") == before, "a shard that was deleted is built again"


def test_a_dataset_inside_its_own_input_is_not_read_back(code_folder):
    shutil.rmtree(code_folder / "email")
    config = SourceCodeConfig(decontaminate=[], output_dir=str(code_folder / "out"), input_dir=str(code_folder))
    first = SourceCodeBuilder(config).run()
    (code_folder / "more.py").write_text("value = 1\nother_value = value\n")
    second = SourceCodeBuilder(config).run()
    assert second.num_rows["train"] == first.num_rows["train"] + 1
