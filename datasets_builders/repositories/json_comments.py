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
    plain = _TOKENS.sub(lambda match: match.group(1) or " ", text.removeprefix("\ufeff"))
    plain = _LAST_COMMAS.sub(lambda match: match.group(1) or match.group(2), plain)
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        return None
