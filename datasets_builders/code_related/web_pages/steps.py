"""Section 2.3.1: the steps from a crawl to Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Reader, Removed, Step
from datasets_builders.code_related.web_pages.archives import decoded, records_of
from datasets_builders.code_related.web_pages.extraction import PageError, extract_page
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.sources.entry import rank_of


class CrawlReader(Reader):
    """Read the pages of WARC and WET files; a file is read by one rank.

    Args:
        paths (sequence of `Path`): the files.
        max_bytes (`int`): longer pages are removed.
    """

    name = "read_crawl"
    libraries = ("fastwarc", "resiliparse")

    def __init__(self, paths: Sequence[Path], max_bytes: int) -> None:
        super().__init__()
        self.paths, self.max_bytes = list(paths), max_bytes

    def _paths_of(self, rank: int, world_size: int) -> list[Path]:
        return [path for path in self.paths if rank_of(path.name, world_size) == rank]

    def weight(self, rank: int, world_size: int) -> int:
        """Return how much a rank has to read, in bytes on disk."""
        return sum(path.stat().st_size for path in self._paths_of(rank, world_size))

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List the pages of this rank, file by file."""
        for path in self._paths_of(rank, world_size):
            for record in records_of(path, self.max_bytes):
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
        elif record.body.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"PK\x03\x04", b"GIF8")):
            yield Removed(doc, "not_html", "by its first bytes")
        else:
            doc.text = decoded(record.body, record.charset)
            doc.metadata["kind"] = "text" if record.is_text else "page"
            yield doc


def site_of(url: str) -> str:
    """Return the host of an address without `www.`, or an empty text."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


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
        title, num_blocks, num_code_chars = "", 0, 0
        if doc.metadata["kind"] == "page":
            try:
                page = extract_page(doc.text, self.main_content)
            except PageError as error:
                yield Removed(doc, error.reason, str(error))
                return
            doc.text, title, num_blocks, num_code_chars = (
                page.text,
                page.title,
                page.num_code_blocks,
                page.num_code_chars,
            )
        if len(doc.text) < self.min_chars:
            yield Removed(doc, "short", f"{len(doc.text)} characters, limit {self.min_chars}")
            return
        doc.id = content_id(doc.text)
        doc.metadata |= {
            "title": title,
            "num_code_blocks": num_blocks,
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
    """Round 0: split pages that show code from the rest.

    Args:
        code (`str`): all, with or without.

    Source: Seed-Coder, whose first split is by code tags.
    """

    name = "select_pages"

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a wanted page."""
        has_code = doc.metadata["num_code_blocks"] > 0
        if self.code == "with" and not has_code:
            yield Removed(doc, "no_code")
        elif self.code == "without" and has_code:
            yield Removed(doc, "has_code")
        else:
            yield doc
