"""Section 2.4: the steps that cut functions out of files, and out of those that need others of their repository."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, groupby
from typing import Any

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.synthesis.program_analysis.call_sites import literal_calls
from datasets_builders.synthesis.program_analysis.extraction import (
    ExtractionLimits,
    Refusal,
    extract_functions,
)
from datasets_builders.synthesis.program_analysis.other_languages.documents import (
    PACKAGED_LANGUAGES,
    extract_from,
    package_in,
)
from datasets_builders.synthesis.program_analysis.other_languages.javascript_linking import Package
from datasets_builders.synthesis.program_analysis.other_languages.sample import ExtractionLimits as OtherLimits
from datasets_builders.synthesis.program_analysis.steps.documents import AnySample

CALLS_KIND, PACKAGED_KIND = "calls", "packaged_file"


class ExtractFunctions(Step):
    """Cut the functions and classes of a file out of it, each with its closure, and note the calls it makes.

    Refused functions are removed with a reason. The calls of a Python file are a document of their own, for
    `AttachCalls`. Files in languages whose functions may need other files of their repository are passed on, for
    `ExtractFromPackages`.

    Args:
        limits (`ExtractionLimits`): sizes.
        languages: whose files are read.
    """

    name = "extract_functions"
    arity = "1:n"

    def __init__(self, limits: ExtractionLimits, languages: Sequence[str] = ("Python",)) -> None:
        super().__init__()
        self.limits, self.languages = limits, tuple(languages)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per function of a file."""
        language = str(doc.metadata.get("language"))
        if language not in self.languages:
            yield Removed(doc, "other_language", language)
            return
        if language in PACKAGED_LANGUAGES:
            doc.metadata["kind"] = PACKAGED_KIND
            yield doc
            return
        path = str(doc.metadata.get("path", ""))
        yield from _function_documents(doc, self._functions(doc.text, path, language))
        if calls := literal_calls(ast.parse(doc.text)) if language == "Python" else {}:
            metadata = {**_origin_of(doc), "kind": CALLS_KIND, "calls": calls}
            text = "\n".join(chain.from_iterable(calls.values()))
            yield Document(text, content_id(doc.id, CALLS_KIND), metadata=metadata)

    def _functions(self, text: str, path: str, language: str) -> Iterator[AnySample | Refusal]:
        if language == "Python":
            return extract_functions(text, path, self.limits)
        return extract_from(language, text, path, self.limits.max_code_chars, self.limits.max_function_lines)


def _origin_of(doc: Document) -> dict[str, Any]:
    return {
        "parents": [doc.id],
        "source_id": doc.id,
        "path": str(doc.metadata.get("path", "")),
        "repository": str(doc.metadata.get("repository") or ""),
        "license": str(doc.metadata.get("license") or ""),
    }


def _function_documents(doc: Document, functions: Iterable[AnySample | Refusal]) -> Iterator[Outcome]:
    """Yield a document per function of a file."""
    origin = _origin_of(doc)
    for found in functions:
        identifier = content_id(doc.id, found.name)
        if isinstance(found, Refusal):
            yield Removed(Document(found.name, identifier, metadata=origin), found.reason, found.detail)
        else:
            yield Document(found.function, identifier, metadata={**origin, "sample": asdict(found)})


def package_of(doc: Document) -> str:
    """Return the key by which files meet whose functions may need one another."""
    is_packaged = doc.metadata.get("kind") == PACKAGED_KIND
    return f"{doc.metadata.get('repository') or ''}\0{doc.metadata['language']}" if is_packaged else doc.id


class ExtractFromPackages(Step):
    """Cut functions out of files that may import from others of their repository; all other documents pass.

    Give its stage the key `package_of`. One repository is held in memory at a time; the others wait on disk.

    Args:
        limits (`ExtractionLimits`): sizes.
    """

    name = "extract_from_packages"
    arity = "n:1"

    def __init__(self, limits: ExtractionLimits) -> None:
        super().__init__()
        self.limits = limits

    def begin(self, rank: int, world_size: int) -> None:
        """Start without files."""
        self._files = DiskSort(_package_place, self.runs_folder)
        self._package: Package | None = None

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep a file until those of its repository are known, then give a document per function of it."""
        if doc.metadata.get("kind") != PACKAGED_KIND:
            yield doc
        elif self._package is None:
            self._files.add(values_of(doc))
        else:
            outcomes = list(_function_documents(doc, self._functions(self._package, doc)))
            outcomes = outcomes or [Removed(doc, "nothing_made")]
            self.counts.created += len(outcomes) - 1
            yield from outcomes

    def finish(self) -> Iterator[Outcome]:
        """Give the functions of all files, repository by repository."""
        for (repository, language), group in groupby(self._files, lambda values: _package_place(values)[:2]):
            docs = [*map(document_of, group)]
            texts: dict[str, str] = {}
            for doc in docs:
                texts.setdefault(doc.metadata["path"], doc.text)
            self._package = package_in(language, repository, texts)
            for doc in docs:
                yield from self._safely(doc)

    def end(self) -> None:
        """Drop what is left of the files."""
        self._files.close()
        self._package = None

    def _functions(self, package: Package, doc: Document) -> Iterator[AnySample | Refusal]:
        path, limits = doc.metadata["path"], (self.limits.max_code_chars, self.limits.max_function_lines)
        if package.texts[path] != doc.text:  # two files of one path: the second stands for itself
            yield from extract_from(doc.metadata["language"], doc.text, path, *limits)
        else:
            yield from package.functions(path, OtherLimits(*limits))


def _package_place(values: list[Any]) -> tuple[str, str, str, str]:
    identifier, _, metadata = values
    return str(metadata.get("repository") or ""), metadata["language"], str(metadata["path"]), identifier
