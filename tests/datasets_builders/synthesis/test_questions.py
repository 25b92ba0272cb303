import ast
from collections.abc import Callable

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.mutation import Mutant
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions import KINDS, Question, questions_about
from datasets_builders.synthesis.program_analysis.questions.docstrings import split_docstring
from datasets_builders.synthesis.program_analysis.questions.question import prompt_templates

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
    observation = Observation(
        calls=[ObservedCall("climb(2)", "[0, 2]", 4), ObservedCall("climb(1, 5)", "[5]", 3)],
        check="assert climb(2) == [0, 2]\nassert climb(1, 5) == [5]",
        mutants=[
            FailingMutant(Mutant("arithmetic operator", FAULTY[0], 5), ("[2, 3]", "[7]")),
            FailingMutant(Mutant("off by one", FAULTY[1], 4), ("[0, 2, 4]", "[5, 7]")),
        ],
        impurity=impurity,
    )
    return list(questions_about(sample, observation))


def test_every_kind_is_asked_and_answered(sample_of: Callable[..., FunctionSample]) -> None:
    questions = asked(sample_of(SOURCE))
    # The form of a repair's answer depends on its hash.
    assert set(KINDS) - {question.kind for question in questions} <= {"code_repair", "repair_as_diff", "faulty_line"}
    assert len({question.mid for question in questions}) == len(questions)
    for question in questions:
        if question.kind == "execution_prediction":
            assert question.call in question.prompt and question.code in question.prompt
            assert question.content == question.answer
            assert all(ast.literal_eval(wrong) != ast.literal_eval(question.answer) for wrong in question.wrong_answers)
            assert question.wrong_answers
        elif question.kind not in ("repair_as_diff", "faulty_line"):
            assert question.code == question.call == question.answer == ""


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
