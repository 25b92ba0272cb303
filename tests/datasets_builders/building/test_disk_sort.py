"""Sorting on disk gives what sorting in memory gives, for values and for whole builds."""

import random
import tracemalloc

import pytest

from datasets_builders.building import disk_sort
from datasets_builders.building.disk_sort import OVERHEAD_BYTES, DiskSort
from datasets_builders.curation.deduplication import signature_files
from datasets_builders.repositories.builder import RepositoriesBuilder
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


@pytest.mark.parametrize("values_in_memory", [1_000, 7, 1])
def test_values_come_sorted_and_equal_keys_in_their_order(tmp_path, monkeypatch, values_in_memory):
    monkeypatch.setattr(disk_sort, "MAX_BYTES", values_in_memory * OVERHEAD_BYTES)
    monkeypatch.setattr(disk_sort, "MAX_RUNS", 5)
    draw = random.Random(0)
    values = [[draw.randrange(20), number, "\ud800é"] for number in range(200)]
    sort = DiskSort(lambda value: value[0], tmp_path / "runs")
    for value in values:
        sort.add(value)
    assert list(sort) == sorted(values, key=lambda value: value[0])
    assert (tmp_path / "runs").is_dir() == (values_in_memory < len(values)), "only what does not fit is on disk"
    assert not list(tmp_path.glob("runs/*")), "the runs, which are open, have no names"
    sort.close()


def test_values_whose_metadata_are_large_take_no_more_memory_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_sort, "MAX_BYTES", 1 << 20)
    sort = DiskSort(lambda value: value[0], tmp_path / "runs")
    tracemalloc.start()
    try:
        for number in range(100):
            imports = [[line, f"package.module_{number}_{line}", "from"] for line in range(1_000)]
            sort.add([f"{number:064x}", "", {"imports": imports}])
        del imports
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        sort.close()
    assert held < 1.2 * disk_sort.MAX_BYTES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "config"), [(SourceCodeBuilder, SourceCodeConfig), (RepositoriesBuilder, RepositoriesConfig)]
)
def test_a_build_that_sorts_on_disk_writes_the_same_bytes(
    code_folder, tmp_path, monkeypatch, shard_hashes, builder, config
):
    text = (code_folder / "json/decoder.py").read_text()
    for number in range(3):
        (code_folder / f"near_{number}.py").write_text(f"{text}\nNUMBER = {number}\n")

    def build(name: str) -> tuple[dict, dict]:
        result = builder(
            config(output_dir=str(tmp_path / name), input_dir=str(code_folder), decontaminate=[], num_tasks=2)
        ).run()
        removed = {
            path.relative_to(tmp_path / name): path.read_bytes() for path in result.output_dir.glob("removed/*/*")
        }
        return shard_hashes(result.output_dir), removed

    expected = build("in_memory")
    monkeypatch.setattr(disk_sort, "MAX_BYTES", 3 * OVERHEAD_BYTES)
    monkeypatch.setattr(signature_files, "BLOCK_ROWS", 4)
    assert build("on_disk") == expected
