"""JSON as tsconfig.json has it: with comments and commas behind the last item."""

import json
from typing import Any

import re2

# A string, which may hold what looks like a comment, or a comment, or a comma before a closing bracket.
_TOKENS = re2.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/')
_LAST_COMMAS = re2.compile(r'("(?:[^"\\\n]|\\.)*")|,(\s*[\]}])')


def parse_json(text: str) -> Any:
    """Return the value of a JSON text, comments and last commas left out; None for what is no JSON.

    Source: ours, after TypeScript's handbook on tsconfig.json.
    """
    text = text.removeprefix("\ufeff")
    # Most manifests are plain JSON, and package.json may have thousands of lines.
    return _parsed(text) or _parsed(_without_comments(text))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _without_comments(text: str) -> str:
    plain = _TOKENS.sub(lambda match: match.group(1) or " ", text)
    return _LAST_COMMAS.sub(lambda match: match.group(1) or match.group(2), plain)
