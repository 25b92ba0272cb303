"""Section 2.3.1: pages that lie as rows in Parquet or JSON Lines: HTML, or text as FineWeb has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.web_pages.archives import DEFAULT_ENCODING, Record
from datasets_builders.sources.lines import Unreadable
from datasets_builders.sources.table_rows import local_table, rows_of

# Our name -> theirs, the first that a row has; a dot leads into a struct. A row with `html` is a page, else its `text`
# is taken as it is.
COLUMNS = {
    "html": ("html", "raw_html", "html_content", "article_body.html"),
    "text": ("text", "content", "raw_content"),
    "url": ("url", "warc_url", "uri", "source_url", "metadata.url"),
    "date": ("date", "date_download", "timestamp", "crawl_date"),
    "charset": ("charset", "encoding"),
}


def check_columns(columns: Mapping[str, str]) -> None:
    """Raise `ConfigError` for a name that is none of ours."""
    for ours in columns:
        if ours not in COLUMNS:
            raise ConfigError(f"columns: {ours!r} is none of ours; known: {', '.join(COLUMNS)}")


def check_table(path: Path, columns: Mapping[str, str]) -> None:
    """Raise `ConfigError` where a Parquet file has no column of pages, or not the one that `columns` names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        return
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):  # damage is told by the reader
        return
    theirs = _theirs(columns)
    names = {*schema.names, *(inner.name for outer in schema for inner in outer.flatten())}
    for name in columns.values():
        if name not in names:
            raise ConfigError(f"columns: {path} has no column {name!r}; it has {', '.join(schema.names)}")
    if not any(name in names for ours in ("html", "text") for name in theirs[ours]):
        raise ConfigError(
            f"{path} has no column of pages; it has {', '.join(schema.names)}: name it in `columns`, {{html: COLUMN}} "
            "or {text: COLUMN}"
        )


def table_records(path: Path, columns: Mapping[str, str], rank: int, world_size: int) -> Iterator[Record]:
    """Give the pages of a rank's rows, or what could not be read.

    Args:
        path (`Path`): Parquet or JSON Lines.
        columns (mapping): our name to theirs, where it is none of `COLUMNS`.
        rank, world_size (`int`): Parquet is shared out by row group, JSON Lines by line.
    """
    theirs = _theirs(columns)
    wanted = {name.partition(".")[0] for names in theirs.values() for name in names}
    for number, row in rows_of(local_table(path), wanted, rank, world_size):
        where = f"{path.name}:{number}"
        if isinstance(row, Unreadable):
            yield Record(where, problem=row.problem, detail=row.detail)
        elif not isinstance(row, dict):
            yield Record(where, problem="bad_row", detail=f"{type(row).__name__}, not columns")
        else:
            yield _record(row, theirs, where)


def _theirs(columns: Mapping[str, str]) -> dict[str, Sequence[str]]:
    # Whoever names the column of the text means no other one, of HTML say.
    named = {"html": ()} if "text" in columns and "html" not in columns else {}
    return {**COLUMNS, **named, **{ours: (theirs,) for ours, theirs in columns.items()}}


def _record(row: dict[str, Any], theirs: Mapping[str, Sequence[str]], where: str) -> Record:
    found = {ours: next(filter(None, (_value(row, name) for name in names)), None) for ours, names in theirs.items()}
    url = found["url"] if isinstance(found["url"], str) else where
    date = str(found["date"] or "")
    content = found["html"] if found["html"] is not None else found["text"]
    if content is None:
        return Record(url, date, problem="empty", detail="no content in the row")
    if not isinstance(content, str | bytes):
        return Record(url, date, problem="bad_row", detail=f"content is {type(content).__name__}")
    is_text = found["html"] is None
    if isinstance(content, str):  # decoded by whoever wrote the table, whatever the page says of itself
        return Record(url, date, content.encode(DEFAULT_ENCODING, "replace"), DEFAULT_ENCODING, is_text)
    return Record(url, date, content, found["charset"] if isinstance(found["charset"], str) else "", is_text)


def _value(row: dict[str, Any], name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
