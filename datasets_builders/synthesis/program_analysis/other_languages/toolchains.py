"""Section 2.4: whether the machine can run what a build is to ask about."""

from __future__ import annotations

from collections.abc import Iterable

from datasets_builders.building.errors import ConfigError
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from evals.execution import MissingToolchainError
from evals.execution.languages import LANGUAGES
from evals.execution.toolchains import find_tool


def check_toolchains(languages: Iterable[str]) -> None:
    """Look for the compilers and interpreters of languages; Python needs none.

    Args:
        languages: Linguist's names.

    Raises:
        ConfigError: one is missing; the message names the command that installs it, and the key that does without.
    """
    problems = []
    for language in languages:
        if language in PROGRAM_LANGUAGES:
            name = PROGRAM_LANGUAGES[language].runner.sandbox_language
            try:
                for tool in LANGUAGES[name].tools:
                    find_tool(tool, name)
            except MissingToolchainError as error:
                problems.append(f"{language}: {error}")
    if problems:
        raise ConfigError(
            "; ".join(problems) + ". Install it, or leave the language out: program_languages=[Python] asks about "
            "Python alone"
        )
