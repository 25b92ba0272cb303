"""Section 3.2.3: the ways in which Evol-Instruct makes a problem harder, and what came of it judged by rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from random import Random
from string import Template

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.synthesis.instructions.code_blocks import split_fences
from datasets_builders.synthesis.instructions.statements import same_words

PROMPT_FOLDER = Path(__file__).with_name("prompts")
# Of each how often, one against the other: a bound on time or memory is to come seldom.
# Source: WizardCoder's five heuristics; the weights are ours.
METHODS: dict[str, float] = {
    "constraint": 1.0,
    "rarer_requirement": 1.0,
    "more_steps": 1.0,
    "misleading_code": 1.0,
    "complexity": 0.5,
}
DOMAINS = ("text_to_code", "reasoning", "sql", "competition")
PROBLEM_MARK, SOLUTION_MARK = "<<<PROBLEM>>>", "<<<SOLUTION>>>"
MAX_SIMILARITY = 0.95
MAX_GROWTH, GROWTH_CHARACTERS = 3.0, 1500
COMPARED_CHARACTERS = 2000  # difflib's time grows with the square
_TELLS = re.compile(
    r"(?:re-?written|evolved|given|original|harder|new|modified) (?:prompt|instruction|question|problem|version)"
    r"\s*[#*]*\s*[:：]|#\s*(?:rewritten|given|new|created) prompt|\bthe original (?:problem|question|prompt)\b"
    r"|(?:改写|重写)后的(?:问题|题目|指令)",
    re.I,
)
_SOLUTION_HEAD = re.compile(r"(?m)^[#* ]*(?:solution|answer|explanation|解答|答案|解法)[* ]*(?:[:：]|$)", re.I)
_LABEL = re.compile(
    r"\A[#* ]*(?:(?:new|harder|rewritten|evolved) )?(?:problem|question|prompt|问题|题目)[#* ]*[:：][#* ]*", re.I
)


def draw_method(seed: int, key: str, weights: Mapping[str, float] = METHODS) -> str:
    """Return the method for a problem, drawn by what it is known by."""
    return Random(f"{seed}:{key}").choices(list(weights), list(weights.values()))[0]


@cache
def prompt(name: str) -> Template:
    """Return a prompt of this folder."""
    return Template((PROMPT_FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip())


def parse_evolved(text: str, original: str) -> str:
    """Return the evolved problem of an answer.

    Raises:
        MalformedAnswerError: it is the original again, speaks of it, is out of all proportion, or brings a solution.
    """
    found = _LABEL.sub("", text.strip(), count=1).strip()
    if _TELLS.search(found):
        raise MalformedAnswerError("it speaks of the original problem or of the rewriting")
    if _SOLUTION_HEAD.search(split_fences(found)[0]) and not _SOLUTION_HEAD.search(original):
        raise MalformedAnswerError("it brings a solution")
    if not found or same_words(found) == same_words(original):
        raise MalformedAnswerError("it is the original problem again")
    if len(found) > MAX_GROWTH * len(original) + GROWTH_CHARACTERS:
        raise MalformedAnswerError(f"it grew from {len(original)} characters to {len(found)}")
    first, second = original[:COMPARED_CHARACTERS], found[:COMPARED_CHARACTERS]
    if len(original) <= COMPARED_CHARACTERS and SequenceMatcher(None, first, second, False).ratio() > MAX_SIMILARITY:
        raise MalformedAnswerError("it hardly differs from the original problem")
    return found


def parse_composed(text: str) -> tuple[str, str]:
    """Return (problem, solution) of an answer with the two marks, each once and on a line of its own.

    Raises:
        MalformedAnswerError: marks are missing or twice there, in the wrong order, or a part is empty.
    """
    lines = [line.strip().strip("*# ") for line in text.splitlines()]
    if lines.count(PROBLEM_MARK) != 1 or lines.count(SOLUTION_MARK) != 1:
        raise MalformedAnswerError(f"the marks {PROBLEM_MARK} and {SOLUTION_MARK} do not stand there once each")
    start, middle = lines.index(PROBLEM_MARK), lines.index(SOLUTION_MARK)
    if middle < start:
        raise MalformedAnswerError("the solution stands before the problem")
    whole = text.splitlines()
    problem, solution = "\n".join(whole[start + 1 : middle]).strip(), "\n".join(whole[middle + 1 :]).strip()
    if not problem or not solution:
        raise MalformedAnswerError("the problem or the solution is empty")
    return problem, solution


def shares_code(problem: str, solution: str) -> bool:
    """Return whether a block of code of the solution stands in the problem already.

    Source: OSS-Instruct's cleaning.
    """
    shown = {"".join(block.text.split()) for block in split_fences(problem)[1]} - {""}
    return any("".join(block.text.split()) in shown for block in split_fences(solution)[1])


def fragment_of(text: str, key: str, min_lines: int = 1, max_lines: int = 15) -> str:
    """Return some consecutive lines of a file from a random place on; the key decides which.

    Source: OSS-Instruct: 1 to 15 lines of a random place.
    """
    lines = text.splitlines()
    chance = Random(key)
    num_lines = chance.randint(min_lines, max_lines)
    starts = [number for number, line in enumerate(lines) if line.strip()]
    if not starts:
        return ""
    start = chance.choice(starts)
    return "\n".join(lines[start : start + num_lines]).strip("\n")
