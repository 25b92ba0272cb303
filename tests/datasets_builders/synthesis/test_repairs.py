import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.mutation import Mutant, mutate
from datasets_builders.synthesis.program_analysis.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
    build_check,
    observe,
)
from datasets_builders.synthesis.program_analysis.questions import QuestionLimits
from datasets_builders.synthesis.program_analysis.questions.inputs import counterexamples
from datasets_builders.synthesis.program_analysis.questions.repairs import code_repairs, describe_failure
from datasets_builders.synthesis.program_analysis.unified_diff import apply_diff, unified_diff
from evals.execution import Executor

SOURCE = '''\
LIMIT = 30


def shorten(text, width: int = 8, fill="."):
    """Cut text to width, marking the cut."""
    # Short texts stay.
    if len(text) <= width:
        return text
    words = text.split()
    line = ""
    for word in words:
        if len(line) + len(word) > width - 1:
            break
        line += word + " "
    line = line.strip()
    if not line and words:
        line = words[0][:width]
    return (line + fill * 3)[:LIMIT]
'''


@pytest.fixture(scope="module")
def observed(executor: Executor) -> tuple[FunctionSample, Observation]:
    sample = next(found for found in extract_functions(SOURCE, "pkg/mod.py") if isinstance(found, FunctionSample))
    (observation,) = observe(executor, [sample], ObservationSettings(num_mutants=60))
    return sample, observation


def test_every_form_of_repair_holds(observed: tuple[FunctionSample, Observation]) -> None:
    """The asserts are run here on the right code and on the faulty one that the question shows."""
    sample, observation = observed
    questions = list(code_repairs(sample, observation, QuestionLimits(max_repairs=60)))
    assert {question.kind for question in questions} == {"code_repair", "repair_as_diff", "faulty_line"}
    assert len({question.mutation for question in questions}) > 8
    for question in questions:
        assert " raises `" in question.prompt or " instead of `" in question.prompt
        faulty = next(block for block in question.prompt.split("```") if "def shorten" in block)
        faulty = faulty.removeprefix("python\n").removesuffix("\n")
        assert question.fail_to_pass
        for asserts, fails in ((question.fail_to_pass, True), (question.pass_to_pass, False)):
            for text in asserts:
                exec(f"{sample.code}\n{text}", {})
                if fails:
                    with pytest.raises(Exception):  # noqa: B017 (any failure is one)
                        exec(f"{faulty}\n{text}", {})
                else:
                    exec(f"{faulty}\n{text}", {})
        if question.kind == "repair_as_diff":
            diff = question.content.removeprefix("```diff\n").removesuffix("\n```")
            assert question.code == faulty and apply_diff(faulty, diff) == sample.code
        elif question.kind == "faulty_line":
            lines, right = faulty.splitlines(), sample.code.splitlines()
            (place,) = [number for number, line in enumerate(lines) if line.strip() == question.content]
            changed = [
                number for number, (first, second) in enumerate(zip(lines, right, strict=True)) if first != second
            ]
            assert changed == [place]
            assert question.wrong_answers and question.content not in question.wrong_answers
        else:
            assert question.content == f"```python\n{sample.function}\n```"
            assert sample.function not in question.wrong_answers and sample.function not in question.prompt


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\nc", "a\nB\nc"),
        ("a\nb\nc\n", "b\nc\n"),
        ("\n".join(map(str, range(30))), "\n".join(map(str, [*range(3), "x", *range(5, 28), "y"]))),
        ("a\n\n\nb", "a\n\nx\n\nb"),
        ("- a\n+ b\n@ c", "- a\n+ c\n@ c\n--- d"),
        ("a", "a\nb"),
        ("", "a"),
    ],
)
def test_a_diff_applies_here_and_with_git(before: str, after: str, tmp_path: Path) -> None:
    diff = unified_diff(before, after, "program.py")
    assert apply_diff(before, diff) == after
    if before and before.endswith("\n") == after.endswith("\n"):
        # git knows files, whose lines end.
        (tmp_path / "program.py").write_text(before.rstrip("\n") + "\n")
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff + "\n", text=True, check=True)
        assert (tmp_path / "program.py").read_text() == after.rstrip("\n") + "\n"


@pytest.mark.parametrize(
    "diff",
    [
        "",
        "--- a/f\n+++ b/f",
        "@@ -1 +1 @@\n-x\n+y",
        "@@ -1,2 +1 @@\n-a\n+y",
        "@@ -1 +1 @@\n*a",
        "@@ nonsense @@\n-a\n+b",
        "Here is the diff:\n@@ -1 +1 @@\n-a\n+b",
        "@@ -2 +2 @@\n-b\n+B\n@@ -1 +1 @@\n-a\n+A",
    ],
)
def test_a_diff_that_does_not_fit_is_refused(diff: str) -> None:
    with pytest.raises(ValueError, match=r"line|hunk"):
        apply_diff("a\nb", diff)


def test_a_fault_whose_failure_is_not_known_is_no_question(observed: tuple[FunctionSample, Observation]) -> None:
    sample, observation = observed
    unknown = [replace(found, values=("",) * len(found.values), errors=()) for found in observation.mutants]
    assert not list(code_repairs(sample, replace(observation, mutants=unknown), QuestionLimits()))


def test_faults_that_never_end_or_die_are_no_repairs(executor: Executor) -> None:
    """A loop that does not stop is not told from a slow machine; deep recursion ends as deep as the stack is."""
    source = (
        "def digits(number: int):\n    total = 0\n    while number > 0:\n        total += number % 10\n"
        "        number //= 10\n    return total\n"
    )
    (sample,) = extract_functions(source, "pkg/mod.py")
    assert isinstance(sample, FunctionSample)
    (observation,) = observe(executor, [sample], ObservationSettings(num_mutants=60))
    endless = source.replace("        number //= 10\n", "").rstrip()
    assert endless in {mutant.function for mutant in mutate(sample.function, 60)}
    assert observation.mutants and endless not in {found.mutant.function for found in observation.mutants}
    for question in code_repairs(sample, observation, QuestionLimits(max_repairs=60)):
        assert "RecursionError" not in question.prompt and question.fail_to_pass


def test_classes_are_broken_and_repaired_too(executor: Executor) -> None:
    source = (
        "class Counter:\n    def __init__(self, start: int = 0):\n        self.value = start\n\n"
        "    def add(self, n: int):\n        self.value += n\n        return self.value\n\n"
        "    def shown(self, width: int = 4):\n        return str(self.value).rjust(width, '0')\n"
    )
    (sample,) = [found for found in extract_functions(source, "pkg/mod.py") if isinstance(found, FunctionSample)]
    (observation,) = observe(executor, [sample], ObservationSettings(num_mutants=40))
    questions = list(code_repairs(sample, observation, QuestionLimits(max_repairs=40)))
    assert questions and all("Counter(" in question.fail_to_pass[0] for question in questions)
    for question in questions:
        for text in question.fail_to_pass:
            exec(f"{sample.code}\n{text}", {})
            with pytest.raises(Exception):  # noqa: B017 (any failure is one)
                exec(f"{question.code}\n{text}", {})


@pytest.mark.parametrize(
    ("value", "answer", "is_failure"),
    [("1", "True", True), ("True", "1", False), ("0", "False", True), ("0.0", "0", False), ("2", "2", False)],
)
def test_a_call_fails_where_its_assert_does(value: str, answer: str, is_failure: bool) -> None:
    """Singletons are asserted by identity, so that 1 in place of True is a failure that can be shown."""
    call = ObservedCall("f()", answer, 1)
    assert bool(describe_failure(call, value, "")) is is_failure
    try:
        exec(build_check([call]), {"f": lambda: eval(value)})
    except AssertionError:
        assert is_failure
    else:
        assert not is_failure


def test_what_gives_another_zero_is_no_wrong_answer_to_how_versions_differ() -> None:
    sample = FunctionSample("f", "m", "m.py", "def f(a, b):\n    return a // b", "", "")
    calls = [ObservedCall(call, answer, 1) for call, answer in (("f(5, 2)", "2"), ("f(0, -2)", "0"), ("f(4, 2)", "2"))]
    mutant = Mutant(function="def f(a, b):\n    return a / b", operator="operator", line=1)
    observation = Observation(calls=calls, mutants=[FailingMutant(mutant, ("2.5", "-0.0", "2.0"), ("", "", ""))])
    (question,) = counterexamples(sample, observation, QuestionLimits())
    assert question.call == "f(5, 2)" and question.wrong_answers == []
