"""Section 3.2.4: what a judge said, read strictly, and what becomes of a pair that it was shown in both orders."""

from __future__ import annotations

import re

A, B, TIE = VERDICTS = "A", "B", "tie"
WON, LOST, TIED = "won", "lost", "tied"  # by the second side
MALFORMED, NO_VERDICT = "malformed", "no verdict"
_REASONING = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
_OPEN_REASONING = re.compile(r"\A\s*<(think|thinking|reasoning)>")
# Emphasis, brackets and quotes around the word or the whole line are unambiguous: nothing else is let pass.
_VERDICT_LINE = re.compile(r"""[*_#>\s]*verdict[*_\s]*:[*_`"'(\[\s]*(a|b|tie)[*_`"')\]\s.]*""", re.IGNORECASE)


class MalformedVerdictError(ValueError):
    """An answer without one clear verdict; the message says why, and is told to the judge."""


def parse_verdict(text: str, finish_reason: str = "stop") -> str:
    """Return "A", "B" or "tie".

    The verdict is the last line that is not empty. A verdict elsewhere in the answer, quoted from what is judged, say,
    has to be the same.

    Args:
        text (`str`): the judge's answer; thinking in tags before it is taken off.
        finish_reason (`str`): why it ended, in the server's word.

    Raises:
        MalformedVerdictError: there is no such line, or another verdict beside it, or the answer was cut off.
    """
    if finish_reason == "length":
        raise MalformedVerdictError("it was cut off at the limit of tokens")
    bare = _REASONING.sub("", text, count=1)
    if _OPEN_REASONING.match(bare):
        raise MalformedVerdictError("its thinking does not end")
    lines = [line for line in bare.splitlines() if line.strip(" \t*_`")]
    if not lines:
        raise MalformedVerdictError("it is empty")
    found = [_VERDICT_LINE.fullmatch(line) for line in lines]
    if found[-1] is None:
        raise MalformedVerdictError("its last line is no verdict")
    said = {match[1].lower() for match in found if match}
    if len(said) > 1:
        raise MalformedVerdictError("it has several verdicts")
    return {"a": A, "b": B, "tie": TIE}[said.pop()]


def outcome_of(in_order: str, swapped: str) -> str:
    """Return what the second side did: "won", "lost" or "tied".

    Args:
        in_order (`str`): the verdict where the first side's answer stood as A.
        swapped (`str`): where it stood as B.
    """
    preferred = {(A, B): LOST, (B, A): WON}
    return preferred.get((in_order, swapped), TIED)


def is_consistent(in_order: str, swapped: str) -> bool:
    """Return whether the judge said the same of a pair in both orders."""
    return (in_order, swapped) in ((A, B), (B, A), (TIE, TIE))


def position_of(in_order: str, swapped: str) -> str:
    """Return which place an inconsistent judge leans to: "first shown", "second shown" or ""."""
    leans = {A: 1, B: -1, TIE: 0}
    lean = leans[in_order] + leans[swapped]
    return "first shown" if lean > 0 else "second shown" if lean < 0 else ""
