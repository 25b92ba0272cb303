"""A right function is judged right in whatever form a chat model writes it, and what is no answer is not."""

import pytest

from evals.tasks.answers import extract
from evals.tasks.blocks import blocks, final_text, label_of
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.python_text import as_body, as_module, without_demonstration
from tests.evals.conftest import PROBLEMS
from tests.evals.tasks.answer_forms import FORMS, UNANSWERED, fenced

ROW = PROBLEMS[1]
CODE = ROW["prompt"] + ROW["canonical_solution"]


def test_every_form_of_a_right_answer_passes():
    answers = [write(CODE, ROW["entry_point"]) for write in FORMS.values()]
    records = BENCHMARKS["humaneval"].judge([ROW] * len(answers), answers, instruct=True)
    wrong = [(form, record.message) for form, record in zip(FORMS, records, strict=True) if record.verdict != "pass"]
    assert wrong == []


def test_what_is_no_answer_does_not_pass():
    answers = [write(CODE, ROW["entry_point"]) for write in UNANSWERED.values()]
    records = BENCHMARKS["humaneval"].judge([ROW] * len(answers), answers, instruct=True)
    assert [form for form, record in zip(UNANSWERED, records, strict=True) if record.verdict == "pass"] == []
    hows = [extract(answer, "python", ROW["entry_point"]).how for answer in answers[:4]]
    assert hows == ["unfinished_thought"] * 3 + ["nothing"]


@pytest.mark.parametrize(
    "answer",
    [
        fenced("return twice(twice(text))"),
        fenced("    return twice(twice(text))"),
        "    return twice(twice(text))\n",
        fenced("four_times = lambda text: twice(text) * 2"),
        fenced("four_times = lambda text: twice(text) * 2") + "Use:\n" + fenced("print(four_times('a'))"),
        "Use `twice`:\n\n    def four_times(text):\n        return 4 * text\n\nIt's short.",
        "The body is ```python return 4 * text```",
        fenced("class Text(str):\n    pass\ndef four_times(text):\n    return 4 * text\nx = Text(input())\nx.upper()"),
        fenced("def four_times(text):\n    return 4 * text\nx = four_times(3)\nassert x == 'x'\nx.upper()"),
    ],
)
def test_bodies_and_lambdas(answer):
    [record] = BENCHMARKS["humaneval"].judge([ROW], [answer], instruct=True)
    assert record.verdict == "pass", record.message


RIGHT = {
    "java": "class Problem {\n    public static int add(int a, int b) {\n        return a + b;\n    }\n}\n",
    "javascript": "const add = (a, b) => a + b;\n",
    "typescript": "function add(a: number, b: number): number {\n  return a + b;\n}\n",
    "cpp": "#include <vector>\nlong add(long a, long b) {\n    return a + b;\n}\n",
    "csharp": "class Problem {\n    public static int add(int a, int b) {\n        return a + b;\n    }\n}\n",
    "php": "function add($a, $b) {\n    return $a + $b;\n}\n",
    "rust": "fn add(a: i64, b: i64) -> i64 {\n    a + b\n}\n",
    "go": "func add(a int, b int) int {\n\treturn a + b\n}\n",
    "bash": "add() {\n    echo $(($1 + $2))\n}\n",
}
HELPERS = {
    "javascript": ("function one() {\n  return 1;\n}", "one()"),
    "typescript": ("function one(): number {\n  return 1;\n}", "one()"),
    "cpp": ("int one() {\n    return 1;\n}", "one()"),
    "php": ("function one() {\n    return 1;\n}", "one()"),
    "rust": ("fn one() -> i64 {\n    1\n}", "one()"),
    "go": ("func one() int {\n\treturn 1\n}", "one()"),
}
WRAPPED = {
    "fence": lambda code, label: fenced(code, label),
    "text and fence on one line": lambda code, label: f"Here: ```{label}\n{code}\n```\nDone.",
    "closing fence on a line of code": lambda code, label: f"```{label}\n{code.rstrip()}```\nDone.",
    "four backticks": lambda code, label: fenced(code, label, "````"),
    "quotation": lambda code, label: "".join(f"> {line}\n" for line in fenced(code, label).splitlines()),
    "list": lambda code, label: "1. " + fenced(code, label).replace("\n", "\n   "),
    "CRLF": lambda code, label: fenced(code, label).replace("\n", "\r\n"),
    "mark": lambda code, label: fenced(code, label).rstrip() + "<|im_end|>",
    "no fence": lambda code, label: f"Here is the function:\n\n{code}\nIt adds two numbers, that's all.\n",
    "output last": lambda code, label: fenced(code, label) + "Output:\n" + fenced("3", ""),
    "thought": lambda code, label: f"<think>\n{fenced('x', label)}</think>\n{fenced(code, label)}",
    "comment with a fence": lambda code, label: fenced(code, label) if label == "bash" else fenced(
        f"{'#' if label == 'php' else '//'} ```\n{code}", label
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", WRAPPED)
@pytest.mark.parametrize("language", RIGHT)
def test_one_mechanism_finds_the_code_in_all_languages(language, form):
    code = RIGHT[language]
    found = extract(WRAPPED[form](code, language), language, "add").code
    if form == "comment with a fence" and language != "bash":
        found = found.split("```\n", 1)[1]
    assert found.split() == code.split()


@pytest.mark.parametrize("language", HELPERS)
def test_a_helper_of_another_block_is_put_before_what_uses_it(language):
    helper, call = HELPERS[language]
    code = RIGHT[language].replace("a + b", f"a + b - {call} + {call}").replace("$a + $b", f"$a + $b + {call}")
    for answer in (
        fenced(helper, language) + "then\n" + fenced(code, language),
        fenced(code, language) + "with\n" + fenced(helper, language),
    ):
        assert extract(answer, language, "add").code.split() == f"{helper}\n{code}".split()
    unused = fenced(helper, language) + fenced(RIGHT[language], language)
    assert extract(unused, language, "add").code == RIGHT[language]


@pytest.mark.parametrize("language", ["cpp", "javascript", "typescript", "rust", "go", "php"])
def test_what_breaks_off_behind_the_function_is_left_out(language):
    code = RIGHT[language]
    answer = f'```{language}\n{code}\n{"function" if language == "php" else code.split()[0]} main(x, {{ add(1, "2'
    found = extract(answer, language, "add")
    assert found.how == "unclosed" and found.code.split() == code.split()
    inside = extract(f"```{language}\n{code.rstrip()[:-1].rstrip()}", language, "add")
    assert inside.code.split() == code.rstrip()[:-1].split() or language == "javascript", (
        "the function itself is not mended"
    )


@pytest.mark.parametrize(
    ("info", "language", "code"),
    [
        ("python", "python", ""),
        (" Python3 ", "python", ""),
        ("python3.11", "python", ""),
        ("{.python .numberLines}", "python", ""),
        ("python:main.py", "python", ""),
        ("python def f(x):", "python", "def f(x):"),
        ("python title=x.py", "python", ""),
        ("c++17", "cpp", ""),
        ("C#", "csharp", ""),
        ("tsx", "typescript", ""),
        ("node.js", "javascript", ""),
        ("rust,editable", "rust", ""),
        ("text", "text", ""),
        ("", "", ""),
    ],
)
def test_labels(info, language, code):
    assert label_of(info) == (language, code)


def test_marks_in_code_are_code():
    code = "def f(text):\n    return text.replace('<|im_end|>', '').split('</think>')\n"
    assert extract(fenced(code), "python", "f").code == code
    assert final_text("<think>a</think>b\n<think>c</think>d") == "b\nd"
    assert final_text("I put it in <think> marks: x") == "I put it in <think> marks: x"
    assert final_text("<think>\nuse </think> here\n</think>\nx").strip() == "x"


def test_fences_that_sentences_speak_of_are_none():
    text = "I close it with ``` as asked.\n" + fenced("x = 1") + "Do not forget the ``` at the end."
    assert [block.code for block in blocks(text, "python")] == ["x = 1\n"]


def test_many_fences_take_little_time():
    import time

    for text in (
        "```python\n" * 20000,
        "```\nx\n" * 20000,
        "> " * 50000 + "```",
        "def f(:\n" * 20000,
        "<think>" * 20000,
    ):
        start = time.process_time()
        extract(text, "python", "f")
        assert time.process_time() - start < 5


def test_main_guards_do_not_hold_and_future_imports_come_first():
    source = (
        "x = 1\nfrom __future__ import annotations\nif __name__ == '__main__' and x:\n    y = 2\nelse:\n    y = 3\n"
    )
    assert as_module(source) == (
        "from __future__ import annotations\nx = 1\npass\nif False and x:\n    y = 2\nelse:\n    y = 3\n"
    )
    untouched = "def f():\n    return __name__ == '__main__'\ntext = \"if __name__ == '__main__':\"\n"
    assert as_module(untouched) == untouched


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("def f(x):\n    return x\nprint(f(1))\n", "def f(x):\n    return x\npass\n"),
        ("n = int(input())\ndef f(x):\n    return x\nm = n + 1\nq = 2\n",
         "pass\ndef f(x):\n    return x\npass\nq = 2\n"),
        ("table = []\nfor i in range(3):\n    table.append(i)\ndef f(x):\n    return table[x]\n", None),
        ("def f(x):\n    return x\nf = memoize(f)\n", None),
        ("def f(x):\n    return known[x]\nknown = [f0(1)]\n", None),
        ("def g():\n    return input()\ndef f(x):\n    return x\nif 1:\n    g()\n",
         "def g():\n    return input()\ndef f(x):\n    return x\npass\n"),
        ("@cache(name=1)\ndef f(x):\n    return x\nx = f(2)\nx.a\n",
         "@cache(name=1)\ndef f(x):\n    return x\npass\npass\n"),
        ("exit(0)\ndef f(x):\n    return x\n", None),
        ("print(1)\n", None),
    ],
)  # fmt: skip
def test_what_shows_the_function_is_left_out_and_what_it_needs_is_not(code, kept):
    assert without_demonstration(code, "f") == (code if kept is None else kept)


def test_a_body_gets_its_margin():
    assert as_body("x = 1\nreturn x\n", "f") == "    x = 1\n    return x"
    assert as_body("def f():\n    return 1\n", "f") == "def f():\n    return 1\n"
    assert as_body("    return 1", "f") == "    return 1"
