"""Section 4.4.3: HumanEvalFix with tests: a function with one bug and its failing tests, in six languages."""

from __future__ import annotations

import re

from evals.benchmarks.humanevalfix import LANGUAGES, humanevalfix_source
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program, encoded
from evals.tasks.answers import TITLES
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.go_files import go_file
from evals.tasks.marked import marked_program
from evals.tasks.python_text import as_module, without_demonstration
from evals.tasks.script_text import as_script
from evals.tasks.syntax import defines, definitions, functions_beside, without, without_function

RUST_TEST = re.compile(r"#\[test\]((?:\s|//[^\n]*\n)*)(?:pub\s+)?fn\s+(\w+)")


class HumanEvalFix(ExecutedBenchmark):
    """pass@1 of the repaired function. A base model continues the declaration after the request."""

    limits = Limits(wall_seconds=20.0, cpu_seconds=20.0, memory_bytes=1 << 30, disk_bytes=512 << 20)

    def __init__(self, language: str) -> None:
        self.language = language
        self.name = f"humanevalfix_{language}"
        self.family = "humanevalfix"
        self.title = f"164 functions in {TITLES[language]} with a bug each, and their tests"
        self.source = humanevalfix_source(language)
        self.base_stops = (
            ("\n//", "\nfunc main(", "\nfunc Test", "struct")
            if language == "go"
            else ("\ndef ", "\nclass ", "\nif __name__", "\nassert", "\n#")
            if language == "python"
            else ()
        )

    def cluster(self, row: Row) -> str:
        """Return the problem's number: the same in all languages."""
        return row["task_id"].split("/")[1]

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        """Return OctoPack's prompt for the split with tests (`standard`), or CodeFuseEval's (`paper`).

        CodeFuseEval's code puts the column `prompt`, with its docstring, where the paper says that there is none; the
        declaration is used for both.
        """
        head = row["declaration"] + ("fn main(){}\n" if self.language == "rust" and preset == "standard" else "")
        context = f"{head}{row['buggy_solution']}\n{row['test']}"
        request = f"Fix bugs in {row['entry_point']}"
        if preset == "paper":
            return f"{context}\n{request}" + ("" if instruct else f"\n\n{row['declaration']}")
        if instruct:
            return f"{context}\n{request}.\n\n{row['declaration']}".strip()
        return f"{context}\n{request}.\n\n{row['declaration']}"

    def program(self, row: Row, code: str) -> Program:
        """Return declaration, continuation as far as it defines something, and tests."""
        code = definitions(declaration(row) + code, self.language, row["entry_point"])
        return self._program(row, code, row["import"] if self.language == "go" else "")

    def chat_program(self, row: Row, code: str) -> Program:
        """Return what an answer leaves out of the declaration's head, the answer's functions, and tests."""
        if self.language == "go":
            return self._program(row, code, f"{row['import']}\n{code}")
        if self.language == "javascript":
            code = as_script(code, "javascript", row["entry_point"], row["test"])
        if self.language == "python":
            code = without_demonstration(code, row["entry_point"])
        return self._program(row, with_head(declaration(row), code, self.language))

    def _program(self, row: Row, code: str, imports: str = "") -> Program:
        test = row["test"]
        if self.language == "go":
            # The solution and the tests are two files, each with just the imports that it uses: Go asks for that.
            helpers = functions_beside(row["prompt"], "go", row["entry_point"])
            if not any(defines(code, "go", name) for name in re.findall(r"^func (\w+)", helpers, re.MULTILINE)):
                code += f"\n{helpers}"
            files = {"solution.go": encoded(go_file(code, imports))}
            return marked_program("", go_file(test, row["test_setup"]), "go", files=files)
        if self.language == "rust":
            test = rust_main(test)
        if self.language == "python":
            code = as_module(code)
        return marked_program(code, test, self.language)

    def gold(self, row: Row) -> str:
        return row["canonical_solution"]


def declaration(row: Row) -> str:
    """Return the row's declaration; that of CPP/38, which goes on into the function's body, is cut."""
    if row["task_id"] != "CPP/38":
        return row["declaration"]
    head, signature, _ = row["declaration"].partition("string decode_cyclic(string s){")
    return f"{head}{signature}\n"


def with_head(declaration: str, code: str, language: str) -> str:
    """Return a chat answer's code below the imports of the declaration, without its own main.

    A Java answer may be the method alone; the class is then put around it.
    """
    lines = declaration.splitlines(keepends=True)
    head = "".join(line for line in lines if line.startswith(("import", "from", "use ", "#include", "using ")))
    if language == "python":
        # Helpers that the repaired function calls stand above it, in two problems.
        return f"{declaration.rstrip()}\n    pass\n{code}"
    if language == "java":
        code = without(code, "java", lambda kind, name: kind == "class_declaration" and name == "Main")
        imports = "".join(line for line in code.splitlines(keepends=True) if line.startswith("import"))
        code = "".join(line for line in code.splitlines(keepends=True) if not line.startswith(("import", "package")))
        code = re.sub(r"\bpublic\s+class\b", "class", code)
        return f"{head}{imports}{code if 'class Solution' in code else f'class Solution {{{code}}}'}"
    if language in ("cpp", "rust"):
        code = without_function(code, language, "main")
    present = {line.strip() for line in code.splitlines()}
    return "".join(line for line in head.splitlines(keepends=True) if line.strip() not in present) + code


def rust_main(test: str) -> str:
    """Return the tests as a main that calls them, so that leaving early can be told from passing.

    Raises:
        ValueError: there is no test, or one whose function is not found: it would not be called.
    """
    test = test.replace("#[cfg(test)]", "")
    test, num_found = RUST_TEST.subn(r"\1pub fn \2", test)
    names = re.findall(r"\bpub fn (\w+)", test) if num_found else []
    if not num_found or "#[test]" in test or num_found != len(names):
        raise ValueError(f"{num_found} of the Rust tests' functions were found: {test[:200]!r}")
    calls = "\n".join(f"    tests::{name}();" for name in names)
    return f"{test}\nfn main() {{\n{calls}\n}}\n"


HUMANEVALFIX = tuple(HumanEvalFix(language) for language in LANGUAGES)
