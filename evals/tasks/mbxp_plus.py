"""Section 4.4.1: MBXP-PLUS in English and Chinese: the tests stand in the prompt."""

from __future__ import annotations

import re
from dataclasses import replace

from evals.benchmarks.mbxp_plus import LANGUAGES, mbxp_plus_source
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program
from evals.tasks.answers import TITLES
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.go_files import go_file
from evals.tasks.marked import marked_program
from evals.tasks.script_text import as_php, as_script
from evals.tasks.syntax import defines, without, without_function

PROMPTS = {
    "en": "Please complete the following requirement using {language}:\n{text}\n"
    "Your code should satisfy these tests:\n{test}",
    "cn": "请用{language}完成下述需求:\n{text}你的代码必须能够通过这些测试用例:\n{test}",
}
HEADS = {
    "cpp": r"^\s*(?:#include[^\n]*|using namespace[^\n]*)\n",
    "java": r"^\s*(?:import[^\n]*|package[^\n]*)\n",
    "php": r"<\?php\s*\n",
}
IMPORT_ALL = re.compile(r"^import \* as (\w+) from ('[^']*'|\"[^\"]*\");?", re.MULTILINE)


class MbxpPlus(ExecutedBenchmark):
    """pass@1. A base model continues the row's own prompt."""

    max_new_tokens = 1024
    limits = Limits(wall_seconds=15.0, cpu_seconds=15.0, memory_bytes=1 << 30, disk_bytes=512 << 20)

    def __init__(self, described: str, language: str) -> None:
        self.described, self.language = described, language
        self.name = f"mbxp_plus_{described}_{language}"
        self.family = f"mbxp_plus_{described}"
        self.source = mbxp_plus_source(language)
        self.title = f"100 problems in {TITLES[language]}, described in {'English' if described == 'en' else 'Chinese'}"

    def cluster(self, row: Row) -> str:
        return row["task_id"].split("/")[1]

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        if not instruct:
            return row["prompt"]
        text = row["description" if self.described == "en" else "description_cn"]
        return PROMPTS[self.described].format(language=LANGUAGES[self.language][1], text=text, test=row["test"])

    def program(self, row: Row, code: str) -> Program:
        return self._program(row, row["prompt"] + code)

    def chat_program(self, row: Row, code: str) -> Program:
        """Return the head of the row's prompt, an answer's code without its own main, and the tests."""
        if not defines(code, self.language, row["entry_point"]):
            return self.program(row, code)
        if self.language == "go":
            code = without(code, "go", lambda kind, name: name == "main")
            return self._program(row, code)
        if self.language == "java":
            code = without(code, "java", lambda kind, name: kind == "class_declaration" and name == "Main")
            code = re.sub(r"\bpublic\s+class\b", "class", code)
        if self.language == "cpp":
            code = without_function(code, "cpp", "main")
        if self.language == "php":
            code = as_php(code, row["entry_point"]).removeprefix("<?php")
        if self.language in ("javascript", "typescript"):
            code = as_script(code, self.language, row["entry_point"], row["test"])
        head = "".join(re.findall(HEADS[self.language], row["prompt"], re.MULTILINE)) if self.language in HEADS else ""
        if self.language == "java":  # imports of the answer stand above the classes, wherever it had them
            head += "".join(re.findall(r"^\s*import[^\n]*\n", code, re.MULTILINE))
            code = re.sub(HEADS["java"], "", code, flags=re.MULTILINE)
        return self._program(row, f"{head}\n{code}")

    def _program(self, row: Row, code: str) -> Program:
        if self.language == "go":
            # MBXP's tests are a main; here it is a test, which the end marker follows.
            whole = re.sub(r"\bfunc\s+main\s*\(\s*\)", "func TestAll(t *testing.T)", f"{code}\n{row['test']}")
            return marked_program("", go_file(whole, f'{row["prompt"]}\n{code}\nimport "testing"'), "go")
        test = row["test"]
        if self.language == "typescript":  # an import is no statement of a script
            test = re.sub(
                r"^import \* as (\w+) from ('[^']*'|\"[^\"]*\");?", r"const \1 = require(\2);", test, flags=re.M
            )
        if self.language == "java" and "class Main" in test:
            test = test.replace("public class Main", "class Main")
        program = marked_program(code, test, self.language)
        # The official judge runs what tsc writes, whatever it says of types; only what does not parse fails.
        return replace(program, language="typescript_unchecked") if self.language == "typescript" else program

    def gold(self, row: Row) -> str:
        return row["canonical_solution"]


MBXP_PLUS = tuple(MbxpPlus(described, language) for described in ("en", "cn") for language in LANGUAGES)
