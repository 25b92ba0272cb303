"""Section 2: rows of a dataset as a page to look through: searched, filtered, one shown whole in color."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.row_selection import check_columns, numbers_of_rows
from evals.report.records import Block, Counted, Part, Record, parts_of, records_page

ROWS_PAGE = "rows.html"
NUM_ROWS = 200
NUM_SAMPLES = 50  # of builders that show some rows without being asked
# Columns of few values that readers choose by, in the order of the page.
FILTER_COLUMNS = (
    *("split", "language", "languages", "kind", "category", "source", "license", "license_type", "repository", "tags"),
    *("form", "verified_by", "on_policy", "chosen_model", "rejected_model", "teacher", "difficulty"),
)
MAX_FILTERS = 6
MAX_FILTER_VALUES = 60
MAX_COUNTED_VALUES = 12
COUNTS_TITLE = "All rows of the dataset by their values"
COUNTS_HEADER = ("column", "values, each with its number of rows")
# Texts of code, where a row says its language; any other text is prose, whose fences name theirs.
CODE_COLUMNS = ("content", "code", "check", "context", "rewrite", "tests", "solution", "patch")
TEXT_COLUMNS = ("content", "text", "code")
FILE_COLUMNS = ("paths", "file_starts", "file_ends")  # of a repository: where in its content each file stands
MAX_FILES = 30
SIDES = {"chosen": 1, "rejected": 2}
TITLE_COLUMNS = ("path", "url", "title", "name", "repository")
MAX_FACT_CHARS = 120
MAX_TITLE_CHARS = 100
MAX_TITLE_TEXT = 20_000  # of a text, to find its words
MAX_LINE_FACTS = 4


@dataclass(frozen=True)
class RowsPage:
    """What was written: rows on the page, rows that were wanted for it, and rows that the dataset has.

    Attributes:
        unfit: columns that were asked for as filters, with how many values they have on the page: one, or too many.
    """

    path: Path
    num_shown: int
    num_wanted: int
    num_rows: int
    unfit: dict[str, int] = field(default_factory=dict)


def write_rows_page(
    dataset: DatasetFolder,
    path: Path | None = None,
    *,
    num_rows: int = NUM_ROWS,
    seed: int | None = 0,
    where: Mapping[str, str] | None = None,
    filters: Sequence[str] = (),
    title: str = "",
) -> RowsPage:
    """Write a page of rows, one file that needs nothing else; its size is bounded, whatever the rows hold.

    Args:
        dataset (`DatasetFolder`): whose rows.
        path (`Path`, *optional*): of the page; by default `rows.html` in the dataset's folder.
        num_rows (`int`): at most so many rows.
        seed (`int`, *optional*): draws them at random; None takes the first ones.
        where (dict, *optional*): column to value, as typed: rows that have these values alone.
        filters (sequence of `str`): columns to choose by, before those that are known.
        title (`str`): of the page; by default the folder's name.

    Raises:
        ConfigError: there are no shards, no such column, or no row with these values.
    """
    check_columns(dataset, set(filters))
    sizes = [shard.num_rows for shard in dataset.shards]
    fitting: Sequence[int] = numbers_of_rows(dataset, where) if where else range(sum(sizes))
    chosen = _chosen(len(fitting), num_rows, seed)
    numbers = [fitting[place] for place in chosen]
    counts = counts_of(dataset, filters)
    names = [name for name, found in counts.items() if len(found) > 1]
    records = (record_of(row, number, names) for number, row in rows_at(dataset, numbers))
    part = next(parts_of(records, max_records=num_rows))
    path = path or dataset.path / ROWS_PAGE
    num_shown = len(part.encoded)
    how = f"drawn at random with seed {seed}" if seed is not None and num_shown < len(fitting) else "in their order"
    subtitle = f"{num_shown:,} of {len(fitting):,} rows, {how}"
    if where:
        subtitle += f"; of those alone with {', '.join(f'{column} {value}' for column, value in where.items())}"
    full = f"The page is full: {len(numbers) - num_shown:,} more rows were chosen and are not on it."
    page = page_of(
        part,
        title or dataset.path.resolve().name,
        subtitle,
        names,
        notes=[full] if num_shown < len(numbers) else [],
        counts=[Counted(COUNTS_HEADER, count_cells(counts), COUNTS_TITLE)],
    )
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    num_values = {name: len(part.groups.get(name, ())) for name in filters}
    unfit = {name: number for name, number in num_values.items() if not 1 < number <= MAX_FILTER_VALUES}
    return RowsPage(path, num_shown, len(numbers), sum(sizes), unfit)


def page_of(
    part: Part,
    title: str,
    subtitle: str,
    filters: Sequence[str] = FILTER_COLUMNS,
    notes: Sequence[str] = (),
    counts: Sequence[Counted] = (),
) -> str:
    """Return the page of encoded rows; of the filters, those that can be chosen by are shown."""
    useful = [name for name in filters if 1 < len(part.groups.get(name, ())) <= MAX_FILTER_VALUES][:MAX_FILTERS]
    return records_page(
        part,
        title=title,
        subtitle=subtitle,
        filters={name: name.replace("_", " ") for name in useful},
        notes=notes,
        counts=counts,
    )


def rows_at(dataset: DatasetFolder, numbers: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give rows by their numbers over all shards, which rise, each with its split."""
    start, wanted = 0, list(numbers)
    for shard in dataset.shards:
        end = start + shard.num_rows
        inside = [number - start for number in wanted if start <= number < end]
        for place, row in zip(inside, shard.rows_at(inside), strict=True):
            yield start + place, {"split": shard.split} | row
        start = end


def record_of(row: Mapping[str, Any], number: int, filters: Sequence[str] = FILTER_COLUMNS) -> Record:
    """Return a row as a page shows it: short values as facts, texts and messages as blocks, the rest as JSON.

    Args:
        row: column to value.
        number: from 0, tells it from the others.
        filters: columns to choose by.
    """
    facts: dict[str, str] = {}
    files = _files(row)
    blocks: list[Block] = []
    language = _language(row)
    absent: dict[str, list[str]] = {"no value": [], "empty value": []}  # which differ, and neither is of any width
    for name, cell in row.items():
        if files and name in ("content", *FILE_COLUMNS):
            continue
        if cell is None or cell in ("", b"", []):
            absent["no value" if cell is None else "empty value"].append(name)
            continue
        value = _by_key(cell)
        short = _short(value)
        if short is not None and name not in TEXT_COLUMNS and name not in SIDES and name != "prompt":
            facts[name] = short
        else:
            blocks += _blocks(name, value, language)
    groups = {name: values for name in filters if (values := _values(row.get(name)))}
    line = [facts[name] for name in filters if name in facts and isinstance(row[name], str) and name != "split"]
    return Record(
        key=str(number),
        title=_title(row) or f"row {number}",
        line=" · ".join(list(dict.fromkeys(line))[:MAX_LINE_FACTS]),
        blocks=[*files, *sorted(blocks, key=_place)],
        facts={"row": f"{number:,}", **facts, **{title: ", ".join(names) for title, names in absent.items() if names}},
        groups=groups,
    )


def _chosen(num_fitting: int, num_rows: int, seed: int | None) -> list[int]:
    if seed is None or num_rows >= num_fitting:
        return list(range(min(num_rows, num_fitting)))
    return sorted(random.Random(seed).sample(range(num_fitting), num_rows))


def counts_of(dataset: DatasetFolder, wanted: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """Return the columns to choose by that the dataset has, with how many of all rows have each of their values."""
    by_split: Counter[str] = Counter()
    for shard in dataset.shards:
        by_split[shard.split] += shard.num_rows
    counts = {"split": dict(by_split)}
    for name in dict.fromkeys([*wanted, *FILTER_COLUMNS]):
        if name in dataset.columns and name != "split":
            found: Counter[str] = Counter()
            for value, count in dataset.counts(name).items():
                found[_plain(value) or "none"] += count
            counts[name] = dict(found.most_common())
    return counts


def count_cells(counts: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return the rows of a table of `counts_of`: a column, and its most frequent values with their numbers of rows."""
    return [[name, _counted(found)] for name, found in counts.items()]


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{value} {count:,}" for value, count in list(counts.items())[:MAX_COUNTED_VALUES]]
    left = len(counts) - len(shown)
    return " · ".join(shown + [f"{left:,} more values"] * (left > 0))


def _language(row: Mapping[str, Any]) -> str:
    language, languages = row.get("language"), row.get("languages")
    if isinstance(language, str) and language:
        return language
    return str(languages[0]) if isinstance(languages, list) and languages else ""


def _title(row: Mapping[str, Any]) -> str:
    """Return what tells a row from others: its question, its place, or its first words."""
    for name in ("messages", "prompt", *TITLE_COLUMNS, "text", "content"):
        value = row.get(name)
        if _is_messages(value):
            value = next((turn["content"] for turn in value if turn["role"] == "user"), value[0]["content"])
        if isinstance(value, str) and (words := _words(value)):
            return words if len(words) <= MAX_TITLE_CHARS else f"{words[:MAX_TITLE_CHARS].rstrip()} …"
    return ""


def _words(text: str) -> str:
    """Return the first words of a text that stand outside its fences, or what stands there if there are none."""
    pieces = text[:MAX_TITLE_TEXT].split("```")
    outside = next((words for piece in pieces[::2] if (words := " ".join(piece[:1000].split()))), "")
    return outside or " ".join(pieces[-1][:1000].split())


def _is_messages(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and isinstance(turn.get("content"), str) and "role" in turn for turn in value)
    )


def _files(row: Mapping[str, Any]) -> list[Block]:
    """Return the files of a row that is a repository, each as a block; [] of any other row."""
    content = row.get("content")
    paths, starts, ends = (row.get(name) or [] for name in FILE_COLUMNS)
    if not isinstance(content, str) or not paths or not len(paths) == len(starts) == len(ends):
        return []
    left_out = len(paths) - MAX_FILES
    blocks = [
        Block(path, content[start:end], path.rpartition(".")[2])
        for path, start, end in list(zip(paths, starts, ends, strict=True))[:MAX_FILES]
    ]
    if left_out > 0:
        blocks[-1] = replace(blocks[-1], note=f"{left_out:,} more files are not shown.")
    return blocks


def _blocks(name: str, value: Any, language: str) -> list[Block]:
    side = SIDES.get(name, 0)
    if isinstance(value, str):
        return [Block(name, value, language if name in CODE_COLUMNS else "", side)]
    if _is_messages(value):
        prefix = "" if name == "messages" else f"{name}: "
        return [Block(f"{prefix}{turn['role']}", turn["content"], "", side) for turn in value]
    if name == "candidates" and all(isinstance(found, dict) and isinstance(found.get("text"), str) for found in value):
        return [Block(_named(found), found["text"]) for found in value]
    if isinstance(value, list) and all(isinstance(part, str) and _short(part) is not None for part in value):
        return [Block(name, "\n".join(value))]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return [Block(f"{name}, {number} of {len(value)}", part) for number, part in enumerate(value, 1)]
    return [Block(name, json.dumps(value, ensure_ascii=False, indent=1, default=_plain), "json")]


def _by_key(value: object) -> object:
    """Return a value of a map column, which comes as pairs, as what it is."""
    if isinstance(value, list) and all(isinstance(part, tuple) for part in value):
        return {_plain(key): held for key, held in value}
    return value


def _named(candidate: Mapping[str, Any]) -> str:
    score = candidate.get("score")
    return f"{candidate.get('model') or 'candidate'}{'' if score is None else f', score {_plain(score)}'}"


def _place(block: Block) -> int:
    """Return where a block stands: what is asked before what is said, these before all else."""
    name = block.title.partition(":")[0]
    order = ("system", "prompt", "user", "assistant", "chosen", "rejected")
    return 0 if name in TEXT_COLUMNS[:2] else 1 + bool(block.side) if name in order else 3


def _short(value: object) -> str | None:
    """Return a value as a fact; None where it is too long for one."""
    if isinstance(value, dict) or _is_messages(value):
        return None
    if isinstance(value, list):
        parts = [_short(part) for part in value]
        text = None if None in parts else ", ".join(map(str, parts))
    else:
        text = _plain(value)
    return text if text is not None and len(text) <= MAX_FACT_CHARS and "\n" not in text else None


def _plain(value: object) -> str:
    """Return a value as a reader writes it, and never as Python does."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{value:,.0f}"
        if 1e6 <= abs(value) < 1e15:  # six digits would round off what stands before the point
            return f"{value:,.2f}"
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, bytes):
        return f"{len(value):,} byte{'s' * (len(value) != 1)}"
    return str(value)


def _values(value: object) -> list[str]:
    """Return under which values of a filter a row is found."""
    found: Iterable[object] = value if isinstance(value, list) else [value]
    return [_plain(part) for part in found if part is not None and part != "" and not isinstance(part, dict | list)]
