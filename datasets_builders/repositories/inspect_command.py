"""Section 2.2.2, to look at: the import graph of one repository and the order that follows from it.

Exit code 1 says that no file of it can be ordered.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets_builders.repositories.files import RepositoryFiles
    from datasets_builders.repositories.graph import ImportGraph, Unresolved
    from datasets_builders.repositories.ordering import Ordering

HELP = "show the import graph of one repository and the order of its files (section 2.2.2)"
EXAMPLE = "python -m datasets_builders repositories inspect outputs/corpus/flask-3.1.2.tar.gz --html outputs/flask.html"

MAX_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from datasets_builders.repositories.files import MAX_FILE_BYTES
    from datasets_builders.repositories.ordering import CYCLE_POLICIES
    from datasets_builders.sources.opening import FORMS

    parser.add_argument("source", help=FORMS)
    parser.add_argument("--cycle-policy", choices=CYCLE_POLICIES, default="scc", help="as the builder's field")
    parser.add_argument("--max-bytes", type=int, default=MAX_FILE_BYTES, help="larger files are left out")
    parser.add_argument("--json", action="store_true", help="print everything, for machines")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a picture of the graph")
    parser.add_argument("--all", action="store_true", help="print every file, edge and import, not the first of them")


def run(options: argparse.Namespace) -> int:
    """Print the graph of a repository; return 1 when no file of it can be ordered."""
    from datasets_builders.building.errors import ConfigError
    from datasets_builders.repositories.files import read_repository
    from datasets_builders.repositories.graph import build_graph
    from datasets_builders.sources.folder_config import ALWAYS_EXCLUDED
    from datasets_builders.sources.opening import open_sources
    from modeling_ling.command_line import CommandFailedError

    sources = open_sources([options.source], ALWAYS_EXCLUDED, options.max_bytes)
    if len(sources) != 1:
        raise ConfigError(f"{options.source} names {len(sources)} repositories; inspect one at a time")
    repository = read_repository(sources[0], options.source, options.max_bytes)
    graph = build_graph(repository)
    if not graph.files:
        left_out = ", ".join(f"{path} ({why})" for path, why in list(repository.left_out.items())[:MAX_LISTED])
        raise CommandFailedError(f"{options.source} has no file to order; left out: {left_out or 'nothing'}")
    ordering = graph.order(options.cycle_policy)
    if options.html:
        write_page(graph, ordering, repository, options.html)
        print(f"wrote {options.html}", file=sys.stderr)
    if options.json:
        print(json.dumps(as_json(graph, ordering, repository.left_out), indent=1))
    else:
        print("\n".join(as_lines(graph, ordering, repository.left_out, None if options.all else MAX_LISTED)))
    return 0


def write_page(graph: ImportGraph, ordering: Ordering, repository: RepositoryFiles, path: Path) -> None:
    """Write graph and order as a page: a picture, counts by language, files with what they need, what was not found."""
    from datasets_builders.repositories.graph import REASONS
    from evals.report.page import Page

    pairs = {(edge.imported, edge.importing) for edge in graph.edges}
    broken = set(ordering.broken_edges)
    page = Page(f"Imports of {repository.name}", f"files: {len(graph.files):,}, edges: {len(pairs):,}")
    place = {file: number for number, file in enumerate(ordering.paths)}
    dots = {
        "comes before": [(place[imported], place[importing]) for imported, importing in sorted(pairs - broken)],
        "comes later (cycle)": [(place[imported], place[importing]) for imported, importing in sorted(broken)],
    }
    page.matrix(
        "imports",
        dots,
        len(graph.files),
        caption="A dot per import, by the numbers of the files below; the pointer shows names. Files stand in their "
        "order, so that what a file needs lies to the left of the line.",
        labels=("file that is needed", "file that needs it"),
        names=ordering.paths,
        relation="needs",
    )
    page.heading("Imports by language")
    page.table(
        ["language", *REASONS],
        [[language, *(counts[reason] for reason in REASONS)] for language, counts in graph.coverage().items()],
    )
    breakers = set(ordering.cycle_breakers)
    needs = _needs(graph)
    page.heading("Files in order")
    page.table(
        ["", "file", "needs", ""],
        [
            [number, file, "; ".join(needs.get(file, [])), "breaks a cycle" if file in breakers else ""]
            for number, file in enumerate(ordering.paths, 1)
        ],
    )
    for title, headers, rows in (
        ("Imports whose file comes only later", ["file", "needed by"], ordering.broken_edges),
        ("Not found", ["file", "line", "import", "why"], [[*found] for found in _internal(graph)]),
        ("Left out", ["file", "why"], list(repository.left_out.items())),
    ):
        if rows:
            page.heading(title)
            page.table(headers, rows)
    page.save(path)


def as_json(graph: ImportGraph, ordering: Ordering, left_out: Mapping[str, str]) -> dict[str, Any]:
    """Return graph and order as JSON."""
    return {
        "order": ordering.paths,
        "cycle_breakers": ordering.cycle_breakers,
        "broken_edges": ordering.broken_edges,
        "edges": [edge._asdict() for edge in graph.edges],
        "unresolved": [found._asdict() for found in graph.unresolved],
        "coverage": graph.coverage(),
        "left_out": left_out,
    }


def as_lines(graph: ImportGraph, ordering: Ordering, left_out: Mapping[str, str], max_listed: int | None) -> list[str]:
    """Return graph and order for a person.

    Args:
        graph (`ImportGraph`), ordering (`Ordering`): of the repository.
        left_out (dict): path to the reason for which a file was not read.
        max_listed (`int`, *optional*): lines of a list; None for all.
    """
    from datasets_builders.repositories.graph import REASONS

    lines = [f"{len(graph.files):,} files, {len({(edge.imported, edge.importing) for edge in graph.edges}):,} edges"]
    lines += ["", f"{'imports':12s}" + "".join(f"{reason:>11s}" for reason in REASONS)]
    for language, counts in graph.coverage().items():
        lines.append(f"{language:12s}" + "".join(f"{counts[reason]:11,}" for reason in REASONS))
    needs = _needs(graph)
    lines += ["", "in this order (under each file those that it needs, with the import's line and rule):"]
    for number, path in enumerate(_first(ordering.paths, max_listed), 1):
        breaks = "   breaks a cycle" if path in ordering.cycle_breakers else ""
        lines.append(f"{number:5d} {path}{breaks}")
        lines += [f"        needs {needed}" for needed in _first(needs.get(path, []), max_listed)]
    lines += _rest(ordering.paths, max_listed, "files")
    for title, found in (
        ("imports whose file comes only later", [" needed by ".join(edge) for edge in ordering.broken_edges]),
        ("not found", [f"{lost.path}:{lost.line} {lost.target} ({lost.reason})" for lost in _internal(graph)]),
        ("left out", [f"{path} ({reason})" for path, reason in left_out.items()]),
    ):
        if found:
            lines += [
                "",
                f"{title}:",
                *(f"  {line}" for line in _first(found, max_listed)),
                *_rest(found, max_listed, "more"),
            ]
    return lines


def _needs(graph: ImportGraph) -> dict[str, list[str]]:
    """Return what each file needs, with the evidence."""
    needs: dict[str, list[str]] = {}
    for edge in graph.edges:
        weak = ", weak" if edge.is_weak else ""
        needs.setdefault(edge.importing, []).append(f"{edge.imported} (line {edge.line}, {edge.rule}{weak})")
    return needs


def _internal(graph: ImportGraph) -> list[Unresolved]:
    """Return what was not found though it should be here; imports of other packages are counted alone."""
    return [lost for lost in graph.unresolved if lost.reason != "external"]


def _first(items: Sequence[Any], max_listed: int | None) -> Sequence[Any]:
    return items if max_listed is None else items[:max_listed]


def _rest(items: Sequence[Any], max_listed: int | None, what: str) -> list[str]:
    left = len(items) - len(_first(items, max_listed))
    return [f"  ... {left:,} {what}; --all shows them"] if left else []
