"""Section 3.2.4: a judge is shown two answers twice, with places swapped: a preference that does not survive is a tie.

Every answer of the judge is kept: a run that was killed asks for none of them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from evals.errors import UsageError
from evals.judging.sides import Pair
from evals.judging.verdicts import MALFORMED, NO_VERDICT, TIE, MalformedVerdictError, outcome_of, parse_verdict
from evals.models.endpoint_client import EndpointClient, Server

PROMPTS = Path(__file__).with_name("prompts")
WHICH_IS_BETTER, AGAIN = PROMPTS / "which_is_better.txt", PROMPTS / "again.txt"
PLACES = ("mark", "question", "answer_a", "answer_b")
NO_ANSWER = "(this answer is empty)"


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """How the judge is asked.

    Args:
        server: the judge behind an OpenAI-compatible server.
        output: its answers are kept below this folder.
        attempts (`int`): until an answer has a verdict.
        max_new_tokens (`int`): of each answer, thinking included.
        temperature (`float`): 0 is greedy.
        extra_body (`dict`): put into each request; None takes a parameter out.
        template (`Path`): the prompt, with the places of `PLACES` behind dollar signs.
    """

    server: Server
    output: Path
    attempts: int = 3
    max_new_tokens: int = 2048
    temperature: float = 0.0
    extra_body: dict[str, Any] | None = None
    template: Path = WHICH_IS_BETTER


@dataclass(frozen=True)
class Reading:
    """What the judge said of a pair in one order: a verdict, or `fault`: why there is none."""

    verdict: str = ""
    text: str = ""
    attempts: int = 0
    malformed: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Judgment:
    """A pair and what became of it.

    Args:
        outcome (`str`): of the second side: "won", "lost", "tied"; "malformed" where an order has no clear verdict
            after all attempts, "no verdict" where the server gave none.
        in_order: with the first side's answer as A; without verdict where both answers are equal, which is not asked.
        swapped: with the second side's answer as A.
    """

    pair: Pair
    outcome: str
    in_order: Reading
    swapped: Reading

    @property
    def asked(self) -> bool:
        """Whether the judge was asked: not of answers that are equal."""
        return bool(self.in_order.attempts or self.swapped.attempts)


def read_template(path: Path) -> Template:
    """Return the judge's prompt.

    Raises:
        UsageError: no such file, a place is missing, or it has one that is not known.
    """
    try:
        template = Template(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--template {path} cannot be read: {error}") from None
    found = set(template.get_identifiers()) if template.is_valid() else set()
    if found != set(PLACES):
        wanted = ", ".join(f"${name}" for name in PLACES)
        raise UsageError(
            f"--template {path} needs the places {wanted}, each of them and no other ($$ is a dollar sign)"
        )
    return template


def render_prompt(template: Template, question: str, answer_a: str, answer_b: str) -> str:
    """Return what the judge is asked.

    The marks around the texts are of a hash of them: no answer can hold the mark that ends it.
    """
    digest = hashlib.sha256("\0".join([question, answer_a, answer_b]).encode("utf-8", "replace")).hexdigest()
    return template.substitute(
        mark=digest[:12],
        question=question.strip("\n"),
        answer_a=answer_a.strip("\n") or NO_ANSWER,
        answer_b=answer_b.strip("\n") or NO_ANSWER,
    )


def judge_pairs(pairs: Sequence[Pair], options: JudgeOptions) -> list[Judgment]:
    """Ask the judge of each pair in both orders.

    Raises:
        EndpointError: no server there, or not this model.
        NoAnswerError: the server was there, and then gave no answer; the same call goes on.
        UsageError: the template lacks a place.
    """
    template = read_template(options.template)
    different = [pair for pair in pairs if not equal(pair)]
    readings: dict[tuple[str, bool], Reading] = {}
    if different:
        client = EndpointClient(options.server, options.output / "cache" / "judge.jsonl")

        def ask(wanted: tuple[Pair, bool]) -> Reading:
            pair, swapped = wanted
            answers = (pair.second, pair.first) if swapped else (pair.first, pair.second)
            return _reading(client, render_prompt(template, pair.question, *answers), options)

        wanted = [(pair, swapped) for pair in different for swapped in (False, True)]
        found = client.in_parallel(ask, wanted, "judgments")
        readings = {(pair.id, swapped): said for (pair, swapped), said in zip(wanted, found, strict=True)}
    unasked = Reading(verdict=TIE)
    judgments = []
    for pair in pairs:
        both = [readings.get((pair.id, swapped), unasked) for swapped in (False, True)]
        judgments.append(Judgment(pair, _outcome(*both), *both))
    return judgments


def equal(pair: Pair) -> bool:
    """Return whether both answers are the same but for white space around them; such a pair is tied and not asked."""
    return pair.first.strip() == pair.second.strip()


def _outcome(in_order: Reading, swapped: Reading) -> str:
    for reading in (in_order, swapped):
        if not reading.verdict:
            return MALFORMED if reading.malformed else NO_VERDICT
    return outcome_of(in_order.verdict, swapped.verdict)


def _reading(client: EndpointClient, prompt: str, options: JudgeOptions) -> Reading:
    """Ask until the answer has one clear verdict.

    Each further attempt shows the judge its answer and what is wrong with it: greedy decoding would repeat it, and the
    file of answers, which knows them by what was asked, would give it again.
    """
    again = Template(AGAIN.read_text(encoding="utf-8"))
    messages = [{"role": "user", "content": prompt}]
    reading = Reading()
    for attempt in range(1, options.attempts + 1):
        request: dict[str, Any] = {"model": options.server.model, "messages": messages}
        request |= {"temperature": options.temperature, "max_tokens": options.max_new_tokens}
        answer = client.answer(request | (options.extra_body or {}))
        if answer.fault:
            return Reading(attempts=attempt, fault=answer.fault)
        try:
            verdict = parse_verdict(answer.text, answer.finish_reason)
            return Reading(verdict=verdict, text=answer.text, attempts=attempt)
        except MalformedVerdictError as error:
            reading = Reading(text=answer.text, attempts=attempt, malformed=True, fault=str(error))
            messages = [
                *messages,
                {"role": "assistant", "content": answer.text or "(nothing)"},
                {"role": "user", "content": again.substitute(fault=error)},
            ]
    return reading
