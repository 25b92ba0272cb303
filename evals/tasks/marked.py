"""Section 4: programs that pass only if their last test was reached: a marker that no answer can know is printed then.

Leaving early, printing "OK" or exiting with 0 does not pass. An answer that finds the marker in its own program's file
or memory could print it; a compiled program's text is gone when it runs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from evals.execution import Program

STATEMENTS = {
    "python": "print({marker!r})",
    "javascript": "console.log({marker!r});",
    "typescript": "console.log({marker!r});",
    "php": "echo {marker!r};",
    "bash": "echo {marker!r}",
    "java": 'System.out.println("{marker}");',
    "csharp": 'System.Console.WriteLine("{marker}");',
    "cpp": 'std::fflush(stdout); std::cout << std::endl << "{marker}" << std::endl;',
    "rust": 'println!("{marker}");',
}
APPENDED = ("python", "javascript", "typescript", "php", "bash")
# The closing braces after the last statement of main: of main itself, and of the class around it.
CLOSING = {
    "cpp": re.compile(r"(?:return\s+0\s*;\s*)?\}\s*\Z"),
    "rust": re.compile(r"\}\s*\Z"),
    "java": re.compile(r"\}\s*\}\s*\Z"),
    "csharp": re.compile(r"\}\s*\}\s*\Z"),
}
GO_END = """package {package}

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {{
	code := m.Run()
	if code == 0 {{
		fmt.Println("\\n{marker}")
	}}
	os.Exit(code)
}}
"""


def marked_program(
    source: str,
    language: str = "python",
    packages: tuple[str, ...] = (),
    main: str = "Main",
    files: Mapping[str, bytes] | None = None,
) -> Program:
    """Return a program that prints a marker after its last test and passes only then.

    Args:
        source: code and tests; in C++, Rust, Java and C# it ends with main, in the others with the call of the tests.
        files: beside it.

    Raises:
        ValueError: the text does not end with main's closing braces.

    Source: ours.
    """
    marker = f"passed-{secrets.token_hex(8)}"
    files = dict(files or {})
    if language == "go":
        package = re.search(r"^\s*package\s+(\w+)", source, re.MULTILINE)
        files["end_test.go"] = GO_END.format(package=package[1] if package else "main", marker=marker).encode()
    elif language in APPENDED:
        source = f"{source}\n{STATEMENTS[language].format(marker=marker)}\n"
    else:
        closing = CLOSING[language].search(source)
        if not closing:
            raise ValueError(f"the {language} program does not end with main: ...{source[-80:]!r}")
        statement = STATEMENTS[language].format(marker=marker)
        source = f"{source[: closing.start()]}\n{statement}\n{source[closing.start() :]}"
    return Program(source, language, main, packages=packages, files=files, expect_stdout_marker=marker)
