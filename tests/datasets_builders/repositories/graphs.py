"""Graphs of repositories in memory, by one process that parses: a start of it takes longer than most tests do."""

import atexit
from collections.abc import Mapping
from functools import cache

from datasets_builders.curation.syntax.parser_process import ParserProcess
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.graph import PARSE, ImportGraph, build_graph, parse_imports


@cache
def parser() -> ParserProcess:
    """Return the process of this worker."""
    process = ParserProcess(PARSE)
    atexit.register(process.close)
    return process


def graph_of(contents: Mapping[str, str], name: str = "mini") -> ImportGraph:
    """Return the graph of files by path."""
    repository = RepositoryFiles(name, dict(contents))
    return build_graph(repository, parse_imports(repository, parser()))
