"""Section 4.1: how a program of each language is compiled and run inside the sandbox, and what its runtime needs.

Words in braces are filled in: {tool} with the path of a tool, {cache} with the language's prepared folder, {modules}
with npm's, {tmp} with the program's, {main} with `Program.main`, {heap_mb} with a runtime's own limit on its heap, and
{stack_mb} with one on a stack that grows on the heap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Language:
    """How programs of a language are compiled and run.

    Args:
        name (`str`): as in `Program.language`.
        file_name (`str`): that `Program.source` is written to.
        tools: commands that must be on the PATH; the first one's version stands for the toolchain's.
        version_flag (`str`): that makes the first tool say its version.
        run: the command.
        compile: commands before it; one that fails is a compile error.
        folders: of the system, beyond /usr and /lib, that the tools read.
        environment: added to the program's.
        companion: name and text of a file beside the program, for what its runtime is told by code alone; {package} is
            the program's own. A program that names none gets no such file.
        seed_flags: of the runtime, for a program with a `random_seed`, {random_seed} filled in.
        seed_environment: added to the program's then.
        address_space (`bool`): whether memory is limited as address space. Runtimes that reserve much more than they
            use (V8, Go, the JVM, mono) get a limit on their data instead.
        num_processes (`int`): threads and processes that compiler and runtime need, at least.
        out_of_memory: texts on stderr by which the runtime says that memory was lacking.
        needs (`str`): what `evals/toolchains.sh` installs for it, in words.
    """

    name: str
    file_name: str
    tools: tuple[str, ...]
    run: tuple[str, ...]
    compile: tuple[tuple[str, ...], ...] = ()
    version_flag: str = "--version"
    folders: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    companion: tuple[str, str] | None = None
    seed_flags: tuple[str, ...] = ()
    seed_environment: Mapping[str, str] = field(default_factory=dict)
    address_space: bool = True
    num_processes: int = 64
    out_of_memory: tuple[str, ...] = ()


JVM = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss16m")
CRATES = ("rand", "regex", "md5")
V8_SEED = ("--random-seed={random_seed}",)
_TYPESCRIPT = Language(
    "typescript",
    "main.ts",
    tools=("node", "tsc"),
    # The compiler's own library is right, and checking it takes three quarters of the time.
    compile=(
        (
            *("{tsc}", "--target", "esnext", "--module", "commonjs", "--strict", "false"),
            *("--skipDefaultLibCheck", "main.ts"),
        ),
    ),
    run=("{node}", "--stack-size=3900", "--max-old-space-size={heap_mb}", "main.js"),
    environment={"NODE_PATH": "{modules}", "OPENSSL_CONF": "/dev/null"},
    seed_flags=V8_SEED,
    address_space=False,
    num_processes=128,
    out_of_memory=("JavaScript heap out of memory", "Array buffer allocation failed"),
)
_CPP = Language(
    "cpp",
    "main.cpp",
    tools=("g++",),
    compile=(
        (
            *("{g++}", "-std=c++17", "-w", "-I", "{cache}", "-include", "everything.h"),
            *("main.cpp", "-o", "main", "-lcrypto", "-lpthread"),
        ),
    ),
    run=("./main",),
    out_of_memory=("std::bad_alloc",),
)
# Undefined behavior ends the program instead of giving whatever the compiler makes of it.
CPP_TRAPS = (
    *("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-D_GLIBCXX_ASSERTIONS"),
    "-ftrivial-auto-var-init=pattern",
)
LANGUAGES = {
    language.name: language
    for language in (
        Language(
            "java",
            "{main}.java",
            tools=("javac", "java"),
            compile=(
                (
                    "{javac}",
                    *(f"-J{flag}" for flag in (*JVM, "-XX:TieredStopAtLevel=1", "-Xmx512m", "-Xshare:auto")),
                    "-J-XX:SharedArchiveFile={cache}/javac.jsa",
                    *("-proc:none", "-nowarn", "-encoding", "UTF8", "-cp", "{cache}/classes", "-d", "."),
                    "{main}.java",
                ),
            ),
            run=("{java}", "-ea", *JVM, "-Xshare:auto", "-Xmx{heap_mb}m", "-cp", ".:{cache}/classes", "{main}"),
            folders=("/etc/java-17-openjdk", "/etc/java-21-openjdk", "/etc/java-25-openjdk"),
            address_space=False,
            num_processes=128,
            out_of_memory=("java.lang.OutOfMemoryError",),
        ),
        Language(
            "javascript",
            "main.js",
            tools=("node",),
            compile=(("{node}", "--check", "main.js"),),
            run=("{node}", "--stack-size=3900", "--max-old-space-size={heap_mb}", "main.js"),
            environment={"NODE_PATH": "{modules}", "OPENSSL_CONF": "/dev/null"},
            seed_flags=V8_SEED,
            address_space=False,
            out_of_memory=("JavaScript heap out of memory", "Array buffer allocation failed"),
        ),
        _TYPESCRIPT,
        # For benchmarks whose own judge does not check types.
        replace(
            _TYPESCRIPT,
            name="typescript_unchecked",
            compile=(("{tsc}", "--target", "esnext", "--module", "commonjs", "--noCheck", "main.ts"),),
        ),
        _CPP,
        # For programs whose values are to be kept as true.
        replace(_CPP, name="cpp_trapping", compile=((_CPP.compile[0][0], *CPP_TRAPS, *_CPP.compile[0][1:]),)),
        Language(
            "csharp",
            "main.cs",
            tools=("mcs", "mono"),
            compile=(
                (
                    *("{mcs}", "-nologo", "-warn:0", "-d:DEBUG", "-r:System.Numerics.dll"),
                    *("-out:main.exe", "main.cs", "{cache}/Debug.cs"),
                ),
            ),
            run=("{mono}", "main.exe"),
            folders=("/etc/mono",),
            environment={"MONO_GC_PARAMS": "max-heap-size={heap_mb}m"},
            address_space=False,
            num_processes=128,
            out_of_memory=("OutOfMemoryException", "Out of memory", "GC max-heap"),
        ),
        Language(
            "php",
            "main.php",
            tools=("php",),
            compile=(("{php}", "-d", "display_errors=stderr", "-l", "main.php"),),
            run=("{php}", "-d", "display_errors=stderr", "-d", "memory_limit={heap_mb}M", "main.php"),
            folders=("/etc/php",),
            out_of_memory=("Allowed memory size", "Out of memory"),
        ),
        Language(
            "rust",
            "main.rs",
            tools=("rustc",),
            compile=(
                (
                    *("{rustc}", "--edition", "2021", "-A", "warnings", "-L", "dependency={cache}/crates"),
                    *(word for name in CRATES for word in ("--extern", f"{name}={{cache}}/crates/lib{name}.rlib")),
                    *("main.rs", "-o", "main"),
                ),
            ),
            run=("./main",),
            folders=("/etc/alternatives",),
            num_processes=128,
            out_of_memory=("memory allocation of",),
        ),
        Language(
            "go",
            "main_test.go",
            tools=("go",),
            version_flag="version",
            compile=(
                ("/bin/cp", "-rs", "{cache}/build", "{tmp}/go-build"),
                ("{go}", "test", "-ldflags=-s -w", "-c", "-o", "main.test"),  # what debuggers read is not linked
            ),
            run=("./main.test",),
            folders=("/etc/alternatives",),
            environment={
                "GO111MODULE": "off",
                "GOPATH": "/usr/share/gocode",
                "GOCACHE": "{tmp}/go-build",
                "GOFLAGS": "-p=1 -gcflags=-e",  # all errors of a program, not the first ten
                "GOMAXPROCS": "2",
                "GOTOOLCHAIN": "local",
                "CGO_ENABLED": "0",
                "GOMEMLIMIT": "{heap_mb}MiB",
            },
            # A stack may have a gigabyte: endless recursion runs out of time or memory as often as of that.
            companion=(
                "a_ling_stack_test.go",  # of its package's files, the first to be initialized
                "package {package}\n\n"
                'import ling_debug "runtime/debug"\n\n'
                "func init() { ling_debug.SetMaxStack({stack_mb} << 20) }\n",
            ),
            seed_environment={"GODEBUG": "randautoseed=0"},  # it begins with 1, as before Go 1.20
            address_space=False,
            num_processes=192,
            out_of_memory=("out of memory", "cannot allocate memory"),
        ),
        Language(
            "bash",
            "main.sh",
            tools=("bash",),
            compile=(("{bash}", "-c", 'for file in *.sh; do "$BASH" -n "$file" || exit; done'),),
            run=("{bash}", "main.sh"),
            folders=("/etc/alternatives",),
            out_of_memory=("cannot allocate", "Cannot allocate memory"),
        ),
    )
}
