"""Pages of records to look through: a list, filters and a search, and one record shown whole at a time.

A page is one file that fetches nothing. Its records lie in it as JSON, from which its script makes text, never markup:
what a record says cannot become a part of the page. A page's size is bounded; what does not fit goes to the next one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from evals.report.colors import PLAIN, colored, units
from evals.report.documents import render, tone, visible

MAX_CHARS = 20_000  # shown of a text: a browser chokes on a page of answers that never end
END_CHARS = 4_000  # of them, from the end of a text
GAP = "\n\n[...]\n\n"
MAX_PAGE_BYTES = 12_000_000
MAX_PAGE_RECORDS = 2_000
MAX_FACT_CHARS = 2_000
SCRIPT = "records.js"
MAX_TITLE_CHARS = 60  # of how a question begins, and of how it ends
_HASH = re.compile(r"(?:.*/)?[0-9a-f]{16,}(?:#\d+)?")


def title_of(identifier: str, question: str) -> str:
    """Return what a list shows of a record: its id, or, where that is a hash, how its question begins and ends."""
    if not _HASH.fullmatch(identifier):
        return identifier
    pieces = [" ".join(piece.split()) for piece in question.split("```")[::2]]
    words = [piece for piece in pieces if piece]
    ends = [_cut(words[0])] + ([_cut(words[-1])] if len(words) > 1 else []) if words else []
    return " … ".join(ends) or identifier


def _cut(words: str) -> str:
    return words if len(words) <= MAX_TITLE_CHARS else f"{words[:MAX_TITLE_CHARS].rstrip()} …"


@dataclass(frozen=True)
class Block:
    """A text of a record.

    Args:
        language (`str`): of a text that is code; what stands in Markdown's fences is colored without it.
        side (`int`): 1 or 2 puts it to the left or right of its neighbours; 0 takes the whole width.
        marks: verdicts on it.
        note (`str`): a line below it.
    """

    title: str
    text: str
    language: str = ""
    side: int = 0
    marks: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class Record:
    """What is shown at a time.

    Args:
        key (`str`): tells it from the others of its page; stands in the page's address.
        title, line (`str`): in the list; the line is short.
        marks: verdicts on it.
        facts: its short values by name.
        groups: by the name of a filter, the values under which it is found.
    """

    key: str
    title: str
    line: str = ""
    blocks: Sequence[Block] = ()
    marks: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """A table that stands above the records."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Part:
    """The records of one page, encoded."""

    encoded: list[str]
    groups: dict[str, Counter[str]]
    keys: list[str]


def parts_of(
    records: Iterable[Record], max_bytes: int = MAX_PAGE_BYTES, max_records: int = MAX_PAGE_RECORDS
) -> Iterator[Part]:
    """Give the records page by page; there is always a first page."""
    part, size = Part([], {}, []), 0
    for record in records:
        text = _encoded(record)
        num_bytes = len(text.encode())
        if part.encoded and (size + num_bytes > max_bytes or len(part.encoded) == max_records):
            yield part
            part, size = Part([], {}, []), 0
        size += num_bytes
        part.encoded.append(text)
        part.keys.append(record.key)
        for name, values in record.groups.items():
            part.groups.setdefault(name, Counter()).update(map(visible, values))
    yield part


def records_page(
    part: Part,
    *,
    title: str,
    subtitle: str = "",
    filters: Mapping[str, str],
    notes: Sequence[str] = (),
    counts: Sequence[Counted] = (),
    links: Mapping[str, str] | None = None,
    address: str = "",
    addresses: Sequence[str] = (),
    review: str | None = None,
    grades: Mapping[int, str] | None = None,
) -> str:
    """Return a page of records.

    Args:
        part: of `parts_of`.
        filters: the names of `Record.groups` with what they are called; one that has a single value is left out.
        notes, counts: stand above the records.
        links: address to text, first on the page.
        address, addresses: of this page and of all.
        review, grades: what is judged, by its digest, and the grades that a person gives each record.
    """
    shown = {name: part.groups[name] for name in filters if len(part.groups.get(name, ())) > 1}
    return render(
        "records.html",
        title=title,
        subtitle=subtitle,
        scripts=[SCRIPT, "review.js"] if grades else [SCRIPT],
        wide=True,
        data=Markup("[" + ",\n".join(part.encoded) + "]"),
        selects=[(name, filters[name], dict(found.most_common())) for name, found in shown.items()],
        notes=notes,
        counts=counts,
        links=links or {},
        address=address,
        addresses=addresses,
        review=review or "",
        grades=grades or {},
    )


def write_records(output: Path, name: str, records: Iterable[Record], **page: object) -> list[tuple[str, Part]]:
    """Write NAME.html, NAME_2.html and so on; return their names with what is on them.

    Args:
        page: arguments of `records_page`.
    """
    parts = list(parts_of(records))
    addresses = [f"{name}{f'_{number}' if number > 1 else ''}.html" for number in range(1, len(parts) + 1)]
    for address, part in zip(addresses, parts, strict=True):
        text = records_page(part, address=address, addresses=addresses, **page)  # type: ignore[arg-type]
        (output / address).write_text(text, encoding="utf-8")
    return list(zip(addresses, parts, strict=True))


def _encoded(record: Record) -> str:
    value = {
        "key": visible(record.key),
        "title": visible(record.title),
        "line": visible(record.line),
        "marks": _marked(record.marks),
        "facts": [[visible(name), visible(text[:MAX_FACT_CHARS])] for name, text in record.facts.items()],
        "groups": {visible(name): list(map(visible, values)) for name, values in record.groups.items()},
        "blocks": [_block(block) for block in record.blocks],
    }
    # No other character can end the element in which the JSON stands.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _block(block: Block) -> dict[str, object]:
    left_out = len(block.text) - MAX_CHARS
    pieces, note = [block.text], block.note
    if left_out > 0:
        # How a text ends says whether it is whole.
        pieces = [block.text[: MAX_CHARS - END_CHARS], block.text[-END_CHARS:]]
        note = f"{note} {left_out:,} characters in the middle are not shown.".lstrip()
    shown = [visible(piece) for piece in pieces]
    value = {
        "title": visible(block.title),
        "text": GAP.join(shown),
        "runs": _joined(shown, [colored(piece, block.language) for piece in shown]),
        "code": int(bool(block.language)),
        "side": block.side,
        "marks": _marked(block.marks),
        "note": visible(note),
    }
    return {name: shown for name, shown in value.items() if shown or name in ("title", "text")}


def _joined(pieces: Sequence[str], runs: Sequence[list[int]]) -> list[int]:
    """Return the stretches of pieces that a gap parts."""
    if not any(runs):
        return []
    joined: list[int] = []
    for piece, of_piece in zip(pieces, runs, strict=True):
        joined += [units(GAP), PLAIN] * bool(joined) + (of_piece or [units(piece), PLAIN])
    return joined


def _marked(words: Sequence[str]) -> list[list[str]]:
    return [[visible(word), tone(word)] for word in words]
