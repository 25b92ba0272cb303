"""Section 2.2.1: read code files from any source and tell their language."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.languages.detection import (
    candidates_of_name,
    is_wanted,
    language_named,
    language_of,
    language_of_head,
)
from datasets_builders.languages.tie_break import language_by_magika
from datasets_builders.source_code.config import REPOSITORY_FILES, CodeCorpusConfig
from datasets_builders.sources.entry import Entry, Source
from datasets_builders.sources.opt_out import read_opt_outs
from datasets_builders.sources.reader import SourceReader


class CodeReader(SourceReader):
    """Read the code files of sources, removing what is no code, empty, binary, too large or unreadable.

    Source: paper 2.2.1; the limits are ours.
    """

    name = "read_code"

    def __init__(self, config: CodeCorpusConfig, sources: Sequence[Source]) -> None:
        opt_outs = read_opt_outs(Path(config.opt_out_file).expanduser()) if config.opt_out_file else None
        super().__init__(sources, config.max_bytes, opt_outs)
        self.language_types, self.languages = config.language_types, config.languages
        self.counts_files = REPOSITORY_FILES in config.quality_limits
        self.breaks_ties = bool(config.language_tie_break)

    def is_wanted(self, language: str) -> bool:
        """Return whether files of a language are read."""
        return is_wanted(language, self.language_types, self.languages)

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return a language that the file may be of, or None."""
        if head is not None:
            language = language_of_head(entry.path, head.decode("utf-8", "replace"))
            return language if language and self.is_wanted(language) else None
        stated = language_named(entry.known.get("language", ""))
        return next(filter(self.is_wanted, [stated] if stated else candidates_of_name(entry.path)), None)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one file and fill in its columns."""
        for outcome in super().process(doc):
            yield self.with_columns(outcome) if isinstance(outcome, Document) else outcome

    def with_columns(self, doc: Document) -> Outcome:
        """Tell a file's language and fill in its columns, or remove it."""
        known = doc.metadata
        language = language_named(known.get("language", "")) or language_of(known["path"], doc.text)
        candidates = candidates_of_name(known["path"])
        if language is None and self.breaks_ties:
            language = language_by_magika(doc.text, candidates)
            if language:
                self.stat_update("tie_broken")
        if language is None:
            return Removed(doc, "ambiguous_language", ", ".join(candidates))
        if not self.is_wanted(language):
            return Removed(doc, "other_kind_of_file", language)
        doc.id = content_id(doc.text)
        del known["kind"]
        doc.metadata = dict.fromkeys(("stars", "forks", "date", "quality")) | known | {"language": language}
        return doc
