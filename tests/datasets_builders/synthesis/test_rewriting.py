"""Tests that are written for functions, and functions written another way: run here and in the sandbox."""

import ast
import doctest
import unittest
from collections.abc import Callable
from dataclasses import replace

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings, SeenError
from datasets_builders.synthesis.program_analysis.mutation import Mutant
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall, observe
from datasets_builders.synthesis.program_analysis.questions import QuestionLimits
from datasets_builders.synthesis.program_analysis.questions.question import prompt_templates
from datasets_builders.synthesis.program_analysis.questions.variants import _all_tasks, variant_questions
from datasets_builders.synthesis.program_analysis.rewriting.rewrites import KINDS, Rewrite, rewrites_of
from datasets_builders.synthesis.program_analysis.rewriting.verification import verify_variants
from datasets_builders.synthesis.program_analysis.rewriting.written_tests import STYLES, choose_calls, written
from evals.execution import Executor

Sampler = Callable[..., FunctionSample]


def function(body: str) -> str:
    return "def f(xs, n=2):\n" + "".join(f"    {line}\n" for line in body.splitlines())


REWRITES = [
    (
        "loop_to_comprehension",
        "out = []\nfor x in xs:\n    if x > n:\n        out.append(x * 2)\nreturn out",
        "out = [x * 2 for x in xs if x > n]\nreturn out",
    ),
    (
        "loop_to_comprehension",
        "out = {}\nfor i, x in enumerate(xs):\n    out[x] = i\nreturn out",
        "out = {x: i for i, x in enumerate(xs)}\nreturn out",
    ),
    (
        "comprehension_to_loop",
        "return [x + 1 for x in xs if x != n]",
        "result = []\nfor x in xs:\n    if x != n:\n        result.append(x + 1)\nreturn result",
    ),
    (
        "loop_to_any",
        "for x in xs:\n    if x == n:\n        return True\nreturn False",
        "return any(x == n for x in xs)",
    ),
    (
        "loop_to_any",
        "for x in xs:\n    if x < n or not x:\n        return False\nreturn True",
        "return all(x >= n and x for x in xs)",
    ),
    (
        "loop_to_sum",
        "total = 0\nfor x in xs:\n    total += x * n\nreturn total",
        "total = sum(x * n for x in xs)\nreturn total",
    ),
    (
        "index_to_enumerate",
        "out = 0\nfor i in range(len(xs)):\n    out += i * xs[i]\nreturn out",
        "out = 0\nfor i, item in enumerate(xs):\n    out += i * item\nreturn out",
    ),
    (
        "while_to_for",
        "out, i = 0, 5\ni = 1\nwhile i < n:\n    out += i\n    i += 1\nreturn out",
        "out, i = 0, 5\nfor i in range(1, n):\n    out += i\nreturn out",
    ),
    (
        "for_to_while",
        "out = 0\nfor i in range(n):  # all\n    out += i\nreturn out",
        "out = 0\ni = 0\nwhile i < n:\n    out += i\n    i += 1\nreturn out",
    ),
    (
        "early_return",
        "if n > 3:\n    return xs\nelse:\n    # few\n    n += 1\n    return n",
        "if n > 3:\n    return xs\n# few\nn += 1\nreturn n",
    ),
    (
        "early_return", "if n:\n    return 1\nelif xs:\n    return 2\nreturn 3",
        "if n:\n    return 1\nif xs:\n    return 2\nreturn 3",
    ),
    ("if_to_conditional", "if n:\n    y = 1\nelse:\n    y = 2\nreturn y, xs", "y = 1 if n else 2\nreturn y, xs"),
    ("conditional_to_if", "return xs if n else 2", "if n:\n    return xs\nelse:\n    return 2"),
    ("de_morgan", "return xs if not (n and n > 3) else 0", "return xs if (not n or n <= 3) else 0"),
    ("de_morgan", "return not xs and not n", "return not (xs or n)"),
    ("format_to_f_string", "return '{}: {:>4}'.format(xs, n)", "return f'{xs}: {n:>4}'"),
    ("format_to_f_string", 'return "%s of %s" % (n, xs)', 'return f"{n} of {xs}"'),
    ("f_string_to_format", 'return f"{n:03d} {xs}"', 'return "{:03d} {}".format(n, xs)'),
    ("inline_variable", "y = n + 1\nreturn y * 2, xs", "return (n + 1) * 2, xs"),
    (
        "extract_variable",
        "if len(xs) > 2 and len(xs) < n:\n    return 1\nreturn 0",
        "length = len(xs)\nif length > 2 and length < n:\n    return 1\nreturn 0",
    ),
    (
        "rename_variable",
        "words = xs\nreturn [w for w in words if w], n",
        "words = xs\nreturn [word for word in words if word], n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "rewritten"), REWRITES)
def test_rewrites(kind: str, body: str, rewritten: str) -> None:
    found = {rewrite.kind: rewrite for rewrite in rewrites_of(function(body))}
    assert found[kind].function == function(rewritten)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("loop_to_comprehension", "out = []\nfor x in xs:\n    if x not in out:\n        out.append(x)\nreturn out"),
        ("loop_to_comprehension", "out = []\nfor x in xs:\n    out.append(x)\nreturn out, x"),
        ("loop_to_comprehension", "out = []\nfor x in xs:\n    # why\n    out.append(x)\nreturn out"),
        ("loop_to_sum", "total = 0\nfor x in xs:\n    total += total * x\nreturn total"),
        ("for_to_while", "for i in range(n):\n    if i:\n        continue\n    xs.append(i)\nreturn xs"),
        ("for_to_while", "for i in range(n):\n    n -= 1\nreturn xs"),
        ("for_to_while", "i = 0\nfor i in range(n):\n    xs.append(i)\nreturn xs, i"),
        ("inline_variable", "y = n + 1\nreturn y * y"),
        ("inline_variable", "y = n + 1\nreturn [y for x in xs]"),
        ("index_to_enumerate", "for i in range(len(xs)):\n    xs[i] = n\nreturn xs"),
        ("rename_variable", "words = word = xs\nreturn [w for w in words], word"),
        ("format_to_f_string", "return '{}'.format(xs[\"a\"])"),
        ("format_to_f_string", "return '%d%%' % n"),
        ("de_morgan", "return not xs and n"),
    ],
)
def test_what_would_behave_otherwise_or_lose_a_comment_is_not_rewritten(kind: str, body: str) -> None:
    assert kind not in {rewrite.kind for rewrite in rewrites_of(function(body))}


def test_every_kind_of_rewrite_has_a_case_and_a_task() -> None:
    assert {kind for kind, _, _ in REWRITES} == set(KINDS) == set(_all_tasks()["rewrites"])
    assert set(_all_tasks()["styles"]) == set(STYLES)
    assert min(len(prompt_templates(kind)) for kind in ("test_writing", "refactoring")) >= 4


CALLS = [
    ObservedCall("f([1, 2])", "3", 3),
    ObservedCall("f([])", "0", 3),
    ObservedCall("f([5], 'no')", "None", 3),
    ObservedCall("f([2, 2])", "4", 3),
]
FAILING = [ObservedCall("f(None)", "", 1, error=SeenError("TypeError", "TypeError: no list", 2))]
RIGHT = (
    "def f(xs, n=0):\n    if xs is None:\n        raise TypeError('no list')\n    return sum(xs) if n == 0 else None\n"
)


@pytest.mark.parametrize("style", STYLES)
def test_tests_of_every_style_pass_on_right_code_and_fail_on_wrong_code(style: str) -> None:
    tests = written("f", style, CALLS, FAILING if style in ("unittest", "doctest") else [])
    exec(RIGHT + tests.program, {"__name__": "program"})
    for wrong in (RIGHT.replace("sum(xs)", "len(xs)"), RIGHT.replace("else None", "else 1")):
        with pytest.raises(AssertionError):
            exec(wrong + tests.program, {"__name__": "program"})
    if style in ("unittest", "doctest"):
        with pytest.raises(AssertionError):
            exec(RIGHT.replace("TypeError", "ValueError") + tests.program, {"__name__": "program"})


def test_tests_run_as_their_frameworks_run_them() -> None:
    namespace = {"__name__": "program"}
    exec(RIGHT + written("f", "unittest", CALLS, FAILING).text, namespace)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(namespace["FTest"]).run(result)
    assert result.wasSuccessful() and result.testsRun == 2
    examples = doctest.DocTestParser().get_doctest(
        written("f", "doctest", CALLS, FAILING).text, namespace, "f", None, None
    )
    assert doctest.DocTestRunner().run(examples) == (0, 5)


def test_calls_are_chosen_that_find_every_mutant() -> None:
    def mutant(number: int, value: str) -> FailingMutant:
        values = [call.answer for call in CALLS]
        values[number] = value
        return FailingMutant(Mutant("x", f"def f(): return {number}", 1), tuple(values))

    observation = Observation(calls=list(CALLS), mutants=[mutant(3, "5"), mutant(1, "9")])
    chosen = {call.call for call in choose_calls(observation)}
    assert {"f([2, 2])", "f([])"} <= chosen and len(chosen) == 3


SOURCE = '''\
def spread(numbers, low: int = 0):
    """Return the differences of neighbors that are above low."""
    found = []
    for i in range(len(numbers) - 1):
        step = numbers[i + 1] - numbers[i]
        if step > low:
            found.append(step)
    if not found:
        return [low]
    else:
        return found
'''


@pytest.fixture(scope="module")
def verified(executor: Executor):
    (sample,) = extract_functions(SOURCE, "pkg/mod.py")
    assert isinstance(sample, FunctionSample)
    (observation,) = observe(executor, [sample], ObservationSettings())
    (variants,) = verify_variants(executor, [sample], [observation])
    return sample, observation, variants


def test_tests_and_rewrites_of_a_function_hold(verified) -> None:
    sample, observation, variants = verified
    tests = variants.tests
    assert tests is not None and tests.num_mutants == len(observation.mutants) > 3
    exec(f"{sample.code}\n{tests.program}", {})
    killed = 0
    for failing in observation.mutants:
        try:
            exec(f"{failing.mutant.function}\n{tests.program}", {})
        except Exception:
            killed += 1
    assert killed == tests.num_killed > 0
    assert {rewrite.kind for rewrite in variants.rewrites} >= {"for_to_while", "early_return"}
    for rewrite in variants.rewrites:
        exec(f"{rewrite.function}\n{observation.check}", {})
        assert rewrite.num_calls >= 3 and rewrite.faulty
        for faulty in rewrite.faulty:
            with pytest.raises(Exception):  # noqa: B017 (any failure is one)
                exec(f"{faulty}\n{observation.check}", {})


def test_questions_of_tests_and_refactorings(verified) -> None:
    sample, observation, variants = verified
    questions = list(variant_questions(sample, observation, variants, QuestionLimits(max_rewrites=2)))
    assert [question.kind for question in questions] == ["test_writing", "refactoring", "refactoring"]
    for question in questions:
        assert sample.code in question.prompt and "$" not in question.prompt
        assert question.content.startswith("```python\n") and question.wrong_answers
    assert questions[0].num_killed and questions[0].mutants
    assert questions[1].num_compared_calls >= 3 and questions[1].rewrite in KINDS


def test_a_rewrite_that_behaves_otherwise_is_dropped(executor: Executor, verified) -> None:
    """Among them one that differs in what it does to its argument alone."""
    sample, observation, _ = verified
    touching = "    found = []\n    if 0 in numbers:\n        numbers.append(1)\n        numbers = numbers[:-1]\n"
    changed = {
        "value": SOURCE.replace("step > low", "step >= low"),
        "argument": SOURCE.replace("    found = []\n", touching),
        "same": SOURCE.replace("step", "difference"),
    }
    calls = tuple(ObservedCall(call, "", 3) for call in ("spread([3, 3, 5])", "spread([0, 1])", "spread([4])"))
    known = replace(observation, calls=list(calls), mutants=[])
    (variants,) = verify_variants(
        executor, [sample], [known], rewrite=lambda _: [Rewrite(kind, text) for kind, text in changed.items()]
    )
    assert [rewrite.kind for rewrite in variants.rewrites] == ["same"]


def test_only_functions_are_rewritten() -> None:
    with pytest.raises(ValueError, match="text of one function"):
        rewrites_of("x = 1")
    assert ast.parse(rewrites_of(SOURCE)[0].function)
