"""Answers that are judged as texts, values, rows and outputs: tables of kinds that users reported, right and wrong."""

import sqlite3
from decimal import Decimal

import pytest

from evals.tasks.bbh import answer_of, is_target
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.choices import letter_of
from evals.tasks.hendrycks_math import judged_pairs
from evals.tasks.latex_answers import final_answer, plain
from evals.tasks.numbers import final_number
from evals.tasks.sql_text import first_statement, is_ordered, query_in, with_sort_keys, without_distinct
from tests.evals.tasks.math_pairs import PAIRS


def verdicts(name, row, *answers):
    return [record.verdict for record in BENCHMARKS[name].judge([row] * len(answers), answers, instruct=True)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### Step 1: eggs\n16 - 3 - 4 = 9\n#### Step 2: money\n9 * 2 = 18\n\nThe answer is **18**.", 18),
        ("#### 1. Eggs\nThere are 9.\n\nSo she makes 18 dollars.", 18),
        ("...\n#### Answer: 18", 18),
        ("...\n#### Final Answer\nShe makes **18** dollars.", 18),
        ("...\n#### **$18**", 18),
        ("...\n#### 18 dollars per day for 2 people", 18),
        ("so 18 #### 18", 18),
        ("The total is $1{,}200$.", 1200),
        ("The total is $1\\,200$.", 1200),
        ("#### 1 200", 1200),
        ("#### 1\u202f200", 1200),
        ("#### 1,234,567.50", "1234567.5"),
        ("#### \u22125", -5),
        ("#### -$5", -5),
        ("#### $-5", -5),
        ("I lost $5: the answer is - 5", -5),
        ("#### .5", "0.5"),
        ("#### 1/2", "0.5"),
        ("The answer is \\(\\frac{3}{4}\\).", "0.75"),
        ("Thus \\boxed{42}. There were 7 days.", 42),
        ("Thus $\\boxed{1{,}042}$.", 1042),
        ("**Answer: 18 dollars** (for 2 people)", 18),
        ("The final answer is: 18.", 18),
        ("The answer is 9 * 2 = 18.", 18),
        ("The answer is 3.5 hours. I checked it 2 times.", "3.5"),
        ("18-10=8", 8),
        ("I get 10-2", -2),
        ("The numbers are 4,5", 5),
        ("\uff11\uff18", 18),
        ("#### 20%", 20),
        ("She makes **18 dollars** from 9 eggs.", 18),
        ("none", None),
    ],
)
def test_the_number_that_an_answer_ends_with(text, number):
    assert final_number(text) == (None if number is None else Decimal(number))


def test_gsm8k_does_not_read_thoughts():
    row = {"task_id": "x", "answer": "so\n#### 18"}
    answers = "<think>\n#### 17\n</think>\n#### 18", "<think>\n#### 18\n", "#### 1.80e1", "#### 18.00"
    assert verdicts("gsm8k", row, *answers) == ["pass", "fail", "fail", "pass"]


def test_gsm8k_does_not_read_a_question_that_the_model_goes_on_with():
    row = {"task_id": "x", "answer": "so\n#### 18"}
    answers = (
        "The answer is 18.\n\nQuestion: Tom has 5 apples and 7 pears. How many?\nAnswer: 12",
        "18\n\n**Problem 2:** And 7 more?\n#### 25",
        "Let me repeat the task.\nQuestion: how many eggs are 9 and 9?\nAnswer: 18",
        "Question: how many eggs are 9 and 9?\nAnswer: 18",
    )
    assert verdicts("gsm8k", row, *answers) == ["pass"] * 4


def test_a_program_whose_stack_overflows_is_said_to_be_one():
    code = "import ctypes\nctypes.string_at(0)"
    (record,) = BENCHMARKS["livecodebench"].judge([POWER], [f"```python\n{READ}{code}\n```"], True)
    assert record.verdict == "fail" and record.message.startswith("ended by SIGSEGV")


@pytest.mark.parametrize(
    ("text", "target", "right"),
    [
        ("So the answer is (A).", "(A)", True),
        ("The answer is (A).", "(A)", True),
        ("the answer is: (A)", "(A)", True),
        ("So the answer is A.", "(A)", True),
        ("So the answer is **(A)**.", "(A)", True),
        ("**So the answer is (A).**", "(A)", True),
        ("So the answer is (A) 12/14/2026.", "(A)", True),
        ("So the answer is option A: red.", "(A)", True),
        ("Answer: (A)", "(A)", True),
        ("**Final Answer:** (A)", "(A)", True),
        ("Thus $\\boxed{\\text{(A)}}$.", "(A)", True),
        ("So the answer is (A).\n\nQ: next\nA: So the answer is (B).", "(A)", True),
        ("the answer is not (B). So the answer is (A).", "(A)", True),
        ("So the answer is (B).", "(A)", False),
        ("So the answer is (A) or (B).\nThe answer is (B).", "(A)", False),
        ("So the answer is A dog.", "(A)", False),
        ("So the answer is yes.", "Yes", True),
        ("So the answer is No, because it is not.", "No", True),
        ("So the answer is not yes.", "Yes", False),
        ('So the answer is "valid".', "valid", True),
        ("So the answer is invalid.", "valid", False),
        ("So the answer is True.", "False", False),
        ("So the answer is ] ) }.", "] ) }", True),
        ("So the answer is ])}.", "] ) }", True),
        ("So the answer is ] } ).", "] ) }", False),
        ("So the answer is 1,234.", "1234", True),
        ("So the answer is -5.", "5", False),
        ("So the answer is apple, pear.", "apple pear", True),
        ("So the answer is pear apple.", "apple pear", False),
        ("<think>The answer is (A).</think>The answer is (B).", "(A)", False),
        ("nothing", "(A)", False),
    ],
)
def test_answers_of_bbh(text, target, right):
    said = answer_of(text)
    assert (said is not None and is_target(said, target)) is right


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" B", "B"),
        ("B.", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B. Paris", "B"),
        ("B) Paris", "B"),
        ("The answer is B.", "B"),
        ("The correct answer is (B) Paris.", "B"),
        ("The correct answer is **B**.", "B"),
        ("Answer: B", "B"),
        ("**Answer:** B", "B"),
        ("Answer: $\\boxed{B}$", "B"),
        ("A looks right, but the answer is C", "C"),
        ("Option D is correct.", "D"),
        ("Let me think.\nIt is Paris.\n\nB", "B"),
        ("So \\boxed{\\text{B}}", "B"),
        ("\u7b54\u6848\uff1aB", "B"),
        ("\u7b54\u6848\u662fB\u3002", "B"),
        ("\u56e0\u6b64\u9009 C\u3002", "C"),
        ("<think>The answer is A</think>B", "B"),
        ("<think>The answer is A", None),
        ("A dog is an animal", None),
        ("I do not know", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_letter_that_an_answer_chooses(text, letter):
    assert letter_of(text) == letter


@pytest.mark.slow
def test_answers_in_latex_are_compared_by_their_parts():
    pairs = [tuple(final_answer(f"so $\\boxed{{{side}}}$.") for side in pair[:2]) for pair in PAIRS]
    verdicts = judged_pairs(pairs)
    wrong = [pair for pair, verdict in zip(PAIRS, verdicts, strict=True) if (verdict == "pass") is not pair[2]]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{5}.", "5"),
        ("so \\boxed 5.", "5"),
        ("so \\boxed{\\frac{1}{2}} and so on", "\\frac{1}{2}"),
        ("\\boxed{3}, so that \\fbox{4}", "4"),
        ("x = \\boxed{2} or x = \\boxed{3}", "2, 3"),
        ("first \\boxed{2}.\n\nThen \\boxed{3}", "3"),
        ("The final answer is 5. I hope it is correct.", "5"),
        ("Answer: 5", "5"),
        ("**Answer:** $x+1$", "x+1"),
        ("The answer is $\\frac{1}{2}$ cm.", "\\frac{1}{2}"),
        ("Thus x = $5$.", "5"),
        ("Thus $x = 5$.", "5"),
        ("a \\boxed{1} b \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{", None),
        ("I do not know", None),
    ],
)
def test_where_the_final_answer_stands(text, answer):
    assert final_answer(text) == answer


def test_spellings_of_one_answer_are_equal():
    assert plain(r"\text{ east }") == "east" and plain("12\\text{ cm}") == "12" and plain(r"1{,}000") == "1000"
    assert plain(r"\left( 3, \frac12 \right)").replace(" ", "") == plain(r"(3,\dfrac{1}{2})")


@pytest.mark.slow
def test_hostile_latex_takes_little_time_and_does_not_pass():
    import time

    hostile = ["2^{2^{2^{2^{2^{99}}}}}", "(" * 140, "__import__('os').system('true')", "9" * 250 + "!"]
    start = time.monotonic()
    assert "pass" not in judged_pairs([("1", text) for text in hostile])
    assert time.monotonic() - start < 90
    start = time.process_time()
    for text in ("\\boxed{" * 30000, "$" * 50000, "answer is " * 20000, "\\boxed" * 30000, "{" * 200000):
        final_answer(text)
        final_number(text)
    assert time.process_time() - start < 10


CRUX = {"id": "c", "code": "def f(s):\n    return s + 'a'", "input": "'bb'", "output": "'bba'"}
CRUX_LIST = {"id": "c", "code": "def f(n):\n    return [0] * n", "input": "3", "output": "[0, 0, 0]"}


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("[ANSWER]'bba'[/ANSWER]", "pass"),
        ("[ANSWER]`'bba'`[/ANSWER]", "pass"),
        ("**[ANSWER]**\nassert f('bb') == 'bba'\n**[/ANSWER]**", "pass"),
        ("[ANSWER]\n```python\nassert f('bb') == 'bba'\n```\n[/ANSWER]", "pass"),
        ("[ANSWER]assert f('bb') == 'bba' # done[/ANSWER]", "pass"),
        ("[ANSWER]assert f('bb') == 'bba'", "pass"),
        ("[ANSWER]So:\nassert f('bb') == 'bba'\n[/ANSWER]", "pass"),
        ("I put it in [ANSWER] tags.\n[ANSWER]assert f('bb') == 'bba'[/ANSWER]", "pass"),
        ("[ANSWER]assert f('bb') == 'bba'[/ANSWER]\nI used [ANSWER] and [/ANSWER] tags.", "pass"),
        ("[ANSWER]assert f('bb') == 'bb' + 'a'[/ANSWER]", "pass"),
        ("<think>[ANSWER]'b'[/ANSWER]</think>[ANSWER]'bba'[/ANSWER]", "pass"),
        ("<think>[ANSWER]'bba'[/ANSWER]", "fail"),
        ("[ANSWER]'bb'[/ANSWER]", "fail"),
        ("[ANSWER]f('bb')[/ANSWER]", "fail"),
        ("[ANSWER]str(f('bb'))[/ANSWER]", "fail"),
        ("[ANSWER](lambda: 'bba')()[/ANSWER]", "fail"),
        ("[ANSWER]['bba' for _ in '1'][0][/ANSWER]", "fail"),
        ("[ANSWER]" + "-" * 5000 + "1[/ANSWER]", "fail"),
        ("[ANSWER]" + "1+" * 3000 + "1[/ANSWER]", "fail"),
    ],
)
def test_forms_of_an_answer_to_cruxeval(said, verdict):
    assert verdicts("cruxeval_output", CRUX, said) == [verdict]


def test_a_value_may_be_computed_of_constants():
    answers = "[ANSWER][0]*3[/ANSWER]", "[ANSWER]set()[/ANSWER]", "[ANSWER][0]*4[/ANSWER]"
    assert verdicts("cruxeval_output", CRUX_LIST, *answers) == ["pass", "fail", "fail"]
    assert verdicts("cruxeval_input", CRUX, "[ANSWER]\n```python\nassert f('bb') == 'bba'\n```\n[/ANSWER]") == ["pass"]


QUERY = "SELECT name, age FROM s WHERE age > 20"


@pytest.mark.parametrize(
    "answer",
    [
        f"Here is the query:\n{QUERY};",
        f"Sure!\n```sql\n{QUERY};\n```\nThis selects; done.",
        f"`{QUERY}`",
        f"The query is `{QUERY};` as asked.",
        f"```sqlite\n{QUERY}\n```",
        f"```sql\n{QUERY}\n```\nResult:\n```\nname|age\nBob|21\n```",
        f"```sql\n-- filter first; then project\n{QUERY}\n```",
        f"<think>need name; and age</think>\n{QUERY}",
        f"{QUERY}; This returns them.",
        f"{QUERY}\n\nThis returns them.",
        f"{QUERY}\nThis returns the rows that were asked for.",
        f"With this query:\n\n{QUERY}",
        f"SQL: {QUERY};",
        f"**{QUERY}**",
        f"> {QUERY}",
        f"```\n{QUERY}```",
        f"```sql\nCREATE TABLE x (a);\n```\n```sql\n{QUERY}\n```",
        f"{QUERY}<|im_end|>",
    ],
)
def test_the_query_of_an_answer(answer):
    code = query_in(answer).code.removeprefix("-- filter first; then project\n")
    assert code == QUERY


@pytest.fixture
def spider_row(tmp_path):
    path = tmp_path / "d.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "create table s(id integer, name text, age integer, gpa real, city text);"
            "insert into s values (1,'Ann',20,3.1,'X;Y'),(2,'Bob',21,3.3,NULL),(3,'Cy',20,3.1,'Z'),"
            "(4,'Dee',NULL,2.0,'Z'),(5,'Bob',30,3.3,'a');"
        )
    return lambda query: {"task_id": "q", "query": query, "database": str(path), "hardness": ""}


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("SELECT id FROM s WHERE city = 'X;Y'", "```sql\nSELECT id FROM s WHERE city = 'X;Y';\n```", "pass"),
        ("SELECT DISTINCT name FROM s", "SELECT name FROM s", "pass"),  # as the official judge
        ("SELECT name FROM s", "SELECT DISTINCT name FROM s", "pass"),
        ("SELECT count(DISTINCT name) FROM s", "SELECT count(name) FROM s", "pass"),
        ("SELECT name FROM s", "SELECT name FROM s GROUP BY name", "fail"),
        ("SELECT name FROM s ORDER  BY age DESC", "SELECT name FROM s ORDER BY age", "fail"),
        ("SELECT name FROM s\nORDER\nBY age DESC", "SELECT name FROM s ORDER BY age", "fail"),
        ("SELECT name FROM s WHERE age=20 ORDER BY gpa", "SELECT name FROM s ORDER BY name LIMIT 1", "fail"),
        ("SELECT name FROM s WHERE age=20 ORDER BY gpa",
         "SELECT name FROM s WHERE age=20 ORDER BY gpa, name DESC", "pass"),
        ("SELECT name, id FROM s ORDER BY gpa DESC, city", "SELECT id, name FROM s ORDER BY gpa DESC, city", "pass"),
        ("SELECT name FROM s ORDER BY gpa", "SELECT name FROM s ORDER BY name", "fail"),
        ("SELECT id FROM s WHERE age IN (SELECT age FROM s WHERE age > 1 ORDER BY age LIMIT 1)",
         "SELECT id FROM s WHERE age=20 ORDER BY id DESC", "pass"),
        ("SELECT id FROM s WHERE name <> 'order by'", "SELECT id FROM s ORDER BY id DESC", "pass"),
        ("SELECT id FROM s -- order by id", "SELECT id FROM s ORDER BY id DESC", "pass"),
        ("SELECT name FROM s WHERE id = 99", "SELECT id, age FROM s WHERE id = 99", "pass"),
        ("SELECT avg(gpa) FROM s", "SELECT sum(gpa)/count(*) FROM s", "pass"),
        ("SELECT id FROM s WHERE id=1", "SELECT '1'", "fail"),
        ("SELECT id FROM s", "DROP TABLE s", "fail"),
        ("SELECT count(*) FROM s", "WITH t AS (SELECT * FROM s) SELECT count(*) FROM t", "pass"),
    ],
)  # fmt: skip
def test_rows_are_compared_as_the_gold_query_asks(spider_row, gold, answer, verdict):
    assert verdicts("spider", spider_row(gold), answer) == [verdict]


def test_signs_in_strings_names_and_comments_are_no_sql():
    assert first_statement("SELECT ';' -- ;\n/* ; */, \";\" FROM t; x") == "SELECT ';' -- ;\n/* ; */, \";\" FROM t"
    assert without_distinct("SELECT DISTINCT 'distinct', \"distinct\" FROM t") == (
        "SELECT  'distinct', \"distinct\" FROM t"
    )
    assert is_ordered("select a from t order\n by a") and not is_ordered("select (select a from t order by a)")
    assert with_sort_keys("SELECT a FROM t ORDER BY b DESC, c + 1") == (
        "SELECT a , b, c + 1 FROM t ORDER BY b DESC, c + 1",
        2,
    )
    assert with_sort_keys("SELECT a FROM t ORDER BY b LIMIT 1") is None


def program(*pairs, function=None):
    kind = "functional" if function else "stdin"
    tests = [{"input": given, "output": output, "testtype": kind} for given, output in pairs]
    return {"task_id": "l", "tests": tests, "function": function, "difficulty": "easy", "starter_code": ""}


POWER = program(("3 5 7\n", "5\n"), ("2 10 1000\n", "24\n"))
ADD = program(("[1,2,3]\n[4,5,6]", "[5,7,9]"), function="add")
READ = "a,b,m=map(int,input().split())\n"
SUMS = "        return [x+y for x,y in zip(a,b)]"


@pytest.mark.parametrize(
    ("row", "code", "verdict"),
    [
        (POWER, f"{READ}print(pow(a, b, m))", "pass"),
        (program(("2\n10\n1000", "24"), function="p"),
         "class Solution:\n    def p(self,a,b,m):\n        return pow(a,b,m)", "pass"),
        (POWER, f"import numpy as np\n{READ}print(int(np.int64(a**b%m)))", "pass"),
        (POWER, f"from __future__ import annotations\n{READ}print(a**b%m)", "pass"),
        (POWER, "def main():\n    " + READ + "    print(a**b%m)\nif __name__ == '__main__':\n    main()", "pass"),
        (POWER, f"import os, sys\n{READ}print(a**b%m)\nsys.stdout.flush()\nos._exit(0)", "pass"),
        (POWER, "import sys, threading\ndef main():\n    " + READ + "    def r(n):\n        return 1 if n == 0 else "
         "a*r(n-1)%m\n    print(r(b))\nsys.setrecursionlimit(10**7)\nthreading.stack_size(1<<27)\n"
         "t = threading.Thread(target=main)\nt.start()\nt.join()", "pass"),
        (POWER, "import sys\nsys.setrecursionlimit(10**6)\ndef r(n):\n    return 0 if n==0 else 1+r(n-1)\n"
         f"assert r(200000)==200000\n{READ}print(a**b%m)", "pass"),
        (POWER, f"{READ}print(open, sum([1]), max(a, b), any([]), min([b]))", "fail"),
        (ADD, f"class Solution:\n    def add(self,a,b):\n{SUMS}\nif __name__ == '__main__':\n    input()", "pass"),
        (ADD, f"class Solution:\n    def add(self,a,b):\n{SUMS}\nn = input()\nprint(Solution().add([n], [1]))", "pass"),
        (program(("1", "0.3"), function="f"), "class Solution:\n    def f(self, x):\n        return 0.1 + 0.2", "pass"),
        (program(("1", "0.3"), function="f"), "class Solution:\n    def f(self, x):\n        return 0.3001", "fail"),
        (program(("1\n", "0.333333333\n")), "print(1/3)", "pass"),
        (program(("1\n", "0.333333333\n")), "print(0.3333)", "fail"),
        (program(("1\n", "3\n")), "print(3.0000001)", "fail"),
        (program(("1\n", "Yes\n")), "print('YES')", "fail"),
        (program(("1\n", "1" + "0" * 5000 + "\n")), "print('1' + '0' * 5000)", "pass"),
        (program(("1\n", "1" + "0" * 5000 + "\n")), "print(10 ** 5000)", "pass"),
        (program(("3\n", "9\n")), "import sys\nn = int(sys.stdin.buffer.readline())\n"
         "sys.stdout.buffer.write(b'%d\\n' % (n * n))", "pass"),
        (program(("[1, 2]", "3"), function="f"), "import numpy as np\nclass Solution:\n    def f(self, a):\n"
         "        return np.sum(a)", "pass"),
        (program(("[1, 2]", "[0.1, 0.2]"), function="f"), "class Solution:\n    def f(self, a):\n"
         "        return [x * 0.1 for x in a]", "pass"),
    ],
)  # fmt: skip
def test_contest_programs_run_as_their_authors_wrote_them(row, code, verdict):
    assert verdicts("livecodebench", row, f"So:\n```python\n{code}\n```\nDone.") == [verdict]


@pytest.mark.parametrize(
    "answer",
    [
        "Input:\n```\n3 5 7\n```\n```python\n{}\n```",
        "```python\n{}\n```\nSample output:\n```\n5\n```",
        "```python\n{}\n```\nTest:\n```python\nassert pow(3, 5, 7) == 5\n```",
        "```\n3 5 7\n```\n```\n{}\n```\n```\n24\n```",
    ],
)
def test_samples_beside_a_program_are_none(answer):
    assert verdicts("livecodebench", POWER, answer.format(f"{READ}print(a**b%m)")) == ["pass"]
