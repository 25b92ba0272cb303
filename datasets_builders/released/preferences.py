"""Section 3.2.4: preference pairs whose sides were told apart by execution.

The paper ranks answers with a reward model. Here the chosen answer is one that was seen to be right and the rejected
one was seen to be wrong, and both are run once more before the pair is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.released.answers_read import RANKED_ANSWERS
from datasets_builders.released.pair_checks import edit_similarity, plain_type, value_type
from datasets_builders.released.pairs_in_languages import (
    check_with,
    has_plain_type,
    literal_kind,
    quoted_code,
    run_sides,
    unit_of,
    with_function,
)
from datasets_builders.synthesis.program_analysis.jobs import CallResult, Job, ObservationSettings, run_jobs
from datasets_builders.synthesis.program_analysis.observation import FAILED_CHECK
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    ObservationSettings as LanguageSettings,
)
from datasets_builders.synthesis.program_analysis.other_languages.running import Unit
from datasets_builders.synthesis.program_analysis.questions.question import as_code_block

PYTHON = "Python"
EXECUTION = "execution_prediction"
# Kinds whose right and wrong answers are told apart once more by running: values of an expression, calls that must
# give a result, the name of an exception, code that must pass a check.
VALUE_KINDS = (EXECUTION, "argument_afterwards")
CALL_KINDS = ("input_prediction", "counterexample")
EXCEPTION = "exception_prediction"
CODE_KINDS = ("code_repair", "docstring_to_code", "refactoring")
VERIFIABLE_KINDS = (*VALUE_KINDS, *CALL_KINDS, EXCEPTION, *CODE_KINDS)
# Kinds whose answers were read off a recorded run or a change that was made: there is nothing to run again.
RECORDED_KINDS = ("branch_prediction", "local_value", "faulty_line")
PLACE = "???"  # of the answer, in a check
_FENCED = re.compile(r"```\w+\n(.*)\n```", re.DOTALL)


def code_of(answer: str) -> str:
    """Return the code inside an answer's Markdown fence.

    Raises:
        ValueError: the answer is not one fenced block.
    """
    found = _FENCED.fullmatch(answer)
    if found is None:
        raise ValueError(f"the answer is not one fenced block of code: {answer[:60]!r}")
    return found[1]


class MakePairs(Step):
    """Make preference pairs of a question with answers that were seen to be wrong.

    Of the wrong answers those come first that are of the right one's type. Where the question makes the type plain, a
    value of another type is no answer anybody would give, and where two answers differ in a character or two, the
    model learns of that place alone: neither makes a pair.

    Args:
        max_pairs_per_question (`int`): how many of the wrong answers become pairs.
        max_chars (`int`): longest prompt with one answer, in characters.
        max_similarity (`float`): edit similarity from which on two answers are too near.
        languages: programming languages whose questions make pairs.
    """

    name = "make_pairs"
    arity = "1:n"
    libraries = ("rapidfuzz",)

    def __init__(
        self,
        max_pairs_per_question: int,
        max_chars: int,
        max_similarity: float,
        languages: Sequence[str] = (PYTHON, *PROGRAM_LANGUAGES),
    ) -> None:
        super().__init__()
        self.languages = tuple(languages)
        self.max_pairs_per_question, self.max_chars = max_pairs_per_question, max_chars
        self.max_similarity = max_similarity

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a pair per wrong answer, or say why there is none."""
        row = doc.metadata
        if row["kind"] == RANKED_ANSWERS:
            yield doc
            return
        kind = row["kind"]
        if kind not in (*VERIFIABLE_KINDS, *RECORDED_KINDS) or (kind in CODE_KINDS and not row["check"]):
            yield Removed(doc, "nothing_to_verify_with", kind)
            return
        language = language_of(row)
        if language not in self.languages:
            yield Removed(doc, "other_language", language)
            return
        if not row["wrong_answers"]:
            yield Removed(doc, "no_wrong_answer_known", row["kind"])
            return
        prompt, chosen = (message["content"] for message in row["messages"])
        is_code = kind in CODE_KINDS
        wrong_answers = row["wrong_answers"] if is_code else self._of_type(row, chosen)
        if not wrong_answers:
            yield Removed(doc, "wrong_answers_of_another_type", kind)
            return
        far = self._far_enough(code_of(chosen) if is_code else chosen, wrong_answers)
        if not far:
            yield Removed(doc, "wrong_answers_too_near", row["kind"])
            return
        for wrong, similarity in far[: self.max_pairs_per_question]:
            quoted = as_code_block if language == PYTHON else partial(quoted_code, language)
            rejected = quoted(wrong) if is_code else wrong
            pair = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
            identifier = content_id(json.dumps(pair, sort_keys=True))
            made = Document(
                prompt,
                identifier,
                metadata={
                    **{name: row[name] for name in ("kind", "function", "module", "cluster", "license", "split")},
                    **{name: row[name] for name in ("code", "call", "answer", "context", "check")},
                    **pair,
                    "language": language,
                    "verified_by": "execution" if kind in VERIFIABLE_KINDS else row["verified_by"],
                    "mid": identifier,
                    "chosen_chars": len(chosen),
                    "rejected_chars": len(rejected),
                    "similarity": similarity,
                    "parents": [doc.id],
                },
            )
            num_chars = len(prompt) + max(len(chosen), len(rejected))
            yield made if num_chars <= self.max_chars else Removed(made, "too_long", f"{num_chars} characters")

    def _of_type(self, row: Mapping[str, Any], chosen: str) -> list[str]:
        """Return the wrong values of the right one's type; where it is not plain, the others behind them."""
        if (language := language_of(row)) != PYTHON:
            kind = literal_kind(chosen)
            same = [wrong for wrong in row["wrong_answers"] if literal_kind(wrong) == kind]
            if row["kind"] == EXECUTION and has_plain_type(language, row["code"], row["function"], kind):
                return same
            return same + [wrong for wrong in row["wrong_answers"] if wrong not in same]
        wanted = value_type(chosen)
        same = [wrong for wrong in row["wrong_answers"] if value_type(wrong) == wanted]
        if row["kind"] == EXECUTION and plain_type(row["code"], row["function"]) == wanted:
            return same
        return same + [wrong for wrong in row["wrong_answers"] if wrong not in same]

    def _far_enough(self, chosen: str, wrong_answers: list[str]) -> list[tuple[str, float]]:
        # An equal answer comes out as 1 and goes like any other that is too near.
        similarities = [(wrong, round(edit_similarity(chosen, wrong), 4)) for wrong in wrong_answers]
        return [(wrong, similarity) for wrong, similarity in similarities if similarity < self.max_similarity]


class VerifyPairs(SandboxStep):
    """Run both sides of every pair once more; a pair stays if the chosen one is right and the rejected one wrong.

    Args:
        isolation (`str`): as `Executor` takes it.
    """

    name = "verify_pairs"
    batch_size = 128

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run the programs of all pairs of a batch at once, language by language."""
        groups: dict[str, list[int]] = {}
        for index, doc in enumerate(docs):
            groups.setdefault(doc.metadata.get("language", PYTHON), []).append(index)
        answers: list[Iterable[Outcome]] = [[]] * len(docs)
        for language, indices in groups.items():
            group = [docs[index] for index in indices]
            told = self._in_python(group) if language == PYTHON else self._in_language(language, group)
            for index, answer in zip(indices, told, strict=True):
                answers[index] = answer
        return answers

    def _in_python(self, docs: list[Document]) -> Iterator[Iterable[Outcome]]:
        jobs = [Job([], [], pair_checks(doc)) for doc in docs]
        for doc, result in zip(docs, run_jobs(self.sandbox, jobs, ObservationSettings(), hash_seed=3), strict=True):
            chosen, rejected = (result.checks.get(number, CallResult("not run")).status for number in (0, 1))
            if chosen != "passed":
                yield [Removed(doc, "chosen_answer_not_verified", chosen)]
            elif rejected not in FAILED_CHECK:
                yield [Removed(doc, "rejected_answer_not_verified", rejected)]
            else:
                yield [doc]

    def _in_language(self, language: str, docs: list[Document]) -> Iterator[Iterable[Outcome]]:
        results = run_sides(self.sandbox, language, [pair_units(doc) for doc in docs], LanguageSettings())
        for doc, (is_right, is_wrong) in zip(docs, results, strict=True):
            if not is_right:
                yield [Removed(doc, "chosen_answer_not_verified", language)]
            elif not is_wrong:
                yield [Removed(doc, "rejected_answer_not_verified", language)]
            else:
                yield [doc]


def language_of(row: Mapping[str, Any]) -> str:
    """Return the programming language that a question is about."""
    return ", ".join(row.get("languages") or [PYTHON])


def pair_units(doc: Document) -> tuple[Unit, Unit]:
    """Return program and check of both sides of a pair in another language than Python."""
    row = doc.metadata
    language = row["language"]
    units = []
    for side in (row["chosen"], row["rejected"]):
        is_code = row["kind"] in CODE_KINDS
        program = with_function(row["context"], code_of(side)) if is_code else row["code"]
        check = row["check"] if is_code else check_with(row, side)
        units.append(unit_of(language, row, program, check))
    return units[0], units[1]


def pair_checks(doc: Document) -> list[tuple[str, str]]:
    """Return program and check for the chosen and for the rejected side of a pair."""
    row = doc.metadata
    sides = [row["chosen"], row["rejected"]]
    if row["kind"] in VALUE_KINDS:
        # Texts are compared, so that 1, 1.0 and True are three answers.
        return [(row["code"], f"assert repr({row['call']}) == {side!r}") for side in sides]
    if row["kind"] in CALL_KINDS:
        return [(row["code"], row["check"].replace(PLACE, side)) for side in sides]
    if row["kind"] == EXCEPTION:
        return [(row["code"], row["check"].replace(repr(row["answer"]), repr(side))) for side in sides]
    programs = [code_of(side) for side in sides]
    if row["context"]:
        programs = [f"{row['context']}\n\n\n{program}" for program in programs]
    return [(program, row["check"]) for program in programs]
