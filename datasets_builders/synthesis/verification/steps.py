"""Section 2.4: the steps that judge answers: a filter for what teachers write, and the making of tasks with rewards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from datatrove.data import Document

from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.synthesis.verification.judging import Judgement, judge
from datasets_builders.synthesis.verification.verifiers import (
    CODE,
    DIFF,
    SQL,
    TESTS,
    Verifier,
    VerifierLimits,
    verifier_of_row,
)

# Of these kinds `wrong_answers` are code, not answers as one gives them.
_FENCES = {CODE: "python", DIFF: "diff", TESTS: "python", SQL: "sql"}


class VerifyAnswers(SandboxStep):
    """Judge the attempts at a question, note the share that passes, and remove on request what is too hard or too easy.

    A document brings `attempts` (answers, of one teacher or of several) and `verifier` (as JSON; tests given or
    written by a teacher go into one of kind `code`). It leaves with `pass_share` (its difficulty), `agreement` (the
    share of the commonest answer, a second signal where tests are weak), `verdicts` and `answer`, the first attempt
    that passes, else the commonest one.

    Args:
        min_pass_share, max_pass_share (`float`): documents outside are removed; 0 and 1 remove none.
        min_agreement (`float`): documents below are removed; 0 removes none.
        isolation (`str`): as `Executor` takes it.
    """

    name = "verify_answers"
    batch_size = 64

    def __init__(
        self,
        min_pass_share: float = 0.0,
        max_pass_share: float = 1.0,
        min_agreement: float = 0.0,
        isolation: str = "auto",
    ) -> None:
        super().__init__(isolation)
        if not 0 <= min_pass_share <= max_pass_share <= 1:
            raise ValueError(
                f"pass shares are {min_pass_share} to {max_pass_share}; give 0 <= smallest <= largest <= 1"
            )
        self.min_pass_share, self.max_pass_share = min_pass_share, max_pass_share
        self.min_agreement = min_agreement

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Judge all attempts of a batch at once."""
        pairs = [
            (attempt, Verifier.from_json(doc.metadata["verifier"]))
            for doc in docs
            for attempt in doc.metadata["attempts"]
        ]
        judgements = iter(judge(self.sandbox, pairs))
        return [[self._outcome(doc, [next(judgements) for _ in doc.metadata["attempts"]])] for doc in docs]

    def _outcome(self, doc: Document, judgements: list[Judgement]) -> Outcome:
        if not judgements:
            return Removed(doc, "no_attempts")
        forms = Counter(judgement.form for judgement in judgements)
        commonest = forms.most_common(1)[0][0]
        best = next((number for number, judgement in enumerate(judgements) if judgement.passed), None)
        if best is None:
            best = next(number for number, judgement in enumerate(judgements) if judgement.form == commonest)
        pass_share = sum(judgement.passed for judgement in judgements) / len(judgements)
        agreement = forms[commonest] / len(judgements)
        doc.metadata.update(
            pass_share=pass_share,
            agreement=agreement,
            num_attempts=len(judgements),
            verdicts=[judgement.reason for judgement in judgements],
            answer=doc.metadata["attempts"][best],
        )
        if not self.min_pass_share <= pass_share <= self.max_pass_share:
            return Removed(doc, "too_hard" if pass_share < self.min_pass_share else "too_easy", f"{pass_share:.2f}")
        if agreement < self.min_agreement:
            return Removed(doc, "no_agreement", f"{agreement:.2f}")
        return doc


class MakeTasks(Step):
    """Make a task of a question: the prompt, and what judges an answer.

    Args:
        limits (`VerifierLimits`): what running an answer may use.
    """

    name = "make_tasks"

    def __init__(self, limits: VerifierLimits) -> None:
        super().__init__()
        self.limits = limits

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give the task, or say why nothing judges an answer."""
        row = doc.metadata
        verifier = verifier_of_row(row)
        if verifier is None:
            yield Removed(doc, "nothing_to_verify_with", f"{row['kind']}, {', '.join(row['languages'])}")
            return
        prompt, answer = row["messages"]
        fence = _FENCES.get(verifier.kind)
        wrong = [f"```{fence}\n{text}\n```" if fence else text for text in row["wrong_answers"][:1]]
        yield Document(
            prompt["content"],
            doc.id,
            metadata={
                "mid": row["mid"],
                "prompt": [prompt],
                "verifier": replace(verifier, limits=self.limits).to_json(),
                "verifier_kind": verifier.kind,
                "reference": answer["content"],
                "tags": row["tags"],
                "languages": row["languages"],
                "kind": row["kind"],
                "cluster": row["cluster"],
                "license": row.get("license") or "",
                "split": row["split"],
                # Judged before the task is believed; no columns.
                "wrong": wrong,
            },
        )


class CheckTasks(SandboxStep):
    """Judge the reference, which has to pass, and a wrong answer and an empty one, which must not.

    Args:
        fraction (`float`): part of the tasks that is tried; which ones follows from their ids.
        isolation (`str`): as `Executor` takes it.
    """

    name = "check_tasks"
    batch_size = 64

    def __init__(self, fraction: float = 1.0, isolation: str = "auto") -> None:
        super().__init__(isolation)
        self.fraction = fraction

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Judge the answers to the tasks of a batch that are tried, all at once."""
        tried = [doc for doc in docs if int(doc.id[:8], 16) < self.fraction * 16**8]
        outcomes = {id(doc): outcome for doc, outcome in zip(tried, self._try(tried), strict=True)}
        self.stat_update("tried", value=len(tried))
        for doc in docs:
            doc.metadata.pop("wrong", None)
        return [outcomes.get(id(doc), [doc]) for doc in docs]

    def _try(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        answers = [[doc.metadata["reference"], "", *doc.metadata.pop("wrong")] for doc in docs]
        verifiers = [Verifier.from_json(doc.metadata["verifier"]) for doc in docs]
        pairs = [(text, verifier) for texts, verifier in zip(answers, verifiers, strict=True) for text in texts]
        judgements = iter(judge(self.sandbox, pairs))
        outcomes: list[Iterable[Outcome]] = []
        for doc, texts in zip(docs, answers, strict=True):
            right, *wrong = [next(judgements) for _ in texts]
            if not right.passed:
                outcomes.append([Removed(doc, "reference_does_not_pass", right.reason)])
            elif any(judgement.passed for judgement in wrong):
                outcomes.append([Removed(doc, "wrong_answer_passes")])
            else:
                outcomes.append([doc])
        return outcomes
