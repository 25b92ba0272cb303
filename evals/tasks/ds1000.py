"""Section 4.4.4: DS-1000: data science code in seven libraries and four kinds of perturbation.

Its programs need pinned versions: `evals/environments.sh ds1000` installs them, or `LING_DS1000_PYTHON` names the
interpreter of another environment that has them.
"""

from __future__ import annotations

import re
from pathlib import Path

from evals.benchmarks.ds1000 import DS1000
from evals.benchmarks.rows import Row
from evals.execution import Limits, MissingPackageError, Program
from evals.execution.environments import PREFIX, missing_packages
from evals.execution.toolchains import environment_python
from evals.tasks.answers import Extraction, extract
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.marked import marked_program

PYTHON_VARIABLE = "LING_DS1000_PYTHON"
LIBRARIES = {
    "numpy": "Numpy",
    "pandas": "Pandas",
    "torch": "Pytorch",
    "scipy": "Scipy",
    "sklearn": "Sklearn",
    "tensorflow": "Tensorflow",
    "matplotlib": "Matplotlib",
}
PERTURBATIONS = {"Origin": "Origin", "Surface": "Surface", "Semantic": "Semantic"}
REQUESTS = {
    "standard": (
        "Write a short code following the given format and indentation. Place the executable code between <code> and "
        "</code> tags, without any other non-executable things."
    ),
    "paper": "Only provide the code completion needed. Don't repeat the context code.",
}
CUTS = ("</code>", "# SOLUTION END", "\nEND SOLUTION", "\n### END SOLUTION")


class Ds1000(ExecutedBenchmark):
    """pass@1. Perturbations of one question are one cluster."""

    name = "ds1000"
    title = "1,000 data science problems in seven libraries"
    source = DS1000
    limits = Limits(wall_seconds=120.0, cpu_seconds=120.0, memory_bytes=8 << 30, disk_bytes=1 << 30, num_processes=128)
    base_stops = CUTS

    def identify(self, row: Row) -> str:
        return f"ds1000/{row['metadata']['problem_id']}"

    def cluster(self, row: Row) -> str:
        return f"{row['metadata']['library']}/{row['metadata']['perturbation_origin_id']}"

    def subsets(self, row: Row) -> dict[str, str]:
        kind = row["metadata"]["perturbation_type"]
        library = row["metadata"]["library"]
        shown = {name.lower(): name for name in LIBRARIES.values()}.get(library.lower(), library)
        return {"library": shown, "perturbation": PERTURBATIONS.get(kind, "Difficult-Rewrite")}

    @property
    def interpreter(self) -> str | None:
        """The environment's Python, if there is one."""
        return environment_python("ds1000", PYTHON_VARIABLE)

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        """Return the rows.

        Raises:
            MissingPackageError: no environment is named, or it lacks one of the libraries.
        """
        rows, where = self.source.load(data_dir)
        if not self.interpreter:
            raise MissingPackageError(
                "DS-1000 needs its own pinned libraries: run `bash evals/environments.sh ds1000`, or set "
                f"{PYTHON_VARIABLE} to the python of an environment that has them"
            )
        shown = {self.subsets(row)["library"] for row in rows}
        missing = missing_packages(self.interpreter, [name for name, title in LIBRARIES.items() if title in shown])
        if missing:
            raise MissingPackageError(f"{self.interpreter} ({PYTHON_VARIABLE}) lacks {', '.join(missing)}")
        return rows, where

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        return f"{REQUESTS[preset]}\n\n{row['prompt']}" if instruct else row["prompt"]

    def code_of_answer(self, row: Row, answer: str) -> Extraction:
        tagged = re.search(r"<code>(.*?)(?:</code>|\Z)", answer, re.DOTALL)
        found = Extraction(tagged[1], "fenced") if tagged else extract(answer)
        return Extraction(indented_like(found.code, row["prompt"]), found.how)

    def program(self, row: Row, code: str) -> Program:
        ends = [at for at in map(code.find, CUTS) if at >= 0]
        code = code[: min(ends, default=len(code))]
        calls = "test_execution(solution)\n" + "test_string(solution)\n" * ("test_string(" in row["code_context"])
        code = f"{row['code_context']}\nsolution = {code!r}"
        return marked_program(code, calls, f"{PREFIX}{self.interpreter}")

    def gold(self, row: Row) -> str:
        return row["reference_code"]


def indented_like(code: str, prompt: str) -> str:
    """Return the code with the indentation of the place that the prompt leaves open: chat models strip it."""
    place = re.search(r"^([ \t]+)### BEGIN SOLUTION", prompt, re.MULTILINE)
    lines = code.strip("\n").split("\n")
    if not place or not lines[0] or lines[0][0] in " \t":
        return code
    return "\n".join(place[1] + line if line.strip() else line for line in lines)
