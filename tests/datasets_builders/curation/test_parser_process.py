"""A file that kills a parser, or would eat all memory, costs that file and nothing else."""

import os
import random
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datatrove.data import Document

from datasets_builders.building.steps import Removed
from datasets_builders.curation.syntax.metrics import measure
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.curation.syntax.steps import SyntaxCheck
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig

pytestmark = pytest.mark.slow

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


def test_files_that_end_their_parser_are_counted_and_the_others_pass():
    texts = {
        "Java": ["a<" * 10_000, "x => " * 4_000, GOOD],
        "C#": ["a<" * 10_000, GOOD],
        "C": ["x => " * 4_000, "int a;\n"],
    }
    step = SyntaxCheck()
    step.begin(0, 1)
    outcomes = [
        outcome
        for language, files in texts.items()
        for number, text in enumerate(files)
        for outcome in step.process(Document(text=text, id=f"{language}/{number}", metadata={"language": language}))
    ]
    step.end()
    lost = {outcome.doc.id: outcome.reason for outcome in outcomes if isinstance(outcome, Removed)}
    assert lost == dict.fromkeys(("Java/0", "Java/1", "C#/0", "C/0"), "parser_lost")
    assert [outcome.id for outcome in outcomes if isinstance(outcome, Document)] == ["Java/2", "C#/1", "C/1"]


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


def spin(language: str, text: str) -> dict[str, float]:
    """Work for ever on a text that says so, in the child."""
    while text == "for ever":
        pass
    return {"error_fraction": 0.0}


def test_the_processor_time_of_a_file_has_an_end(monkeypatch):
    monkeypatch.setattr("datasets_builders.curation.syntax.parser_process.SECONDS_OF_A_FILE", 0.1)
    with ParserProcess("tests.datasets_builders.curation.test_parser_process:spin") as parser:
        with pytest.raises(ParseTooCostly, match="more processor time than code needs"):
            parser.read("Java", "for ever")
        assert parser.read("Java", GOOD) == {"error_fraction": 0.0}


@pytest.mark.parametrize(
    ("language", "piece"),
    [
        ("Shell", "a@"),
        ("Shell", "<"),
        ("Shell", "fn f(){"),
        ("Python", "\\\n"),
        ("Lua", "["),
        ("Lua", "a<"),
        ("Lua", "&"),
    ],
)
def test_a_scanner_that_reads_the_file_again_for_each_token_is_stopped(language, piece):
    """Each took seconds for 40 kB, and four times as long for twice as much."""
    with pytest.raises(ParseTooCostly):
        measure(language, piece * (100_000 // len(piece)))


@pytest.mark.parametrize("piece", ["<// a\n", "<//\n", "</*a*/", "< \n // in \n"])
def test_comments_behind_angles_are_bounded_by_their_number(piece):
    """200 kB of them took TypeScript's grammar minutes, within its budgets."""
    for language in ("TypeScript", "TSX"):
        with pytest.raises(ParseTooCostly):
            measure(language, piece * 20_000)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("TypeScript", "f</* a */ B>(c < 1);  // <a>\n" * 450),
        ("Shell", "// a\n" * 20_000),
        ("Shell", "ls -l $HOME | grep a@b\n" * 4_000),
        ("Python", "total = first + \\\n    second\n" * 3_000),
        ("Python", "rows = [\n" + "    # a row\n    1,\n" * 5_000 + "]\n"),
        ("Lua", "local a = b[c[d]] < 2\n" * 4_000),
        ("C", "0x1f, ".join(["int a[] = {", *[""] * 15_000, "};\n"])),
        ("Rust", "fn f() { g(h(&[1, 2])); }\n" * 4_000),
    ],
)
def test_long_files_of_code_stay_within_the_budgets(language, text):
    assert measure(language, text)["error_fraction"] == 0


def test_a_broken_file_is_not_queried_and_an_error_of_too_many_parts_is_too_costly():
    assert measure("Python", "(" * 1_000) == {"error_fraction": 1.0}
    code = "int add(int a, int b) { return a + b; }\n"
    assert measure("C", code * 100 + "#else }\n")["num_functions"] == 100
    with pytest.raises(ParseTooCostly, match="an error of"):
        measure("C", code * 10_000 + "(" * 30_000)


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
