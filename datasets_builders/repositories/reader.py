"""Section 2.2.2: read what a repository is made of: code, documentation, and what tells how files find each other."""

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome
from datasets_builders.languages.detection import language_of
from datasets_builders.repositories.roles import is_documentation, is_project_file
from datasets_builders.sources.code_reader import COLUMNS_OF_SOURCES, CodeReader
from datasets_builders.sources.entry import Entry

CODE, TEXT, PROJECT = "code", "documentation", "project"


class RepositoryReader(CodeReader):
    """Read code, documentation and project files. Empty files are read too: that they exist resolves imports.

    Source: paper 2.2.2.
    """

    name = "read_repositories"
    keeps_empty = True

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return a kind, or None for what is not read."""
        if is_project_file(entry.path):
            return PROJECT
        return TEXT if is_documentation(entry.path) else super().kind_of(entry, head)

    def with_columns(self, doc: Document) -> Outcome:
        """Fill in a file's columns; code also gets its language, or is removed."""
        path, is_blank = doc.metadata["path"], not doc.text.strip()
        if doc.metadata["kind"] == PROJECT or is_blank:
            kind = PROJECT
        elif doc.metadata["kind"] == TEXT:
            kind = TEXT
        else:
            outcome = super().with_columns(doc)
            if isinstance(outcome, Document):
                outcome.metadata["kind"] = CODE
            return outcome
        doc.id = content_id(f"{path}\n{doc.text}")
        columns = {"kind": kind, "language": language_of(path, doc.text) or "Text", "license_type": ""}
        doc.metadata = dict.fromkeys(COLUMNS_OF_SOURCES) | doc.metadata | columns
        return doc
