"""Section 4.1: programs that pass only if their last test was reached and held.

After it a program asks the executor for a marker, on descriptors of its own, and prints it. Nobody who has not read the
harness in the program's own text can ask: leaving early, printing "OK" or exiting with 0 does not pass, and the marker
is in no file and no memory before. What tests call is bound before the answer's code, or named so that an answer has no
other of that name. SECURITY.md says what an answer can do nevertheless.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from evals.execution import Program, encoded
from evals.execution.environments import PREFIX

# What asks for the marker and prints it; REQUEST is filled in. Descriptors 4 and 3 are `Program.marker_request`'s.
ENDS = {
    "python": 'import os as _os; _os.write(4, b"REQUEST\\n"); _os.write(1, b"\\n" + _os.read(3, 64))',
    "javascript": "NAME.end();",
    "typescript": "NAME.end();",
    "php": '\\fwrite(\\fopen("php://fd/4", "w"), "REQUEST\\n"); echo "\\n", \\fgets(\\fopen("php://fd/3", "r"));',
    "bash": "builtin echo REQUEST >&4; builtin read -r marker <&3; builtin printf '\\n%s\\n' \"$marker\"",
    "java": """try (java.io.OutputStream ling_o = new java.io.FileOutputStream("/proc/self/fd/4");
    java.io.InputStream ling_i = new java.io.FileInputStream("/proc/self/fd/3")) {
        ling_o.write("REQUEST\\n".getBytes());
        byte[] ling_b = new byte[64];
        System.out.println("\\n" + new String(ling_b, 0, ling_i.read(ling_b)));
    } catch (java.io.IOException ling_e) { throw new RuntimeException(ling_e); }""",
    "csharp": """using (var ling_o = new global::System.IO.FileStream("/proc/self/fd/4",
        global::System.IO.FileMode.Open, global::System.IO.FileAccess.Write, global::System.IO.FileShare.ReadWrite, 1))
    using (var ling_i = new global::System.IO.FileStream("/proc/self/fd/3", global::System.IO.FileMode.Open,
        global::System.IO.FileAccess.Read, global::System.IO.FileShare.ReadWrite, 1)) {
        var ling_r = global::System.Text.Encoding.ASCII.GetBytes("REQUEST\\n");
        ling_o.Write(ling_r, 0, ling_r.Length); ling_o.Flush();
        global::System.Console.WriteLine("\\n" + new global::System.IO.StreamReader(ling_i).ReadLine());
    }""",
    "cpp": """{ std::cout << std::endl; std::fflush(stdout); char ling_b[64]; long ling_n = 0;
    if (::write(4, "REQUEST\\n", sizeof("REQUEST\\n") - 1) > 0) ling_n = ::read(3, ling_b, sizeof ling_b);
    if (ling_n <= 0 || ::write(1, ling_b, ling_n) != ling_n) __builtin_trap(); }""",
    "rust": """{
        let mut ling_o = ::std::fs::OpenOptions::new().write(true).open("/proc/self/fd/4").unwrap();
        ::std::io::Write::write_all(&mut ling_o, b"REQUEST\\n").unwrap();
        let mut ling_b = [0u8; 64];
        let mut ling_i = ::std::fs::File::open("/proc/self/fd/3").unwrap();
        let ling_n = ::std::io::Read::read(&mut ling_i, &mut ling_b).unwrap();
        ::std::println!("\\n{}", ::std::str::from_utf8(&ling_b[..ling_n]).unwrap());
    }""",
}
# The closing braces after the last statement of main: of main itself, and of the class around it.
CLOSING = {
    "cpp": re.compile(r"(?:return\s+0\s*;\s*)?\}\s*\Z"),
    "rust": re.compile(r"\}\s*\Z"),
    "java": re.compile(r"\}\s*\}\s*\Z"),
    "csharp": re.compile(r"\}\s*\}\s*\Z"),
}
# Stands before an answer's first line and on it, so that lines keep their numbers.
SCRIPT_HEADS = {
    "javascript": "const NAME = ((require, Buffer) => {BODY})(require, Buffer); ",
    "typescript": 'const NAME: any = ((require: any, Buffer: any) => {BODY})(eval("require"), eval("Buffer")); ',
}
SCRIPT_HEAD = (
    ' const {readSync, writeSync} = require("fs"), assert = require("node:assert"), buffer = Buffer.alloc(64);'
    " Object.freeze(assert); Object.freeze(assert.strict); STRICT"
    ' return {assert, end: () => { writeSync(4, "REQUEST\\n");'
    ' writeSync(1, "\\n" + buffer.toString("utf8", 0, readSync(3, buffer)) + "\\n"); }}; '
)
# Node's own prints a failed assertion and goes on.
STRICT_CONSOLE = (
    'Object.defineProperty(console, "assert", {value: (held, ...words) => {'
    ' if (!held) throw new Error(["assertion failed", ...words].join(" ")); }, writable: false, configurable: false});'
)
REQUIRED_ASSERT = re.compile(r"""\brequire\(\s*['"](?:node:)?assert['"]\s*\)""")
ASSERT_MACRO = re.compile(r"(?<![\w:])((?:debug_)?assert(?:_eq|_ne)?)!")
CSHARP_CHECK = re.compile(r"(?<![\w.])(?=(?:Debug\.Assert|ByValue\.Same)\()")
# An answer's macros end with it; and a failed assertion calls nothing that an answer could have defined.
CPP_WORDS = (
    *("assert", "NDEBUG", "main", "candidate", "auto", "bool", "break", "case", "catch", "char", "const", "continue"),
    *("do", "double", "else", "false", "float", "for", "if", "int", "long", "namespace", "new", "operator", "return"),
    *("short", "signed", "size_t", "static", "std", "string", "struct", "switch", "template", "this", "throw", "true"),
    *("try", "typename", "unsigned", "using", "vector", "void", "while", "write", "read", "abs", "fabs", "round"),
)
CPP_HEAD = (
    "\n"
    + "".join(f"#undef {word}\n" for word in CPP_WORDS)
    + "#include <cassert>\n#include <unistd.h>\n#undef assert\n"
    + '#define assert(...) ((__VA_ARGS__) ? (void)0 : (std::fflush(stdout), (void)!::write(2, "assertion failed: " '
    + '#__VA_ARGS__ "\\n", sizeof("assertion failed: " #__VA_ARGS__ "\\n") - 1), __builtin_trap()))\n'
)
CPP_ASSERTIONS = re.compile(r"^[ \t]*#\s*(?:undef\s+NDEBUG|include\s*<(?:assert\.h|cassert)>)[^\n]*$", re.MULTILINE)
BASH_CANDIDATE = re.compile(r'^candidate\(\) \{\n\s+(\w+) "\$@"\n\}$', re.MULTILINE)
# The answer is in a process of its own for each call, without the descriptors: what it changes is not the tests'.
BASH_CALL = r"""candidate() {
    "$BASH" -c '. ./answer.sh >/dev/null 2>&1 </dev/null; \1 "$@"' bash "$@" 3<&- 4>&-
}"""
# Go's predeclared names are not reserved: an answer's own panic, or true, would be the tests' too.
GO_PREDECLARED = re.compile(
    r"^(?:func|var|const|type)\s+(?:true|false|nil|panic|len|append|string|int|float64|bool|error|make)\b", re.MULTILINE
)
GO_TEST = re.compile(r"^func (Test\w*)\((\w+) \*testing\.T\) \{$", re.MULTILINE)
GO_END = """package {package}

import (
	{name}_flag "flag"
	{name}_os "os"
	{name}_testing "testing"
)

func TestMain(m *{name}_testing.M) {{
	{name}_os.Args = {name}_os.Args[:1]
	{name}_flag.Parse()
	{name}_flag.VisitAll(func(f *{name}_flag.Flag) {{ f.Value.Set(f.DefValue) }})
	code := m.Run()
	if code == 0 && {name} == {num_tests} {{
		{name}_os.NewFile(4, "").Write([]byte("{request}\\n"))
		marker := make([]byte, 64)
		n, _ := {name}_os.NewFile(3, "").Read(marker)
		{name}_os.Stdout.Write(append([]byte("\\n"), marker[:n]...))
	}}
	{name}_os.Exit(code)
}}

var {name} int
{refusal}"""


def marked_program(
    code: str,
    tests: str,
    language: str = "python",
    packages: tuple[str, ...] = (),
    main: str = "Main",
    files: Mapping[str, bytes] | None = None,
) -> Program:
    """Return a program that prints the executor's marker after its last test and passes only then.

    Args:
        code: the answer's, with what the benchmark puts around it; in Go empty where it is one of the files.
        tests: in C++, Rust, Java and C# they end with main, in the others with their call.
        language: as in `Program.language`.
        packages: as in `Program.packages`.
        main: as in `Program.main`.
        files: beside it.

    Raises:
        ValueError: the tests do not end with main's closing braces.
    """
    marker, request = f"passed-{secrets.token_hex(8)}", f"ended-{secrets.token_hex(8)}"
    name = f"ling_{secrets.token_hex(4)}"  # of what the harness declares in the program

    def filled(text: str) -> str:
        return text.replace("REQUEST", request).replace("NAME", name)

    files = dict(files or {})
    source, apart = f"{code}\n{tests}\n", ""
    if language == "python":
        source, apart = code, tests
    elif language.startswith(PREFIX):
        source += filled(ENDS["python"])
    elif language == "go":
        source, files["end_test.go"] = go_tests(code, tests, files, name, request)
    elif language in SCRIPT_HEADS:
        body = SCRIPT_HEAD.replace("STRICT", STRICT_CONSOLE if "console.assert" in tests else "")
        tests = REQUIRED_ASSERT.sub(f"{name}.assert", tests)
        source = filled(f"{SCRIPT_HEADS[language].replace('BODY', body)}{code}\n{tests}\n{ENDS[language]}\n")
    elif language == "bash" and (found := BASH_CANDIDATE.search(tests)):
        files["answer.sh"] = encoded(f"{code}\n{tests[: found.start()]}")
        source = f"{found.expand(BASH_CALL)}{tests[found.end() :]}\n{filled(ENDS['bash'])}\n"
    elif language in ("php", "bash"):
        source += f"{filled(ENDS[language])}\n"
    else:
        closing = CLOSING[language].search(tests)
        if not closing:
            raise ValueError(f"the {language} tests do not end with main: ...{tests[-80:]!r}")
        tests = f"{tests[: closing.start()]}\n{filled(ENDS[language])}\n{tests[closing.start() :]}"
        source = f"{code}\n{bound(tests, language)}"
    return Program(
        source,
        language,
        main,
        random_seed=0,  # tests that draw their inputs judge an answer alike in every run
        packages=packages,
        files=files,
        tests=apart,
        expect_stdout_marker=marker,
        marker_request=request,
    )


def bound(tests: str, language: str) -> str:
    """Return tests whose assertions are the language's own, whatever an answer has defined."""
    if language == "rust":
        return ASSERT_MACRO.sub(r"::std::\1!", tests)
    if language == "csharp":
        return CSHARP_CHECK.sub("global::", tests)
    if language == "cpp":
        tests = CPP_ASSERTIONS.sub("", tests)
        end = re.match(r"\s*\}", tests)  # of the answer's last function, where the tests close it
        return f"{end[0]}{CPP_HEAD}{tests[end.end() :]}" if end else CPP_HEAD + tests
    return tests


def go_tests(code: str, tests: str, files: Mapping[str, bytes], name: str, request: str) -> tuple[str, bytes]:
    """Return the file of the tests, which count themselves, and that of what runs them.

    Flags of Go's tests are as at the start, whatever an answer's init has made of them; and each test must have run.
    """
    answer = "\n".join([code, *(content.decode("utf-8", "replace") for content in files.values())])
    refusal = "var _ = an_answer_may_not_declare_what_go_does\n" if GO_PREDECLARED.search(answer) else ""
    counted = rf"func \1(\2 *testing.T) {{ defer func() {{ if !\2.Failed() {{ {name}++ }} }}()"
    tests, num_tests = GO_TEST.subn(counted, tests)
    source = f"{code}\n{tests}\n"
    package = re.search(r"^\s*package\s+(\w+)", source, re.MULTILINE)
    end = GO_END.format(
        package=package[1] if package else "main", name=name, num_tests=num_tests, request=request, refusal=refusal
    )
    return source, end.encode()
