"""Section 2.1: the text of a row, whatever the dataset is of: code, prose, chat or preferences."""

from collections.abc import Collection, Mapping
from typing import Any

ID_COLUMNS = ("id", "mid")
# Columns that hold the text of a row: of code, of prose, of chat, of preferences.
TEXT_COLUMNS = (("content",), ("text",), ("messages",), ("prompt", "chosen", "rejected"))
KNOWN = ", ".join(" and ".join(columns) for columns in TEXT_COLUMNS)


def text_columns(names: Collection[str]) -> tuple[str, ...] | None:
    """Return the columns that hold the text, or None when there are none."""
    return next((columns for columns in TEXT_COLUMNS if set(columns) <= set(names)), None)


def text_of(row: Mapping[str, Any], columns: Collection[str]) -> str | None:
    """Return the text of a row: texts and the contents of messages with a blank line between, None without any."""
    pieces: list[str] = []
    for value in (row[name] for name in columns):
        if isinstance(value, str):
            pieces.append(value)
        elif isinstance(value, list):
            pieces += [message["content"] or "" for message in value]
    return "\n\n".join(pieces) if pieces else None
