"""A file that kills a parser, or would eat all memory, costs that file and nothing else."""

import os
import random
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datasets_builders.curation.metrics import Meter
from datasets_builders.curation.parser_process import MeterProcess, ParserLost
from datasets_builders.curation.syntax import ParseTooCostly
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig

GOOD = "class A { int add(int a, int b) { return a + b; } }\n"


def test_the_child_measures_as_the_meter_does():
    text = (Path(sysconfig.get_path("stdlib")) / "textwrap.py").read_text()
    with MeterProcess() as meter:
        assert meter.measure("Python", text) == Meter.of("Python").measure(text)
        assert meter.measure("COBOL", text) is None
        assert meter.measure("Java", GOOD).num_functions == 1


def test_a_file_that_kills_the_parser_is_named_and_the_next_is_measured():
    with MeterProcess() as meter:
        with pytest.raises(ParserLost, match="ended with signal"):
            meter.measure("Java", "a<" * 50_000)
        assert meter.measure("Java", GOOD).num_functions == 1


def test_a_child_that_was_killed_is_told_apart_from_an_answer():
    with MeterProcess() as meter:
        assert meter.measure("Java", GOOD)
        meter._child.kill()
        with pytest.raises(ParserLost, match="ended with signal 9"):
            meter.measure("Java", GOOD)
        assert meter.measure("Java", GOOD).num_functions == 1


def test_the_budget_ends_what_would_take_all_memory():
    with MeterProcess() as meter:
        with pytest.raises(ParseTooCostly):
            meter.measure("C++", "a<" * 20_000)
        # Which of the two limits ends this one depends on the library's use of memory.
        with pytest.raises((ParseTooCostly, ParserLost)):
            meter.measure("C#", "a<" * 100_000)
        assert meter.measure("C#", GOOD).error_fraction == 0


def mutated(text: str, generator: random.Random) -> bytes:
    raw = bytearray(text.encode()[:8000])
    for _ in range(generator.randrange(1, 6)):
        at, other = sorted(generator.randrange(len(raw) + 1) for _ in range(2))
        kind = generator.randrange(6)
        if kind == 0:
            raw[at:at] = bytes(generator.randrange(256) for _ in range(8))
        elif kind == 1:
            del raw[at : at + generator.randrange(400)]
        elif kind == 2:
            raw[at:at] = raw[at : at + 200] * generator.randrange(1, 40)
        elif kind == 3:
            raw[at:at] = generator.choice([b"(", b"{", b"a<", b'"', b"/*", b"`${", b"\\u0041"]) * 3000
        elif kind == 4:
            raw[at:at] = b"\0" if generator.random() < 0.3 else b"\r\xc2\x85\xe2\x80\xa8"
        else:
            raw[at:other] = raw[at:other][::-1]
    return bytes(raw)


def test_mutated_files_are_all_accounted_for(tmp_path):
    """LING_FUZZ_FILES=10000 for more."""
    generator = random.Random(0)
    count = int(os.environ.get("LING_FUZZ_FILES", "200"))
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    extensions = [
        ".py",
        ".java",
        ".js",
        ".ts",
        ".go",
        ".rs",
        ".c",
        ".cpp",
        ".cs",
        ".php",
        ".rb",
        ".lua",
        ".sh",
        ".html",
    ]
    folder = tmp_path / "fuzz"
    folder.mkdir()
    for number in range(count):
        text = generator.choice(sources).read_text(encoding="utf-8", errors="replace")
        (folder / f"{number}{generator.choice(extensions)}").write_bytes(mutated(text, generator))
    fields = {"input_dir": str(folder), "decontaminate": [], "workers": 2}
    result = SourceCodeBuilder(SourceCodeConfig(output_dir=str(tmp_path / "out"), **fields)).run()
    result.ledger.check()
    steps = result.ledger.steps
    assert steps[0].input == count == steps[-1].output + sum(step.removed + step.merged for step in steps)
    assert not [step.name for step in steps if "error" in step.reasons], "a step raised"
    assert pq.read_table(tmp_path / "out/data").num_rows == steps[-1].output
