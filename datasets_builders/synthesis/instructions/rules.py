"""Section 2.4: rule-based detection of anomalies in the texts that a teacher wrote: what is cut, refused, repeated."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

from datasets_builders.synthesis.instructions.code_blocks import split_fences

REFUSALS = Path(__file__).with_name("refusals.txt")
HEAD_CHARACTERS = 200  # a refusal stands in the first sentences
MAX_REPEATED_FRACTION = 0.5
MIN_REPEATED_LINES = 10
LOOP_LENGTHS = range(1, 61)
MIN_LOOPS = 12
# A sign that a model cannot stop, wherever; rules, tables and numbers repeat theirs by right.
_RUN = re.compile(r"([^\s\d\-=*#_.~|+/\\<>^])\1{79,}")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "＇": "'"})
_WILDCARD = re.compile(r"\\\*")
_ENDS_OPEN = (":", "：", ",", "，", "、", "(", "（", "[", "{", "+", "=", "->")
_OPEN_THOUGHT = re.compile(r"<think>(?!.*</think>)", re.DOTALL)
# Words that end no sentence, without those that are names of variables or words of programming languages.
_UNFINISHED_WORD = re.compile(r"\b(?:the|an|of|to|that|which|whose|should|must|will|between)\s*$", re.I)


@cache
def _refusal_pattern() -> re.Pattern[str]:
    """Return what matches the head of a sentence that refuses: an apology with what it is for, or a plain refusal."""
    sections: dict[str, list[str]] = {}
    for line in REFUSALS.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("["):
            phrases = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            phrases.append(_WILDCARD.sub(".{0,30}?", re.escape(line)))
    apology, behind, refusal = ("|".join(sections[name]) for name in ("apology", "behind an apology", "refusal"))
    between = r"[\s,.，。;!！]{0,3}(?:but|however|and|但是|但|不过|，)?[\s,，]{0,2}"
    return re.compile(rf"(?:(?:{apology}){between}(?:{behind}|{refusal})|{refusal})", re.I)


def refuses(answer: str) -> bool:
    """Return whether an answer says that it is none: in its first sentences, and without code behind.

    Phrases are looked for in the prose alone, at the head of a sentence: a program that prints an apology refuses
    nothing.
    """
    prose, blocks = split_fences(answer)
    if any(block.text.strip() for block in blocks):
        return False
    head = prose.strip()[:HEAD_CHARACTERS].translate(_APOSTROPHES)
    starts = [0, *(found.end() for found in re.finditer(r"[.!?。！？\n]\s*", head))]
    return any(_refusal_pattern().match(head[start:].lstrip("*_\"'# ")) for start in starts)


def incomplete(text: str, *, is_instruction: bool) -> str:
    """Return why a text is cut, "" where it is whole.

    Args:
        text: an instruction or an answer.
        is_instruction: an instruction that ends with a colon announces what never came; an answer rarely does.
    """
    prose, blocks = split_fences(text)
    if any(not block.closed for block in blocks):
        return "open_code_fence"
    if _OPEN_THOUGHT.search(text):
        return "open_thought"
    last = text.rstrip().splitlines()[-1].strip() if text.strip() else ""
    ends_with_code = bool(blocks) and bool(re.fullmatch(r"`{3,}|~{3,}", last))
    if ends_with_code:
        return ""
    if last.endswith(_ENDS_OPEN if is_instruction else (":", "：", ",", "，", "、")):
        return "ends_open"
    if is_instruction and last.count("`") % 2:
        return "open_inline_code"
    if is_instruction and _UNFINISHED_WORD.search(prose):
        return "ends_in_a_sentence"
    return ""


def repeats(text: str) -> str:
    """Return how a text repeats itself as a model in a loop does, "" where it does not."""
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 3]
    if len(lines) >= MIN_REPEATED_LINES:
        line, count = Counter(lines).most_common(1)[0]
        if count > MAX_REPEATED_FRACTION * len(lines):
            return f"{count} of {len(lines)} lines are {line[:40]!r}"
    if run := _RUN.search(text):
        return f"{len(run[0])} times {run[1]!r}"
    tail = text.rstrip()[-4000:]
    for length in LOOP_LENGTHS:
        unit = tail[-length:]
        if len(tail) < length * MIN_LOOPS or not unit.strip(" -=*#_.\n\t|+"):
            continue
        if tail.endswith(unit * MIN_LOOPS):
            return f"ends with {MIN_LOOPS} times {unit[:40]!r}"
    return ""
