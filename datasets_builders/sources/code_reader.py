"""Section 2.2.1: read code files from any source and tell their language."""

from collections.abc import Iterable

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.languages.detection import (
    WantedLanguages,
    candidates_of_name,
    language_named,
    language_of,
    language_of_head,
)
from datasets_builders.languages.tie_break import language_by_magika
from datasets_builders.sources.configured import ConfiguredSources
from datasets_builders.sources.entry import Entry
from datasets_builders.sources.reader import SourceReader

# Null where the source does not know them; `quality` is filled in later.
COLUMNS_OF_SOURCES = ("stars", "forks", "date", "commit", "repository_url", "is_fork", "quality")


class CodeReader(SourceReader):
    """Read the code files of sources, removing what is no code, empty, binary, too large or unreadable.

    Args:
        sources (`ConfiguredSources`): what is read.
        languages (`WantedLanguages`): of the files that are kept.
        counts_files (`bool`): whether documents get their repository's number of files, `repository_files`.

    Source: paper 2.2.1; the limits are ours.
    """

    name = "read_code"

    def __init__(self, sources: ConfiguredSources, languages: WantedLanguages, counts_files: bool = False) -> None:
        super().__init__(sources.opened, sources.max_bytes, sources.opt_outs)
        self.languages, self.counts_files = languages, counts_files

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return a language that the file may be of, or None."""
        if head is not None:
            language = language_of_head(entry.path, head.decode("utf-8", "replace"))
            return language if language in self.languages else None
        stated = language_named(entry.known.get("language", ""))
        return next(filter(self.languages.__contains__, [stated] if stated else candidates_of_name(entry.path)), None)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one file and fill in its columns."""
        for outcome in super().process(doc):
            yield self.with_columns(outcome) if isinstance(outcome, Document) else outcome

    def with_columns(self, doc: Document) -> Outcome:
        """Tell a file's language and fill in its columns, or remove it."""
        known = doc.metadata
        language = language_named(known.get("language", "")) or language_of(known["path"], doc.text)
        candidates = candidates_of_name(known["path"])
        if language is None and self.languages.tie_break:
            language = language_by_magika(doc.text, candidates)
            if language:
                self.stat_update("tie_broken")
        if language is None:
            return Removed(doc, "ambiguous_language", ", ".join(candidates))
        if language not in self.languages:
            return Removed(doc, "other_kind_of_file", language)
        doc.id = content_id(doc.text)
        del known["kind"]
        doc.metadata = dict.fromkeys(COLUMNS_OF_SOURCES) | known | {"language": language}
        return doc
