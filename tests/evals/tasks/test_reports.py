"""What users of other harnesses reported as judged wrong, each as a small answer of our own: the right verdict."""

import pytest

from evals.tasks.catalog import BENCHMARKS

HELLO = {
    "task_id": "r/0",
    "prompt": 'def return_hello():\n    """Return hello."""\n',
    "canonical_solution": "    return 'hello'\n",
    "test": "def check(candidate):\n    assert candidate() == 'hello'\n",
    "entry_point": "return_hello",
}
CODE = "def return_hello():\n    return 'hello'\n"
CODE_ANSWERS = {
    "evalplus#297: drafts in a thought whose opening mark is in the prompt": (
        "Draft:\n```python\ndef return_hello():\n    return 1\n```\nSo the answer is ready.\n</think>\n" + CODE
    ),
    "human-eval-bia#76: prose inside of the only fence": (
        f"```\nIt's a simple function without libraries. The code is:\n\n{CODE}\nIt just returns it.\n```"
    ),
    "human-eval-bia#76: fences of other lengths": (
        "Here is a plan:\n    `````python\n    # Step 1: define it.\n    ```\n\nNow the code:\n\n````python\n"
        f"# Step 1\n\n\n{CODE}```\n"
    ),
    "omlx#2661: drafts of functions in a thought, no fence": (
        f"<think>\nMaybe\ndef return_hello():\n    return 'helo'\n\nno, hello.\n</think>\n\n{CODE}"
    ),
    "lumen#28: no block at all": f"Sure! Here is the function.\n{CODE}",
    "LiveCodeBench#118: a summary in a block behind the code": (
        f"```python\n{CODE}```\n\nSummary:\n\n```markdown\n- it returns hello\n```"
    ),
    "evalscope#1170: several blocks, the first a draft": (
        f"First try:\n```python\ndef return_hello():\n    return 'x'\n```\nFixed:\n```python\n{CODE}```"
    ),
    "can-ai-code#5: the instruction repeated, with a fence in it": (
        f"Return the function enclosed in a ``` block.\n\n### Assistant: here it is:\n```python\n{CODE}```\nDone."
    ),
    "opencompass#129: the question's head repeated before the code": (
        f"```python\n{HELLO['prompt']}    return 'hello'\n```"
    ),
}  # fmt: skip
MATH = {
    "lm-eval#2552: display math": ("42", "Thus the answer is \\[ \\boxed{42} \\]", "pass"),
    "lm-eval#3643: bold answer, no box": ("4", "The difference is $8-4$.\n\n**Answer:** 4.", "pass"),
    "lm-eval#3477: the instruction repeated": (
        "4", "I was told: Mark your solution with \\boxed\nSo \\boxed{4}.", "pass"),
    "lm-eval#3644: an interval": ("[2,5)", "The domain is \\boxed{[2,5)}", "pass"),
    "lm-eval#3644: boxes of their own": ("3, 5, 7", "\\boxed{3}, \\boxed{5}, \\boxed{7}", "pass"),
    "lm-eval#3652: both signs": ("1 \\pm \\sqrt{19}", "\\boxed{1 + \\sqrt{19}, 1 - \\sqrt{19}}", "pass"),
    "lm-eval#3652: capitals": ("\\text{east}", "\\boxed{\\text{East}}", "pass"),
    "lm-eval#3652: fractions in a matrix": (
        "\\begin{pmatrix} -1/3 \\\\ 2/3 \\\\ 5/3 \\end{pmatrix}",
        "\\boxed{\\begin{pmatrix} -\\dfrac{1}{3} \\\\ \\dfrac{2}{3} \\\\ \\dfrac{5}{3} \\end{pmatrix}}", "pass"),
    "lm-eval#3652: thousands": ("10,\\!080", "\\boxed{10080}", "pass"),
    "lm-eval#3652: thousands with a comma": ("58,500", "\\boxed{58500}", "pass"),
    "lm-eval#3652: a letter": ("\\text{(C)}", "\\boxed{C}", "pass"),
    "lm-eval#3652: units": ("864 \\mbox{ inches}^2", "\\boxed{864}", "pass"),
    "lm-eval#3652: cents": ("5.4 \\text{ cents}", "\\boxed{5.4}", "pass"),
    "lm-eval#3652: order of terms": ("\\frac{11+9a}{20}", "\\boxed{\\dfrac{9a + 11}{20}}", "pass"),
    "lm-eval#3652: an ordinal": ("12", "\\boxed{12^{\\text{th}}}", "pass"),
    "lm-eval#3652: membership": ("x \\in [-2,7]", "\\boxed{[-2, 7]}", "pass"),
    "Math-Verify#57: one box said twice": (
        "1", "I think the answer is \\boxed{1}. Yeah so the reason why the answer is \\boxed{1} is this.", "pass"),
    "Math-Verify#70: a fraction": ("\\dfrac{9}{7}", "\\boxed{9/7}", "pass"),
}  # fmt: skip
GSM8K = {
    "lm-eval#3438: the examples recited": ("18", "They had #### 5 first.\n#### 9\nNow mine:\n#### 18", "pass"),
    "tpu-inference#2318: bold, escaped dollars": ("18", "**Answer: \\$18 per day.**", "pass"),
    "lm-eval#1159: so, the answer is": ("18", "so, the answer is 18 for all 3 days", "pass"),
}


def verdict(name, row, answer):
    [record] = BENCHMARKS[name].judge([row], [answer], instruct=True)
    return record.verdict


@pytest.mark.parametrize("report", CODE_ANSWERS)
def test_reports_about_code(report):
    assert verdict("humaneval", HELLO, CODE_ANSWERS[report]) == "pass"


@pytest.mark.parametrize("report", MATH)
def test_reports_about_math(report):
    truth, answer, right = MATH[report]
    row = {"task_id": "m", "solution": f"so $\\boxed{{{truth}}}$.", "level": "1", "type": "a"}
    assert verdict("math", row, answer) == right


@pytest.mark.parametrize("report", GSM8K)
def test_reports_about_word_problems(report):
    truth, answer, right = GSM8K[report]
    assert verdict("gsm8k", {"task_id": "g", "answer": f"#### {truth}"}, answer) == right


def test_report_about_letters():
    """NeMo-Skills#1526: letters in a box of mathematics beside an answer that is said."""
    row = {"subject": "s", "task_id": "c", "question": "", "options": [], "answer": "D"}
    answer = "so \\boxed{\\langle H\\rangle \\ll \\Delta E}\n\n**Answer: D**"
    assert verdict("mmlu", row, answer) == "pass"
