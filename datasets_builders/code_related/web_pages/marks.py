"""Section 2.3.1: what stands in a page for its parts until they are Markdown: characters that no page needs.

A mark of a part is one of the two openings, its number and the end; of a heading the character and the level.
"""

import re

OPEN, OPEN_BLOCK, CLOSE = "\x01i", "\x01b", "\x02"
INLINE_CODE = "\x03"  # before and after
HEADING = "\x04"
_ALL = "\x00\x01\x02\x03\x04"
_NONE = dict.fromkeys(map(ord, _ALL))
_HEADING_MARK = re.compile(f"{HEADING}[1-6]?")


def without_marks(text: str) -> str:
    """Return a text without any of the characters; one that has none costs little."""
    return text.translate(_NONE) if any(map(text.__contains__, _ALL)) else text


def without_heading_marks(text: str) -> str:
    """Return a text without the marks of headings."""
    return _HEADING_MARK.sub("", text) if HEADING in text else text
