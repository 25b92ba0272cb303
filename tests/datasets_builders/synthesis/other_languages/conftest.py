"""Fixtures of the tests of program analysis in other languages: sources in, samples and observations out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.extraction import extract
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    Observation,
    ObservationSettings,
    observe,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from evals.execution import Executor

SETTINGS = ObservationSettings(num_candidates=24, num_mutants=6)


@pytest.fixture
def functions_of() -> Callable[[str, str], dict[str, ProgramSample | Refusal]]:
    def functions(language: str, source: str) -> dict[str, ProgramSample | Refusal]:
        found = extract(PROGRAM_LANGUAGES[language].dialect, source, "src/file.txt")
        return {function.name: function for function in found}

    return functions


@pytest.fixture
def observed(
    executor: Executor, functions_of: Callable[[str, str], dict[str, ProgramSample | Refusal]]
) -> Callable[[str, str], dict[str, tuple[ProgramSample, Observation]]]:
    """Returns what all functions of a source did, run as one batch."""

    def run(language: str, source: str) -> dict[str, tuple[ProgramSample, Observation]]:
        found = functions_of(language, source)
        samples = [sample for sample in found.values() if isinstance(sample, ProgramSample)]
        observations = observe(executor, PROGRAM_LANGUAGES[language], samples, SETTINGS)
        return {sample.name: (sample, seen) for sample, seen in zip(samples, observations, strict=True)}

    return run
