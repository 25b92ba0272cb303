"""Finding the code in answers as chat models write them."""

import pytest

from evals.tasks.answers import extract
from evals.tasks.syntax import class_body, defines, definitions, packages_used, without_function

ADD = "def add(a, b):\n    return a + b\n"
PROSE = f"Sure! Here is the function.\n\n```python\n{ADD}```\n\nIt adds the numbers."
USE = f"{PROSE}\n\nExample of use:\n\n```python\nprint(add(1, 2))\n```\n\nOutput:\n\n```\n3\n```\n"
CORRECTED = f"```python\ndef add(a, b):\n    return a - b\n```\nWait, that is wrong:\n```python\n{ADD}```"


@pytest.mark.parametrize(
    ("answer", "language", "code", "how"),
    [
        (PROSE, "python", ADD, "fenced"),
        (USE, "python", ADD, "fenced"),
        (CORRECTED, "python", ADD, "fenced"),
        (f"```py\n{ADD}```", "python", ADD, "fenced"),
        (f"```Python3 title=add.py\n{ADD}```", "python", ADD, "fenced"),
        (f"```\n{ADD}```", "python", ADD, "fenced"),
        (f"~~~python\n{ADD}~~~", "python", ADD, "fenced"),
        (f"1. First:\n   ```python\n{ADD}   ```", "python", ADD, "fenced"),
        (f"Here:\n```python\n{ADD}", "python", ADD, "unclosed"),
        (ADD, "python", ADD, "no_fence"),
        (f"```python\n{ADD}```", "typescript", ADD, "other_language"),
        (" \n", "python", "", "nothing"),
        ("```bash\npip install x\n```\n```python\n" + ADD + "```", "python", ADD, "fenced"),
        ("```sql\nSELECT 1\n```", "sql", "SELECT 1\n", "fenced"),
        ("```c++\nint add(int a, int b) {\n}\n```\n```cpp\nint main() { add(1, 2); }\n```", "cpp",
         "int add(int a, int b) {\n}\n", "fenced"),
        ("```js\nconst add = (a, b) => a + b;\n```\n```js\nadd(1, 2)\n```", "javascript",
         "const add = (a, b) => a + b;\n", "fenced"),
    ],
)  # fmt: skip
def test_the_block_that_defines_the_function_is_taken(answer, language, code, how):
    found = extract(answer, language, "add")
    assert (found.code, found.how) == (code, how)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "class A:\n    def add(self): pass"),
        ("java", "class A { int add(int a) { return a; } }"),
        ("cpp", "std::vector<int>* add(int a) { return 0; }"),
        ("csharp", "class A { int add(int a) { return a; } }"),
        ("go", "func add(a int) int { return a }"),
        ("rust", "pub fn add<T>(a: T) -> T { a }"),
        ("php", "function add($a) { return $a; }"),
        ("bash", "add() { echo 1; }"),
        ("bash", "set -e; function add {\n    echo 1\n}"),
        ("bash", 'add() {\n    if [[ " $1" = *" "[[:alpha:]] ]]; then echo 1; fi\n}'),
        ("typescript", "function add(a: number): number { return a }"),
        ("javascript", "let add = function (a) { return a }"),
    ],
)
def test_a_definition_is_told_from_a_call(language, code):
    assert defines(code, language, "add")
    assert not defines(code.replace("add", "sub"), language, "add")
    assert not defines("add(1)", language, "add")


def test_a_main_of_the_models_own_is_taken_out():
    code = "#include <x>\nint f() { return 1; }\nint main() { char c = '}'; f(); }\nint g() { return 2; }\n"
    assert without_function(code, "cpp", "main") == "#include <x>\nint f() { return 1; }\n\nint g() { return 2; }\n"
    assert without_function('fn a() {}\nfn main() { println!("}"); }', "rust", "main") == "fn a() {}\n"


def test_the_members_of_a_class_are_told_from_what_is_around():
    code = "import a.B;\npublic class Solution { int x = 1; int f(int n) { return n; } }\nclass Other {}"
    around, members = class_body(code, "java", "f")
    assert members == " int x = 1; int f(int n) { return n; } "
    assert around.split() == ["import", "a.B;", "public", "class", "Other", "{}"] or "class Other {}" in around
    assert class_body(code, "java", "g") is None


def test_go_packages_in_comments_strings_and_variables_are_not_used():
    code = 'package main\n// fmt.Println\nvar s = "math.Abs"\nfunc f(strings []string) int { return bits.Len(1) }'
    assert packages_used(code) == {"bits"}


def test_a_completion_ends_where_it_stops_defining():
    code = "int f(int x) {\n return g(x); }\nint g(int x) { return x; }\nThe function above calls g.\nint h() {"
    assert definitions(code, "cpp", "f") == "int f(int x) {\n return g(x); }\nint g(int x) { return x; }"
    assert definitions("no function", "cpp", "f") == "no function"
