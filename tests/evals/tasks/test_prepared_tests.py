"""evalplus's tests as they are run here give the verdicts of the published ones, for right and for wrong answers."""

import ast
import json
import os
from pathlib import Path

import pytest

from evals.execution import Executor, Limits, Verdict
from evals.tasks import prepared_tests
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.marked import marked_program
from evals.tasks.prepared_tests import prepared_test

pytestmark = pytest.mark.slow

DATA = os.environ.get("LING_BENCHMARKS_DIR")
LIMITS = Limits(wall_seconds=30.0, cpu_seconds=30.0, memory_bytes=2 << 30)
NUMPY = ("numpy",)
ASSERTION = """import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    return False

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match

"""
# A reference that uses builtin functions, on inputs that an answer may change.
LISTS_TEST = (
    ASSERTION
    + """def ref_func(numbers, n):
    return [sum(numbers) / n, len(numbers), max(numbers)]

def check(candidate):
    inputs = [[[3, 1, 2], 2], [[5], 1], [[1, 2, 3, 4], 4]]
    for i, inp in enumerate(inputs):
        assertion(candidate(*inp), ref_func(*inp), 0)
"""
)
# At the level of the module, as MBPP+ has it; a long list, and a result that no digest can stand for.
MODULE_TEST = (
    ASSERTION
    + f"""import collections
def ref_func(n):
    return n * 2 if n else collections.Counter("aab")

inputs = {[[n] for n in range(900)]!r}
for i, inp in enumerate(inputs):
    assertion(twice(*inp), ref_func(*inp), 0)
"""
)
RIGHT = "def f(numbers, n):\n    return [sum(numbers) / n, len(numbers), max(numbers)]\n"
ANSWERS = {
    "right": RIGHT,
    "nearly": RIGHT.replace("/ n", "/ n + 1e-9"),
    "not nearly": RIGHT.replace("/ n", "/ n + 1e-3"),
    "another type": RIGHT.replace("len(numbers)", "float(len(numbers))"),
    "a tuple": RIGHT.replace("[sum", "(sum").replace("max(numbers)]", "max(numbers))"),
    "an array": f"import numpy\n{RIGHT.replace('[sum', 'numpy.array([sum').replace(')]', ')])')}",
    "wrong": RIGHT.replace("max", "min"),
    "changes its input": RIGHT.replace("    return", "    numbers.append(0)\n    return"),
    "changes its input and back": RIGHT.replace("    return", "    numbers.append(0); numbers.pop()\n    return"),
    "changes its input at last": "def f(numbers, n):\n    out = [sum(numbers) / n, len(numbers), max(numbers)]\n"
    "    numbers.append(9)\n    return out\n",
    "equals anything": "class E:\n    def __eq__(self, other): return True\ndef f(*words): return E()\n",
    "hides max": f"{RIGHT}max_ = max\ndef max(x): return max_(x) + 1\n",
    "hides sum": f"{RIGHT}sum = 0\n",
    "raises": "def f(numbers, n): return [1 / 0]\n",
    "uses the test's names": "def _given(x): return x\ndef f(numbers, n):\n"
    "    return _given([sum(numbers) / n, len(numbers), max(numbers)])\n",
    "recursion to the limit": "def f(numbers, n):\n    def deep(k): return k and deep(k - 1)\n"
    "    import sys\n    room = sys.getrecursionlimit()\n    frame, depth = sys._getframe(), 0\n"
    "    while frame: frame, depth = frame.f_back, depth + 1\n    deep(room - depth - 1 - DEEPER)\n"
    "    return [sum(numbers) / n, len(numbers), max(numbers)]\n",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What is kept lies in a folder of the test's."""
    monkeypatch.setenv("LING_TOOLCHAINS_DIR", str(tmp_path))
    prepared_test.cache_clear()
    yield tmp_path
    prepared_test.cache_clear()


def verdicts(sources, limits=LIMITS):
    with Executor(limits) as executor:
        return [
            result.verdict
            for result in executor.run_batch(marked_program(text, "", packages=NUMPY) for text in sources)
        ]


def test_answers_of_all_kinds_get_the_same_verdict_both_ways():
    prepared = prepared_test(LISTS_TEST, NUMPY, LIMITS).text
    assert "_LING_DIGESTS = [" in prepared and prepared.count('""') == 0
    answers = ANSWERS | {"beyond the limit": ANSWERS["recursion to the limit"].replace("DEEPER", "-1")}
    answers["recursion to the limit"] = answers["recursion to the limit"].replace("DEEPER", "1")
    published, ours = (
        dict(zip(answers, verdicts(f"{answer}\n{test}\ncheck(f)" for answer in answers.values()), strict=True))
        for test in (LISTS_TEST, prepared)
    )
    assert ours == published
    assert [name for name, verdict in ours.items() if verdict is Verdict.PASS] == [
        *("right", "another type", "changes its input", "changes its input and back", "equals anything", "hides max"),
        *("uses the test's names", "recursion to the limit"),
    ]


def test_a_test_without_a_function_and_values_without_a_digest():
    prepared = prepared_test(MODULE_TEST, NUMPY, LIMITS).text
    assert "inputs = __import__('json').loads(" in prepared and prepared.count('""') == 1
    right = "import collections\ndef twice(n): return 2 * n or collections.Counter('aab')"
    sees = f"{right}\ndef other(n): return i\ntwice_ = twice\ndef twice(n): return twice_(n) if inp == [n] else None"
    counts = right.replace("return 2", "global i; i = 1000; return 2")
    untested = "import json\njson.loads = lambda text: []\ndef twice(n): return 0"
    answers = (right, right.replace("'aab'", "'ab'"), right.replace("2 * n", "3 * n"), sees, counts, untested)
    published, ours = (verdicts(f"{answer}\n{test}" for answer in answers) for test in (MODULE_TEST, prepared))
    assert published == ours == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL, *[Verdict.PASS] * 2, Verdict.FAIL]


def test_a_builtin_that_the_reference_calls_somewhere_inside_is_not_hidden_from_it_unseen():
    test = LISTS_TEST.replace("max(numbers)]", "max(abs(x) for x in numbers)]")
    answer = f"{RIGHT}def abs(x): return 0\n"
    published, ours = (
        verdicts([f"{answer}\n{text}\ncheck(f)"]) for text in (test, prepared_test(test, NUMPY, LIMITS).text)
    )
    assert published == ours == [Verdict.FAIL]


def test_a_reference_that_prints_half_a_line_can_be_asked():
    test = LISTS_TEST.replace("    return [sum", "    print('half', end='')\n    return [sum")
    assert "_LING_DIGESTS = [" in prepared_test(test, NUMPY, LIMITS).text


def test_the_reference_is_not_asked_where_a_result_is_right():
    once = LISTS_TEST.replace("    return [sum", "    print('asked')\n    return [sum")
    source = f"{RIGHT}\n{prepared_test(once, NUMPY, LIMITS).text}\ncheck(f)"
    with Executor(LIMITS) as executor:
        results = executor.run_batch(
            [marked_program(text, "", packages=NUMPY) for text in (source, f"{RIGHT}{once}check(f)")]
        )
    assert [result.stdout.count("asked") for result in results] == [0, 3]


def test_what_was_prepared_is_kept_by_content_and_read_again(own_cache, monkeypatch):
    first = prepared_test(LISTS_TEST, NUMPY, LIMITS)
    (kept,) = (own_cache / "tests").iterdir()
    monkeypatch.setattr(prepared_tests, "prepare", lambda *arguments: pytest.fail("prepared again"))
    prepared_test.cache_clear()
    assert prepared_test(LISTS_TEST, NUMPY, LIMITS) == first
    monkeypatch.undo()
    monkeypatch.setenv("LING_TOOLCHAINS_DIR", str(own_cache))
    kept.write_text("{")  # cut off by whatever
    prepared_test.cache_clear()
    assert prepared_test(LISTS_TEST, NUMPY, LIMITS).text == first.text
    assert json.loads(kept.read_text())["text"] == first.text
    prepared_test(LISTS_TEST.replace("max", "min"), NUMPY, LIMITS)
    assert len(list((own_cache / "tests").iterdir())) == 2


def test_a_reference_that_does_not_end_in_time_is_left_in_the_test_and_nothing_is_kept(own_cache):
    endless = LISTS_TEST.replace("    return [sum", "    while True: pass\n    return [sum")
    assert prepared_test(endless, NUMPY, Limits(wall_seconds=0.5, memory_bytes=2 << 30)).text == endless
    assert not (own_cache / "tests").exists()


@pytest.mark.parametrize("display", [
    "[(1, 2)] * 3", "[(1, 2), (3, 4)]", "[{1: 2}]", "[{1, 2}]", "[float('nan')]",
    "[1e999, -0.0, 'x\\ud800', None, True]", "[1, 2.5, 'a', [[]], {'k': 0}]",
])  # fmt: skip
def test_only_displays_that_json_gives_back_exactly_become_json(display):
    display = f"[{', '.join([display] * 300)}]"
    test = f"def check(candidate):\n    inputs = {display}\n    candidate(inputs)\n"
    text = prepared_test(test, (), LIMITS).text
    candidate = f"def f(inputs):\n    assert repr(inputs) == repr({display})"
    assert verdicts([f"{candidate}\n{text}\ncheck(f)"]) == [Verdict.PASS]
    assert ("json" in text) == (display.startswith(("[[1,", "[[1e"))), text[:80]


def mutants(code):
    """The code with one of its numbers, comparisons or operators changed."""
    swaps = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Eq: ast.NotEq, ast.Mult: ast.Add}
    for position, node in enumerate(ast.walk(ast.parse(code))):
        tree = ast.parse(code)
        node = list(ast.walk(tree))[position]
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 1
        elif isinstance(node, ast.BinOp) and type(node.op) in swaps:
            node.op = swaps[type(node.op)]()
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in swaps:
            node.ops[0] = swaps[type(node.ops[0])]()
        else:
            continue
        yield ast.unparse(tree)


@pytest.mark.skipif(not DATA, reason="LING_BENCHMARKS_DIR is not set")
@pytest.mark.parametrize(("name", "chosen"), [
    ("humanevalplus", {"HumanEval/14", "HumanEval/100", "HumanEval/0", "HumanEval/21"}),
    ("mbppplus", {88, 630, 2, 3}),
])  # fmt: skip
def test_mutants_of_gold_solutions_get_the_same_verdict_both_ways(name, chosen, monkeypatch):
    benchmark = BENCHMARKS[name]
    rows = [row for row in benchmark.load(Path(DATA))[0] if row["task_id"] in chosen]
    assert len(rows) == len(chosen)
    whole = [row.get("prompt", "") + benchmark.gold(row) if name == "humanevalplus" else row["code"] for row in rows]
    answers = [(row, code) for row, gold in zip(rows, whole, strict=True) for code in [gold, *list(mutants(gold))[:6]]]
    limits = Limits(wall_seconds=30.0, cpu_seconds=30.0, memory_bytes=4 << 30)

    def judged():
        with Executor(limits) as executor:
            return [result.verdict for result in executor.run_batch(benchmark.program(*answer) for answer in answers)]

    ours = judged()
    module = "humaneval" if name == "humanevalplus" else "mbpp"
    published = lambda test, packages, limits: prepared_tests.PreparedTest(test)  # noqa: E731
    monkeypatch.setattr(f"evals.tasks.{module}.prepared_test", published)
    assert judged() == ours
    assert ours.count(Verdict.PASS) >= len(rows) and ours.count(Verdict.FAIL) >= len(rows)
