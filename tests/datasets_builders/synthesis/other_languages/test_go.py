"""Go: what checks import, and that faulty versions compile alone."""

from collections.abc import Callable

import pytest

from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.languages import go_check
from datasets_builders.synthesis.program_analysis.other_languages.mutation import mutate
from datasets_builders.synthesis.program_analysis.other_languages.observation import ObservedCall
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample


@pytest.mark.parametrize(
    ("call", "answer", "imports"),
    [
        ("f(1)", "2", []),
        ('f("fmt.Println")', '"math.Pi"', []),
        ("f(1)", "math.NaN()", ["math"]),
        ('f("a")', '[]*regexp.Regexp{regexp.MustCompile("a")}', ["reflect", "regexp"]),
        ("f(big.NewInt(1))", "2", ["math/big"]),
        ("f(1)", '2, errors.New("no")', ["errors", "fmt"]),
    ],
)
def test_a_check_imports_what_its_calls_and_answers_name(call: str, answer: str, imports: list[str]) -> None:
    sample = ProgramSample(language="Go", name="f", called="f", module="", path="", function="")
    check = go_check(sample, [ObservedCall(call, answer, 1)])
    head = check.partition(")")[0]
    assert [line.strip().strip('"') for line in head.splitlines() if line.startswith("\t")] == sorted(
        ["testing", *imports]
    )


def test_a_fault_keeps_what_is_imported_in_use(
    functions_of: Callable[[str, str], dict[str, ProgramSample | Refusal]],
) -> None:
    source = (
        'package p\n\nimport "strings"\n\nfunc Add(s, more string) string {\n\tif strings.Contains(s, more) {\n'
        '\t\treturn s\n\t}\n\treturn s + " " + more\n}\n'
    )
    sample = functions_of("Go", source)["Add"]
    assert isinstance(sample, ProgramSample)
    faults = mutate(sample, 50, 0)
    assert faults and all("strings." in fault.function for fault in faults)
