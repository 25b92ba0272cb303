"""Section 2.4.1: the instruction in what a model wrote behind the head of a user's turn."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.synthesis.instructions.code_blocks import fenced_spans, split_fences

MIN_CHARACTERS = 12
# Marks between turns, whatever the template: models print those of others, and a server that leaves out special tokens
# leaves the bare name of a role.
_TURN_MARKS = re.compile(
    r"<\|im_(?:end|start)\|>|<\|eot_id\|>|<\|start_header_id\|>|<\|end_of_text\|>|<\|endoftext\|>|<(?:end|start)_of_turn>"
    r"|\[/?INST\]|<</?SYS>>|</?s>|<[|｜](?:end▁of▁sentence|User|Assistant|user|assistant|system|end|start|channel|return)[|｜]>"
    r"|</?role>|<role>(?:HUMAN|ASSISTANT|SYSTEM)</role>|<eos>|<bos>"
)
_ROLE = r"(?:assistant|ASSISTANT|Assistant|model|HUMAN|user|User|USER|Human|system|助手|用户)"
# A role's name that stands alone in its line, or glued behind the sentence as left-out special tokens leave it.
_ROLE_LINE = re.compile(rf"(?m)^[ \t#*]*{_ROLE}[ \t*]*:?[ \t]*$")
_GLUED_ROLE = re.compile(r"(?<=[.?!。？！`)\]])(?:assistant|ASSISTANT|model)(?=\n|\Z)")
_ROLE_PREFIX = re.compile(
    rf"\A[ \t#*]*(?:{_ROLE}|Instruction|Question|Prompt|Query|指令|问题)[ \t*]*[:：][ \t*]*(?=\S)", re.I
)
_ANSWER_TURN = re.compile(r"(?m)^[ \t#*]*(?:Assistant|ASSISTANT|Answer|Response|AI|回答|答案|助手)[ \t*]*[:：]")
# The model took up the other role: it answers what nobody asked.
_ANSWERS = re.compile(
    r"\A(?:sure|certainly|of course|absolutely|great|okay|ok|here(?:'s| is| are)|below is|i'd be happy|i'm happy"
    r"|thank you for|hello!? (?:how|i)|hi!? (?:how|i)|how can i (?:help|assist)|i am (?:an? )?(?:ai|assistant)|as an ai"
    r"|当然|好的|以下是|下面是|你好[，,！!]?(?:我是|有什么)|您好[，,！!]?(?:我是|有什么)|很高兴)",
    re.I,
)
_QUOTES = {'"': '"', "“": "”", "「": "」", "'": "'"}


def parse_instruction(text: str, stops: Sequence[str] = ()) -> str:
    """Return the user's message at the head of a raw completion, all its lines.

    What a model goes on to write behind its message is cut: at the template's own stops, at any known mark between two
    turns, at a line that is a role's name. Marks inside a fenced block of code are code. A role's name before the
    message and quotation marks around the whole of it are taken off.

    Args:
        text: what the model wrote.
        stops: texts that end a user's turn, see `PreQuery`.

    Raises:
        MalformedAnswerError: nothing is left, or it is no user who speaks; begins with a word for the reason.
    """
    found = _without_heads(text)
    ends = [found.find(stop) for stop in stops if stop.strip()]
    ends += [match.start() for pattern in (_TURN_MARKS, _ROLE_LINE, _GLUED_ROLE, _ANSWER_TURN)
             for match in pattern.finditer(found)]  # fmt: skip
    fenced = [(start, end) for start, end, closed in fenced_spans(found) if closed]  # an open fence protects nothing
    outside = [end for end in ends if end >= 0 and not any(start < end < stop for start, stop in fenced)]
    found = found[: min(outside, default=len(found))].strip()
    found = _unquoted(_ROLE_PREFIX.sub("", found, count=1)).strip()
    prose, blocks = split_fences(found)
    if len(found) < MIN_CHARACTERS and not any("\u4e00" <= sign <= "\u9fff" for sign in found):
        raise MalformedAnswerError(f"too short: {found!r}")
    if len(found) < 4:
        raise MalformedAnswerError(f"too short: {found!r}")
    if _ANSWERS.match(prose.strip() or " "):
        raise MalformedAnswerError("it answers instead of asking")
    if not prose.strip() and blocks:
        raise MalformedAnswerError("it is code without a request")
    return found


def _without_heads(text: str) -> str:
    """Return a text without the marks and role lines at its very beginning, where a head was printed again."""
    text = text.lstrip()
    while (found := _TURN_MARKS.match(text) or _ROLE_LINE.match(text)) and found.end():
        text = text[found.end() :].lstrip()
        if head := re.match(r"(?:user|HUMAN|User)\s*(?:<\|end_header_id\|>|</role>|\n)", text):
            text = text[head.end() :].lstrip()
    return text


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[:1])
    inner = text[1:-1]
    return inner if closing and text.endswith(closing) and closing not in inner and text[0] not in inner else text
