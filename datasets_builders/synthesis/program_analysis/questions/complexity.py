"""Section 2.4: how does the number of executed lines grow (complexity)? Measured, not argued."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.growth import GROWTHS
from datasets_builders.synthesis.program_analysis.observation import Observation
from datasets_builders.synthesis.program_analysis.questions.question import Question, QuestionLimits, render


def complexity_questions(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield the growth of a function whose measured lines show one."""
    if not observation.growth:
        return
    node = ast.parse(sample.function).body[0]
    assert isinstance(node, ast.FunctionDef)
    name = [*node.args.posonlyargs, *node.args.args][0].arg
    size = f"the number `{name}`" if observation.growth_over == "int" else f"the length of `{name}`"
    yield Question(
        kind="complexity",
        prompt=render("complexity", sample, code=sample.code, size=size),
        content=observation.growth,
        code=sample.code,
        answer=observation.growth,
        wrong_answers=[growth for growth in GROWTHS if growth != observation.growth][: limits.max_wrong_answers],
    )
