"""HumanEvalFix and MultiPL-E: programs put together from completions and from chat answers, in ten languages."""

import os

import pytest

from evals.benchmarks.humanevalfix import LANGUAGES as FIX_LANGUAGES
from evals.benchmarks.multipl_e import LANGUAGES as TRANSLATED
from evals.benchmarks.multipl_e_gold import our_solutions
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.go_files import go_file
from evals.tasks.multipl_e import as_static
from tests.evals.toolchain import needs

pytestmark = pytest.mark.slow

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


SCRIPTS = {
    language: {
        "name": "Fixture_0_twice", "language": suffix, "stop_tokens": ["\n}"],
        "prompt": f"//Double it.\n{head}\n",
        "tests": f"{declared}const assert = require('node:assert');\n\n\nfunction test() {{\n  let candidate = twice;\n"
        "  assert.deepEqual(candidate(3),6);\n}\n\ntest();",
    }
    for language, suffix, head, declared in (
        ("javascript", "js", "function twice(n){", ""),
        ("typescript", "ts", "function twice(n: number): number {", "declare var require: any;\n"),
    )
}  # fmt: skip
PHP = {
    "name": "Fixture_0_twice", "language": "php", "stop_tokens": ["\nfunction"],
    "prompt": "<?php\n// Double it.\nfunction twice($n) {\n",
    "tests": "}\n\nfunction candidate(...$args) {\n    return twice(...$args);\n}\n\n"
    'function test(): void {\n    if (candidate(3) !== 6) { throw new Exception("no"); }\n}\n\ntest();\n',
}  # fmt: skip
RUST = {
    "name": "Fixture_0_twice", "language": "rs", "stop_tokens": ["\n}"],
    "prompt": "/// Double it.\nfn twice(n: isize) -> isize {\n",
    "tests": "}\n\nfn main() {\n    let candidate = twice;\n    assert_eq!(candidate(3), 6);\n}\n",
}  # fmt: skip
BASH = {
    "name": "Fixture_0_twice", "language": "sh", "stop_tokens": ["\n}"],
    "prompt": "#!/bin/bash\n# Double it.\ntwice() {\n",
    "tests": '}\n\ncandidate() {\n    twice "$@"\n}\n\nset -e\nrun_test() {\n    [[ $(candidate "3") = "6" ]]\n}\n\n'
    "run_test",
}  # fmt: skip
ROWS = {"cpp": CPP, "java": JAVA, "go": GO, "php": PHP, "rust": RUST, "bash": BASH, **SCRIPTS}
JS_TWICE = "function twice(n) {\n  return 2 * n;\n}\n"
TS_TWICE = "function twice(n: number): number {\n  return 2 * n;\n}\n"
PHP_TWICE = "function twice($n) {\n    return 2 * $n;\n}\n"
JAVA_TWICE = "    public static long twice(long n) {\n        return 2 * n;\n    }\n"
# Right answers as models and people write them, each of a kind that came out wrong here or that users reported.
RIGHT = {
    "javascript": [
        f"export default {JS_TWICE}",
        f"export {JS_TWICE}",
        f"{JS_TWICE}export {{ twice }};",
        f"{JS_TWICE}export default twice;",
        f"{JS_TWICE}module.exports = {{ twice }};",
        f"{JS_TWICE}exports.twice = twice;",
        f"import fs from 'fs';\nimport * as path from 'path';\nimport {{ join as j, sep }} from 'path';\n{JS_TWICE}",
        f"const assert = require('assert');\n{JS_TWICE}assert.strictEqual(twice(1), 2);",
        f"import assert from 'node:assert';\n{JS_TWICE}assert(twice(1) === 2);",
        f"const {{ strictEqual: assert }} = require('assert');\n{JS_TWICE}assert(twice(1), 2);",
        f"{JS_TWICE}const test = [1, 2];\nconsole.log(test.map(twice));",
        f"{JS_TWICE}function test() {{ console.assert(twice(1) === 2); }}\ntest();",
        f"{JS_TWICE}console.log(twice(1));\nprocess.exit(0);",
        f"{JS_TWICE}if (require.main === module) {{ process.exit(twice(0)); }}",
        f"{JS_TWICE}describe('twice', () => {{ it('works', () => expect(twice(1)).toBe(2)); }});",
        "const twice = (n) => 2 * n;",
        "var twice = function (n) { return 2 * n; };",
        "let candidate = 3;\nconst twice = async => 2 * async;",
        "'use strict';\nclass Doubler { run(n) { return 2 * n; } }\nconst twice = n => new Doubler().run(n);",
    ],
    "typescript": [
        f"export {TS_TWICE}",
        f"import assert from 'assert';\n{TS_TWICE}assert(twice(1) === 2);",
        f"import * as assert from 'assert';\nimport type {{ X }} from './x';\n{TS_TWICE}",
        f"{TS_TWICE}const test: number[] = [1];\nconsole.log(test.map(twice));",
        "interface Box { n: number }\nexport const twice = (n: number) => { const b: Box = { n }; return 2 * b.n };",
    ],
    "php": [
        f"<?php\n{PHP_TWICE}?>\n<p>done</p>\n",
        f"<html>\n<?php\n{PHP_TWICE}echo twice(1);\n?>\n</html>",
        f"<?php\ndeclare(strict_types=1);\n{PHP_TWICE}exit(0);",
        f"<?php\n{PHP_TWICE}var_dump(twice(1));\ndie();",
        f"{PHP_TWICE}?>",
        f"<?\n{PHP_TWICE}",
        "function twice($n) { $mark = '?>'; return 2 * $n; }",
    ],
    "rust": [
        "fn twice(n: isize) -> isize { let Some(m) = Some(n) else { return 0; }; 2 * m }",
        "fn twice(n: isize) -> isize { [n, n].into_iter().sum() }",
        'fn twice(n: isize) -> isize { let m = n; assert!(format!("{m}").len() > 0); 2 * m }\nfn main() { twice(1); }',
        "fn twice(n: isize) -> isize { i64::try_from(n).map(|m| 2 * m as isize).unwrap() }",
        "fn twice(n: isize) -> isize { 2 * n }\n#[cfg(test)]\nmod t {\n    #[test]\n    fn t() { super::twice(1); }\n}",
    ],
    "go": [
        "func twice(n int) int { if slices.Contains([]int{1}, n) { return 2 }; return 2 * n }",
        'package main\n\nimport (\n\t"fmt"\n\t"maps"\n\t"slices"\n)\n\nfunc twice(n int) int {\n'
        "\tkeys := slices.Collect(maps.Keys(map[int]int{n: n}))\n\treturn min(keys[0], n) * 2\n}\n\n"
        "func main() {\n\tfmt.Println(twice(1))\n}",
    ],
    "java": [
        f"import java.util.*;\nclass Problem {{\n{JAVA_TWICE}    public static void main(String[] a) {{ twice(1",
        f"class Helper {{ static int two() {{ return 2; }} }}\npublic class Problem {{\n{JAVA_TWICE}\n    // so",
        f"public class Problem {{\n{JAVA_TWICE}\n    public static void main(String[] a) {{\n        int[] x = {{1, 2",
    ],
    "cpp": [
        "long twice(long n) {\n    return 2 * n;\n}\nint main() {\n    twice(1",
        "#include <iostream>\nusing namespace std;\nlong twice(long n) { return 2 * n; }\nint main() { return 1; }",
    ],
    "bash": [
        "twice() {\n    echo $(($1 * 2))\n}\ntwice 4\nexit 0",
        "function twice {\n    echo $(($1 * 2))\n}\n",
    ],
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


@pytest.mark.parametrize("language", RIGHT)
def test_right_answers_pass_whatever_stands_around_the_function(language):
    needs(language)
    cut = [answer for answer in RIGHT[language] if answer.count("{") > answer.count("}")]
    answers = [f"```{language}\n{answer}" + ("" if answer in cut else "\n```\nDone.") for answer in RIGHT[language]]
    records = BENCHMARKS[f"multipl_e_humaneval_{language}"].judge([ROWS[language]] * len(answers), answers, True)
    assert [(record.prediction, record.message) for record in records if record.verdict != "pass"] == []
    wrong = [answer.replace("2", "3").replace("sum()", "min()") for answer in answers]
    wrong = [answer for answer, right in zip(wrong, answers, strict=True) if answer != right and "[n, n]" not in answer]
    assert "pass" not in verdicts(f"multipl_e_humaneval_{language}", ROWS[language], *wrong, instruct=True)


MBXP_TYPESCRIPT = {
    "task_id": "MBTSP/0", "entry_point": "min_cost",
    "prompt": "/**\n * Add two numbers.\n */\nconst min_cost = function (a: number, b: number) : number  {\n",
    "test": "\nimport * as assert from 'assert'\n\nlet actual_1 = min_cost(1,2);\nlet expected_1 = 3;\n"
    "assert.deepEqual(actual_1, expected_1, \"Exception --- test case 0 failed to pass\");\n\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("const min_cost = function (a: number, b: number): number {\n  return a + b;\n};", "pass"),
        ("function min_cost(a: number, b: number): number {\n  const c: string = a;\n  return c + b;\n}", "pass"),
        ("import * as math from 'mathjs'\nconst min_cost = (a: number[], b: string): any => a + b;", "pass"),
        ("import * as assert from 'assert';\nexport function min_cost(a, b) { return a + b; }", "pass"),
        ("const min_cost = function (a: number, b: number): number {\n  return a - b;\n};", "fail"),
        ("const min_cost = function (a: number, b: number): number {\n  return a + ;\n};", "compile_error"),
    ],
)
def test_types_of_mbxp_in_typescript_are_not_judged(answer, verdict):
    needs("typescript")
    given = verdicts("mbxp_plus_en_typescript", MBXP_TYPESCRIPT, f"```typescript\n{answer}\n```", instruct=True)
    assert given == [verdict]


def test_mbxp_in_typescript_runs_completions():
    needs("typescript")
    completions = "  return a + b;\n};\n", "  return a;\n};\n"
    assert verdicts("mbxp_plus_en_typescript", MBXP_TYPESCRIPT, *completions, instruct=False) == ["pass", "fail"]


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
