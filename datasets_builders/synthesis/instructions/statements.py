"""Section 2.4.2: problems that are stated, not asked, and texts that say the same."""

import re

from datasets_builders.synthesis.instructions.code_blocks import split_fences

_INLINE_CODE = re.compile(r"`[^`\n]+`|\"[^\"\n]*\"|“[^”\n]*”")
# A sentence's question mark: at a word, not the operator of `a ? b : c`, of `x?.y` or of a pattern.
_QUESTION = re.compile(r"[\w)\]'\"`*）」][?？](?=[\s)\]\"'*）」]|$)|？")
_CHINESE_QUESTION = re.compile(r"(?:吗|呢|么)[。!！]?\s*(?:$|\n)")
_SPACE = re.compile(r"\W+")


def is_question(problem: str) -> bool:
    """Return whether a sentence of a problem, outside of code and quotations, is a question."""
    prose = _INLINE_CODE.sub("x", split_fences(problem)[0])
    return bool(_QUESTION.search(prose) or _CHINESE_QUESTION.search(prose))


def same_words(text: str) -> str:
    """Return what two texts share that differ in case, white space and punctuation alone."""
    return _SPACE.sub(" ", text.casefold()).strip() or text.strip()
