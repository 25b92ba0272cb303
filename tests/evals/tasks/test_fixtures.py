"""Benchmarks whose data cannot be had here: the whole path on rows of ours in their true schema."""

import base64
import csv
import json
import pickle
import sqlite3
import sys
import zlib
from dataclasses import replace

import pytest

from evals.benchmarks.livecodebench import decode_private, load_livecodebench
from evals.benchmarks.rows import BenchmarkDataError
from evals.execution import MissingPackageError
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.ds1000 import indented_like
from evals.tasks.livecodebench import same_output
from evals.tasks.spider import same_rows
from tests.evals.toolchain import needs


def verdicts(benchmark, rows, answers, instruct=False):
    return [record.verdict for record in benchmark.judge(rows, answers, instruct)]


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# LiveCodeBench

PRIVATE = [{"input": "5 6\n", "output": "11\n", "testtype": "stdin"}]
PACKED = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(PRIVATE)))).decode()
STDIN_ROW = {
    "question_title": "Sum", "question_content": "Print the sum.", "question_id": "abc1", "difficulty": "easy",
    "contest_date": "2024-08-05T00:00:00", "starter_code": "", "metadata": "{}", "private_test_cases": PACKED,
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
}  # fmt: skip
METHOD_ROW = {
    **STDIN_ROW, "question_id": "3200", "difficulty": "hard", "metadata": json.dumps({"func_name": "add"}),
    "starter_code": "class Solution:\n    def add(self, a: int, b: List[int]) -> int:\n",
    "public_test_cases": json.dumps([{"input": "1\n[2, 3]", "output": "6", "testtype": "functional"}]),
    "private_test_cases": json.dumps([{"input": "4\n[]", "output": "4", "testtype": "functional"}]),
}  # fmt: skip
OLD_ROW = {**STDIN_ROW, "question_id": "abc0", "contest_date": "2023-05-01T00:00:00"}


@pytest.fixture
def livecodebench(tmp_path, monkeypatch):
    write_lines(tmp_path / "livecodebench" / "test.jsonl", [STDIN_ROW, METHOD_ROW, OLD_ROW])
    benchmark = BENCHMARKS["livecodebench"]
    source = replace(benchmark.source, num_rows=3)
    with pytest.raises(BenchmarkDataError, match="'easy': 22"):
        load_livecodebench(source, tmp_path)
    return benchmark, load_livecodebench(source, tmp_path, {"easy": 1, "hard": 1})[0]


def test_livecodebench_runs_every_test_of_programs_and_methods(livecodebench):
    benchmark, (program, method) = livecodebench
    right = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
    only_public = "```python\ninput()\nprint(3)\n```"
    solution = (
        "```python\nclass Solution:\n    def add(self, a: int, b: List[int]) -> int:\n        return a + sum(b)\n```"
    )
    assert verdicts(benchmark, [program] * 2, [right, only_public], instruct=True) == ["pass", "fail"]
    assert verdicts(benchmark, [method] * 2, [solution, solution.replace("sum(b)", "5")], True) == ["pass", "fail"]
    assert benchmark.subsets(method) == {"difficulty": "hard"}
    cheat = "```python\nprint('3\\n11')\nraise SystemExit(0)\n```"
    assert verdicts(benchmark, [program], [cheat], instruct=True) == ["fail"]


def test_livecodebench_prompts(livecodebench):
    benchmark, (program, method) = livecodebench
    paper = benchmark.prompt(program, "paper", instruct=True)
    assert paper.startswith(
        "You are an AI programming assistant, you answer questions related to computer science.\n\n###"
    )
    assert paper.endswith(
        "Enclose your code within delimiters as follows.\n```python\n# YOUR CODE HERE\n```\n\n### Response:\n\n"
    )
    standard = benchmark.prompt(method, "standard", instruct=True)
    assert standard.endswith(f"within delimiters.\n```python\n{METHOD_ROW['starter_code']}\n```\n\n")


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_pickle_that_is_no_text_is_refused_before_anything_is_called(capsys):
    for value in (Evil(), [1], b"bytes"):
        packed = base64.b64encode(zlib.compress(pickle.dumps(value))).decode()
        with pytest.raises(ValueError, match="where one text was expected"):
            decode_private(packed)
    assert "unpickled" not in capsys.readouterr().out
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        packed = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(PRIVATE), protocol))).decode()
        assert decode_private(packed) == PRIVATE


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ("1 2\n3\n", "1 2 \n3", True),
        ("1.0", "1", True),
        ("1\n", "1\n\n2", False),
        ("a", "b", False),
        ("YES", "YES", True),
    ],
)
def test_outputs_are_compared_line_by_line(found, expected, same):
    assert same_output(found, expected) is same


# BigCodeBench and DS-1000: the programs run in another environment, here this one

BCB_ROW = {
    "task_id": "BigCodeBench/0", "entry_point": "task_func", "libs": "['numpy', 'json']",
    "complete_prompt": 'import numpy as np\nimport json\n\ndef task_func(n):\n    """Ones as JSON."""\n',
    "instruct_prompt": "Return n ones as JSON.\n", "code_prompt": "import numpy as np\nimport json\ndef task_func(n):\n",
    "canonical_solution": "    return json.dumps(np.ones(n).tolist())\n",
    "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test_two(self):\n"
    "        self.assertEqual(task_func(2), '[1.0, 1.0]')\n",
}  # fmt: skip


def test_bigcodebench_runs_its_unit_tests(tmp_path, monkeypatch):
    write_lines(tmp_path / "bigcodebench" / "bigcodebench_full.jsonl", [BCB_ROW, {**BCB_ROW, "task_id": "1"}])
    benchmark = BENCHMARKS["bigcodebench"]
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    rows, _ = benchmark.load(tmp_path)
    wrong, early = "    return '[]'\n", "    return None\nimport os; os._exit(0)\n"
    assert verdicts(benchmark, [rows[0]] * 3, [benchmark.gold(rows[0]), wrong, early]) == ["pass", "fail", "fail"]
    chat = f"```python\n{BCB_ROW['code_prompt']}{BCB_ROW['canonical_solution']}\n```"
    assert verdicts(benchmark, rows[:1], [chat], instruct=True) == ["pass"]
    paper = benchmark.prompt(rows[0], "paper", instruct=True)
    assert "block:\n```\nReturn n ones as JSON.\n```\n Below is a Python script" in paper and paper.endswith(
        "```python\n"
    )
    write_lines(tmp_path / "bigcodebench" / "bigcodebench_full.jsonl", [{**BCB_ROW, "libs": "['no_such']"}] * 2)
    with pytest.raises(MissingPackageError, match="lacks no_such; run `bash evals/environments"):
        benchmark.load(tmp_path)


DS_ROW = {
    "prompt": "Problem: the mean.\n<code>\nimport numpy as np\na = np.array([1, 3])\n</code>\nresult = ... # put solution\n"
    "BEGIN SOLUTION\n<code>\n",
    "reference_code": "result = a.mean()",
    "code_context": "import numpy as np\ndef test_execution(solution):\n    env = {}\n"
    "    exec('import numpy as np\\na = np.array([1, 3])\\n' + solution, env)\n    assert env['result'] == 2\n"
    "def test_string(solution):\n    assert 'for' not in solution\n",
    "metadata": {"problem_id": 7, "library_problem_id": 7, "library": "Numpy", "test_case_cnt": 1,
                 "perturbation_type": "Origin", "perturbation_origin_id": 7},
}  # fmt: skip


def test_ds1000_runs_in_the_environment_that_is_named_and_only_there(tmp_path, monkeypatch):
    other = {**DS_ROW, "metadata": {**DS_ROW["metadata"], "problem_id": 8, "perturbation_type": "Difficult-Rewrite"}}
    write_lines(tmp_path / "ds1000" / "test.jsonl", [DS_ROW, other])
    benchmark = BENCHMARKS["ds1000"]
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    monkeypatch.delenv("LING_DS1000_PYTHON", raising=False)
    monkeypatch.setenv("LING_TOOLCHAINS_DIR", str(tmp_path / "toolchains"))
    with pytest.raises(MissingPackageError, match="set LING_DS1000_PYTHON"):
        benchmark.load(tmp_path)
    made = tmp_path / "toolchains" / "environments" / "ds1000" / "bin" / "python"  # as evals/environments.sh makes it
    made.parent.mkdir(parents=True)
    made.symlink_to(sys.executable)
    assert benchmark.interpreter == str(made)
    monkeypatch.setenv("LING_DS1000_PYTHON", sys.executable)
    assert benchmark.interpreter == sys.executable
    rows, _ = benchmark.load(tmp_path)
    assert verdicts(benchmark, [rows[0]] * 2, [benchmark.gold(rows[0]), "result = 1"]) == ["pass", "fail"]
    answers = [
        "<code>\nresult = a.mean()\n</code>",
        "```python\nresult = sum(a) / 2\n```",
        "```\nfor x in a: result = 2\n```",
    ]
    assert verdicts(benchmark, [rows[0]] * 3, answers, instruct=True) == ["pass", "pass", "fail"]
    assert benchmark.cluster(rows[0]) == benchmark.cluster(rows[1])
    assert benchmark.subsets(rows[1]) == {"library": "Numpy", "perturbation": "Difficult-Rewrite"}


def test_a_completion_inside_a_function_gets_its_indentation_back():
    prompt = "def f(a):\n    # return the solution\n    ### BEGIN SOLUTION\n"
    assert indented_like("b = a\n\nreturn b", prompt) == "    b = a\n\n    return b"
    assert indented_like("    return a", prompt) == "    return a"
    assert indented_like("x = 1", "BEGIN SOLUTION\n") == "x = 1"


# Spider


@pytest.fixture
def spider(tmp_path, monkeypatch):
    folder = tmp_path / "spider" / "database" / "shop"
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "shop.sqlite")
    connection.executescript(
        "CREATE TABLE item (id INTEGER, name TEXT, price REAL);"
        "INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 4), (3, 'nib', 0.5);"
    )
    connection.commit()
    connection.close()
    question = {"db_id": "shop", "question": "Names and prices, cheapest first?", "hardness": "medium"}
    rows = [
        {**question, "query": "SELECT name, price FROM item ORDER BY price"},
        {**question, "query": "SELECT id FROM item"},
    ]
    (tmp_path / "spider" / "test.json").write_text(json.dumps(rows))
    benchmark = BENCHMARKS["spider"]
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    return benchmark, benchmark.load(tmp_path)[0], folder


def test_spider_compares_rows_and_changes_nothing(spider):
    benchmark, rows, folder = spider
    before = (folder / "shop.sqlite").read_bytes()
    answers = {
        "SELECT name, price FROM item ORDER BY price ASC": "pass",
        "SELECT price, name FROM item ORDER BY price": "pass",
        "SELECT name, price FROM item ORDER BY price DESC": "fail",
        "SELECT name FROM item ORDER BY price": "fail",
        "DELETE FROM item": "fail",
        "ATTACH '/etc/passwd' AS x": "fail",
        "SELECT load_extension('x')": "fail",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c": "timeout",
        "not SQL": "fail",
    }
    monkey = replace(benchmark.limits, wall_seconds=2, cpu_seconds=2)
    benchmark.limits, kept = monkey, benchmark.limits
    try:
        chat = [f"Here:\n```sql\n{query};\n```" for query in answers]
        assert verdicts(benchmark, [rows[0]] * len(chat), chat, instruct=True) == list(answers.values())
    finally:
        benchmark.limits = kept
    assert verdicts(benchmark, [rows[1]], [" id FROM item ORDER BY id DESC"]) == ["pass"], "no ORDER BY, base model"
    assert (folder / "shop.sqlite").read_bytes() == before
    assert benchmark.prompt(rows[0], "paper", instruct=True) == (
        "CREATE TABLE item (id INTEGER, name TEXT, price REAL);\n\n\n-- Using valid SQLite, answer the following questions "
        "for the tables provided above.\nQuestion: Names and prices, cheapest first?\n"
        "Please output only the final SQL query, starts with keyword `SELECT`."
    )


def test_spider_without_its_databases_is_unscorable(spider, tmp_path):
    (tmp_path / "spider" / "database" / "shop" / "shop.sqlite").unlink()
    with pytest.raises(BenchmarkDataError, match="the database shop is not there"):
        BENCHMARKS["spider"].load(tmp_path)


def test_rows_are_compared_as_sets_with_counts():
    assert same_rows([[1, "a"], [1, "a"]], [["a", 1], ["a", 1.0]], ordered=False)
    assert not same_rows([[1], [1], [2]], [[1], [2], [2]], ordered=False)
    assert not same_rows([[1], [2]], [[2], [1]], ordered=True)
    assert same_rows([], [], ordered=True)


# MBXP-PLUS

MBXP = {
    "cpp": ("#include <bits/stdc++.h>\nusing namespace std;\nint twice(int n) {\n", "    return 2 * n;\n}",
            "int main(int argc, char* argv[]) {\n    if (twice(3) != 6) {\n        throw runtime_error(\"0\");\n    }\n"
            "\n    return 0;\n}"),
    "java": ("import java.util.*;\nclass Twice {\n    public static int twice(int n) {\n", "        return 2 * n;\n    }\n}",
             "class Main {\n    public static void main(String[] args) throws Exception {\n"
             "        if (Twice.twice(3) != 6) throw new Exception(\"0\");\n    }\n}"),
    "php": ("<?php\nfunction twice($n) {\n", "    return 2 * $n;\n}\n", "if (twice(3) !== 6) { throw new Exception(\"0\"); }"),
    "typescript": ("function twice(n: number): number {\n", "    return 2 * n;\n}\n",
                   "if (twice(3) !== 6) { throw 'Error at 1th assert statement.'; }"),
    "go": ("package main\nimport (\n    \"encoding/json\"\n    \"reflect\"\n)\n\nfunc twice(n int) int {\n",
           "    return 2 * n\n}\n",
           "func main() {\n    if !reflect.DeepEqual(twice(3), 6) {\n        panic(\"0\")\n    }\n}"),
    "javascript": ("function twice(n) {\n", "    return 2 * n;\n}\n",
                   "const _ = require(\"lodash\");\nif (!_.isEqual(twice(3), 6)) { throw 'Error at 1th assert statement.'; }"),
}  # fmt: skip


@pytest.mark.parametrize("language", MBXP)
def test_mbxp_plus_in_its_six_languages(language):
    needs(language)
    prompt, gold, test = MBXP[language]
    row = {"task_id": "X/3", "prompt": prompt, "entry_point": "twice", "test": test, "canonical_solution": gold,
           "description": "Double it.", "description_cn": "加倍。"}  # fmt: skip
    english, chinese = BENCHMARKS[f"mbxp_plus_en_{language}"], BENCHMARKS[f"mbxp_plus_cn_{language}"]
    assert verdicts(english, [row] * 2, [gold, gold.replace("2", "3")]) == ["pass", "fail"]
    answer = f"当然:\n```{language}\n{prompt}{gold}\n```"
    assert verdicts(chinese, [row] * 2, [answer, answer.replace("2", "3")], instruct=True) == ["pass", "fail"]
    assert english.prompt(row, "paper", True).endswith(f":\nDouble it.\nYour code should satisfy these tests:\n{test}")
    assert chinese.prompt(row, "paper", True).startswith("请用") and "完成下述需求:\n加倍。你的代码" in chinese.prompt(
        row, "paper", True
    )


# Multiple choice and MATH


def test_choices_take_the_five_examples_of_their_subject(tmp_path, monkeypatch):
    question = {"question": "1 + 1?", "subject": "abstract_algebra", "choices": ["1", "2", "3", "4"], "answer": 1}
    write_lines(tmp_path / "mmlu" / "test.jsonl", [question, {**question, "question": "2 + 1?", "answer": 2}])
    write_lines(tmp_path / "mmlu" / "dev.jsonl", [{**question, "question": f"example {n}"} for n in range(5)])
    benchmark = BENCHMARKS["mmlu"]
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    monkeypatch.setattr("evals.benchmarks.choices.MMLU_EXAMPLES", 5)
    rows, _ = benchmark.load(tmp_path)
    assert [row["task_id"] for row in rows] == ["abstract_algebra/0", "abstract_algebra/1"]
    prompt = benchmark.prompt(rows[0], "standard", instruct=False)
    assert prompt.startswith(
        "The following are multiple choice questions (with answers) about abstract algebra.\n\nexample 0\nA. 1\n"
    )
    assert prompt.count("Answer: B\n\n") == 5 and prompt.endswith("1 + 1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:")
    assert verdicts(benchmark, rows, ["B", "B"]) == ["pass", "fail"]
    from evals.tasks.lighteval_tasks import task_of

    task = task_of(benchmark, "standard", instruct=False)
    assert task.prompt_function(rows[1], "x").choices == [" A", " B", " C", " D"]


@pytest.mark.parametrize(("name", "split"), [("ceval", "val"), ("cmmlu", "test")])
def test_chinese_choices_are_read_from_the_authors_tables(name, split, tmp_path, monkeypatch):
    columns = (
        ["id", "question", "A", "B", "C", "D", "answer"]
        if name == "ceval"
        else ["", "Question", "A", "B", "C", "D", "Answer"]
    )
    for folder, number in ((split, 2), ("dev", 5)):
        (tmp_path / name / folder).mkdir(parents=True)
        ending = f"_{folder}" if name == "ceval" else ""
        with open(tmp_path / name / folder / f"logic{ending}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows([n, f"问题{n}", "甲", "乙", "丙", "丁", "C"] for n in range(number))
    benchmark = BENCHMARKS[name]
    with pytest.raises(BenchmarkDataError, match="has 2 questions"):
        benchmark.load(tmp_path)
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    rows, _ = benchmark.load(tmp_path)
    prompt = benchmark.prompt(rows[1], "paper", instruct=False)
    assert prompt.count("答案：C") == 5 and prompt.endswith("问题1\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案：")
    assert benchmark.subsets(rows[0]) == {"subject": "logic"}


def test_math_compares_what_is_boxed_as_text_and_then_as_a_value(tmp_path, monkeypatch):
    row = {"problem": "1/4 + 1/4?", "level": "Level 1", "type": "Algebra", "solution": r"It is $\boxed{\frac{1}{2}}$."}
    write_lines(tmp_path / "math" / "test.jsonl", [row, row])
    benchmark = BENCHMARKS["math"]
    monkeypatch.setattr(benchmark, "source", replace(benchmark.source, num_rows=2))
    rows, _ = benchmark.load(tmp_path)
    answers = [row["solution"], r"\boxed{\dfrac12}", "The final answer is $0.5$. I hope it is correct.", r"\boxed{\frac{2}{4}}",
               r"\boxed{\frac{1}{3}}", "no idea", r"\boxed{__import__('os').system('x')}"]  # fmt: skip
    assert verdicts(benchmark, [rows[0]] * 7, answers) == ["pass"] * 4 + ["fail"] * 3
    assert benchmark.prompt(rows[0], "paper", False).endswith("\n\nProblem:\n1/4 + 1/4?\n\nSolution:")
