"""Section 3.2.4: preference pairs whose sides were told apart by execution.

The paper ranks answers with a reward model. Here the chosen answer is one that was seen to be right and the rejected
one was seen to be wrong, and both are run once more before the pair is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.released.answers_read import RANKED_ANSWERS
from datasets_builders.released.pair_checks import edit_similarity, plain_type, value_type
from datasets_builders.synthesis.program_analysis.observation import (
    FAILED_CHECK,
    CallResult,
    Job,
    ObservationSettings,
    run_jobs,
)
from datasets_builders.synthesis.program_analysis.questions.question import as_code_block

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
_FENCE_START, _FENCE_END = "```python\n", "\n```"


def code_of(answer: str) -> str:
    """Return the code inside an answer's Markdown fence.

    Raises:
        ValueError: the answer is not one fenced block of Python.
    """
    if not (answer.startswith(_FENCE_START) and answer.endswith(_FENCE_END)):
        raise ValueError(f"the answer is not one fenced block of Python: {answer[:60]!r}")
    return answer[len(_FENCE_START) : -len(_FENCE_END)]


class MakePairs(Step):
    """Make preference pairs of a question with answers that were seen to be wrong.

    Of the wrong answers those come first that are of the right one's type. Where the question makes the type plain, a
    value of another type is no answer anybody would give, and where two answers differ in a character or two, the
    model learns of that place alone: neither makes a pair.

    Args:
        max_pairs_per_question (`int`): how many of the wrong answers become pairs.
        max_chars (`int`): longest prompt with one answer, in characters.
        max_similarity (`float`): edit similarity from which on two answers are too near.
    """

    name = "make_pairs"
    arity = "1:n"
    libraries = ("rapidfuzz",)

    def __init__(self, max_pairs_per_question: int, max_chars: int, max_similarity: float) -> None:
        super().__init__()
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
        if row.get("languages", ["Python"]) != ["Python"]:  # whose pairs are verified by running Python
            yield Removed(doc, "other_language", ", ".join(row["languages"]))
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
            rejected = as_code_block(wrong) if is_code else wrong
            pair = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
            identifier = content_id(json.dumps(pair, sort_keys=True))
            made = Document(
                prompt,
                identifier,
                metadata={
                    **{name: row[name] for name in ("kind", "function", "module", "cluster", "license", "split")},
                    **{name: row[name] for name in ("code", "call", "answer", "context", "check")},
                    **pair,
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
        """Run the programs of all pairs of a batch at once."""
        jobs = [Job([], [], pair_checks(doc)) for doc in docs]
        answers: list[Iterable[Outcome]] = []
        for doc, result in zip(docs, run_jobs(self.sandbox, jobs, ObservationSettings(), hash_seed=3), strict=True):
            chosen, rejected = (result.checks.get(number, CallResult("not run")).status for number in (0, 1))
            if chosen != "passed":
                answers.append([Removed(doc, "chosen_answer_not_verified", chosen)])
            elif rejected not in FAILED_CHECK:
                answers.append([Removed(doc, "rejected_answer_not_verified", rejected)])
            else:
                answers.append([doc])
        return answers


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
