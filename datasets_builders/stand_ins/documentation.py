"""Section 3.2, Table 1 (natural language): prose of docstrings and documentation files, a stand-in in the small."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from datatrove.data import Document

from datasets_builders.building.dataset_folder import UNKNOWN_LICENSE, ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Arity, Outcome, Reader, Removed, Step
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.sources.entry import Entry
from datasets_builders.sources.folder_config import (
    FolderConfig,
    check_folder,
    exclusions,
    folder_source,
    input_folder,
    license_name,
    repository_name,
)
from datasets_builders.sources.folders import folder_fingerprint
from datasets_builders.sources.reader import SourceReader

if TYPE_CHECKING:
    from datasets import Features

PROSE_EXTENSIONS = frozenset((".rst", ".md", ".txt"))
# Letters and blanks make up nearly all of English prose; tables, grammars and ASCII art fall below.
MIN_PROSE_FRACTION = 0.7
_PROMPT = re.compile(r"^\s*(>>>|\.\.\.)")


@dataclass
class DocumentationConfig(FolderConfig):
    """Configuration of `documentation`."""

    source_code_dir: str = field(
        default="", metadata={"help": "dataset of `source_code` to take the docstrings from, instead of input_dir"}
    )
    min_characters: int = field(default=200, metadata={"help": "texts with fewer characters are removed"})


def strip_examples(text: str) -> str:
    """Return a docstring without its interpreter sessions: prompts and the output below them.

    Args:
        text (`str`): cleaned docstring.
    """
    kept, inside = [], False
    for line in text.split("\n"):
        if _PROMPT.match(line):
            inside = True
        elif not line.strip():
            inside = False
        if not inside:
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Give (qualified name, cleaned docstring) of a Python module and all classes and functions in it.

    Raises:
        SyntaxError: the source does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in old code
        tree = ast.parse(source)
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield prefix or "module", text
        children = []
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", "") if isinstance(child, ast.stmt) else ""
            children.append((f"{prefix}.{name}".strip(".") if name else prefix, child))
        waiting.extend(reversed(children))


class DocumentationReader(SourceReader):
    """Read the Python files and the documentation files of a folder."""

    name = "read_documentation"

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return "docstring" for Python, "file" for documentation."""
        extension = PurePosixPath(entry.path.lower()).suffix
        if extension in PROSE_EXTENSIONS and head is None:
            return "file"
        return "docstring" if extension == ".py" else None


class ReadPythonRows(ReadRows):
    """Read the Python rows of a `source_code` dataset folder."""

    name = "read_source_code"

    def __init__(self, folder: Path | str) -> None:
        super().__init__([folder], columns=["path", "language"])

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep Python."""
        doc.metadata["kind"] = "docstring"
        yield doc if doc.metadata["language"] == "Python" else Removed(doc, "no_docstrings", doc.metadata["language"])


class Prose(Step):
    """Take the texts out of each file: every docstring of a module, or the documentation file itself."""

    name = "prose"
    arity: Arity = "1:n"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give one document per text."""
        path = doc.metadata["path"]
        if doc.metadata["kind"] == "file":
            yield _text_document(doc.text.strip(), "file", path)
            return
        try:
            found = list(docstrings(doc.text))
        except (SyntaxError, ValueError, RecursionError) as error:
            yield Removed(doc, "does_not_parse", str(error))
            return
        if not found:
            yield Removed(doc, "no_docstring")
        for name, text in found:
            yield _text_document(strip_examples(text), "docstring", f"{path}::{name}")


def _text_document(text: str, source: str, path: str) -> Document:
    return Document(text=text, id=content_id(text), metadata={"source": source, "path": path})


class ProseRules(Step):
    """Remove texts that are too short or hold little but letters and blanks."""

    name = "prose_rules"

    def __init__(self, min_characters: int) -> None:
        super().__init__()
        self.min_characters = min_characters

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on prose."""
        if len(doc.text) < self.min_characters:
            yield Removed(doc, "too_short", f"{len(doc.text)} characters")
            return
        fraction = sum(character.isalpha() or character.isspace() for character in doc.text) / len(doc.text)
        yield Removed(doc, "little_prose", f"{fraction:.2f}") if fraction < MIN_PROSE_FRACTION else doc


class DocumentationBuilder(DerivedBuilder[DocumentationConfig]):
    """Prose of docstrings and documentation files.

    Source: paper 3.2, Table 1 mixes natural language, of which this is a stand-in of ours.
    """

    name = "documentation"
    summary = "prose of docstrings and documentation files: stand-in for natural language"
    config_class = DocumentationConfig
    counted_column = "source"

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, Value

        return Features({name: Value("string") for name in ("id", "text", "source", "path")})

    def stages(self) -> list[Stage]:
        """Take the texts out of the files, then keep one of each."""
        config = self.config
        return [
            Stage("extract", [self._reader(), Prose(), ProseRules(config.min_characters)], tasks=config.num_tasks),
            Stage("deduplicate", [ExactDedup()], tasks=config.num_tasks),
        ]

    def _reader(self) -> Reader:
        config = self.config
        if config.source_code_dir:
            return ReadPythonRows(config.source_code_dir)
        return DocumentationReader([folder_source(config, self.output_folder)], config.max_bytes)

    @property
    def input_paths(self) -> list[str]:
        """The dataset that the docstrings are taken from, if any."""
        return [self.config.source_code_dir] if self.config.source_code_dir else []

    @property
    def license(self) -> str:
        """The licence of the folder, or the one that all rows of the dataset have."""
        config = self.config
        if not config.source_code_dir or config.license:
            return license_name(config)
        licenses = self.input_datasets[0].counts("license")
        return next(iter(licenses)) if len(licenses) == 1 else UNKNOWN_LICENSE

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read."""
        config = self.config
        if not config.source_code_dir:
            check_folder(config, self.output_folder)
            return
        if config.input_dir:
            raise ConfigError("input_dir and source_code_dir are both set; keep one")
        super().check()

    def inputs(self) -> list[str]:
        """Return what is read."""
        config = self.config
        if config.source_code_dir:
            return [f"docstrings of the dataset {config.source_code_dir}"]
        return [
            f"{repository_name(config)}: {input_folder(config)}",
            f"left out: {', '.join(exclusions(config, self.output_folder))}",
        ]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the identity of the folder or of the dataset's shards."""
        config = self.config
        if config.source_code_dir:
            return super().input_fingerprint()
        return folder_fingerprint(input_folder(config), exclusions(config, self.output_folder))

    def card(self) -> CardParts:
        """Return the card's text."""
        config = self.config
        name = Path(config.source_code_dir).name if config.source_code_dir else repository_name(config)
        return CardParts(
            title=f"Documentation of {name}",
            description="English prose around code: one docstring or documentation file per row, interpreter sessions "
            "taken out. A small stand-in for the natural language of Table 1 of arXiv 2503.17793.",
            license=self.license,
            columns={
                "id": "first 32 hex digits of the SHA-256 of the text",
                "text": "the prose",
                "source": "docstring or file",
                "path": "file, and after :: the object that the docstring belongs to",
            },
        )
