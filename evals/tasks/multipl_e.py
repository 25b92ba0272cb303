"""Section 4.4.1: MultiPL-E: HumanEval and MBPP translated to nine languages; Python's column is HumanEval itself."""

from __future__ import annotations

import re
from pathlib import Path

from evals.benchmarks.multipl_e import LANGUAGES, multipl_e_source
from evals.benchmarks.multipl_e_gold import add_gold
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program, encoded
from evals.tasks.answers import TITLES
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.go_files import go_file
from evals.tasks.humaneval import HumanEval
from evals.tasks.marked import marked_program
from evals.tasks.script_text import as_php, as_script
from evals.tasks.syntax import class_body, defines, without, without_function

CHAT = {
    "standard": (
        "Complete the following {title} function. Answer with one code block.\n```{language}\n{prompt}\n```\n"
    ),
    "paper": "Complete the following {language} code:\n{prompt}",
}
IMPORTS = {
    "java": re.compile(r"^\s*import\s[^;]*;[^\n]*\n", re.MULTILINE),
    "csharp": re.compile(r"^\s*using\s[^;(]*;[^\n]*\n", re.MULTILINE),
}
# 48 of the 158 published C# tests ask for more than equal values, so that no answer passes them: 45 whether a list or
# dictionary is the same object, two call Equals of null, one compares tuples of different types; here the values are
# compared. (The paper's 77 % exceeds what those tests allow: not all of them can have been on.)
EQUALS = re.compile(r"Debug\.Assert\((.*)\.Equals\((null|\(?(?:new (?:List|Dictionary)<|Tuple\.Create\().*)\)\);")
# A script that ends would end before the tests.
BASH_END = re.compile(r"^exit(?:[ \t]+0)?[ \t]*;?[ \t]*\n?\s*\Z", re.MULTILINE)


STOPS = {
    "cpp": ("\n}",),
    "java": ("\n    }\n",),
    "php": ("\nfunction", "\n?>", "\n//", "\n#"),
    "typescript": ("\nfunction ", "\n/*", "\n//", "\nclass"),
    "csharp": ("\n    }\n",),
    "bash": ("\n}",),
    "go": ("\nfunc", "struct", "\n// "),
    "rust": ("\n}",),
    "javascript": ("\nfunction ", "\n/*", "\n//", "\nconsole.log"),
}


class MultiplE(ExecutedBenchmark):
    """pass@1. A base model's completion is cut at the release's own stop strings."""

    limits = Limits(wall_seconds=15.0, cpu_seconds=15.0, memory_bytes=1 << 30, disk_bytes=512 << 20)

    def __init__(self, corpus: str, language: str) -> None:
        self.language = language
        self.name = f"multipl_e_{corpus}_{language}"
        self.family = f"multipl_e_{corpus}"
        self.source = multipl_e_source(corpus, language)
        self.title = f"{'HumanEval' if corpus == 'humaneval' else 'MBPP'} in {TITLES[language]}"
        self.base_stops = STOPS[language]

    def identify(self, row: Row) -> str:
        return row["name"]

    def cluster(self, row: Row) -> str:
        """Return the problem: the same in all languages."""
        return "_".join(row["name"].split("_")[:2])

    def entry_point(self, row: Row) -> str:
        """Return the prompt's function: the last that it names, which the tests call in the language's spelling."""
        return entry_point(row["prompt"], self.language)

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        if not instruct:
            return row["prompt"]
        return CHAT[preset].format(title=TITLES[self.language], language=self.language, prompt=row["prompt"].strip())

    def program(self, row: Row, code: str) -> Program:
        """Return prompt, completion up to the first stop string, and tests, which begin by closing the function."""
        ends = [at for at in (code.find(stop) for stop in row["stop_tokens"]) if at >= 0]
        code = code[: min(ends, default=len(code))]
        return self._program(f"{row['prompt']}{code}\n", row["tests"])

    def chat_program(self, row: Row, code: str) -> Program:
        """Return a chat answer's own functions in the place of the prompt's, and tests without their closing brace.

        An answer that does not define the function is taken as a completion of the prompt.
        """
        tests, name = row["tests"], self.entry_point(row)
        if not defines(code, self.language, name):
            return self.program(row, code)
        closed = tests.lstrip().removeprefix("}") if tests.lstrip().startswith("}") else tests
        if self.language in ("java", "csharp"):
            code = without_function(code, self.language, "main" if self.language == "java" else "Main")
            pattern = IMPORTS[self.language]
            imports = "".join(match[0] for match in pattern.finditer(code))
            found = class_body(code, self.language, name)
            rest, members = found if found else ("", code)
            rest, members = pattern.sub("", rest), pattern.sub("", members)
            rest = re.sub(r"^\s*package[^\n]*\n|^\s*namespace\s+[\w.]+\s*(;|\{\s*\})", "", rest, flags=re.MULTILINE)
            head, brace, _ = row["prompt"].partition("class Problem {")
            return self._program(f"{imports}{head}{rest}{brace}\n{as_static(members, name)}\n", closed)
        if self.language == "go":
            package = row["prompt"].partition("\n")[0]
            code = without(code, "go", lambda kind, found: found == "main" or found.startswith("Test"))
            files = {"solution_test.go": encoded(go_file(code, code, package))}
            return marked_program("", go_file(tests, row["prompt"], package), "go", files=files)
        if self.language == "php":
            code = as_php(code, name)
        if self.language in ("cpp", "rust"):
            code = without_function(code, self.language, "main")
        if self.language == "cpp":
            code = "".join(re.findall(r"^#include.*\n", row["prompt"], re.MULTILINE)) + code
        if self.language in ("javascript", "typescript"):
            code = as_script(code, self.language, name, closed)
        if self.language == "bash":
            code = BASH_END.sub("", code)
        return self._program(f"{code}\n", closed)

    def _program(self, code: str, tests: str) -> Program:
        if self.language == "csharp":
            tests = EQUALS.sub(r"Debug.Assert(ByValue.Same(\1, \2));", tests)
        return marked_program(code, tests, self.language, main="Problem")

    def gold(self, row: Row) -> str | None:
        return row.get("gold")

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        """Return the rows, with a right completion where one is known."""
        rows, where = self.source.load(data_dir)
        return (add_gold(rows, self.language, data_dir) if self.name.startswith("multipl_e_humaneval") else rows), where


class MultiplEPython(HumanEval):
    """The table's Python column: HumanEval itself (n=164)."""

    name = "multipl_e_humaneval_python"
    family = "multipl_e_humaneval"
    title = "HumanEval in Python: humaneval itself"

    def cluster(self, row: Row) -> str:
        return row["task_id"].replace("/", "_")


def entry_point(prompt: str, language: str) -> str:
    """Return the name of the function that a prompt ends with."""
    last = [line for line in prompt.splitlines() if line.strip()][-1]
    names = re.findall(r"([A-Za-z_]\w*)\s*(?:<[^(]*>)?\(", last)
    return names[0] if names else ""


def as_static(members: str, name: str) -> str:
    """Return a class's members with the method that the tests call made static, as the prompt has it."""
    modifiers = r"(?P<modifiers>(?:(?:public|private|protected|internal|static|final)\s+)*)"
    method = re.compile(rf"^[ \t]*{modifiers}(?=[\w<>\[\],.? ]+\s{name}\s*\()", re.MULTILINE)
    found = method.search(members)
    if found is None or "static" in found["modifiers"]:
        return members
    return f"{members[: found.end()]}static {members[found.end() :]}"


MULTIPL_E = (
    MultiplEPython(),
    *(MultiplE(corpus, language) for corpus in ("humaneval", "mbpp") for language in LANGUAGES),
)
