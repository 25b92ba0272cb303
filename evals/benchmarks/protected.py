"""Section 2.1, decontamination: the texts of every benchmark that must not stand in training data.

Questions are what a model is asked; answers and tests are what would give the score away. A short question may be
looked for as a whole; a short answer (`return a + b`) stands in half of all programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evals.benchmarks.bbh import load_bbh
from evals.benchmarks.bigcodebench import bigcodebench_source
from evals.benchmarks.choices import CEVAL, CMMLU, MMLU, load_csv_subjects, load_mmlu
from evals.benchmarks.cruxeval import CRUXEVAL
from evals.benchmarks.ds1000 import DS1000
from evals.benchmarks.gsm8k import GSM8K
from evals.benchmarks.hendrycks_math import MATH
from evals.benchmarks.humaneval import HUMANEVAL, HUMANEVAL_PLUS
from evals.benchmarks.humanevalfix import LANGUAGES as FIX_LANGUAGES
from evals.benchmarks.humanevalfix import humanevalfix_source
from evals.benchmarks.livecodebench import LIVECODEBENCH
from evals.benchmarks.mbpp import MBPP, MBPP_PLUS
from evals.benchmarks.mbxp_plus import LANGUAGES as MBXP_LANGUAGES
from evals.benchmarks.mbxp_plus import mbxp_plus_source
from evals.benchmarks.multipl_e import LANGUAGES as MULTIPL_E_LANGUAGES
from evals.benchmarks.multipl_e import multipl_e_source
from evals.benchmarks.rows import Row
from evals.benchmarks.source import BenchmarkSource
from evals.benchmarks.spider import SPIDER, SPIDER_DEV


@dataclass(frozen=True)
class ProtectedBenchmark:
    """Where a benchmark's rows come from, and which of their columns are questions, and which answers and tests."""

    loaders: tuple[Callable[[Path | None], tuple[list[Row], str]], ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProtectedText:
    """A text of a benchmark's row; `is_question` says whether it may be looked for as a whole, however short."""

    row: str
    text: str
    is_question: bool


def _of(*sources: BenchmarkSource) -> tuple[Callable[[Path | None], tuple[list[Row], str]], ...]:
    return tuple(source.load for source in sources)


PROTECTED: dict[str, ProtectedBenchmark] = {
    "humaneval": ProtectedBenchmark(_of(HUMANEVAL), ("prompt",), ("canonical_solution", "test")),
    "humanevalplus": ProtectedBenchmark(_of(HUMANEVAL_PLUS), ("prompt",), ("canonical_solution",)),
    "mbpp": ProtectedBenchmark(_of(MBPP), ("text",), ("code", "test_list")),
    "mbppplus": ProtectedBenchmark(_of(MBPP_PLUS), ("prompt",), ("code", "test_list")),
    "cruxeval": ProtectedBenchmark(_of(CRUXEVAL), (), ("code",)),
    "livecodebench": ProtectedBenchmark(_of(LIVECODEBENCH), ("question_content",)),
    "bigcodebench": ProtectedBenchmark(
        _of(bigcodebench_source(hard=False)), ("instruct_prompt",), ("complete_prompt", "canonical_solution", "test")
    ),
    "bigcodebench_hard": ProtectedBenchmark(
        _of(bigcodebench_source(hard=True)), ("instruct_prompt",), ("complete_prompt", "canonical_solution", "test")
    ),
    "multipl_e_humaneval": ProtectedBenchmark(
        _of(*(multipl_e_source("humaneval", language) for language in MULTIPL_E_LANGUAGES)), ("prompt",), ("tests",)
    ),
    "multipl_e_mbpp": ProtectedBenchmark(
        _of(*(multipl_e_source("mbpp", language) for language in MULTIPL_E_LANGUAGES)), ("prompt",), ("tests",)
    ),
    "mbxp_plus": ProtectedBenchmark(
        _of(*map(mbxp_plus_source, MBXP_LANGUAGES)),
        ("prompt", "description", "description_cn"),
        ("canonical_solution", "test"),
    ),
    "humanevalfix": ProtectedBenchmark(
        _of(*map(humanevalfix_source, FIX_LANGUAGES)), (), ("buggy_solution", "canonical_solution", "test")
    ),
    "ds1000": ProtectedBenchmark(_of(DS1000), ("prompt",), ("reference_code",)),
    "spider": ProtectedBenchmark(_of(SPIDER), ("question",), ("query",)),
    "spider_dev": ProtectedBenchmark(_of(SPIDER_DEV), ("question",), ("query",)),
    "gsm8k": ProtectedBenchmark(_of(GSM8K), ("question",), ("answer",)),
    "math": ProtectedBenchmark(_of(MATH), ("problem",), ("solution",)),
    "bbh": ProtectedBenchmark((load_bbh,), ("input",)),
    "mmlu": ProtectedBenchmark((partial(load_mmlu, MMLU),), ("question",)),
    "ceval": ProtectedBenchmark((partial(load_csv_subjects, CEVAL, test="val", dev="dev"),), ("question",)),
    "cmmlu": ProtectedBenchmark((partial(load_csv_subjects, CMMLU, test="test", dev="dev"),), ("question",)),
}


def protected_texts(name: str, data_dir: Path | None = None) -> Iterator[ProtectedText]:
    """Give the texts of a benchmark.

    Args:
        name (`str`): in `PROTECTED`.
        data_dir: as for `BenchmarkSource.load`.

    Raises:
        BenchmarkDataError: the rows cannot be had.
    """
    benchmark = PROTECTED[name]
    for loader in benchmark.loaders:
        for number, row in enumerate(loader(data_dir)[0]):
            identifier = str(row.get("task_id") or row.get("name") or row.get("id") or number)
            for columns, is_question in ((benchmark.questions, True), (benchmark.answers, False)):
                for text in (text for column in columns for text in _strings(row[column])):
                    yield ProtectedText(identifier, text, is_question)


def _strings(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
