"""HumanEvalFix and MultiPL-E: programs put together from completions and from chat answers, in ten languages."""

import os

import pytest

from evals.benchmarks.humanevalfix import LANGUAGES as FIX_LANGUAGES
from evals.benchmarks.multipl_e import LANGUAGES as TRANSLATED
from evals.benchmarks.multipl_e_gold import our_solutions
from evals.tasks.all_tasks import BENCHMARKS
from evals.tasks.go_files import go_file
from evals.tasks.multipl_e import as_static
from tests.evals.toolchain import needs

DATA = os.environ.get("LING_BENCHMARKS_DIR")
CPP = {
    "name": "Fixture_0_twice", "language": "cpp", "stop_tokens": ["\n}"],
    "prompt": "#include<assert.h>\n#include<bits/stdc++.h>\n// Double it.\nlong twice(long n) {\n",
    "tests": "}\nint main() {\n    auto candidate = twice;\n    assert(candidate((3)) == (6));\n}\n",
}  # fmt: skip
JAVA = {
    "name": "Fixture_0_twice", "language": "java", "stop_tokens": ["\n    }\n"],
    "prompt": "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n    // Double it.\n"
    "    public static long twice(long n) {\n",
    "tests": "    }\n    public static void main(String[] args) {\n    assert(twice((3l)) == (6l));\n    }\n\n}\n",
}  # fmt: skip
CSHARP = {
    "name": "Fixture_0_twice", "language": "cs", "stop_tokens": ["\n    }\n"],
    "prompt": "using System;\nusing System.Collections.Generic;\nusing System.Diagnostics;\nclass Problem {\n"
    "    public static List<long> Twice(List<long> l) {\n",
    "tests": "    }\n    public static void Main(string[] args) {\n"
    "    Debug.Assert(Twice((new List<long>(new long[]{(long)1L}))).Equals((new List<long>(new long[]{(long)2L}))));\n"
    "    }\n\n}\n",
}  # fmt: skip
GO = {
    "name": "Fixture_0_twice", "language": "go_test.go", "stop_tokens": ["\nfunc"],
    "prompt": 'package twice_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc twice(n int) int {\n',
    "tests": 'func TestTwice(t *testing.T) {\n  if fmt.Sprintf("%v", twice(3)) != "6" {\n    t.Errorf("no")\n  }\n}\n',
}  # fmt: skip


def verdicts(name, row, *answers, instruct):
    return [record.verdict for record in BENCHMARKS[name].judge([row] * len(answers), answers, instruct)]


def test_a_completion_is_cut_at_its_stop_string():
    needs("cpp")
    right, ramble = "    return 2 * n;\n", "    return 2 * n;\n}\nint main() { return 1; }"
    wrong, early = "    return n;\n", "    exit(0);\n"
    assert verdicts("multipl_e_humaneval_cpp", CPP, right, ramble, wrong, early, instruct=False) == [
        "pass", "pass", "fail", "fail",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "row", "language", "answers"),
    [
        ("multipl_e_humaneval_cpp", CPP, "cpp", [
            "#include <vector>\nlong f(long n);\nlong twice(long n) { return 2 * n; }\nint main() { return twice(1); }",
            "    return 2 * n;\n",
        ]),
        ("multipl_e_humaneval_java", JAVA, "java", [
            "public class Solution {\n    public long twice(long n) { return 2 * n; }\n"
            "    public static void main(String[] args) { System.exit(1); }\n}",
            "import java.util.stream.*;\n\npublic static long twice(long n) { return LongStream.of(2).sum() * n; }",
            "package a;\nclass Helper { static long two() { return 2; } }\n"
            "class Problem { static long twice(long n) { return Helper.two() * n; } }",
        ]),
        ("multipl_e_humaneval_csharp", CSHARP, "csharp", [
            "using System.Linq;\nclass Problem {\n    public static List<long> Twice(List<long> l) {\n"
            "        return l.Select(x => 2 * x).ToList();\n    }\n    static void Main() { }\n}",
            "public List<long> Twice(List<long> l) { return l.ConvertAll(x => 2 * x); }",
        ]),
        ("multipl_e_humaneval_go", GO, "go", [
            'package main\nimport (\n\t"fmt"\n\t"math"\n)\nfunc twice(n int) int { return int(math.Pow(2, 1)) * n }\n'
            "func main() { fmt.Println(twice(1)) }",
            "func twice(n int) int { return 2 * n }",
        ]),
    ],
)  # fmt: skip
def test_chat_answers_are_put_together_however_they_are_wrapped(name, row, language, answers):
    needs(language)
    answers = [f"Here:\n```{language}\n{answer}\n```\nDone." for answer in answers]
    assert verdicts(name, row, *answers, instruct=True) == ["pass"] * len(answers)
    wrong = [answer.replace("2", "3") for answer in answers]
    assert "pass" not in verdicts(name, row, *wrong, instruct=True)


def test_assertions_cannot_be_turned_off_by_an_answer():
    needs("cpp")
    off = "```cpp\n#define NDEBUG\n#undef assert\n#define assert(x)\nlong twice(long n) { return n; }\n```"
    assert verdicts("multipl_e_humaneval_cpp", CPP, off, instruct=True) == ["fail"]
    needs("csharp")
    off = "```csharp\nusing System.Diagnostics;\nclass Problem { public static List<long> Twice(List<long> l) { "
    off += "Trace.Listeners.Clear(); return l; } }\n```"
    assert verdicts("multipl_e_humaneval_csharp", CSHARP, off, instruct=True) == ["fail"]


@pytest.mark.parametrize(
    ("returned", "right", "wrong", "expected"),
    [
        ("string", "null", '""', "null"),
        ("long?", "null", "1", "null"),
        ("Tuple<long?, long?>", "Tuple.Create((long?)1, (long?)2)", "Tuple.Create((long?)1, (long?)null)",
         "(Tuple.Create(1L, 2L))"),
        ("Tuple<long?, long?>", "Tuple.Create((long?)null, (long?)2)", "Tuple.Create((long?)2, (long?)null)",
         "Tuple.Create((Nullable<long>)null, 2L)"),
        ("List<Tuple<long, long>>", "new List<Tuple<long, long>> { Tuple.Create(1L, 2L) }",
         "new List<Tuple<long, long>> { Tuple.Create(2L, 1L) }",
         "(new List<Tuple<long, long>>(new Tuple<long, long>[]{(Tuple<long, long>)Tuple.Create(1L, 2L)}))"),
        ("Dictionary<string, List<long>>", 'new Dictionary<string, List<long>> { { "a", new List<long> { 1 } } }',
         'new Dictionary<string, List<long>> { { "a", new List<long> { 1, 1 } } }',
         '(new Dictionary<string,List<long>>(){{"a", new List<long>(new long[]{(long)1L})}})'),
    ],
)  # fmt: skip
def test_values_are_compared_in_csharp_where_the_tests_ask_for_the_same_object(returned, right, wrong, expected):
    needs("csharp")
    head, _, _ = CSHARP["prompt"].partition("    public static")
    row = {
        **CSHARP,
        "prompt": f"{head}    public static {returned} Value(long n) {{\n",
        "tests": "    }\n    public static void Main(string[] args) {\n"
        f"    Debug.Assert(Value((1L)).Equals({expected}));\n    }}\n\n}}\n",
    }
    answers = [f"        return {value};\n" for value in (right, wrong)]
    assert verdicts("multipl_e_humaneval_csharp", row, *answers, instruct=False) == ["pass", "fail"]


def test_a_method_is_made_static_once():
    assert as_static("public int f(int n) { }", "f") == "public static int f(int n) { }"
    assert as_static("public static int f(int n) { }", "f") == "public static int f(int n) { }"
    assert as_static("    List<int[]> f(int n) { }", "f") == "    static List<int[]> f(int n) { }"


def test_go_files_import_what_they_use():
    text = go_file("// strings.Split\nfunc f(s string) int { return utf8.RuneCountInString(s) }", 'import "strings"')
    assert '"unicode/utf8"' in text and '"strings"' not in text
    assert 'm "math"' in go_file("func f() float64 { return m.Pi }", 'import m "math"')


def test_prompts_of_humanevalfix_show_the_bug_and_the_tests():
    row = {"declaration": "def f(x):\n", "buggy_solution": "    return x - 1\n", "test": "assert f(1) == 2",
           "entry_point": "f"}  # fmt: skip
    fix = BENCHMARKS["humanevalfix_python"]
    context = "def f(x):\n    return x - 1\n\nassert f(1) == 2\n"
    assert fix.prompt(row, "standard", instruct=True) == f"{context}Fix bugs in f.\n\ndef f(x):"
    assert fix.prompt(row, "standard", instruct=False) == f"{context}Fix bugs in f.\n\ndef f(x):\n"
    assert fix.prompt(row, "paper", instruct=True) == f"{context}Fix bugs in f"
    rust = BENCHMARKS["humanevalfix_rust"].prompt({**row, "declaration": "fn f() {\n"}, "standard", instruct=False)
    assert rust.startswith("fn f() {\nfn main(){}\n")


@pytest.mark.skipif(not DATA, reason="LING_BENCHMARKS_DIR is not set")
@pytest.mark.parametrize("language", FIX_LANGUAGES)
def test_humanevalfix_gold_passes_as_a_completion_and_as_a_chat_answer_and_the_bug_does_not(language):
    """Every sixteenth row; all of them: `python -m evals selfcheck --tasks humanevalfix`."""
    needs(language)
    fix = BENCHMARKS[f"humanevalfix_{language}"]
    rows = fix.load(None)[0][2::16]
    right = fix.judge(rows, [row["canonical_solution"] for row in rows], instruct=False)
    assert [record for record in right if record.verdict != "pass"] == []
    answers = [f"Fixed:\n```{language}\n{row['declaration']}{row['canonical_solution']}\n```" for row in rows]
    chat = fix.judge(rows, answers, instruct=True)
    assert [record for record in chat if record.verdict != "pass"] == []
    buggy = fix.judge(rows, [row["buggy_solution"] for row in rows], instruct=False)
    assert [record for record in buggy if record.verdict == "pass"] == []


@pytest.mark.skipif(not DATA, reason="LING_BENCHMARKS_DIR is not set")
@pytest.mark.parametrize("language", TRANSLATED)
def test_multipl_e_gold_passes_as_a_completion_and_as_a_chat_answer(language):
    """Every thirty-second row that has one; all of them: `python -m evals selfcheck --tasks multipl_e_humaneval`."""
    needs(language)
    task = BENCHMARKS[f"multipl_e_humaneval_{language}"]
    rows = [row for row in task.load(None)[0] if row["gold"] is not None]
    rows = rows[3::32]
    right = task.judge(rows, [row["gold"] for row in rows], instruct=False)
    assert [record for record in right if record.verdict != "pass"] == []
    closing = {"java": "    }\n}\n", "csharp": "    }\n}\n", "cpp": "}\n", "rust": "}\n", "bash": "}\n"}.get(
        language, ""
    )
    answers = [f"Sure:\n```{language}\n{row['prompt']}{row['gold']}\n{closing}```" for row in rows]
    chat = task.judge(rows, answers, instruct=True)
    assert [record for record in chat if record.verdict != "pass"] == []


@pytest.mark.skipif(not DATA, reason="LING_BENCHMARKS_DIR is not set")
@pytest.mark.parametrize(
    ("language", "unsolvable"),
    [
        ("java", ["92", "136"]),
        ("rust", ["92"]),
        ("cpp", ["92", "137"]),
        ("typescript", ["92"]),
        ("javascript", ["51", "92"]),
        ("php", ["23"]),
        ("csharp", ["92"]),
        ("bash", ["86"]),
        ("go", ["87", "92"]),
    ],
)
def test_multipl_e_gold_is_there_for_each_row_that_a_program_can_pass(language, unsolvable):
    rows = BENCHMARKS[f"multipl_e_humaneval_{language}"].load(None)[0]
    assert [row["name"].split("_")[1] for row in rows if row["gold"] is None] == unsolvable
    names = list(our_solutions(language))
    assert names == [row["name"] for row in rows if row["name"] in names]
