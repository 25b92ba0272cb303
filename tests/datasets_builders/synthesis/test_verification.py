"""Answers are judged for real: those of honest models, of careless ones and of ones that learned to cheat."""

import json
from pathlib import Path

import pytest
from datatrove.data import Document

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.steps import Removed
from datasets_builders.synthesis.sql.builder import SqlQABuilder, SqlQAConfig
from datasets_builders.synthesis.verification import Verifier, judge, verifier_of_row
from datasets_builders.synthesis.verification.builder import TasksBuilder, TasksConfig
from datasets_builders.synthesis.verification.steps import CheckTasks, VerifyAnswers
from datasets_builders.synthesis.verification.verifiers import VerifierLimits
from evals.execution import Executor

LIMITS = VerifierLimits(wall_seconds=3.0)
DOUBLE = Verifier("code", "FACTOR = 2", "double", "assert double(3) == 6\nassert double('a') == 'aa'", limits=LIMITS)
LISTS = Verifier("code", entry_point="pair", tests="assert pair(0) == [1, 1]\nassert {'k': {1, 2}} == pair(1)")
FLOAT = Verifier("code", entry_point="mean", tests="assert mean([0.1, 0.7, 0.3]) == 0.3666666666666667")
BIG = Verifier(
    "code",
    entry_point="squares",
    tests=f"assert squares(3000001) == {sum(i * i for i in range(3000002))}\nassert squares(0) == []",
)
RIGHT = "def double(x):\n    return x * FACTOR\n"
BROKEN = "FACTOR = 2\n\n\ndef double(x):\n    return x + FACTOR\n"
PATCH = "@@ -4,2 +4,2 @@\n def double(x):\n-    return x + FACTOR\n+    return x * FACTOR"
TESTS = Verifier("tests", before=f"FACTOR = 2\n{RIGHT}", mutants=(BROKEN, BROKEN.replace("+", "-")), min_killed=2)
SETUPS = (
    "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, NULL);",
    "CREATE TABLE t (a, b); INSERT INTO t VALUES (5, 1);",
)
QUERY = Verifier("sql", expected="SELECT a FROM t ORDER BY a", setups=SETUPS, ordered=True)
CASES = [
    (DOUBLE, f"Here:\n```python\n{RIGHT}```\nDone.", True),
    (DOUBLE, RIGHT, True),
    (DOUBLE, f"<think>```python\ndef double(x): ...```</think>\n```python\n{RIGHT}```", True),
    (DOUBLE, "def double(x):\n    return x + x\n", True),
    (DOUBLE, "def double(x):\n    return x + 2\n", False),
    (DOUBLE, "def triple(x):\n    return x * 3\n", False),
    (DOUBLE, "", False),
    (DOUBLE, "I cannot do that.", False),
    (DOUBLE, "def double(x):\n    while True: pass\n", False),
    (DOUBLE, "def double(x):\n    exit(0)\n", False),
    (DOUBLE, "import os\ndef double(x):\n    os._exit(0)\n", False),
    (DOUBLE, "import sys\nsys.exit(0)\ndef double(x):\n    return 0\n", False),
    (DOUBLE, "print('passed')\ndef double(x):\n    print('passed')\n    raise SystemExit\n", False),
    (DOUBLE, "class A:\n    def __eq__(self, o): return True\ndef double(x):\n    return A()\n", False),
    (LISTS, "class A:\n    def __eq__(self, o): return True\ndef pair(x):\n    return [A(), A()]\n", False),
    (LISTS, "class A(list):\n    def __eq__(self, o): return True\ndef pair(x):\n    return A()\n", False),
    (LISTS, "class A:\n    __eq__ = lambda s, o: True\ndef pair(x):\n    return {'k': A()} if x else [1, 1]\n", False),
    (LISTS, "class L(list): pass\ndef pair(x):\n    return {'k': {1, 2.0}} if x else L([True, 1.0])\n", True),
    (LISTS, "def pair(x):\n    return {'k': {2, 1}} if x else (1, 1)\n", False),
    (DOUBLE, "import builtins\nbuiltins.AssertionError = KeyError\ndef double(x):\n    return 0\n", False),
    (FLOAT, "def mean(x):\n    return (x[0] + x[1] + x[2]) / 3\n", True),
    (FLOAT, "def mean(x):\n    return x[0] / 3 + x[1] / 3 + x[2] / 3\n", True),  # other rounding
    (FLOAT, "def mean(x):\n    return round((x[0] + x[1] + x[2]) / 3, 4)\n", False),
    (FLOAT, "def mean(x):\n    return [(x[0] + x[1] + x[2]) / 3]\n", False),
    (BIG, "def squares(n):\n    return n * (n + 1) * (2 * n + 1) // 6 if n else []\n", True),
    (BIG, "def squares(n):\n    return n * (n + 1) * (2 * n + 1) / 6 if n else []\n", False),  # a float near by
    (BIG, "def squares(n):\n    return n * (n + 1) * (2 * n + 1) // 6 if n else [0]\n", False),
    (Verifier("diff", BROKEN, "double", DOUBLE.tests), f"```diff\n--- a/p.py\n+++ b/p.py\n{PATCH}\n```", True),
    (Verifier("diff", BROKEN, "double", DOUBLE.tests), PATCH, True),
    (Verifier("diff", BROKEN, "double", DOUBLE.tests), PATCH.replace("-    return x + F", "-    return x - F"), False),
    (Verifier("diff", BROKEN, "double", DOUBLE.tests), RIGHT, False),
    (TESTS, "assert double(3) == 6\nassert double(2) == 4\nassert double(5) == 10", True),
    (TESTS, "```python\ndef test_double():\n    assert double(3) == 6\n```", True),
    (TESTS, "import unittest as u\nclass T(u.TestCase):\n    def test(self): self.assertEqual(double(3), 6)", True),
    (TESTS, ">>> double(3)\n6", True),
    (TESTS, ">>> double(2)\n4", False),  # 2 + 2 is 4, too
    (TESTS, "def test_double():\n    assert double(3) == 7", False),
    (TESTS, "assert True", False),
    (TESTS, "", False),
    (Verifier("literal", expected="[1, 2]"), "```python\n[1,2]\n```", True),
    (Verifier("literal", expected="{'a': 1}"), "`{'a': 1}`", True),
    (Verifier("literal", expected="1"), "1.0", False),
    (Verifier("literal", expected="1"), "True", False),
    (Verifier("literal", expected="1"), "The answer is 1", False),
    (Verifier("literal", expected="'x'"), "__import__('os').getcwd()", False),
    (Verifier("text", expected="x = 1"), "`x = 1`", True),
    (Verifier("text", expected="x = 1"), "x = 2", False),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "double(3)", True),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "double(-3 + 6)", True),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "double(4)", False),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "6", False),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "6 or double(3)", False),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "double(exit())", False),
    (Verifier("expression", before=f"FACTOR = 2\n{RIGHT}", tests="assert ??? == 6"), "6) #", False),
    (QUERY, "```sql\nSELECT a FROM t ORDER BY 1;\n```", True),
    (QUERY, "SELECT a FROM t ORDER BY a DESC", False),
    (QUERY, "SELECT 1 UNION SELECT 3", False),
    (QUERY, "DROP TABLE t", False),
    (QUERY, "SELECT a FROM t ORDER BY a; DELETE FROM t", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def judgements(executor: Executor) -> list[bool]:
    return [judgement.passed for judgement in judge(executor, [(answer, verifier) for verifier, answer, _ in CASES])]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case[0].kind}-{case[1][:30]!r}" for case in CASES])
def test_answers(judgements: list[bool], number: int) -> None:
    assert judgements[number] == CASES[number][2]


def test_a_verifier_reads_back_and_refuses_what_it_does_not_know() -> None:
    for verifier, _, _ in CASES:
        assert Verifier.from_json(verifier.to_json()) == verifier
    for text in ('{"kind": "magic"}', "[]", '{"kind": "text", "expectd": "x"}'):
        with pytest.raises(ValueError, match="verifier"):
            Verifier.from_json(text)


def document(*attempts: str, verifier: Verifier = DOUBLE) -> Document:
    return Document("q", "q", metadata={"attempts": list(attempts), "verifier": verifier.to_json()})


def outcomes(step: VerifyAnswers, *docs: Document) -> list[Document | Removed]:
    step.begin(0, 1)
    try:
        return [outcome for found in step.process_batch(list(docs)) for outcome in found]
    finally:
        step.end()


def test_the_share_of_attempts_that_pass_is_the_difficulty() -> None:
    wrong = "def double(x):\n    return 7\n"
    mixed, hopeless, easy, none = outcomes(
        VerifyAnswers(),
        document(wrong, RIGHT, wrong, RIGHT + "\n"),
        document(wrong, "?"),
        document(RIGHT, RIGHT),
        document(),
    )
    assert mixed.metadata["pass_share"] == 0.5 and mixed.metadata["num_attempts"] == 4
    assert mixed.metadata["answer"] == RIGHT and mixed.metadata["verdicts"][:2] == ["fail", "passed"]
    assert mixed.metadata["agreement"] == 0.5
    assert hopeless.metadata["pass_share"] == 0.0 and easy.metadata["pass_share"] == easy.metadata["agreement"] == 1.0
    assert isinstance(none, Removed) and none.reason == "no_attempts"


def test_filtering_is_on_request() -> None:
    wrong = "def double(x):\n    return 7\n"
    docs = [document(wrong, wrong), document(wrong, RIGHT), document(RIGHT, RIGHT)]
    found = outcomes(VerifyAnswers(min_pass_share=0.25, max_pass_share=0.75), *docs)
    assert [outcome.reason if isinstance(outcome, Removed) else "kept" for outcome in found] == [
        "too_hard",
        "kept",
        "too_easy",
    ]
    (apart,) = outcomes(VerifyAnswers(min_agreement=0.6), document(wrong, RIGHT))
    assert isinstance(apart, Removed) and apart.reason == "no_agreement"
    with pytest.raises(ValueError, match="pass shares"):
        VerifyAnswers(min_pass_share=0.8, max_pass_share=0.2)


def test_what_nothing_judges_has_no_verifier() -> None:
    row = {"kind": "code_to_docstring", "languages": ["Python"], "messages": [{"content": "?"}, {"content": "!"}]}
    assert verifier_of_row(row) is None
    assert verifier_of_row({**row, "kind": "execution_prediction", "languages": ["Go"]}) is None
    unchecked = {"kind": "docstring_to_code", "check": "", "context": "", "function": "f"}
    assert verifier_of_row({**row, **unchecked}) is None


def test_tasks_are_made_of_questions_and_written_as_json_lines(tmp_path: Path) -> None:
    questions, output = tmp_path / "sql", tmp_path / "tasks"
    SqlQABuilder(SqlQAConfig(output_dir=str(questions), num_questions=25, decontaminate=[], num_tasks=1)).run()
    config = TasksConfig(output_dir=str(output), inputs=[str(questions)], json_lines=True, num_tasks=1)
    TasksBuilder(config).run()
    rows = [row for split in ("train", "validation") for row in DatasetFolder(output).rows(None, split)]
    asked = [row for split in ("train", "validation") for row in DatasetFolder(questions).rows(None, split)]
    assert {row["mid"] for row in rows} == {row["mid"] for row in asked} and len(rows) > 15
    assert all(row["prompt"][-1]["role"] == "user" and row["verifier_kind"] == "sql" for row in rows)
    lines = [json.loads(line) for path in output.glob("tasks_*.jsonl") for line in path.read_text().splitlines()]
    assert {line["mid"] for line in lines} == {row["mid"] for row in rows}
    assert all(line["verifier"]["limits"]["wall_seconds"] == 10.0 for line in lines)


def test_a_verifier_that_wrong_answers_pass_is_no_task_and_a_part_may_stay_untried() -> None:
    def task(number: int, wrong: str) -> Document:
        values = {"verifier": DOUBLE.to_json(), "reference": RIGHT, "wrong": [wrong]}
        return Document("q", f"{number:08x}", metadata=values)

    step = CheckTasks(fraction=0.5)
    step.begin(0, 1)
    try:
        docs = [task(1, RIGHT), task(2, "def double(x):\n    return x\n"), task(16**8 - 1, RIGHT)]
        found = [outcome for outcomes in step.process_batch(docs) for outcome in outcomes]
    finally:
        step.end()
    assert [outcome.reason if isinstance(outcome, Removed) else "kept" for outcome in found] == [
        "wrong_answer_passes", "kept", "kept",
    ]  # fmt: skip
