"""Section 2.3.1: the pages of a crawl: WARC files as Common Crawl has them, and the text of its WET files."""

from __future__ import annotations

import glob
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO, Literal

from datasets_builders.sources import encodings

GZIP, PLAIN = b"\x1f\x8b\x08", b"WARC/1."
CHUNK_BYTES = 1 << 20
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
NO_HEADER = "no HTTP header"
HTML_TYPES = ("text/html", "application/xhtml+xml")
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
DEFAULT_ENCODING = "utf-8"
MAX_WRONG_FRACTION = 0.25  # of the bytes beyond ASCII
# What the detector of pages calls short texts of other alphabets, too.
_OTHERS = ("utf-8", "cp1252", "iso8859-1", "iso8859-2", "cp1250")
_HIGH_BYTES = bytes(range(128, 256))


@dataclass(frozen=True)
class Record:
    """One page of a crawl, or what could not be read.

    Args:
        url (`str`): where it was.
        date (`str`): when it was read, ISO.
        body (bytes): as far as the limit goes; one byte more says that there is more.
        charset (`str`): of the HTTP header, or empty.
        is_text (`bool`): whether the body is the text of a page (WET), not the page.
        problem (`str`): reason for which there is no body, or empty.
        detail (`str`): what differs from record to record with the same problem.
    """

    url: str
    date: str = ""
    body: bytes = b""
    charset: str = ""
    is_text: bool = False
    problem: str = ""
    detail: str = ""


def archive_paths(patterns: list[str]) -> list[Path]:
    """Return the files that patterns name, each once, sorted.

    Args:
        patterns (list of `str`): paths, which may hold `*` and `**`.
    """
    # `Path.glob` takes no absolute pattern.
    expanded = (str(Path(pattern).expanduser()) for pattern in patterns)
    names = {name for pattern in expanded for name in glob.glob(pattern, recursive=True)}  # noqa: PTH207
    return sorted(path.absolute() for path in map(Path, names) if path.is_file())


def records_of(path: Path, max_bytes: int) -> Iterator[Record]:
    """Give the pages of a WARC or WET file; behind damage reading goes on at the next record.

    Args:
        path (`Path`): compressed with gzip record by record, or not at all.
        max_bytes (`int`): longest body that is read whole.
    """
    with path.open("rb") as file:
        start: int | None = 0
        last_told = -1  # place of the last record or damage that was told
        while start is not None:
            last, is_told, failure = start, False, ""
            file.seek(start)
            try:
                for record in _iterator(file):
                    last = record.stream_pos  # in the file, wherever reading began
                    found = _record(record, max_bytes)
                    last_told, is_told = last, bool(found.problem)
                    if found.problem == "other_coding":
                        found = _decoded_by_library(path, last, found, max_bytes)
                    yield found
                    if found.problem == "truncated_record" and found.detail != NO_HEADER:
                        failure = found.detail  # a length that is too large takes in what follows
                        break
            except OSError as error:
                failure = str(error)
            if not failure:
                cut_at = _cut_record(file, last)
                if cut_at is not None and cut_at > last_told:
                    yield Record(f"{path.name}@{cut_at}", problem="damaged_archive", detail="the file ends in a record")
                return
            if not is_told and (last_told >= start or start == 0):
                yield Record(f"{path.name}@{last}", problem="damaged_archive", detail=failure)
            start = _next_start(file, last + 1)


def _iterator(file: BinaryIO, decode: Literal["all", "none"] = "none") -> Iterator[Any]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    kinds = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
    records: Iterator[Any] = iter(ArchiveIterator(file, record_types=kinds, auto_decode=decode))
    return records


def _decoded_by_library(path: Path, start: int, found: Record, max_bytes: int) -> Record:
    """Return a record whose coding is left to the library, such as `br`; that tells nothing of bodies that are cut.

    Args:
        path (`Path`): of the archive.
        start (`int`): of the record.
        found (`Record`): as far as it is known.
        max_bytes (`int`): longest body that is read whole.
    """
    with path.open("rb") as file:
        file.seek(start)
        try:
            record = next(_iterator(file, "all"))
            body: bytes = record.reader.read(max_bytes + 1)
        except (OSError, StopIteration) as error:
            return replace(found, problem="damaged_body", detail=str(error)[:200])
        return replace(found, problem="", detail="", body=body)


def _media_type(header: str) -> tuple[str, str]:
    """Return the type of a Content-Type and its charset, both in lower case; empty where there is none."""
    message = Message()
    message["Content-Type"] = header
    return (message.get_content_type() if header else ""), (message.get_content_charset() or "")


def _record(record: Any, max_bytes: int) -> Record:
    url = record.headers.get("WARC-Target-URI") or record.record_id or ""
    date = record.record_date.isoformat() if record.record_date else ""
    kind_of_record = record.headers.get("WARC-Type")
    is_text = kind_of_record == "conversion"
    declared = ""
    if (
        kind_of_record == "resource"
    ):  # a page without an answer of a server around it, such as a file or a rendered page
        kind, declared = _media_type(record.headers.get("Content-Type") or "")
        if kind not in HTML_TYPES:
            return Record(url, date, problem="not_html", detail=kind or "no Content-Type")
    elif not is_text:
        if not record.is_http:
            return Record(url, date, problem="not_http", detail=record.headers.get("Content-Type") or "no Content-Type")
        if record.http_headers is None or record.http_headers.status_code is None:
            return Record(url, date, problem="truncated_record", detail=NO_HEADER)
        status, kind = record.http_headers.status_code, record.http_content_type or ""
        if status != 200:
            return Record(url, date, problem="http_status", detail=str(status))
        if kind and kind not in HTML_TYPES:
            return Record(url, date, problem="not_html", detail=kind)
        declared = record.http_charset or ""
    charset = declared if not is_text else DEFAULT_ENCODING
    is_whole = not record.headers.get("WARC-Truncated")
    expected = record.content_length or 0 if is_whole else 0
    try:
        body: bytes = record.reader.read(max_bytes + 1)
    except OSError as error:
        return Record(url, date, problem="damaged_body", detail=str(error)[:200])
    if len(body) < min(expected, max_bytes):
        return Record(url, date, problem="truncated_record", detail=f"{len(body)} of {expected} bytes")
    header = record.http_headers
    # Crawlers decode bodies and leave the headers that speak of codings.
    if header is not None and not body.lstrip().startswith(b"<"):
        codings = [*_names(header.get("Content-Encoding", "")), *_names(header.get("Transfer-Encoding", ""))]
        try:
            for coding in reversed(codings):
                body = decode_body(body, coding, max_bytes, is_whole and len(body) <= max_bytes)
        except BodyError as error:
            body = b"" if error.problem else body
            return Record(url, date, body, charset, is_text, error.problem, str(error))
    return Record(url, date, body, charset, is_text)


class BodyError(ValueError):
    """A body cannot be decoded; `problem` is countable."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


def _names(header: str) -> list[str]:
    names = (name.strip().lower() for name in header.split(","))
    return [name for name in names if name not in ("", "identity")]


def decode_body(body: bytes, coding: str, max_bytes: int, is_whole: bool) -> bytes:
    """Return a body without one of its codings, no more of it than a byte beyond a limit.

    Args:
        body (bytes): with the coding.
        coding (`str`): `chunked`, `gzip`, `deflate` (with or without zlib's header), in small letters.
        max_bytes (`int`): longest body that is read whole.
        is_whole (`bool`): whether the end of the body must be the end of the coding.

    Raises:
        BodyError: it is damaged, ends too early, or has another coding.
    """
    if coding == "chunked":
        return _without_chunks(body, is_whole)
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BodyError("other_coding", coding)
    is_raw = coding == "deflate" and not (body[:1] == b"\x78" and int.from_bytes(body[:2], "big") % 31 == 0)
    decoder = zlib.decompressobj(wbits=-15 if is_raw else 47)  # 47: by the header, of gzip or zlib
    try:
        text = decoder.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BodyError("damaged_body", f"{coding}: {error}") from None
    if is_whole and not decoder.eof and len(text) <= max_bytes:
        raise BodyError("truncated_body", f"{coding} ends too early, behind {len(text)} bytes of the page")
    return text


def _without_chunks(body: bytes, is_whole: bool) -> bytes:
    """Return a body without the sizes of its chunks."""
    chunks: list[bytes] = []
    start = 0
    while (end := body.find(b"\r\n", start)) >= 0:
        try:
            size = int(body[start:end].partition(b";")[0], 16)
        except ValueError:
            raise BodyError("damaged_body", f"chunked: no size at byte {start}") from None
        if not size:
            return b"".join(chunks)
        chunks.append(body[end + 2 : end + 2 + size])
        start = end + 2 + size + 2
    if not chunks or (is_whole and not start <= len(body)):
        raise BodyError("truncated_body" if chunks else "damaged_body", "chunked ends too early")
    return b"".join(chunks)


def _cut_record(file: BinaryIO, start: int) -> int | None:
    """Return the place of the record that the end of the file cuts, or None; the library passes over such a one.

    Args:
        file (binary file): of records.
        start (`int`): of the last record that was found.
    """
    file.seek(start)
    tail = file.read()
    while tail.strip(b"\0\r\n"):
        size = _size_of_member(tail) if tail.startswith(GZIP[: len(tail)]) else _size_of_record(tail)
        if size is None or size > len(tail):
            return start
        start, tail = start + size, tail[size:]
    return None


def _size_of_member(data: bytes) -> int | None:
    """Return the size of the gzip member at the start of data, or None where it does not end there."""
    member = zlib.decompressobj(wbits=31)
    left, made = data, b"-"
    try:
        while not member.eof and (left or made):
            made = member.decompress(left, CHUNK_BYTES)
            left = member.unconsumed_tail
    except zlib.error:
        return None
    return len(data) - len(member.unused_data) if member.eof else None


def _size_of_record(data: bytes) -> int | None:
    """Return the size that the record at the start of data states, or None where it does not."""
    head = data[: data.find(b"\r\n\r\n") + 4]
    length = _LENGTH.search(head) if data.startswith(PLAIN) else None
    return len(head) + int(length[1]) if length else None


def _next_start(file: BinaryIO, start: int) -> int | None:
    """Return where the next record may start, at or behind a place."""
    overlap = max(len(GZIP), len(PLAIN)) - 1
    file.seek(start)
    chunk = file.read(CHUNK_BYTES)
    while chunk:
        places = [place for place in (chunk.find(GZIP), chunk.find(PLAIN)) if place >= 0]
        if places:
            return start + min(places)
        if len(chunk) <= overlap:
            return None
        start += len(chunk) - overlap
        file.seek(start)
        chunk = file.read(CHUNK_BYTES)
        if len(chunk) <= overlap:
            return None
    return None


def decoded(body: bytes, charset: str) -> str:
    """Return the text of a page: by its byte order mark, the header, its own words, else by what its bytes look like.

    Args:
        body (bytes): of the page.
        charset (`str`): of the HTTP header, or empty.
    """
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    stated = [map_encoding_to_html5(name) or name for name in (charset, _charset_of_page(body)) if name]
    names = [*(name for mark, name in _BYTE_ORDER_MARKS if body.startswith(mark)), *stated, DEFAULT_ENCODING]
    for name in names:
        try:
            return body.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    # A few bytes that are wrong do not make a page one of another encoding.
    num_high = len(body) - len(body.translate(None, _HIGH_BYTES))
    for name in names:
        try:
            mended = body.decode(name, "replace")
        except LookupError:
            continue
        if mended.count("\ufffd") <= MAX_WRONG_FRACTION * num_high:
            return mended
    name = detect_encoding(body) or DEFAULT_ENCODING
    if name in _OTHERS and (found := encodings.decode(body)):
        return found[0]
    text: str = bytes_to_str(body, name, errors="replace")
    return text


def _charset_of_page(body: bytes) -> str:
    """Return what the page's own head says, or an empty text."""
    import re2

    found = re2.search(rb"(?i)<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", body[:4096])
    return str(found[1].decode("ascii", "replace")) if found else ""
