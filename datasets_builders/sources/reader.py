"""Section 2.1, data collection: read the files of any sources; what cannot be used is removed with its reason."""

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Reader, Removed
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.entry import Entry, Source
from datasets_builders.sources.license_files import Licenses
from datasets_builders.sources.opt_out import OptOuts

HEAD_BYTES = 4096


class SourceReader(Reader):
    """Read the text files of sources; a subclass says which files are wanted.

    A document's metadata holds path, repository, kind (what `kind_of` said), encoding, and what the source knows.

    Args:
        sources (sequence of `Source`): read one after another.
        max_bytes (`int`): larger files are removed unread.
        opt_outs (`OptOuts`, *optional*): repositories and owners whose files are removed unread.
    """

    name = "read"
    libraries = ("faust-cchardet", "license-expression")
    keeps_empty = False
    counts_files = False  # whether documents get their repository's number of files, `repository_files`

    def __init__(self, sources: Sequence[Source], max_bytes: int, opt_outs: OptOuts | None = None) -> None:
        super().__init__()
        self.sources = list(sources)
        self.max_bytes = max_bytes
        self.opt_outs = opt_outs or OptOuts()

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return the kind of a wanted file, or None.

        Args:
            entry (`Entry`): the file.
            head (`bytes`, *optional*): its first bytes, given when the name gave None and has no extension.
        """
        raise TypeError(f"{type(self).__name__} must define kind_of()")

    def weight(self, rank: int, world_size: int) -> int:
        """Return how much a rank has to read, in bytes on disk, as far as ranks differ."""
        return sum(source.weight(rank, world_size) for source in self.sources)

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List the entries of this rank, source by source."""
        for source in self.sources:
            of_all: dict[str, Any] | None = None
            licenses = Licenses()
            for entry in source.entries(rank, world_size):
                if of_all is None:  # asked for when a rank has an entry
                    of_all, licenses = self._known_of_all(source), source.licenses()
                known = {"license": licenses.of(entry.path)} | of_all | entry.known
                metadata = known | {"path": entry.path, "repository": entry.repository, "entry": entry}
                yield Document(text="", id=entry.path, metadata=metadata)

    def _known_of_all(self, source: Source) -> dict[str, Any]:
        """Return what a source knows of all its files."""
        return {"repository_files": source.num_files()} if self.counts_files else {}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one file, or remove it with the reason for which it cannot be used."""
        entry: Entry = doc.metadata.pop("entry")
        for kind in entry.mended:
            self.counts.count_mended(kind)
        if entry.problem:
            yield Removed(doc, entry.problem, entry.detail)
            return
        if self.opt_outs.covers(entry.repository):
            yield Removed(doc, "opted_out", entry.repository)
            return
        try:
            yield self._read(doc, entry)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ESTALE):
                raise
            # The entry was there when it was listed: vanished, no permission, a bad block.
            yield Removed(doc, "unreadable", os.strerror(error.errno) if error.errno else str(error)[:200])

    def _read(self, doc: Document, entry: Entry) -> Outcome:
        kind = self.kind_of(entry, None) or self._kind_of_head(entry)
        if kind is None:
            return Removed(doc, "other_kind_of_file")
        if entry.size == 0 and not self.keeps_empty:
            return Removed(doc, "empty")
        if entry.size > self.max_bytes:
            return Removed(doc, "too_large", f"{entry.size} bytes, limit {self.max_bytes}")
        raw = entry.read(self.max_bytes + 1)
        if len(raw) > self.max_bytes:
            return Removed(doc, "too_large", f"grew beyond {self.max_bytes} bytes")
        decoded = decode(raw)
        if decoded is None or "\0" in decoded[0]:
            return Removed(doc, "binary" if b"\0" in raw else "unknown_encoding")
        doc.text, doc.metadata["encoding"] = decoded
        if "\ufffd" in doc.text and doc.text.count("\ufffd") > raw.count("\ufffd".encode()):
            self.counts.count_mended("broken_utf8")
        if not doc.text.strip() and not self.keeps_empty:
            return Removed(doc, "empty", "white space only")
        doc.metadata["kind"] = kind
        return doc

    def _kind_of_head(self, entry: Entry) -> str | None:
        return None if PurePosixPath(entry.path).suffix else self.kind_of(entry, entry.read(HEAD_BYTES))
