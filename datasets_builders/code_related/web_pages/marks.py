"""Section 2.3.1: what stands in a page for its parts until they are Markdown: characters that no page needs."""

OPEN, OPEN_BLOCK, CLOSE = "\x01", "\x10", "\x02"
INLINE_CODE = "\x03"  # before and after
HEADINGS = "\x04\x05\x06\x07\x08\x0e\x0f"  # by level, from 1
_ALL = f"\x00{OPEN}{OPEN_BLOCK}{CLOSE}{INLINE_CODE}{HEADINGS}"
_NONE = dict.fromkeys(map(ord, _ALL))
_NO_HEADINGS = dict.fromkeys(map(ord, HEADINGS))


def without_marks(text: str) -> str:
    """Return a text without any of the characters; one that has none costs little."""
    return text.translate(_NONE) if any(map(text.__contains__, _ALL)) else text


def without_heading_marks(text: str) -> str:
    """Return a text without the marks of headings."""
    return text.translate(_NO_HEADINGS)
