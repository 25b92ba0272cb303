"""A file that kills a parser, or would eat all memory, costs that file and nothing else."""

import os
import random
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datasets_builders.curation.syntax.metrics import measure
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig

MEASURE = "datasets_builders.curation.syntax.metrics:measure"
GOOD = "class A { int add(int a, int b) { return a + b; } }\n"


def test_the_child_answers_as_the_function_does():
    text = (Path(sysconfig.get_path("stdlib")) / "textwrap.py").read_text()
    with ParserProcess(MEASURE) as parser:
        assert parser.read("Python", text) == measure("Python", text)
        assert parser.read("COBOL", text) is None
        assert parser.read("Java", GOOD)["num_functions"] == 1


def test_a_file_that_kills_the_parser_is_named_and_the_next_is_measured():
    with ParserProcess(MEASURE) as parser:
        with pytest.raises(ParserLost, match="ended with signal"):
            parser.read("Java", "a<" * 50_000)
        assert parser.read("Java", GOOD)["num_functions"] == 1


def test_a_child_that_was_killed_is_told_apart_from_an_answer():
    with ParserProcess(MEASURE) as parser:
        assert parser.read("Java", GOOD)
        parser._child.kill()
        with pytest.raises(ParserLost, match="ended with signal 9"):
            parser.read("Java", GOOD)
        assert parser.read("Java", GOOD)["num_functions"] == 1


def test_a_child_that_has_read_much_is_replaced(monkeypatch):
    monkeypatch.setattr("datasets_builders.curation.syntax.parser_process.BYTES_OF_A_CHILD", 2 * len(GOOD))
    with ParserProcess(MEASURE) as parser:
        pids = []
        for _ in range(7):
            assert parser.read("Java", GOOD)["num_functions"] == 1
            pids.append(parser._child.pid)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_the_budget_ends_what_would_take_all_memory():
    with ParserProcess(MEASURE) as parser:
        with pytest.raises(ParseTooCostly):
            parser.read("C++", "a<" * 20_000)
        # Which of the two limits ends this one depends on the library's use of memory.
        with pytest.raises((ParseTooCostly, ParserLost)):
            parser.read("C#", "a<" * 100_000)
        assert parser.read("C#", GOOD)["error_fraction"] == 0


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
