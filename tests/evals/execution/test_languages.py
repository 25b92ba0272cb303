"""Nine languages beside Python: every verdict, what a program may use, and what a missing tool says."""

import itertools
from dataclasses import replace

import pytest

from evals.execution import Executor, Limits, MissingToolchainError, Program, Verdict, probe_isolation, toolchains
from evals.execution.executor import LADDER
from evals.execution.languages import LANGUAGES
from tests.evals.toolchain import needs

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_seconds=5, cpu_seconds=5, memory_bytes=1 << 30, disk_bytes=256 << 20)
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]
# Prints 42; does not compile; ends with an error.
TYPESCRIPT = ("const x: number = 6; console.log(x * 7)", "let a: number = ;", "throw new Error('asserted')")
CPP = (
    "#include <iostream>\nint main() { std::cout << 6 * 7 << std::endl; }",
    "int main() { return x; }",
    '#include <cassert>\nint main() { assert(1 == 2 && "asserted"); }',
)
PROGRAMS = {
    "java": (
        "public class Main { public static void main(String[] a) { System.out.println(6 * 7); } }",
        'public class Main { int x = "a"; }',
        'public class Main { public static void main(String[] a) { assert 1 == 2 : "asserted"; } }',
    ),
    "javascript": ("console.log(6 * 7)", "let a = ;", "throw new Error('asserted')"),
    "typescript": (TYPESCRIPT[0], "let a: number = 'b'", TYPESCRIPT[2]),
    "typescript_unchecked": TYPESCRIPT,
    "cpp": CPP,
    "cpp_trapping": CPP,
    "csharp": (
        "using System; class P { static void Main() { Console.WriteLine(6 * 7); } }",
        "class P {",
        'using System.Diagnostics; class P { static void Main() { Debug.Assert(1 == 2, "asserted"); } }',
    ),
    "php": ("<?php echo 6 * 7, PHP_EOL;", "<?php function(", "<?php throw new Exception('asserted');"),
    "rust": ('fn main() { println!("{}", 6 * 7); }', "fn main() { 1 + ; }", 'fn main() { panic!("asserted"); }'),
    "go": (
        'package main\nimport ("fmt"; "testing")\nfunc TestA(t *testing.T) { fmt.Println(6 * 7) }',
        "package main\nfunc",
        'package main\nimport "testing"\nfunc TestA(t *testing.T) { t.Fatal("asserted") }',
    ),
    "bash": ("echo $((6 * 7))", "if then", "echo asserted >&2; exit 1"),
}


@pytest.mark.parametrize(
    "statement",
    [
        "int big = 2147483647; big += count;",
        "std::vector<int> none; count = none[count];",
        "count = 1 << (31 + count);",
    ],
)
def test_undefined_behavior_ends_a_program_that_is_to_trap(statement):
    needs("cpp_trapping")
    source = f"#include <vector>\nint main(int count, char**) {{ {statement} return count == 77; }}"
    with Executor(LIMITS) as executor:
        assert executor.run(Program(source, "cpp_trapping")).exit_code in (132, 133, 134)


def test_a_compiler_is_heard_to_the_limit_on_output():
    needs("cpp")
    source = "int main() {\n" + "".join(f"    unknown_{number}();\n" for number in range(300)) + "}\n"
    with Executor(replace(LIMITS, output_bytes=1 << 20)) as executor:
        said = executor.run(Program(source, "cpp")).stderr
        assert len(said) > 1 << 14
        assert all(f"main.cpp:{line}:" in said for line in range(2, 302))
        cut = executor.run(Program(source, "cpp"), replace(LIMITS, output_bytes=1000)).stderr
        assert cut and said.endswith(cut)


def test_every_language_is_tested():
    assert set(PROGRAMS) == set(LANGUAGES)


@pytest.mark.parametrize(("rung", "language"), list(itertools.product(RUNGS, LANGUAGES)))
def test_a_program_runs_fails_or_does_not_compile(rung, language):
    needs(language)
    with Executor(LIMITS, isolation=rung) as executor:
        right, broken, failing = executor.run_batch(Program(source, language) for source in PROGRAMS[language])
    assert right.verdict is Verdict.PASS and right.stdout.splitlines()[0] == "42", right
    assert broken.verdict is Verdict.COMPILE_ERROR and broken.stderr, broken
    assert failing.verdict is Verdict.FAIL and "asserted" in failing.stderr + failing.stdout, failing


@pytest.mark.parametrize("language", ["python", "java", "bash"])
def test_half_a_surrogate_pair_in_a_text_is_the_programs_fault_alone(language):
    """JSON can bring one, "\\ud800", as an answer of a model."""
    if language != "python":
        needs(language)
    sources = {"python": "print('\ud800')", "bash": "fi '\ud800'", "java": "class Main { \ud800 }"}
    with Executor(LIMITS) as executor:
        result = executor.run(Program(sources[language], language, stdin="\ud800"))
    assert result.verdict is Verdict.COMPILE_ERROR, result


def test_files_beside_a_program_are_compiled_with_it():
    needs("go")
    source = 'package main\nimport ("fmt"; "testing")\nfunc TestA(t *testing.T) { fmt.Println(Twice(21)) }'
    other = b"package main\nfunc Twice(x int) int { return 2 * x }"
    with Executor(LIMITS) as executor:
        assert executor.run(Program(source, "go", files={"other.go": other})).stdout.startswith("42\n")


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("java", "import org.javatuples.*; public class Main { public static void main(String[] a) { "
        'assert Pair.with(1, "b").equals(Pair.with(1, "b")) && Pair.with(1, "b").add(2L).getValue2() == 2L; '
        'assert Triplet.with(1, 2, 3).setAt0("a").toString().equals("[a, 2, 3]"); } }'),
        ("rust", "use rand::Rng; use regex::Regex; fn main() { let x: i32 = rand::thread_rng().gen_range(0, 4); "
        'assert!(x < 4 && Regex::new("^a+$").unwrap().is_match("aa")); '
        'assert_eq!(format!("{:x}", md5::compute("a")), "0cc175b9c0f1b6a831c399e269772661"); }'),
        ("cpp", "#include <boost/any.hpp>\n#include <openssl/md5.h>\n"
        "int main() { boost::any x = 1; unsigned char d[16]; "
        "MD5((unsigned char*)\"a\", 1, d); return boost::any_cast<int>(x) == 1 && d[0] == 0x0c ? 0 : 1; }"),
        ("javascript", "if (require('js-md5').md5('a')[0] !== '0' || require('lodash').sum([1, 2]) !== 3) throw 1"),
        ("go", 'package main\nimport ("testing"; "github.com/stretchr/testify/assert")\n'
        "func TestA(t *testing.T) { assert.New(t).Equal(1, 1) }"),
        ("csharp", "using System.Numerics; using System.Linq; class P { static int Main() { "
        "return BigInteger.Pow(2, 100) > 0 && new[] {1, 2}.Sum() == 3 ? 0 : 1; } }"),
        ("php", "<?php if (mb_strtoupper('é') !== 'É' || !ctype_digit('1')) throw new Exception();"),
    ],
    ids=lambda value: value if len(value) < 12 else "",
)  # fmt: skip
def test_what_the_benchmarks_programs_import_is_there(language, source):
    needs(language)
    with Executor(LIMITS) as executor:
        result = executor.run(Program(source, language))
    assert result.verdict is Verdict.PASS, result


def test_an_endless_compilation_is_a_compile_error_and_the_programs_time_begins_after_it():
    needs("cpp")
    endless = "template<int N> struct A { using T = typename A<N + 1>::T; };\nA<0>::T x;\nint main() {}"
    slow = '#include <bits/stdc++.h>\nint main() { std::cout << std::regex_match("a", std::regex("a")); }'
    limits = Limits(wall_seconds=1, cpu_seconds=1, compile_seconds=30, memory_bytes=1 << 30)
    with Executor(limits) as executor:
        assert executor.run(Program(endless, "cpp")).verdict in (Verdict.COMPILE_ERROR, Verdict.OOM)
        assert executor.run(Program(slow, "cpp")).verdict is Verdict.PASS
        short = Limits(compile_seconds=0.1)
        result = executor.run(Program(slow, "cpp"), short)
        assert (result.verdict, result.message) == (Verdict.COMPILE_ERROR, "time limit of compilation")


def test_a_missing_tool_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    toolchains.toolchain.cache_clear()
    try:
        with pytest.raises(
            MissingToolchainError, match=r"need g\+\+, which is not there: bash evals/toolchains.sh cpp"
        ):
            toolchains.toolchain("cpp")
    finally:
        toolchains.toolchain.cache_clear()


def test_the_marker_is_found_behind_output_that_was_cut():
    with Executor(LIMITS) as executor:
        source = f"print('x' * {LIMITS.output_bytes * 2})\nprint('the-end')"
        result = executor.run(Program(source, expect_stdout_marker="the-end"))
    assert result.verdict is Verdict.PASS and result.output_truncated


GO_TEST = 'package main\nimport "testing"\n'


@pytest.mark.parametrize(
    ("language", "source", "verdict", "said"),
    [
        ("go", f"{GO_TEST}func f(s string) string {{ return f(s) }}\nfunc TestA(t *testing.T) {{ f(f(`a`)) }}",
         Verdict.FAIL, "goroutine stack exceeds"),
        ("go", f"{GO_TEST}func debug(n int) int {{ return debug(n+1) + 1 }}\nfunc TestA(t *testing.T) {{ debug(1) }}",
         Verdict.FAIL, "goroutine stack exceeds"),
        ("go", f"{GO_TEST}func TestA(t *testing.T) {{ go func() {{ for {{}} }}(); for {{}} }}", Verdict.TIMEOUT, ""),
    ],
)  # fmt: skip
def test_a_program_without_an_end_has_one_verdict(language, source, verdict, said):
    needs(language)
    with Executor(replace(LIMITS, wall_seconds=10, cpu_seconds=2)) as executor:
        results = executor.run_batch([Program(source, language)] * 3)
    assert [result.verdict for result in results] == [verdict] * 3
    assert all(said in result.stderr for result in results)
    assert {result.message for result in results} <= {"", "processor time limit", "time limit"}


def test_recursion_as_deep_as_its_values_need_is_no_fault_in_go():
    needs("go")
    depth = f"{GO_TEST}func f(n int) int {{ if n == 0 {{ return 0 }}; return f(n-1) + 1 }}\n"
    with Executor(LIMITS) as executor:
        ended = executor.run(Program(f"{depth}func TestA(t *testing.T) {{ if f(1000000) < 1 {{ t.Fatal() }} }}", "go"))
    assert ended.verdict is Verdict.PASS
