"""Section 2.4: functions of other languages, and what was seen of them, as the pipeline's documents carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from datasets_builders.synthesis.program_analysis import jobs as python_jobs
from datasets_builders.synthesis.program_analysis import observation as python_observation
from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.extraction import extract
from datasets_builders.synthesis.program_analysis.other_languages.javascript_linking import Package
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.mutation import Mutant
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
    observe,
)
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    ObservationSettings as OtherSettings,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import (
    ExtractionLimits,
    Parameter,
    ProgramSample,
)
from evals.execution import Executor

# Whose functions are cut out with what they import from other files of their repository.
PACKAGED_LANGUAGES = frozenset(("JavaScript", "TypeScript"))

AnyObservation = Observation | python_observation.Observation


def tag_of(language: str) -> str:
    """Return a language's name as it stands among a row's tags."""
    return PROGRAM_LANGUAGES[language].dialect.tag if language in PROGRAM_LANGUAGES else language.lower()


def extract_from(
    language: str, source: str, path: str, max_code_chars: int, max_function_lines: int
) -> Iterator[ProgramSample | Refusal]:
    """Yield the functions of a file in a language of `PROGRAM_LANGUAGES`, or why one is refused."""
    limits = ExtractionLimits(max_code_chars, max_function_lines)
    yield from extract(PROGRAM_LANGUAGES[language].dialect, source, path, limits)


def package_in(language: str, name: str, texts: Mapping[str, str]) -> Package:
    """Return the files of a repository in one of `PACKAGED_LANGUAGES`."""
    return Package(name, texts, PROGRAM_LANGUAGES[language].dialect)


def sample_from(values: Mapping[str, Any]) -> ProgramSample:
    """Return the function that `dataclasses.asdict` took apart."""
    parameters = tuple(Parameter(**parameter) for parameter in values["parameters"])
    lists = {name: tuple(values[name]) for name in ("helpers", "seen_calls")}
    return ProgramSample(**{**values, **lists, "parameters": parameters})


def observe_in(
    executor: Executor,
    language: str,
    samples: Sequence[ProgramSample],
    settings: python_jobs.ObservationSettings,
) -> list[Observation]:
    """Run functions of a language, by the numbers that hold for Python, as far as it has them."""
    names = {field.name for field in fields(OtherSettings)}
    shared = {name: value for name, value in vars(settings).items() if name in names}
    return observe(executor, PROGRAM_LANGUAGES[language], samples, OtherSettings(**shared))


def observation_from(values: Mapping[str, Any]) -> Observation:
    """Return what `dataclasses.asdict` took apart."""
    return Observation(
        calls=[ObservedCall(**call) for call in values["calls"]],
        check=values["check"],
        mutants=[
            FailingMutant(Mutant(**mutant["mutant"]), tuple(mutant["values"]), tuple(mutant["errors"]))
            for mutant in values["mutants"]
        ],
    )
