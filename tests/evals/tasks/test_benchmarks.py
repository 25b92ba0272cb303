"""The benchmarks beyond HumanEval: gold passes, wrong answers and shortcuts fail, prompts are as they are known."""

import json
import os
from pathlib import Path

import pytest

from evals.benchmarks.rows import BenchmarkDataError, content_hash
from evals.execution import Limits
from evals.tasks.bbh import answer_of
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.cruxeval import answered_assertion, is_literal
from evals.tasks.humaneval import HumanEval
from evals.tasks.numbers import final_number

pytestmark = pytest.mark.slow

MBPP_ROW = {
    "task_id": 900,
    "text": "Write a function to double a node's value.",
    "code": "class Node:\n    def __init__(self, value):\n        self.value = value\n\ndef double(node):\n"
    "    return 2 * node.value",
    "test_list": ["assert double(node) == 6", "assert double(Node(0)) == 0"],
    "test_setup_code": "node = Node(3)",
    "shots": [{"text": "Add.", "code": "def add(a, b):\n    return a + b", "test_list": ["assert add(1, 2) == 3"]}],
}
MBPP_PLUS_ROW = {
    "task_id": 901,
    "prompt": "Write a function to halve a number.",
    "code": "def halve(x):\n    return x / 2",
    "test_list": ["assert halve(4) == 2"],
    "test": "import numpy as np\nassert np.allclose([halve(x) for x in (1, 3)], [0.5, 1.5])\n",
}
CRUX_ROW = {
    "id": "fixture_0",
    "code": "def f(s):\n    return s + ' == {code}'",
    "input": "'a'",
    "output": "'a == {code}'",
}


def verdicts(name: str, row: dict, *answers: str, instruct: bool = False) -> list[str]:
    return [record.verdict for record in BENCHMARKS[name].judge([row] * len(answers), answers, instruct)]


def test_mbpp_runs_the_setup_after_the_code_and_every_test():
    shortcut = "raise SystemExit(0)"
    wrong = MBPP_ROW["code"].replace("2 *", "1 *")
    assert verdicts("mbpp", MBPP_ROW, MBPP_ROW["code"], wrong, shortcut) == ["pass", "fail", "fail"]
    assert verdicts("mbpp", MBPP_ROW, f" '{MBPP_ROW['code']}' \n") == ["pass"], "quoted, as in the paper's examples"
    answer = f"Sure.\n```python\n{MBPP_ROW['code']}\n```\nDone."
    assert verdicts("mbpp", MBPP_ROW, answer, instruct=True) == ["pass"]


def test_mbpp_prompts_hold_the_examples_and_all_tests():
    question = (
        "You are an expert Python programmer, and here is your task: {} Your code should pass these tests:\n\n{}\n"
    )
    tests = "\n".join(MBPP_ROW["test_list"])
    shot = question.format("Add.", "assert add(1, 2) == 3")
    asked = question.format(MBPP_ROW["text"], tests)
    mbpp = BENCHMARKS["mbpp"]
    assert mbpp.prompt(MBPP_ROW, "standard", instruct=False) == (
        f"{shot}[BEGIN]\ndef add(a, b):\n    return a + b\n[DONE]\n\n{asked}[BEGIN]\n"
    )
    assert mbpp.prompt(MBPP_ROW, "standard", instruct=True) == asked
    paper = mbpp.prompt(MBPP_ROW, "paper", instruct=False)
    assert paper.startswith("Complete the following python code:\nYou are an expert") and "[BEGIN]\n 'def add" in paper
    assert mbpp.prompt(MBPP_ROW, "paper", instruct=True) == (
        f"{MBPP_ROW['text']}\nYour code should satisfy these tests:\n{tests}"
    )


def test_mbpp_plus_is_asked_without_examples_and_compares_with_numpy():
    code = MBPP_PLUS_ROW["code"]
    assert verdicts("mbppplus", MBPP_PLUS_ROW, code, code.replace("2", "3")) == ["pass", "fail"]
    prompt = BENCHMARKS["mbppplus"].prompt(MBPP_PLUS_ROW, "standard", instruct=False)
    assert prompt == '"""\nWrite a function to halve a number.\nassert halve(4) == 2\n"""\n'


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("[ANSWER]\nassert f('a') == 'a == {code}'\n[/ANSWER]", "pass"),
        ("thinking [ANSWER] 1 [/ANSWER] no: [ANSWER]\n'a == {code}'\n[/ANSWER]", "pass"),
        ("[ANSWER]\nassert f('a') == 'b'\n[/ANSWER]", "fail"),
        ("[ANSWER]\nassert f('a') == f('a')\n[/ANSWER]", "fail"),  # the peers look for this spelling only
        ("[ANSWER]\nassert f('a') == (lambda g: g('a'))(f)\n[/ANSWER]", "fail"),
        ("[ANSWER]\nassert True\n[/ANSWER]", "fail"),
        ("[ANSWER]\n'unclosed\n[/ANSWER]", "fail"),
        ("no answer", "fail"),
    ],
)
def test_what_a_call_returns_must_be_a_literal(answer, verdict):
    assert verdicts("cruxeval_output", CRUX_ROW, answer) == [verdict]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("[ANSWER]\nassert f('a') == 'a == {code}'\n[/ANSWER]", "pass"),
        ("[ANSWER]\nf('a')\n[/ANSWER]", "pass"),
        ("[ANSWER]\nassert f('b') == 'a == {code}'\n[/ANSWER]", "fail"),
        ("[ANSWER]\nassert 'a == {code}' == 'a == {code}'\n[/ANSWER]", "fail"),
        ("[ANSWER]\nassert exit() == 1\n[/ANSWER]", "fail"),
    ],
)
def test_the_call_that_returns_it_must_be_one_of_f(answer, verdict):
    assert verdicts("cruxeval_input", CRUX_ROW, answer) == [verdict]


def test_cruxeval_prompts_end_with_the_question():
    output = BENCHMARKS["cruxeval_output"].prompt(CRUX_ROW, "paper", instruct=False)
    assert output.endswith(f"[PYTHON]\n{CRUX_ROW['code']}\nassert f('a') == ??\n[/PYTHON]\n[THOUGHT]\n")
    backwards = BENCHMARKS["cruxeval_input"].prompt(CRUX_ROW, "paper", instruct=False)
    assert backwards.endswith(f"[PYTHON]\n{CRUX_ROW['code']}\nassert f(??) == 'a == {{code}}'\n[/PYTHON]\n[THOUGHT]\n")


def test_sides_of_an_assertion_are_parsed_and_not_split():
    assert answered_assertion("[ANSWER]assert f('=='  ) == 'a == b'[/ANSWER]") == ("f('==')", "'a == b'")
    assert is_literal("{1: [-2, (3.5, None)]}") and is_literal("set()") and not is_literal("len([])")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so 3 + 4 = 7\n#### 7", 7),
        ("#### $1,234.00 dollars and 5 cents", 1234),
        ("The answer is -3.", -3),
        ("2 and then 18", 18),
        ("#### none, but 12", 12),
        ("none", None),
    ],
)
def test_the_number_of_an_answer(text, number):
    assert final_number(text) == number


def test_the_answer_of_a_chain_of_thought():
    assert answer_of("First, the answer is unclear. So the answer is (A).\n\nQ: next") == "(A)"
    assert answer_of("So the answer is **No**.") == "No"
    assert answer_of("So the answer is ] ) >.") == "] ) >"
    assert answer_of("nothing") is None


# What LING_BENCHMARKS_DIR is known to hold: the others are tested with rows in their schema.
HELD = [
    *("humaneval", "humanevalplus", "mbpp", "mbppplus", "cruxeval_input", "cruxeval_output", "gsm8k", "bbh"),
    *(name for name in BENCHMARKS if name.startswith(("humanevalfix_", "multipl_e_humaneval_"))),
]


@pytest.mark.parametrize("name", HELD)
def test_all_gold_solutions_pass_where_the_data_are_there(name):
    """With LING_BENCHMARKS_DIR set: the true rows. Without: that their absence is an error that says what to do.

    Every fourth gold solution is run (of HumanEval all), of other languages than Python every sixteenth, in
    test_languages.py; all of them by `python -m evals selfcheck`.
    """
    benchmark = BENCHMARKS[name]
    if not os.environ.get("LING_BENCHMARKS_DIR"):
        with pytest.raises(BenchmarkDataError, match="--data-dir DIR"):
            benchmark.load(Path("/nowhere"))
        return
    rows, _ = benchmark.load(None)
    assert len(rows) == benchmark.source.num_rows == len({benchmark.identify(row) for row in rows})
    assert content_hash(rows, benchmark.source.columns) == benchmark.source.sha256
    if getattr(benchmark, "language", "python") == "python":
        rows = rows[:: 1 if benchmark.name == "humaneval" else 4]
        records = benchmark.judge(rows, [benchmark.gold(row) for row in rows], instruct=False)
        assert [(record.id, record.verdict, record.message) for record in records if record.verdict != "pass"] == []


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_without_the_rows_says_what_to_put_there(name, tmp_path):
    with pytest.raises(BenchmarkDataError, match="--data-dir"):
        BENCHMARKS[name].load(tmp_path)


def test_bbh_with_other_questions_is_refused(tmp_path):
    (tmp_path / "bbh" / "cot-prompts").mkdir(parents=True)
    for number in range(27):
        (tmp_path / "bbh" / f"task{number}.json").write_text(json.dumps({"examples": [{"input": "a", "target": "b"}]}))
        (tmp_path / "bbh" / "cot-prompts" / f"task{number}.txt").write_text("canary\n-----\nQ: x\nA: y")
    with pytest.raises(BenchmarkDataError, match="27 rows, but not those of BIG-Bench Hard"):
        BENCHMARKS["bbh"].load(tmp_path)
    (tmp_path / "bbh" / "task0.json").write_text("{}")
    with pytest.raises(BenchmarkDataError, match=r"task0\.json or its prompt cannot be read"):
        BENCHMARKS["bbh"].load(tmp_path)


class Slow(HumanEval):
    packages = ()  # whose import takes a part of so short a time
    limits = Limits(wall_seconds=2.0, cpu_seconds=10.0)


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("time.sleep(1.0)", "time.sleep(2.5)", "pass"),
        ("time.sleep(1.0)", "time.sleep(60)", "timeout"),
        ("pass", "time.sleep(2.5)", "timeout"),
        ("time.sleep(60)", "time.sleep(60)", "infra_error"),
    ],
    ids=["a slow machine", "slower than gold", "gold is quick", "gold does not end"],
)
def test_a_time_limit_that_gold_shows_to_be_short_is_lengthened(gold, answer, verdict):
    row = {
        "task_id": "slow/0",
        "prompt": "import time\ndef f():\n",
        "canonical_solution": f"    {gold}\n",
        "test": "def check(candidate):\n    candidate()\n",
        "entry_point": "f",
    }
    [record] = Slow().judge([row], [f"    {answer}\n"], instruct=False)
    assert record.verdict == verdict
