"""Section 3.2's second objective by execution: an answer is put into its file, and the project's own tests are run.

A gap is judged where the project has tests that pass with the file as it is and fail without the gap's text: all others
would pass with any answer. Tests are doctests of the file and test files of its repository that import it, as far as
they run on the standard library alone, in the sandbox of `evals.execution`.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict, encoded
from evals.tasks.marked import marked_program
from recipes.adapting.infilling import Gap

DRIVER = Path(__file__).with_name("driver_of_tests.py")
SOURCE_ROOTS = ("src", "lib")
MAX_TEST_FILES = 8  # of a file; the rest of many would say the same
MAX_REPOSITORY_BYTES = 16 << 20
LIMITS = Limits(wall_seconds=30.0, cpu_seconds=30.0)


@dataclass(frozen=True)
class Suite:
    """What is run for a file.

    Attributes:
        path: of the file in its repository.
        files: of the repository, the file itself left out.
        doctests: the file's module, if it has examples.
        tests: modules of tests that import it.
        wanted: tests that pass with the file as it is.
    """

    path: str
    files: Mapping[str, bytes]
    doctests: tuple[str, ...]
    tests: tuple[str, ...]
    wanted: tuple[str, ...] = ()


class ProjectTests:
    """The tests of the projects that held-out files are of.

    Args:
        rows: all files: content, path, repository, as the source_code builder wrote them.
        executor: runs them.
    """

    def __init__(self, rows: Iterable[dict[str, Any]], executor: Executor) -> None:
        self._executor = executor
        self._files: dict[str, dict[str, str]] = defaultdict(dict)
        for row in rows:
            if row["path"].endswith(".py"):
                self._files[row["repository"]][row["path"]] = row["content"]
        self._repository_of = {f"{name}/{path}": name for name, files in self._files.items() for path in files}

    def judge(self, gaps: Sequence[Gap], answers: Sequence[str]) -> list[bool | None]:
        """Return of each gap whether the tests pass with the answer in its place; None where no test could tell."""
        suites = self._suites({gap.file: gap.prefix + gap.middle + gap.suffix for gap in gaps})
        testable = [number for number, gap in enumerate(gaps) if gap.file in suites]
        without = self._run([(suites[gaps[n].file], gaps[n].prefix + gaps[n].suffix) for n in testable])
        silent = (Verdict.PASS, Verdict.INFRA_ERROR)
        told = [n for n, result in zip(testable, without, strict=True) if result.verdict not in silent]
        filled = [(suites[gaps[n].file], gaps[n].prefix + answers[n] + gaps[n].suffix) for n in told]
        verdicts: list[bool | None] = [None] * len(gaps)
        for number, result in zip(told, self._run(filled), strict=True):
            verdicts[number] = None if result.verdict is Verdict.INFRA_ERROR else result.verdict is Verdict.PASS
        return verdicts

    def _suites(self, texts: Mapping[str, str]) -> dict[str, Suite]:
        """Return the suite of each file that has tests which pass."""
        found = {name: suite for name in texts if (suite := self._suite_of(name)) is not None}
        results = self._run([(suite, texts[name]) for name, suite in found.items()])
        suites = {}
        for (name, suite), result in zip(found.items(), results, strict=True):
            passed = _passed(result)
            if passed:
                suites[name] = Suite(suite.path, suite.files, suite.doctests, suite.tests, passed)
        return suites

    def _suite_of(self, name: str) -> Suite | None:
        repository = self._repository_of.get(name)
        if repository is None:
            return None
        files, path = self._files[repository], name.removeprefix(f"{repository}/")
        if is_test_file(path) or sum(map(len, files.values())) > MAX_REPOSITORY_BYTES:
            return None
        module = module_of(path)
        doctests = (module,) if ">>>" in files[path] else ()
        nearness = {other: imports(text, module) for other, text in files.items() if is_test_file(other)}
        tests = sorted((other for other, near in nearness.items() if near), key=lambda other: (-nearness[other], other))
        if not doctests and not tests:
            return None
        others = {other: encoded(text) for other, text in files.items() if other != path}
        return Suite(path, others, doctests, tuple(map(module_of, tests[:MAX_TEST_FILES])))

    def _run(self, jobs: Sequence[tuple[Suite, str]]) -> list[ExecutionResult]:
        return self._executor.run_batch([_program(suite, text) for suite, text in jobs], LIMITS)


def _program(suite: Suite, text: str) -> Program:
    driver = DRIVER.read_text(encoding="utf-8")
    for name, values in (("DOCTESTS", suite.doctests), ("TESTS", suite.tests), ("WANTED", suite.wanted)):
        driver = driver.replace(f"{name}: list[str] = []\n", f"{name}: list[str] = {list(values)!r}\n")
    return marked_program("", driver, files={**suite.files, suite.path: encoded(text)})


def _passed(result: ExecutionResult) -> tuple[str, ...]:
    """Return the names of the tests that passed, as the driver printed them."""
    if result.verdict is not Verdict.PASS:
        return ()
    for line in result.stdout.splitlines():
        try:
            names = json.loads(line)
        except ValueError:
            continue
        if isinstance(names, list):
            return tuple(map(str, names))
    return ()


def is_test_file(path: str) -> bool:
    """Return whether a file is one of tests by its name."""
    name = PurePosixPath(path).name
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py") or name == "tests.py")


def module_of(path: str) -> str:
    """Return the name that a file is imported by, from its repository's root or from src or lib in it."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if len(parts) > 1 and parts[0] in SOURCE_ROOTS:
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def imports(text: str, module: str) -> int:
    """Return how near a file's imports come to a module: 2 for itself, 1 for a package that it is in, else 0."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return 0
    nearness = 0
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)]
        for name in names:
            # By a longer name, where the project lies in a folder, or by a shorter one, relative to the test's own.
            if f".{name}".endswith(f".{module}") or (name and f".{module}".endswith(f".{name}")):
                return 2
            if name and module.startswith(f"{name}."):
                nearness = 1
    return nearness
