"""Java's compilers stay between programs: none notices what was compiled before it, and a hostile text harms itself."""

import contextlib
from pathlib import Path

import pytest

from evals.execution import Executor, Limits, Program, Verdict, java_compiler, probe_isolation
from evals.execution.executor import LADDER, choose_sandbox
from evals.execution.java_compiler import CompilerProcess, block, parse
from evals.execution.running import run_once
from tests.evals.toolchain import needs

pytestmark = pytest.mark.slow

RUNGS = [name for name in LADDER if probe_isolation(name)[0]]
LIMITS = Limits(wall_seconds=10, compile_seconds=120, memory_bytes=1 << 30)
HONEST = Program("public class Main { public static void main(String[] a) { System.out.println(42); } }", "java")
MAIN = "import java.util.*; public class Main { public static void main(String[] a) { %s } }"
HOSTILE = {
    # Each level is tried anew for every way to type those above it.
    "time": MAIN.replace("{", "{ static <T> T f(T t, T u) { return t; }", 1)
    % ("Object o = " + "f(a == null ? " * 20 + "1" + ' : "a", 2.0)' * 20 + ";"),
    # A constant that doubles forty times.
    "memory": "public class Main { static final String S0 = " + '"0123456789"'
    + "".join(f", S{i + 1} = S{i} + S{i}" for i in range(40)) + "; }",
    "stack": MAIN % ("int x = " + "(" * 100_000 + "1" + ")" * 100_000 + ";"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _java():
    needs("java")


@pytest.fixture
def started(monkeypatch):
    """The compilers started so far."""
    compilers = []

    class Recorded(CompilerProcess):
        def __init__(self, sandbox):
            super().__init__(sandbox)
            compilers.append(self)

    monkeypatch.setattr(java_compiler, "CompilerProcess", Recorded)
    return compilers


def test_one_compiler_serves_many_programs_and_ends_with_the_executor(started):
    with Executor(LIMITS, workers=1) as executor:
        results = executor.run_batch([HONEST] * 4)
        assert started[0].process.poll() is None
    assert [result.stdout for result in results] == ["42\n"] * 4
    assert len(started) == 1 and started[0].process.returncode is not None


@pytest.mark.parametrize("rung", RUNGS)
def test_a_compiler_has_neither_network_nor_processes_nor_files_of_this_machine(rung, started):
    with Executor(LIMITS, isolation=rung) as executor:
        assert executor.run(HONEST).verdict is Verdict.PASS
        java = started[0].process.pid
        while children := Path(f"/proc/{java}/task/{java}/children").read_text().split():
            java = int(children[0])
        assert "CompileServer" in Path(f"/proc/{java}/cmdline").read_text()
        for kind in ("net", "pid", "mnt"):
            assert Path(f"/proc/{java}/ns/{kind}").readlink() != Path(f"/proc/self/ns/{kind}").readlink()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_that_uses_a_compiler_up_costs_itself_alone(name, started):
    sandbox, hostile = choose_sandbox("auto"), Program(HOSTILE[name], "java")
    with contextlib.closing(CompilerProcess(sandbox)) as compiler:
        assert compiler.compile(b"Main.java", HONEST.source.encode(), 60).classes
        assert compiler.compile(b"Main.java", hostile.source.encode(), 5) is None
    with Executor(LIMITS) as executor:
        assert executor.run(HONEST).verdict is Verdict.PASS
        result = executor.run(hostile, Limits(compile_seconds=8))
        assert result.verdict is Verdict.COMPILE_ERROR, result
        assert started[-1].process.returncode is not None
        assert executor.run(HONEST).verdict is Verdict.PASS


def test_a_killed_compiler_is_replaced(started):
    with Executor(LIMITS) as executor:
        executor.run(HONEST)
        started[0].process.kill()
        assert [executor.run(HONEST).verdict for _ in range(2)] == [Verdict.PASS] * 2
        assert len(started) == 2 and started[1].process.poll() is None


def test_a_compiler_is_replaced_after_so_many_programs(started, monkeypatch):
    monkeypatch.setattr(java_compiler, "NUM_COMPILATIONS", 2)
    with Executor(LIMITS) as executor:
        assert [executor.run(HONEST).verdict for _ in range(3)] == [Verdict.PASS] * 3
    assert len(started) == 2


def test_class_files_are_those_of_a_javac_of_its_own(started):
    source = """
    import java.nio.file.*;
    import java.util.*;
    import org.javatuples.*;
    public class Main {
        static class Inner {}
        public static void main(String[] a) throws Exception {
            Runnable r = new Runnable() { public void run() {} };
            java.util.function.IntSupplier s = () -> Pair.with(1, 2).getSize();
            Map<String, Integer> seen = new TreeMap<>();
            for (Path p : Files.newDirectoryStream(Path.of(".")))
                seen.put(p.toString(), Arrays.hashCode(Files.readAllBytes(p)));
            System.out.println(seen);
        }
    }"""
    with Executor(LIMITS) as executor:
        warm = executor.run(Program(source, "java"))
    cold = run_once(choose_sandbox("auto"), Program(source, "java"), LIMITS)
    assert warm.verdict is Verdict.PASS and "Main$Inner.class=" in warm.stdout and "Main$1.class=" in warm.stdout
    assert warm.stdout == cold.stdout
    assert started[0].num_left == java_compiler.NUM_COMPILATIONS - 1


def test_errors_are_each_program_s_own_and_in_the_words_of_a_javac_of_its_own(started):
    sources = [MAIN % f"List raw = new ArrayList(); raw.add(1); missing{i}();" for i in range(6)]
    with Executor(LIMITS) as executor:
        results = executor.run_batch(Program(source, "java") for source in sources)
    for i, result in enumerate(results):
        assert result.verdict is Verdict.COMPILE_ERROR and result.exit_code == 1
        assert [j for j in range(6) if f"missing{j}" in result.stderr] == [i]
    cold = run_once(choose_sandbox("auto"), Program(sources[0], "java"), LIMITS)
    assert results[0].stderr == cold.stderr
    assert all(compiler.num_left < java_compiler.NUM_COMPILATIONS for compiler in started)


def test_a_program_cannot_use_a_class_of_the_one_before(started):
    first = MAIN % "System.out.println(Other.X);" + " class Other { static final int X = 42; }"
    second = MAIN % "System.out.println(Other.X);"
    with Executor(LIMITS, workers=1) as executor:
        results = executor.run_batch(Program(source, "java") for source in (first, second, first))
    assert [result.verdict for result in results] == [Verdict.PASS, Verdict.COMPILE_ERROR, Verdict.PASS]
    assert "cannot find symbol" in results[1].stderr
    assert len(started) == 1


def test_a_class_that_is_the_compiler_s_own_cannot_be_named():
    with Executor(LIMITS) as executor:
        result = executor.run(Program(MAIN % "CompileServer.main(a);", "java"))
    assert result.verdict is Verdict.COMPILE_ERROR and "cannot find symbol" in result.stderr


def test_what_a_compiler_is_not_asked_or_not_believed_is_compiled_in_the_program_s_own_sandbox(started):
    text = MAIN % "System.out.println(42);"
    long_name = "class " + "L" * 201 + " {}"
    sources = [text + f"/* {'x' * java_compiler.MAX_BYTES} */", text + " class \u00c4 {}", text + long_name]
    with Executor(LIMITS, workers=1) as executor:
        results = executor.run_batch(Program(source, "java") for source in sources)
    assert [result.stdout for result in results] == ["42\n"] * 3
    assert len(started) == 2 and all(compiler.process.returncode is not None for compiler in started)


def test_class_files_that_cannot_be_put_beside_the_program_are_judged_as_javac_judges_them(started):
    source = f"package {'.'.join(['p' * 200] * 25)};\npublic class Main {{}}"
    with Executor(LIMITS) as executor:
        result = executor.run(Program(source, "java"))
    assert started[0].num_left == java_compiler.NUM_COMPILATIONS - 1
    assert result.verdict is Verdict.COMPILE_ERROR and "error while writing" in result.stderr, result


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"\2" + block(b"Main.class") + block(b"x"),
        b"\1" + block(b"Main.class"),
        b"\1" + block(b"Main.class") + block(b"x")[:-1],
        b"\1" + block(b"Main.class") + b"\0\0",
        b"\1" + block(b"../Main.class") + block(b"x"),
        b"\1" + block(b"/tmp/Main.class") + block(b"x"),
        b"\1" + block(b"Main.class\n") + block(b"x"),
        b"\1" + block(b"Main.py") + block(b"x"),
        b"\1" + b"".join(block(b"M%d.class" % i) + block(b"x") for i in range(java_compiler.MAX_CLASSES + 1)),
    ],
)
def test_an_odd_answer_is_refused(answer):
    with pytest.raises(ValueError):
        parse(answer)


def test_an_answer_is_read_as_it_was_meant():
    assert parse(b"\1" + block(b"a/B$1.class") + block(b"\xca\xfe")).classes == {"a/B$1.class": b"\xca\xfe"}
    assert parse(b"\0Main.java:1: error").errors == b"Main.java:1: error"
