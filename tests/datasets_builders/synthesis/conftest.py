"""Fixtures of the program-analysis tests: the real sandbox, and samples cut out of small sources."""

from collections.abc import Callable, Iterator

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from evals.execution import Executor


def sample_from(source: str, name: str = "", path: str = "pkg/mod.py") -> FunctionSample:
    """Cut a function, the last one or one by name, out of a text."""
    samples = [found for found in extract_functions(source, path) if isinstance(found, FunctionSample)]
    return next(sample for sample in reversed(samples) if not name or sample.name == name)


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as sandbox:
        yield sandbox


@pytest.fixture
def sample_of() -> Callable[..., FunctionSample]:
    return sample_from
