"""Section 2.4: the step that makes questions of an observed function, each a row of the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.synthesis.program_analysis.extraction import (
    FunctionSample,
)
from datasets_builders.synthesis.program_analysis.other_languages.documents import (
    observation_from,
    tag_of,
)
from datasets_builders.synthesis.program_analysis.other_languages.questions import (
    questions_about as other_questions_about,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.questions import Question, QuestionLimits, questions_about
from datasets_builders.synthesis.program_analysis.questions.inputs import equivalences
from datasets_builders.synthesis.program_analysis.questions.question import is_one_statement
from datasets_builders.synthesis.program_analysis.questions.variants import variant_questions
from datasets_builders.synthesis.program_analysis.rewriting.variants import variants_of
from datasets_builders.synthesis.program_analysis.steps.documents import AnySample, any_sample_of, observation_of


class AskQuestions(Step):
    """Turn an observed function into questions of all kinds."""

    name = "ask_questions"
    arity = "1:n"

    def __init__(self, limits: QuestionLimits) -> None:
        super().__init__()
        self.limits = limits

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per question about a function."""
        num_questions = 0
        for question in self._questions(doc):
            num_questions += 1
            yield Document(question.text, question.mid, metadata=question_row(question, any_sample_of(doc), doc))
        if not num_questions:
            yield Removed(doc, "nothing_to_ask", "no call gave an answer, no docstring good enough")

    def _questions(self, doc: Document) -> Iterator[Question]:
        sample = any_sample_of(doc)
        if isinstance(sample, ProgramSample):
            yield from other_questions_about(sample, observation_from(doc.metadata["observation"]), self.limits)
        else:
            observation = observation_of(doc)
            yield from questions_about(sample, observation, self.limits)
            yield from variant_questions(sample, observation, variants_of(doc), self.limits)
            yield from equivalences(sample, observation, variants_of(doc), self.limits)


def _is_short(question: Question, sample: AnySample) -> bool:
    """Return whether a question is about a run of a Python function of one statement."""
    return isinstance(sample, FunctionSample) and bool(question.call_from) and is_one_statement(sample, question.call)


def question_row(question: Question, sample: AnySample, doc: Document) -> dict[str, Any]:
    """Return the columns of a question's row.

    Source: `mid, messages, tags, languages` are those of the released datasets; the others are ours.
    """
    language = sample.language if isinstance(sample, ProgramSample) else "Python"
    is_unchecked = question.kind == "docstring_to_code" and not question.check and question.verified_by == "execution"
    return {
        "mid": question.mid,
        "messages": [
            {"role": "user", "content": question.prompt},
            {"role": "assistant", "content": question.content},
        ],
        "tags": [question.kind, tag_of(language)],
        "languages": [language],
        "kind": question.kind,
        "function": sample.name,
        "module": sample.module,
        "path": sample.path,
        "repository": doc.metadata["repository"],
        "license": doc.metadata["license"],
        "cluster": doc.metadata["cluster"],
        # The function and the file it was cut from.
        "parents": [doc.id, doc.metadata["source_id"]],
        "code": question.code,
        "call": question.call,
        "answer": question.answer,
        "context": question.context,
        "check": question.check,
        "wrong_answers": question.wrong_answers,
        "mutation": question.mutation,
        "fail_to_pass": question.fail_to_pass,
        "pass_to_pass": question.pass_to_pass,
        # A function to be written without a check to pass is the author's word alone.
        "verified_by": "none" if is_unchecked else question.verified_by,
        "call_from": question.call_from,
        "trace": question.trace,
        # Not a column: for LimitAnswers.
        "is_one_statement": _is_short(question, sample),
        "mutants": question.mutants,
        "num_killed": question.num_killed,
        "rewrite": question.rewrite,
        "num_compared_calls": question.num_compared_calls,
        "split": doc.metadata["split"],
    }
