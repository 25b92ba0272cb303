"""For tests in other languages than Python: skipped, and said so, where the tools are missing; an error in CI."""

import os

import pytest

from evals.execution import MissingToolchainError, toolchain


def needs(language: str) -> None:
    """Skip the test, or in CI fail it, unless the language's programs can be run."""
    if language == "python":
        return
    try:
        toolchain(language)
    except MissingToolchainError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
