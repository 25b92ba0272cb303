import ast
from collections.abc import Callable

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.mutation import Mutant
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions import KINDS, Question, questions_about
from datasets_builders.synthesis.program_analysis.questions.docstrings import is_prose, split_docstring
from datasets_builders.synthesis.program_analysis.questions.inputs import equivalences
from datasets_builders.synthesis.program_analysis.questions.question import (
    QuestionLimits,
    filled_check,
    prompt_templates,
)
from datasets_builders.synthesis.program_analysis.rewriting.variants import Variants, VerifiedRewrite

SOURCE = '''\
STEP = 2


def climb(n, start=0):
    """Return the heights passed while climbing n steps from start."""
    heights = []
    for i in range(n):
        heights.append(start + i * STEP)
    return heights
'''
FAULTY = [
    SOURCE.split("\n\n\n")[1].rstrip().replace(*edit)
    for edit in (("i * STEP", "i + STEP"), ("range(n)", "range(n + 1)"))
]


def asked(sample: FunctionSample, impurity: str = "") -> list[Question]:
    return list(questions_about(sample, observed(impurity)))


def observed(impurity: str = "") -> Observation:
    return Observation(
        calls=[ObservedCall("climb(2)", "[0, 2]", 4), ObservedCall("climb(1, 5)", "[5]", 3)],
        check="assert climb(2) == [0, 2]\nassert climb(1, 5) == [5]",
        mutants=[
            FailingMutant(Mutant("arithmetic operator", FAULTY[0], 5), ("[2, 3]", "[7]")),
            FailingMutant(Mutant("off by one", FAULTY[1], 4), ("[0, 2, 4]", "[5, 7]")),
        ],
        impurity=impurity,
    )


def test_every_kind_is_asked_and_answered(sample_of: Callable[..., FunctionSample]) -> None:
    questions = asked(sample_of(SOURCE))
    # The form of a repair's answer depends on its hash, and what was not recorded cannot be told.
    assert {question.kind for question in questions} - {"repair_as_diff", "faulty_line", "code_repair"} == {
        *("execution_prediction", "input_prediction", "counterexample", "docstring_to_code", "code_to_docstring"),
    }
    assert len({question.mid for question in questions}) == len(questions)
    for question in questions:
        if question.kind == "execution_prediction":
            assert question.call in question.prompt and question.code in question.prompt
            assert question.content == question.answer
            assert all(ast.literal_eval(wrong) != ast.literal_eval(question.answer) for wrong in question.wrong_answers)
            assert question.wrong_answers
        elif question.kind not in ("repair_as_diff", "faulty_line") and not question.call_from:
            assert question.call == question.answer == ""


def test_docstring_questions_do_not_give_their_answers_away(sample_of: Callable[..., FunctionSample]) -> None:
    sample = sample_of(SOURCE)
    by_kind = {question.kind: question for question in asked(sample)}
    assert "heights.append" not in by_kind["docstring_to_code"].prompt
    assert sample.docstring not in by_kind["code_to_docstring"].prompt
    assert by_kind["code_to_docstring"].content == sample.docstring


def test_poor_docstrings_and_trivial_functions_give_no_docstring_questions(
    sample_of: Callable[..., FunctionSample],
) -> None:
    short = SOURCE.replace("Return the heights passed while climbing n steps from start.", "Climb.")
    trivial = 'def climb(n):\n    """Return whatever was given, without any change at all."""\n    return n\n'
    for source in (short, trivial):
        assert not {"docstring_to_code", "code_to_docstring"} & {question.kind for question in asked(sample_of(source))}


def test_an_impure_function_is_asked_about_in_no_way(sample_of: Callable[..., FunctionSample]) -> None:
    assert asked(sample_of(SOURCE), impurity="it rolled a die") == []


def test_there_are_several_wordings_of_every_kind() -> None:
    for kind in KINDS:
        assert len(prompt_templates(kind)) >= 4


def test_a_docstring_on_the_line_of_the_signature_is_not_split() -> None:
    assert split_docstring('def f(x): "Text."; return x\n') is None
    assert split_docstring('def f(\n    x,\n) -> int:\n    "Text."\n    return x\n') == (
        'def f(\n    x,\n) -> int:\n    "Text."',
        "def f(\n    x,\n) -> int:\n    return x\n",
    )


@pytest.mark.parametrize(
    ("docstring", "is_kept"),
    [
        ("Return the heights passed while climbing n steps from start.", True),
        ("Climb up the steps of a house.\n\n    >>> climb(1)\n    [0]", True),
        (">>> climb(1, 2)\n    [2]\n    >>> climb(2, 2, 3)\n    [2, 4, 5, 6]", False),
        ("climb(n, start) -> list, height(n, start) -> int, foo_bar, baz", False),
        ("XXX this should be rewritten once the other module has been cleaned up.", False),
        ("See bpo-12345 for the reason why this does not return a tuple.", False),
        ("- - - climbs up and down the stairs of the house - - -", False),
    ],
)
def test_docstrings_are_prose_for_users(docstring: str, is_kept: bool) -> None:
    assert is_prose(docstring) is is_kept


@pytest.mark.parametrize(("doctests", "is_asked"), [("passed", True), ("failed", False), ("", False)])
def test_docstrings_whose_examples_fail_are_left_out(
    sample_of: Callable[..., FunctionSample], doctests: str, is_asked: bool
) -> None:
    source = SOURCE.replace("from start.", "from start.\n\n    >>> climb(1)\n    [0]\n    ")
    found = list(questions_about(sample_of(source), Observation(doctests=doctests)))
    assert bool(found) is is_asked
    assert all(question.verified_by == "doctest" for question in found)


def test_what_nothing_checks_says_so_and_all_names_are_shown(sample_of: Callable[..., FunctionSample]) -> None:
    by_kind = {question.kind: question for question in asked(sample_of(SOURCE))}
    assert by_kind["code_to_docstring"].verified_by == "none"
    assert "STEP = 2" in by_kind["code_to_docstring"].prompt
    assert by_kind["docstring_to_code"].verified_by == by_kind["execution_prediction"].verified_by == "execution"
    unseen = list(questions_about(sample_of(SOURCE), Observation()))
    assert {question.verified_by for question in unseen} == {"none"}


def test_constant_functions_are_not_asked_about_and_copied_answers_once(
    sample_of: Callable[..., FunctionSample],
) -> None:
    sample = sample_of("def f(x, y=0):\n    z = x\n    return [z]\n")
    calls = [ObservedCall(f"f([{n}])", f"[[{n}]]", 2) for n in range(4)]
    copied = [ObservedCall(f"f([{n}])", f"[{n}]", 2) for n in range(4)]

    def kinds(observation: Observation) -> list[str]:
        return [question.kind for question in questions_about(sample, observation)]

    assert kinds(Observation(calls=calls)).count("execution_prediction") == 4
    assert kinds(Observation(calls=copied)).count("execution_prediction") == 1
    assert kinds(Observation(calls=calls, is_constant=True)) == []


def test_functions_of_one_statement_are_asked_about_once(sample_of: Callable[..., FunctionSample]) -> None:
    sample = sample_of('def f(x):\n    """Double."""\n    return x * 2\n')
    calls = [ObservedCall(f"f({n})", f"{n * 2}", 1) for n in range(4)]
    found = [question.kind for question in questions_about(sample, Observation(calls=calls))]
    assert found.count("execution_prediction") == 1


@pytest.mark.parametrize("answer", ["climb(2)", "list(climb(2, start=-1))", "Stack([1]).push(2)", "Stack(1).size"])
def test_calls_with_literals_are_put_into_checks(answer: str) -> None:
    assert filled_check("assert ??? == 3", f" {answer}\n") == f"assert {answer} == 3"


@pytest.mark.parametrize(
    "answer",
    [
        "3",
        "climb(2) or 3",
        "climb(2) if 1 else 0)",
        "__import__('os').system('true')() or climb(open('x'))",
        "climb(n := 3)",
        "climb(*[1])",
        "climb(2)\nx = 1",
        "(lambda: 3)()",
        "",
    ],
)
def test_other_answers_are_not_put_into_checks(answer: str) -> None:
    with pytest.raises(ValueError, match="no call"):
        filled_check("assert ??? == 3", answer)


def test_versions_may_be_equal_or_differ(sample_of: Callable[..., FunctionSample]) -> None:
    sample = sample_of(SOURCE)
    same = sample.function.replace("heights", "found")
    variants = Variants(rewrites=(VerifiedRewrite("rename", same, {}, 7),))
    observation = observed()
    differing, equal = equivalences(sample, observation, variants, QuestionLimits(max_counterexamples=0))
    assert equal.answer == "equal" and equal.num_compared_calls == 7 and "def climb_rewritten(n" in equal.code
    assert "equal" in differing.wrong_answers and differing.answer in ("climb(2)", "climb(1, 5)")
    for question in (differing, equal):
        namespace: dict[str, object] = {}
        exec(question.code, namespace)
        calls = [call.call for call in observation.calls]
        changed = [call.replace("climb", "climb_rewritten") for call in calls]
        are_same = [eval(call, namespace) == eval(other, namespace) for call, other in zip(calls, changed, strict=True)]
        assert all(are_same) is (question is equal)
