"""Section 2.2.2 as steps of a pipeline: imports with the syntax check, rules for documentation, concatenation."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from datatrove.data import Document

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.ledger import num_bytes
from datasets_builders.building.steps import Arity, Merged, Outcome, Removed, Step, one_line
from datasets_builders.curation.quality.agreement import MEAN_PREFIX, score_columns
from datasets_builders.curation.syntax.parser_process import ParserLost
from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.curation.syntax.steps import SyntaxCheck
from datasets_builders.languages.grammars import SCRIPTS_WITHIN
from datasets_builders.repositories.concatenation import Arrangement, Sample, arrange, failure, join_files
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.graph import Edge, ImportGraph, build_graph
from datasets_builders.repositories.imports import FileImports, parsed_as
from datasets_builders.repositories.reader import CODE, PROJECT, TEXT
from datasets_builders.repositories.separators import SEPARATORS
from datasets_builders.sources.licenses import all_of, license_type


class SyntaxAndImports(SyntaxCheck):
    """Check the syntax, measure files and find their imports by one parse.

    Source: paper 2.2.2.
    """

    name = "syntax_and_imports"
    libraries = (*SyntaxCheck.libraries, "google-re2")
    function = "datasets_builders.repositories.imports:metrics_and_imports"
    function_with_prose = "datasets_builders.repositories.imports:metrics_imports_and_prose"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that parses, with its metrics and imports; of a component with those of its script."""
        for outcome in super().process(doc):
            if isinstance(outcome, Document) and outcome.metadata["language"] in SCRIPTS_WITHIN and self._parser:
                with suppress(ParseTooCostly, ParserLost):
                    found = self._parser.read(*parsed_as(outcome.metadata["language"], outcome.text))
                    outcome.metadata["imports"] = found and found["imports"]
            yield outcome


@dataclass
class _Repository:
    """The documents of one repository by path."""

    name: str
    documents: dict[str, Document]
    duplicates: list[Document]

    def paths(self, kind: str) -> list[str]:
        return [path for path, doc in self.documents.items() if doc.metadata["kind"] == kind]


class Concatenate(Step):
    """Order the files of each repository and join them into samples.

    Give its stage the key `repository_of`. One repository is held in memory at a time; the others wait on disk.

    Args:
        how (`Arrangement`): where what stands.
        min_files, min_resolved: see `failure`.
        has_implicit (`bool`): see `build_graph`.
        folder (`Path`): a file per rank with counts of imports is written there.
        tokenizer (`str`): folder with the one that counts sizes; empty: bytes of UTF-8 are counted.

    Source: paper 2.2.2.
    """

    name = "concatenate"
    libraries = ("google-re2", "license-expression")
    arity: Arity = "n:1"

    def __init__(
        self,
        how: Arrangement,
        *,
        min_files: int,
        min_resolved: float,
        has_implicit: bool,
        folder: Path,
        tokenizer: str = "",
    ) -> None:
        super().__init__()
        self.how, self.min_files, self.min_resolved = how, min_files, min_resolved
        self.has_implicit, self.folder, self.tokenizer = has_implicit, str(folder), tokenizer

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self.rank = rank
        self._documents = DiskSort(_place_of, self.runs_folder)
        self._coverage: dict[str, Counter[str]] = {}
        self._size_of = token_counter(self.tokenizer) if self.tokenizer else num_bytes

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the document until all are seen."""
        self._documents.add(values_of(doc))
        return ()

    def finish(self) -> Iterable[Outcome]:
        """Give the samples of each repository, by name."""
        for name, docs in groupby(map(document_of, self._documents), repository_of):
            repository = _Repository(name, {}, [])
            for doc in docs:
                if repository.documents.setdefault(doc.metadata["path"], doc) is not doc:
                    repository.duplicates.append(doc)
            yield from self._safe_outcomes(repository)
        with written_whole(Path(self.folder) / f"{self.rank:05d}.json") as path:
            path.write_text(json.dumps(self._coverage), encoding="ascii")

    def end(self) -> None:
        """Drop what is left of the documents."""
        self._documents.close()
        self._coverage = {}

    def _safe_outcomes(self, repository: _Repository) -> list[Outcome]:
        """Return the outcomes of a repository; an error that nobody thought of removes it and ends no run."""
        docs = [*repository.documents.values(), *repository.duplicates]
        try:
            return list(self._outcomes_of(repository))
        except (OSError, MemoryError):
            raise
        except Exception as error:
            return [Removed(doc, "error", one_line(error)) for doc in docs]

    def _outcomes_of(self, repository: _Repository) -> Iterator[Outcome]:
        yield from (Removed(doc, "duplicate_path", repository.name) for doc in repository.duplicates)
        markers = SEPARATORS[self.how.separators].markers
        for path, doc in list(repository.documents.items()):
            texts = (doc.text, path, repository.name)
            if marker := next((marker for marker in markers if any(marker in text for text in texts)), None):
                yield Removed(repository.documents.pop(path), "marker_in_text", marker)
        graph = self._graph(repository)
        reason = failure(graph, self.min_files, self.min_resolved)
        if reason:
            yield from (Removed(doc, reason, repository.name) for doc in repository.documents.values())
            return
        for language, counts in graph.coverage().items():
            self._coverage.setdefault(language, Counter()).update(counts)
        sizes = {path: self._size(path, doc) for path, doc in repository.documents.items()}
        left = dict(repository.documents)
        # Each part starts with the repository's name.
        start = self._size_of(SEPARATORS[self.how.separators].repository(repository.name))
        how = replace(self.how, max_size=self.how.max_size - start)
        samples = arrange(graph, repository.paths(CODE), repository.paths(TEXT), sizes, how, repository.name)
        first = ""
        for sample in samples:
            made = self._document(repository, sample, graph)
            first = first or made.id
            yield made
            # The sample stands for its first file, the others were joined into it.
            yield from (Merged(left.pop(path), made.id, "concatenated", repository.name) for path in sample.paths[1:])
            del left[sample.paths[0]]
        for doc in left.values():
            is_project = doc.metadata["kind"] == PROJECT
            yield (
                Merged(doc, first, "project_file", repository.name)
                if is_project
                else Removed(doc, "in_no_sample", repository.name)
            )

    def _size(self, path: str, doc: Document) -> int:
        """Return the size of a file in a sample, with its separator and the line end behind it."""
        separator = SEPARATORS[self.how.separators].file(path, doc.metadata["language"])
        return self._size_of(separator) + self._size_of(doc.text) + (not doc.text.endswith("\n"))

    def _graph(self, repository: _Repository) -> ImportGraph:
        contents = {path: doc.text for path, doc in repository.documents.items()}
        languages = {path: doc.metadata["language"] for path, doc in repository.documents.items()}
        found = {
            path: FileImports.from_json(doc.metadata.pop("imports"))
            for path, doc in repository.documents.items()
            if doc.metadata.get("imports") is not None
        }
        return build_graph(RepositoryFiles(repository.name, contents, languages), found, self.has_implicit)

    def _document(self, repository: _Repository, sample: Sample, graph: ImportGraph) -> Document:
        docs = [repository.documents[path] for path in sample.paths]
        contents = {doc.metadata["path"]: doc.text for doc in docs}
        languages = {doc.metadata["path"]: doc.metadata["language"] for doc in docs}
        text, places = join_files(repository.name, sample.paths, contents, languages, SEPARATORS[self.how.separators])
        attributes = _attributes([doc for doc in repository.documents.values() if doc.metadata["kind"] == CODE])
        metadata = {
            "repository": repository.name,
            "path": "",
            "part": sample.part,
            "num_parts": sample.num_parts,
            "paths": sample.paths,
            "num_files": len(sample.paths),
            "num_bytes": num_bytes(text),
            "file_starts": [start for start, _ in places],
            "file_ends": [end for _, end in places],
            "languages": [languages[path] for path in sample.paths],
            "edges": [_edge_of(edge) for edge in sample.edges],
            "num_edges": sample.num_edges,
            "num_unlinked_files": sample.num_unlinked_files,
            "cycle_breakers": sample.cycle_breakers,
            "num_broken_edges": len(sample.broken_edges),
            "resolved_fraction": round(graph.resolved_fraction(), 4),
            "cluster_size": None,
        }
        return Document(text=text, id=content_id(text), metadata=metadata | attributes)


def token_counter(folder: str) -> Callable[[str], int]:
    """Return what counts the tokens of a text with the tokenizer of a folder, special tokens taken for text."""
    from datasets_builders.tokenized.tokenization import load_tokenizer
    from modeling_ling.tokenizer import encode_text

    tokenizer = load_tokenizer(folder)
    return lambda text: len(encode_text(tokenizer, text)) if text else 0


def _edge_of(edge: Edge) -> dict[str, Any]:
    names = ("imported", "importing", "line", "rule", "is_weak")
    return {name: getattr(edge, name) for name in names}


def repository_of(doc: Document) -> str:
    """Return the key by which the files of a repository meet."""
    return str(doc.metadata["repository"])


def _place_of(values: list[Any]) -> tuple[str, str, str]:
    identifier, _, metadata = values
    return str(metadata["repository"]), metadata["path"], identifier


def _attributes(code: list[Document]) -> dict[str, Any]:
    """Return what is known of a repository by its files of code."""
    known = [doc.metadata for doc in code]
    sizes: Counter[str] = Counter()
    for doc in code:
        sizes[doc.metadata["language"]] += len(doc.text)
    license = all_of(sorted({file["license"] for file in known}))
    return {
        "language": min(sizes, key=lambda name: (-sizes[name], name)),
        "license": license,
        "license_type": license_type(license),
        "stars": _max_of(file["stars"] for file in known),
        "forks": _max_of(file["forks"] for file in known),
        "date": _max_of(file["date"] for file in known),
        "commit": _only_of(file["commit"] for file in known),
        "repository_url": _only_of(file["repository_url"] for file in known),
        "is_fork": _max_of(file["is_fork"] for file in known),
        "mean_comment_fraction": _mean(file["comment_fraction"] for file in known),
        "mean_effective_lines": _mean(file["effective_lines"] for file in known),
        **{f"{MEAN_PREFIX}{name}": _mean(file[name] for file in known) for name in score_columns(known[0])},
    }


def _max_of(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _only_of(values: Iterable[Any]) -> Any:
    """Return the value that all files have, or None where they differ: no one revision has them all."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known: a file in a language without a grammar has no metrics."""
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None
