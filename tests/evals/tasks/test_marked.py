"""Nobody passes without solving: what an answer tries to that end, in ten languages, and what is known to work."""

import pytest

from evals.execution import Executor, Limits, Verdict
from evals.tasks.marked import marked_program
from tests.evals.tasks.unsolved_answers import RIGHT, TESTS, UNSOLVED, unsolved
from tests.evals.toolchain import needs

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_seconds=5.0, cpu_seconds=5.0, memory_bytes=1 << 30, disk_bytes=256 << 20)


@pytest.fixture(scope="module")
def executor():
    with Executor(LIMITS) as executor:
        yield executor


def program(language, code):
    return marked_program(code, TESTS[language], language, main="Problem")


@pytest.mark.parametrize("language", UNSOLVED)
def test_no_answer_passes_without_solving(executor, language):
    needs(language)
    answers = unsolved(language)
    results = executor.run_batch(program(language, code) for code in answers.values())
    verdicts = dict(zip(answers, (result.verdict for result in results), strict=True))
    assert not [name for name, verdict in verdicts.items() if verdict in (Verdict.PASS, Verdict.INFRA_ERROR)]


@pytest.mark.parametrize("language", UNSOLVED)
def test_a_right_answer_passes_and_a_wrong_one_does_not(executor, language):
    needs(language)
    wrong = RIGHT[language].replace("2 * ", "3 * ")
    right, result = executor.run_batch([program(language, RIGHT[language]), program(language, wrong)])
    assert right.verdict is Verdict.PASS, right
    assert result.verdict is Verdict.FAIL, result


@pytest.mark.parametrize("language", UNSOLVED)
def test_the_marker_stands_in_no_text_of_the_program(language):
    made = program(language, RIGHT[language])
    texts = [made.source, made.tests, *(content.decode() for content in made.files.values())]
    assert made.expect_stdout_marker and not [text for text in texts if made.expect_stdout_marker in text]


def test_output_after_the_tests_is_no_fault(executor):
    late = "import atexit\natexit.register(print, 'bye')\n" + RIGHT["python"]
    assert executor.run(program("python", late)).verdict is Verdict.PASS


def test_tests_see_the_answers_namespace_and_their_own_builtins(executor):
    code = "import builtins, math\nmath.isclose = lambda *a, **k: True\nlimit = 3\ndef low(x): return x < limit\n"
    right = marked_program(code, "global limit\nlimit = 9\nassert low(5)\nimport math\nassert not math.isclose(1, 2)")
    assert executor.run(right).verdict is Verdict.PASS


# What no harness in one process stops. SECURITY.md lists these; should one of them fail here, it can go there.
KNOWN = {
    "an object equal to everything": (
        "class E:\n    __eq__ = lambda s, o: True\n    __sub__ = lambda s, o: 0\ndef double(x): return E()"
    ),
    "expected values read from the caller": (
        "import dis, sys\ndef double(x):\n    frame = sys._getframe(1)\n    rest = [i for i in "
        "dis.get_instructions(frame.f_code) if i.offset > frame.f_lasti]\n"
        "    return next(i.argval for i in rest if i.opname == 'LOAD_CONST')"
    ),
    "the harness's own steps, taken early": (
        "import os, sys\nknown = sys._getframe(1).f_locals\n"
        "known['before'].show_marker(known['request'], known['channel'])\nos._exit(0)"
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_no_harness_of_this_kind_stops_is_known(executor, name):
    assert executor.run(program("python", KNOWN[name])).verdict is Verdict.PASS
