"""Section 2.3.1: the steps from a crawl to Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Reader, Removed, Step
from datasets_builders.code_related.web_pages.addresses import site_of
from datasets_builders.code_related.web_pages.archives import decoded, records_of
from datasets_builders.code_related.web_pages.extraction import PageError, extract_page
from datasets_builders.code_related.web_pages.table_pages import table_records
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.sources.entry import share_of
from datasets_builders.sources.table_rows import is_table

# What a page is about -> the column that tells a page which shows it.
TOPICS = {"code": "num_code_blocks", "math": "num_formulas"}
# PDF, PNG, JPEG, zip, GIF, and what was compressed twice.
NOT_HTML = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"PK\x03\x04", b"GIF8", b"\x1f\x8b")
# A large crawl file is taken apart by several ranks, which is a small part of what is done with its pages.
BYTES_PER_RANK, MAX_READERS = 64 << 20, 8


class CrawlReader(Reader):
    """Read the pages of WARC and WET files and of tables; ranks share large files.

    Args:
        paths (sequence of `Path`): the files.
        max_bytes (`int`): longer pages are removed.
        columns (mapping): names of columns in tables that differ from those of `table_pages`.
    """

    name = "read_crawl"
    libraries = ("fastwarc", "resiliparse")

    def __init__(self, paths: Sequence[Path], max_bytes: int, columns: Mapping[str, str]) -> None:
        super().__init__()
        self.paths, self.max_bytes, self.columns = list(paths), max_bytes, dict(columns)

    def _shares(self, rank: int, world_size: int) -> Iterator[tuple[Path, int, int, int]]:
        """Give what a rank reads: path, share, sharers, and bytes on disk."""
        for path in self.paths:
            size = path.stat().st_size
            share, sharers = share_of(path.name, size, BYTES_PER_RANK, MAX_READERS, rank, world_size)
            if is_table(path.name):
                yield path, rank, world_size, size // world_size
            elif share < sharers:
                yield path, share, sharers, size // sharers

    def weight(self, rank: int, world_size: int) -> int:
        """Return how much a rank has to read, in bytes on disk."""
        return sum(size for *_, size in self._shares(rank, world_size))

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List the pages of this rank, file by file."""
        for path, share, sharers, _ in self._shares(rank, world_size):
            records = (
                table_records(path, self.columns, share, sharers)
                if is_table(path.name)
                else islice(records_of(path, self.max_bytes), share, None, sharers)
            )
            for record in records:
                known = {"url": record.url, "date": record.date, "crawl_file": path.name, "record": record}
                yield Document(text="", id=record.url, metadata=known)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Decode one page, or remove it with the reason for which it cannot be used."""
        record = doc.metadata.pop("record")
        doc.metadata["site"] = site_of(record.url)
        if record.problem:
            yield Removed(doc, record.problem, record.detail)
        elif len(record.body) > self.max_bytes:
            yield Removed(doc, "too_large", f"limit {self.max_bytes} bytes")
        elif not record.body.strip():
            yield Removed(doc, "empty")
        elif record.body.startswith(NOT_HTML):
            yield Removed(doc, "not_html", "by its first bytes")
        else:
            doc.text = decoded(record.body, record.charset)
            doc.metadata["kind"] = "text" if record.is_text else "page"
            yield doc


class ExtractPages(Step):
    """Turn pages into Markdown; the text of WET files is left as it is.

    Args:
        main_content (`bool`): whether menus, footers and the like are left out.
        min_chars (`int`): shorter texts are removed.
        finds_prose (`bool`): whether a page gets its text for `Toxicity`.
    """

    name = "extract_pages"
    libraries = ("resiliparse", "google-re2")

    def __init__(self, main_content: bool, min_chars: int, finds_prose: bool = False) -> None:
        super().__init__()
        self.main_content, self.min_chars, self.finds_prose = main_content, min_chars, finds_prose

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give the page's text, or the reason for which there is none."""
        title, num_blocks, num_code_chars, num_formulas = "", 0, 0, 0
        if doc.metadata["kind"] == "page":
            try:
                page = extract_page(doc.text, self.main_content)
            except PageError as error:
                yield Removed(doc, error.reason, str(error))
                return
            doc.text, title, num_blocks = page.text, page.title, page.num_code_blocks
            num_code_chars, num_formulas = page.num_code_chars, page.num_formulas
        if len(doc.text) < self.min_chars:
            yield Removed(doc, "short", f"{len(doc.text)} characters, limit {self.min_chars}")
            return
        doc.id = content_id(doc.text)
        doc.metadata |= {
            "title": title,
            "num_code_blocks": num_blocks,
            "num_formulas": num_formulas,
            "code_fraction": num_code_chars / len(doc.text),
            "num_bytes": len(doc.text.encode("utf-8", "replace")),
            "quality": None,
            # What near-duplicates are preferred by: the earliest address in the order of the alphabet.
            "path": doc.metadata["url"],
        }
        if self.finds_prose:
            doc.metadata[PROSE] = doc.text.split("\n\n")
        yield doc


class SelectPages(Step):
    """Round 0: split pages that show code, or formulas, from the rest.

    Args:
        topic (`str`): of `TOPICS`.
        select (`str`): all, with or without.

    Source: Seed-Coder, whose first split is by code tags.
    """

    name = "select_pages"

    def __init__(self, topic: str, select: str) -> None:
        super().__init__()
        self.topic, self.select = topic, select

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a wanted page."""
        shows = doc.metadata[TOPICS[self.topic]] > 0
        if self.select == "with" and not shows:
            yield Removed(doc, f"no_{self.topic}")
        elif self.select == "without" and shows:
            yield Removed(doc, f"has_{self.topic}")
        else:
            yield doc
