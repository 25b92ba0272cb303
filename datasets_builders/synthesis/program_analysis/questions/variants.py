"""Section 2.4: tests to be written, and code to be written another way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from string import Template

from datasets_builders.building.strict_yaml import read_yaml
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import Observation, with_function
from datasets_builders.synthesis.program_analysis.questions.question import (
    PROMPT_FOLDER,
    Question,
    QuestionLimits,
    as_code_block,
    render,
)
from datasets_builders.synthesis.program_analysis.rewriting.variants import Variants, VerifiedRewrite

TESTS, REFACTORING = "test_writing", "refactoring"


def variant_questions(
    sample: FunctionSample, observation: Observation, variants: Variants, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield the questions that tests and rewrites of a function answer.

    Args:
        sample (`FunctionSample`): the function.
        observation (`Observation`): what running it showed.
        variants (`Variants`): tests and rewrites that hold.
        limits (`QuestionLimits`): how many rewrites and wrong answers.
    """
    tests = variants.tests
    if tests is not None:
        yield Question(
            kind=TESTS,
            prompt=render(TESTS, sample, code=sample.code, style=_tasks("styles", tests.style, sample)),
            content=as_code_block(tests.text),
            code=sample.code,
            context=sample.context,
            wrong_answers=[tests.wrong] if tests.wrong else [],
            mutants=[failing.mutant.function for failing in observation.mutants],
            num_killed=tests.num_killed,
        )
    for rewrite in variants.rewrites[: limits.max_rewrites]:
        yield _refactoring(sample, observation, rewrite, limits)


def _refactoring(
    sample: FunctionSample, observation: Observation, rewrite: VerifiedRewrite, limits: QuestionLimits
) -> Question:
    task = Template(_tasks("rewrites", rewrite.kind, sample)).substitute(rewrite.words, function=sample.name)
    return Question(
        kind=REFACTORING,
        prompt=render(REFACTORING, sample, code=with_function(sample, sample.function), task=task),
        content=as_code_block(rewrite.function),
        code=sample.code,
        context=sample.context,
        check=observation.check,
        wrong_answers=list(rewrite.faulty)[: limits.max_wrong_answers],
        rewrite=rewrite.kind,
        num_compared_calls=rewrite.num_calls,
    )


@cache
def _all_tasks() -> dict[str, dict[str, list[str]]]:
    return read_yaml(PROMPT_FOLDER / "tasks.yaml")


def _tasks(group: str, kind: str, sample: FunctionSample) -> str:
    """Return one wording of a task, which the function's hash chooses."""
    wordings = _all_tasks()[group][kind]
    digest = hashlib.sha256(f"{kind}\0{sample.code}".encode()).digest()
    return wordings[digest[0] % len(wordings)]
