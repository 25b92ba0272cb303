"""Section 2.4: what the documents of the builder carry: a function, and what was seen of its runs."""

from __future__ import annotations

from typing import Any

from datatrove.data import Document

from datasets_builders.synthesis.program_analysis.extraction import (
    FunctionSample,
)
from datasets_builders.synthesis.program_analysis.jobs import SeenError
from datasets_builders.synthesis.program_analysis.mutation import Mutant
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.other_languages.documents import (
    sample_from,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample

AnySample = FunctionSample | ProgramSample


def any_sample_of(doc: Document) -> AnySample:
    """Return the function that a document carries, of whatever language."""
    return sample_of(doc) if doc.metadata["sample"].get("language", "Python") == "Python" else other_sample_of(doc)


def other_sample_of(doc: Document) -> ProgramSample:
    """Return the function of another language than Python that a document carries."""
    return sample_from(doc.metadata["sample"])


def sample_of(doc: Document) -> FunctionSample:
    """Return the Python function that a document of this builder carries."""
    values: dict[str, Any] = {**doc.metadata["sample"]}
    values["helpers"] = tuple(values["helpers"])
    values["known_calls"] = tuple((origin, call) for origin, call in values["known_calls"])
    return FunctionSample(**values)


def observation_of(doc: Document) -> Observation:
    """Return what `ObserveFunctions` learned of a document's function."""
    values = doc.metadata["observation"]
    return Observation(
        calls=[_observed_call(call) for call in values["calls"]],
        check=values["check"],
        mutants=[
            FailingMutant(Mutant(**mutant["mutant"]), tuple(mutant["values"]), tuple(mutant["errors"]))
            for mutant in values["mutants"]
        ],
        changing_calls=[_observed_call(call) for call in values["changing_calls"]],
        failing_calls=[_observed_call(call) for call in values["failing_calls"]],
        is_constant=values["is_constant"],
        doctests=values["doctests"],
        growth=values["growth"],
        growth_over=values["growth_over"],
    )


def _observed_call(values: dict[str, Any]) -> ObservedCall:
    error = SeenError(**values["error"]) if values["error"] else None
    return ObservedCall(**{**values, "error": error, "changes": tuple(map(tuple, values["changes"]))})
