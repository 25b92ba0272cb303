"""Section 3.2.4: answers are ranked by a reward model or by tests, and a chosen and a rejected one are taken.

The paper ranks all answers to a question and drops the question where the best score is below a limit. Scores of one
reward model say little across questions, so that a limit on the margin within a question, or on the percentile among
the questions of a source, may stand in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.quality.model_source import ModelSource
from datasets_builders.released.answers_read import RANKED_ANSWERS, Answer
from datasets_builders.released.length_bias import hashed_order
from datasets_builders.released.pair_checks import edit_similarity
from datasets_builders.released.reward_fields import RewardFields
from evals.execution import Program, Verdict

if TYPE_CHECKING:
    from datasets_builders.released.reward_model import RewardModel

MIN, MARGIN, RANDOM = POLICIES = ("min", "margin", "random")
JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.COMPILE_ERROR, Verdict.TIMEOUT, Verdict.OOM)
_PYTHON = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


class ScoreAnswers(Step):
    """Write a reward model's score of each answer; an answer that cannot be scored is left out.

    Args:
        fields (`RewardFields`): of the config.
        source (`ModelSource`, *optional*): the model, where it is loaded here.

    Source: paper 3.2.4.
    """

    name = "score_answers"
    batch_size = 32
    seconds_per_document = None

    def __init__(self, fields: RewardFields, source: ModelSource | None) -> None:
        super().__init__()
        self.fields, self.source = fields, source
        self._model: RewardModel | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Load the model."""
        from datasets_builders.released.reward_model import load_reward

        self._model = load_reward(self.fields, self.source, rank)

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Score all answers of a batch at once."""
        from datasets_builders.released.reward_model import with_answer

        assert self._model is not None
        asked = [
            with_answer(doc.metadata["prompt_messages"], answer["text"])
            for doc in docs
            for answer in doc.metadata["answers"]
        ]
        scores = iter(self._model.scores(asked))
        for doc in docs:
            doc.metadata["answers"] = [answer | {"score": next(scores)} for answer in doc.metadata["answers"]]
        return [[doc] for doc in docs]

    def end(self) -> None:
        """Drop the model, which does not pickle."""
        if self._model:
            self._model.close()
        self._model = None


class RunAnswers(SandboxStep):
    """Score each answer by the row's check: 1 where its code passes, 0 where it fails; nothing else has a score.

    The code of an answer is its Python blocks, else all of it. A check that the machine could not run is no verdict.
    """

    name = "run_answers"
    batch_size = 64

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run the answers of a batch at once."""
        programs = [
            Program(f"{code_in(answer['text'])}\n\n\n{doc.metadata['check']}\n")
            for doc in docs
            if doc.metadata["check"]
            for answer in doc.metadata["answers"]
        ]
        results = iter(self.sandbox.run_batch(programs))
        outcomes: list[Iterable[Outcome]] = []
        for doc in docs:
            if not doc.metadata["check"]:
                outcomes.append([Removed(doc, "nothing_to_verify_with")])
                continue
            verdicts = [next(results).verdict for _ in doc.metadata["answers"]]
            doc.metadata["answers"] = [
                answer | {"score": float(verdict is Verdict.PASS) if verdict in JUDGED else None}
                for answer, verdict in zip(doc.metadata["answers"], verdicts, strict=True)
            ]
            outcomes.append([doc])
        return outcomes


def code_in(answer: str) -> str:
    """Return the Python of an answer: its fenced blocks, else the whole text."""
    blocks = _PYTHON.findall(answer)
    return "\n\n".join(blocks) if blocks else answer


class BestScorePercentile(Step):
    """Remove questions whose best score is among the lowest of their source. One task.

    Args:
        percentile (`float`): of the best scores, below which questions go.
    """

    name = "best_score_percentile"
    arity = "n:1"

    def __init__(self, percentile: float) -> None:
        super().__init__()
        self.percentile = percentile

    def begin(self, rank: int, world_size: int) -> None:
        """Start without questions."""
        self._documents = DiskSort(itemgetter(0), self.runs_folder)
        self._best: dict[str, list[float]] = {}

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the question until all are known."""
        self._documents.add(values_of(doc))
        if scores := scores_of(doc):
            self._best.setdefault(doc.metadata["source"], []).append(max(scores))
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give the questions that stay, and remove the others."""
        limits = {source: float(np.percentile(best, self.percentile)) for source, best in self._best.items()}
        for doc in map(document_of, self._documents):
            scores = scores_of(doc)
            if scores and max(scores) < limits[doc.metadata["source"]]:
                yield Removed(doc, "best_score_among_the_lowest", f"{max(scores):.4g}")
            else:
                yield doc

    def end(self) -> None:
        """Let go of the questions."""
        self._documents.close()


def scores_of(doc: Document) -> list[float]:
    """Return the scores of a question's answers."""
    return [answer["score"] for answer in doc.metadata["answers"] if answer["score"] is not None]


@dataclass(frozen=True)
class PairPolicy:
    """Which two of the ranked answers make a pair.

    Args:
        rejected (`str`): min: the lowest; margin: the lowest whose margin lies within `margins`; random: any but the
            best.
        margins (tuple of two `float`): least and most difference of the two scores.
        min_best_score (`float`, *optional*): below which the question goes.
        own_models: of them one is trained on its own answers.
        seed (`int`): of `random`.
    """

    rejected: str = MIN
    margins: tuple[float, float] = (0.0, float("inf"))
    min_best_score: float | None = None
    own_models: Sequence[str] = ()
    seed: int = 0


class ChoosePairs(Step):
    """Make of each question with ranked answers one pair: the best answer, and one that is worse.

    Of answers with the same score those are taken whose lengths are nearest, so that the length tells nothing.

    Args:
        policy (`PairPolicy`): which answers.
        max_similarity (`float`): edit similarity from which on two answers are too near.
        conversational (`bool`): whether prompts of several messages are kept.

    Source: paper 3.2.4 for the ranking and the limit on the best score; the policies are ours.
    """

    name = "choose_pairs"
    libraries = ("rapidfuzz",)

    def __init__(self, policy: PairPolicy, max_similarity: float, conversational: bool) -> None:
        super().__init__()
        self.policy, self.max_similarity, self.conversational = policy, max_similarity, conversational

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a pair, or say why there is none."""
        row = doc.metadata
        if len(row["prompt_messages"]) > 1 and not self.conversational:
            yield Removed(doc, "several_messages_before_the_answer")
            return
        answers = [answer for answer in row["answers"] if answer["score"] is not None and answer["text"]]
        best = max((answer["score"] for answer in answers), default=None)
        if best is None or len(answers) < 2:
            yield Removed(doc, "fewer_than_two_scores")
            return
        if self.policy.min_best_score is not None and best < self.policy.min_best_score:
            yield Removed(doc, "best_score_too_low", f"{best:.4g}")
            return
        worse = self._worse(doc.id, answers, best)
        if not worse:
            tied = all(answer["score"] == best for answer in answers)
            yield Removed(doc, "all_scores_equal" if tied else "no_margin_within_limits")
            return
        pair = self._nearest_in_length([answer for answer in answers if answer["score"] == best], worse)
        if pair is None:
            yield Removed(doc, "answers_too_near")
            return
        yield self._pair(doc, *pair)

    def _worse(self, identifier: str, answers: list[Answer], best: float) -> list[Answer]:
        """Return the answers of the score that is rejected."""
        least, most = self.policy.margins
        scores = sorted({answer["score"] for answer in answers if answer["score"] < best})
        scores = [score for score in scores if least <= best - score <= most]
        if not scores:
            return []
        place = hashed_order(self.policy.seed, identifier) % len(scores) if self.policy.rejected == RANDOM else 0
        return [answer for answer in answers if answer["score"] == scores[place]]

    def _nearest_in_length(self, chosen: list[Answer], rejected: list[Answer]) -> tuple[Answer, Answer, float] | None:
        pairs = sorted(
            ((first, second) for first in chosen for second in rejected),
            key=lambda pair: (abs(len(pair[0]["text"]) - len(pair[1]["text"])), pair[0]["text"], pair[1]["text"]),
        )
        for first, second in pairs:
            similarity = round(edit_similarity(first["text"], second["text"]), 4)
            if similarity < self.max_similarity:
                return first, second, similarity
        return None

    def _pair(self, doc: Document, chosen: Answer, rejected: Answer, similarity: float) -> Document:
        row = doc.metadata
        prompt = row["prompt_messages"]
        identifier = content_id(*(f"{m['role']}\0{m['content']}" for m in prompt), chosen["text"], rejected["text"])
        kept = ("prompt_messages", "prompt", "function", "module", "cluster", "license", "source", "split", "parents")
        return Document(
            doc.text,
            identifier,
            metadata={
                **{name: row[name] for name in kept},
                "mid": identifier,
                "kind": RANKED_ANSWERS,
                "chosen": chosen["text"],
                "rejected": rejected["text"],
                "chosen_chars": len(chosen["text"]),
                "rejected_chars": len(rejected["text"]),
                "similarity": similarity,
                "chosen_score": float(chosen["score"]),
                "rejected_score": float(rejected["score"]),
                "chosen_model": chosen["model"],
                "rejected_model": rejected["model"],
                "on_policy": on_policy(chosen["model"], rejected["model"], self.policy.own_models),
            },
        )


def on_policy(chosen: str, rejected: str, own_models: Sequence[str]) -> str:
    """Return which of two answers are of the model that is to be trained: both, chosen, rejected or none."""
    own = (chosen in own_models, rejected in own_models)
    return {(True, True): "both", (True, False): "chosen", (False, True): "rejected"}.get(own, "none")


class FinishPairs(Step):
    """Bring pairs of all origins into the columns of the dataset; too long ones, and ones of other lengths, go.

    Args:
        source (`str`): name of the dataset that the pairs of questions are from.
        max_chars (`int`): longest prompt with one answer, in characters.
        max_length_ratio (`float`): longest length of one answer over the other's; 0 for no limit. Not of values.
        conversational (`bool`): whether prompt and answers become lists of messages.
    """

    name = "finish_pairs"

    def __init__(self, source: str, max_chars: int, max_length_ratio: float, conversational: bool) -> None:
        super().__init__()
        self.source, self.max_chars, self.max_length_ratio = source, max_chars, max_length_ratio
        self.conversational = conversational

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Pass on a complete pair."""
        row = doc.metadata
        for name, value in EMPTY.items():
            row.setdefault(name, value)
        row["source"] = row["source"] or self.source
        prompt = row.pop("prompt_messages", None) or [{"role": "user", "content": row["prompt"]}]
        lengths = sorted((row["chosen_chars"], row["rejected_chars"]))
        num_chars = sum(len(message["content"]) for message in prompt) + lengths[1]
        if self.conversational:
            row["prompt"] = prompt
            for side in ("chosen", "rejected"):
                row[side] = [{"role": "assistant", "content": row[side]}]
        if num_chars > self.max_chars:
            yield Removed(doc, "too_long", f"{num_chars} characters")
        elif row["kind"] == RANKED_ANSWERS and 0 < self.max_length_ratio < lengths[1] / max(lengths[0], 1):
            yield Removed(doc, "lengths_too_different", f"{lengths[1]} and {lengths[0]} characters")
        else:
            yield doc


# What pairs of questions hold in the columns of ranked answers.
EMPTY: Mapping[str, Any] = {
    "source": "",
    "language": "",
    "chosen_model": "",
    "rejected_model": "",
    "chosen_score": None,
    "rejected_score": None,
    "on_policy": "none",
    "verified_by": "none",
}
