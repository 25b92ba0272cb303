"""Section 2.4: what asking will be like, told before anything is asked: prompts as rendered, and an estimate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from datatrove.data import Document

from datasets_builders.asking.request import Request, body_of
from datasets_builders.asking.step import Ask
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step

SHOWN_PROMPTS = 3
SHOWN_CHARACTERS = 3_000
MEASURED_PROMPTS = 200
COUNTING_SECONDS = 20.0
# Of texts and code under tokenizers of today, with the JSON around them.
BYTES_PER_TOKEN = 3.5


@dataclass
class FirstQuestions:
    """What the first step that asks would be given.

    Args:
        step (`Ask`): the step.
        num_documents (`int`): documents that come to it.
        all_counted (`bool`): whether counting them came to an end.
        requests (list of `Request`): of the first documents.
        mean_bytes (`float`): of a request.
    """

    step: Ask
    num_documents: int = 0
    all_counted: bool = True
    requests: list[Request] = field(default_factory=list)
    mean_bytes: float = 0.0


def asking_steps(stages: Sequence[Stage]) -> list[Ask]:
    """Return the steps that ask, in order."""
    return [step for stage in stages for step in stage.pipeline if isinstance(step, Ask)]


def first_questions(stages: Sequence[Stage], seconds: float = COUNTING_SECONDS) -> FirstQuestions:
    """Run what stands before the first step that asks, keep nothing, and look at what comes.

    Steps that read or write files of the build are left out: near-duplicates, say, are counted as documents.

    Args:
        stages (sequence of `Stage`): of a builder, at least one of whose steps asks.
        seconds (`float`): for counting.
    """
    found = FirstQuestions(asking_steps(stages)[0])
    deadline, total_bytes = time.monotonic() + seconds, 0
    for doc in _documents_before(stages, found.step):
        found.num_documents += 1
        if found.num_documents <= MEASURED_PROMPTS:
            request = found.step.request(doc)
            total_bytes += len(body_of(request.payload(found.step.asking.teachers[0], {})))
            if len(found.requests) < SHOWN_PROMPTS:
                found.requests.append(request)
        if time.monotonic() > deadline:
            found.all_counted = False
            break
    found.mean_bytes = total_bytes / max(1, min(found.num_documents, MEASURED_PROMPTS))
    return found


def _documents_before(stages: Sequence[Stage], asks: Ask) -> Iterator[Document]:
    documents: Iterable[Document] | None = None
    for stage in stages:
        steps = stage.pipeline[: stage.pipeline.index(asks)] if asks in stage.pipeline else stage.pipeline
        ranks = []
        # Of a later stage all documents come to one rank: only how many they are is looked at.
        for rank in range(stage.tasks) if documents is None else range(1):
            data = documents
            for step in steps:
                if isinstance(step, Step) and step.only_in_builds:
                    continue
                data = step.pass_on(data, rank, stage.tasks if documents is None else 1)
            ranks.append(data or ())
        documents = chain.from_iterable(ranks)
        if asks in stage.pipeline:
            break
    yield from documents or ()


def estimate_lines(stages: Sequence[Stage]) -> list[str]:
    """Return three prompts as they would be sent, and how many requests, tokens and dollars there would be at most.

    Args:
        stages (sequence of `Stage`): of a builder, at least one of whose steps asks.
    """
    found = first_questions(stages)
    lines = [line for number, request in enumerate(found.requests, 1) for line in _shown(found.step, number, request)]
    documents, bound = float(found.num_documents), "" if found.all_counted else "at least "
    total_requests, total_prompt, total_answer, total_dollars = 0.0, 0.0, 0.0, 0.0
    for step in asking_steps(stages):
        is_first = step is found.step
        prompt_tokens = found.mean_bytes / BYTES_PER_TOKEN if is_first else float(step.expected_prompt_tokens)
        teachers = step.asking.teachers_of(step.name)
        weights = sum(teacher.weight for teacher in teachers)
        request = found.requests[0] if is_first and found.requests else None
        answer_tokens = dollars = 0.0
        for teacher in teachers:
            share = teacher.weight / weights
            asked_for = request.max_tokens if request and request.max_tokens else teacher.max_tokens
            most = float(step.asking.chosen(step.name).get("max_tokens") or asked_for)
            tokens = min(most, step.expected_answer_tokens or most)
            answer_tokens += share * tokens
            dollars += share * documents * (prompt_tokens * teacher.price_input + tokens * teacher.price_output) / 1e6
        told = f"{prompt_tokens:,.0f}" if prompt_tokens else "?"
        expected = "expected" if step.expected_answer_tokens else "at most"
        cost = f", ${dollars:,.2f}" if dollars else ""
        lines.append(
            f"asks        {step.name}: {bound}{documents:,.0f} requests, about {told} tokens each, answers of "
            f"{expected} {answer_tokens:,.0f}{cost}; up to {step.asking.attempts} times where an answer is malformed"
        )
        total_requests += documents
        total_prompt += documents * prompt_tokens
        total_answer += documents * answer_tokens
        total_dollars += dollars
        documents *= step.expected_outputs
    cost = f", ${total_dollars:,.2f}" if total_dollars else ", no prices given"
    lines.append(
        f"estimate    {bound}{total_requests:,.0f} requests, {math.ceil(total_prompt):,} + {math.ceil(total_answer):,} "
        f"tokens{cost}; what is on disk already is not asked again"
    )
    return lines


def _shown(step: Ask, number: int, request: Request) -> list[str]:
    """Return a prompt as lines."""
    turns = [(turn["role"], turn["content"]) for turn in request.messages] or [("raw", request.prompt or "")]
    lines = []
    for role, content in turns:
        cut = "" if len(content) <= SHOWN_CHARACTERS else f"\n[{len(content) - SHOWN_CHARACTERS:,} more characters]"
        lines.append(f"prompt      {step.name}, {number} of {SHOWN_PROMPTS}, {role}:")
        lines += [f"  | {line}" for line in (content[:SHOWN_CHARACTERS] + cut).splitlines()]
    return lines
