"""Section 4.2: what a benchmark is here: rows, prompts in two presets, a judge, and a gold answer that must pass.

`python -m evals list`, `selfcheck` and `run` go over the same objects, and each becomes tasks of lighteval: one for
every preset, for base and for instruct models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.benchmarks.source import BenchmarkSource
from evals.execution import (
    ExecutionResult,
    Executor,
    Limits,
    MissingPackageError,
    MissingToolchainError,
    Program,
    Verdict,
    toolchain,
)
from evals.execution.packages import locate
from evals.tasks.answers import Extraction, extract
from evals.tasks.records import SampleRecord, record_of

# Why a task cannot be scored: its data, a package that its tests import, or a language's tools are not there.
UNSCORABLE = (BenchmarkDataError, MissingPackageError, MissingToolchainError)
GOLD_FACTOR = 4  # times what a gold solution takes: as long as an answer may take at least
PRESETS = ("standard", "paper")
# evalplus's chat prompt, which BigCodeBench and others took over.
SELF_CONTAINED_SCRIPT = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
    "```\n{prompt}\n```\n"
)


class Benchmark(ABC):
    """A benchmark. Subclasses set the attributes and define `prompt`, `judge` and `gold`.

    Attributes:
        name (`str`): on the command line and in results.
        group (`str`): "code" or "general".
        family (`str`): a name for several benchmarks that belong together, such as one in several languages.
        title (`str`): one line for `list`.
        source (`BenchmarkSource`): of the rows.
        metric (`str`): what the mean over the rows is called.
        max_new_tokens (`int`): of an answer.
        base_stops: strings that end a base model's completion.
        needs_model (`bool`): whether prompts cannot be made without the model's tokenizer (`prepare`).
        options: what is compared by log-likelihood instead of being written; empty where a model writes.
    """

    name: str
    group = "code"
    family = ""
    title: str
    source: BenchmarkSource
    metric = "pass@1"
    max_new_tokens = 1024
    base_stops: tuple[str, ...] = ()
    needs_model = False
    options: tuple[str, ...] = ()

    def identify(self, row: Row) -> str:
        """Return the row's id, unique in the benchmark."""
        return str(row["task_id"])

    def cluster(self, row: Row) -> str:
        """Return what rows have in common that are not independent of each other: the problem, in several languages."""
        return self.identify(row)

    def subsets(self, row: Row) -> dict[str, str]:
        """Return the subsets that a row counts to, such as {"difficulty": "easy"}."""
        return {}

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        """Return the rows with all that prompts and judges need, and where they came from."""
        return self.source.load(data_dir)

    def require(self) -> str | None:
        """Return the isolation under which answers will be run, None if none is run.

        Raises:
            IsolationUnavailableError: no isolation works here.
            MissingPackageError: a package that the tests import is not installed.
            MissingToolchainError: the language's compiler or interpreter is not there.
        """
        return None

    def prepare(self, model: str) -> None:
        """Take from a model what the prompts need; most need nothing.

        Raises:
            BenchmarkDataError: it cannot be had.
        """
        return

    @abstractmethod
    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        """Return what the model reads; for instruct models the user's message."""

    @abstractmethod
    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        """Judge an answer per row."""

    @abstractmethod
    def gold(self, row: Row) -> str | None:
        """Return what a base model would have to write to be right; None where that is not known."""

    def continuation_of(self, option: str) -> str:
        """Return an option as it follows the prompt."""
        return option

    def task_name(self, preset: str, instruct: bool) -> str:
        """Return the name of the task in lighteval."""
        return f"ling_{self.name}_{preset}_{'instruct' if instruct else 'base'}"


class ExecutedBenchmark(Benchmark):
    """A benchmark whose answers are programs, judged by running them in the sandbox."""

    limits = Limits(wall_seconds=10.0, cpu_seconds=10.0, memory_bytes=2 << 30)
    language = "python"
    packages: tuple[str, ...] = ()  # that the programs import, beside the standard library

    def require(self) -> str:
        for package in self.packages:
            locate(package)
        if self.language != "python":
            toolchain(self.language)
        with Executor(self.limits) as executor:
            return executor.isolation

    @abstractmethod
    def program(self, row: Row, code: str) -> Program:
        """Return the program that checks a base model's completion."""

    def chat_program(self, row: Row, code: str) -> Program:
        """Return the program that checks the code of a chat answer; by default as for a completion."""
        return self.program(row, code)

    def code_of_answer(self, row: Row, answer: str) -> Extraction:
        """Return the code in a chat model's answer."""
        return extract(answer, self.language, self.entry_point(row))

    def entry_point(self, row: Row) -> str | None:
        """Return the function that the tests call, where it is known."""
        return row.get("entry_point")

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        """Run every answer's program."""
        found: list[tuple[str, str | None]]
        if instruct:
            extractions = [self.code_of_answer(row, answer) for row, answer in zip(rows, answers, strict=True)]
            pairs = zip(rows, extractions, strict=True)
            programs = [self.chat_program(row, extraction.code) for row, extraction in pairs]
            found = [(extraction.how, extraction.code) for extraction in extractions]
        else:
            programs = [self.program(row, answer) for row, answer in zip(rows, answers, strict=True)]
            found = [("", None)] * len(programs)
        with Executor(self.limits) as executor:
            results = executor.run_batch(programs)
            self._repeat_slow(executor, rows, programs, results)
        return [
            record_of(self.identify(row), answer, result, *how_and_code)
            for row, answer, result, how_and_code in zip(rows, answers, results, found, strict=True)
        ]

    def _repeat_slow(
        self, executor: Executor, rows: Sequence[Row], programs: Sequence[Program], results: list[ExecutionResult]
    ) -> None:
        """Give answers that ran out of time another run where the gold solution shows the limit to be short here.

        A verdict must not depend on the machine: where gold itself takes more than a GOLD_FACTOR-th of the limit, the
        answer gets GOLD_FACTOR times what gold took. Where gold does not end within GOLD_FACTOR times the limit either,
        the answer is not judged at all. Rows without a gold solution keep their verdict.

        Source: ours; the factor is evalplus's, which measures gold beforehand on the machine at hand.
        """
        slow = [index for index, result in enumerate(results) if result.verdict is Verdict.TIMEOUT]
        late = {self.identify(rows[index]): rows[index] for index in slow}  # each problem once, however many answers
        programs_of_gold = {
            name: self.program(row, solution) for name, row in late.items() if (solution := self.gold(row)) is not None
        }
        longest = self.limits.with_time(GOLD_FACTOR * self.limits.wall_seconds)
        results_of_gold = executor.run_batch(list(programs_of_gold.values()), longest)
        golds = dict(zip(programs_of_gold, results_of_gold, strict=True))
        for index in slow:
            gold = golds.get(self.identify(rows[index]))
            if gold is None:
                continue
            if gold.verdict is Verdict.TIMEOUT:
                message = f"the gold solution does not end within {longest.wall_seconds:g} s on this machine"
                results[index] = replace(results[index], verdict=Verdict.INFRA_ERROR, message=message)
            elif gold.verdict is Verdict.PASS and GOLD_FACTOR * gold.wall_seconds > self.limits.wall_seconds:
                results[index] = executor.run(programs[index], self.limits.with_time(GOLD_FACTOR * gold.wall_seconds))
