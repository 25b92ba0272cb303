"""Small builds of the builders of code-related text and of two more, and a program that kills them: small_builds.py.

`small_builds.py FOLDER` imports all builders once, starts each build in a process of its own and kills it when the
first stage has left something; the folders are FOLDER/NAME.
"""

import gzip
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from dulwich import porcelain

from datasets_builders.building.builder import Builder
from datasets_builders.code_related.code_comment_pairs.builder import CodeCommentPairsBuilder, CodeCommentPairsConfig
from datasets_builders.code_related.commits.builder import CommitsBuilder, CommitsConfig
from datasets_builders.code_related.github_threads.builder import GithubThreadsBuilder, GithubThreadsConfig
from datasets_builders.code_related.markdown.builder import MarkdownBuilder, MarkdownConfig
from datasets_builders.code_related.notebooks.builder import NotebooksBuilder
from datasets_builders.code_related.notebooks.config import NotebooksConfig
from datasets_builders.code_related.web_pages.builder import WebPagesBuilder, WebPagesConfig
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.synthesis.repository_repairs.builder import RepositoryRepairsBuilder, RepositoryRepairsConfig

NUM_ITEMS = 12
TOPICS = ("heap", "queue", "parser", "router", "index", "cache", "lexer", "socket", "matrix", "graph", "tree", "table")
ANN = b"Ann <ann@company.com>"


def _sentence(number: int) -> str:
    topic, other = TOPICS[number % len(TOPICS)], TOPICS[(number * 5 + 3) % len(TOPICS)]
    return (
        f"The {topic} keeps what the {other} of part {number} has given, and mail to jane{number}@company.com is read."
    )


def _function(number: int) -> str:
    topic = TOPICS[number % len(TOPICS)]
    return f"def {topic}_{number}(values):\n    # {topic}\n    return [value * {number} for value in values if value]\n"


def write_inputs(folder: Path) -> None:
    """Write files of code, Markdown and notebooks, a git repository, hours of events and a crawl."""
    files = folder / "files"
    files.mkdir(parents=True)
    for number in range(NUM_ITEMS):
        source = _function(number)
        head, _, body = source.partition("\n")
        (files / f"part_{number}.py").write_text(f'{head}\n    """{_sentence(number)}"""\n{body}')
        (files / f"page_{number}.md").write_text(
            f"# {TOPICS[number]}\n\n{_sentence(number)}\n\n{_sentence(number + 1)}\n"
        )
        cells = [
            ("markdown", f"# {_sentence(number)}"),
            ("code", source),
            ("markdown", "And so on."),
            ("code", f"print({number})"),
        ]
        notebook = {
            "nbformat": 4,
            "metadata": {"kernelspec": {"language": "python"}},
            "cells": [
                {"cell_type": kind, "source": text} | ({"outputs": []} if kind == "code" else {})
                for kind, text in cells
            ],
        }
        (files / f"notebook_{number}.ipynb").write_text(json.dumps(notebook))
    (files / "broken.ipynb").write_text("{")
    (files / "broken.py").write_text("def broken(:\n")
    _write_history(folder / "history")
    _write_events(folder / "events")
    _write_crawl(folder / "crawl")
    _write_code(folder)


def _write_code(folder: Path) -> None:
    """Write folders of code in two languages, an older release with some of it, and rows of a repository."""
    released = []
    for number in range(3 * NUM_ITEMS):
        text = "".join(f"{name}_{number} = {number} + {place}\n" for place, name in enumerate(TOPICS))
        path = folder / f"code_{number % 2}" / f"part_{number}.{'rb' if number % 3 else 'py'}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if number < 6:  # of some a line differs
            released.append({"content": text if number % 2 else text.replace(f"= {number} + 4\n", "= None\n")})
    _write_rows(folder / "older", released)
    shop = {
        "shop/taxes.py": "".join(
            f"def {topic}_of(price, percent, digits=2):\n"
            f"    return round(price + price * percent / {number + 50}, digits)\n\n\n"
            for number, topic in enumerate(TOPICS[:6])
        )
    } | {
        f"shop/{topic}.py": (
            f"from shop.taxes import {topic}_of\n\n\n"
            f"def {topic}_price(price: int):\n    first = {topic}_of(price, {number + 3}, 1)\n    return first * 2\n"
        )
        for number, topic in enumerate(TOPICS[:6])
    }
    rows = [{"content": text, "path": path} for path, text in shop.items()]
    known = {"repository": "shop", "language": "Python", "license": "mit"}
    _write_rows(folder / "rows", [{"id": f"{number:032x}"} | row | known for number, row in enumerate(rows)])


def _write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "train_00000_of_00001.parquet")


def _write_crawl(folder: Path) -> None:
    folder.mkdir()
    pages = [
        f"<html><body><main><h1>{TOPICS[number]}</h1><p>{_sentence(number)} {_sentence(number + 1)}</p>"
        f"<pre>{_function(number)}</pre></main></body></html>"
        for number in range(NUM_ITEMS)
    ]
    for number, page in enumerate(pages[:8]):
        block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}"
        record = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://site{number}.org/\r\n"
            f"WARC-Record-ID: <urn:uuid:{number}>\r\nWARC-Date: 2024-08-01T00:00:00Z\r\n"
            f"Content-Type: application/http\r\nContent-Length: {len(block)}\r\n\r\n{block}\r\n\r\n"
        )
        with (folder / f"{number % 2}.warc.gz").open("ab") as file:
            file.write(gzip.compress(record.encode()))
    with (folder / "1.warc.gz").open("ab") as file:
        file.write(gzip.compress(record.encode())[:200])
    rows = [{"html": page, "url": f"https://row{number}.org/"} for number, page in enumerate(pages[6:])] + [{}]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _write_history(folder: Path) -> None:
    folder.mkdir()
    repo = porcelain.init(str(folder))
    for number in range(NUM_ITEMS):
        (folder / f"part_{number % 4}.py").write_text(_function(number))
        porcelain.add(repo, [str(folder / f"part_{number % 4}.py")])
        message = "wip" if number == 5 else f"{_sentence(number)}"
        when: dict[str, int] = dict.fromkeys(("author_timestamp", "commit_timestamp"), 1_600_000_000 + 86_400 * number)
        zone: dict[str, int] = dict.fromkeys(("author_timezone", "commit_timezone"), 0)
        porcelain.commit(repo, message=message.encode(), author=ANN, committer=ANN, **when, **zone)  # type: ignore[arg-type]


def _write_events(folder: Path) -> None:
    folder.mkdir()
    for hour in range(2):
        lines = ["{"]
        for number in range(NUM_ITEMS):
            pull = {"number": number, "title": f"Mend the {TOPICS[number]} of it", "body": _sentence(number) * 2}
            merged = hour == 1
            event = {
                "id": f"{number}-{hour}",
                "type": "PullRequestEvent",
                "actor": {"login": f"user{number % 3}"},
                "repo": {"name": "shop/shop"},
                "created_at": f"2017-05-01T1{hour}:00:00Z",
                "payload": {
                    "number": number,
                    "action": "closed" if merged else "opened",
                    "pull_request": pull | {"user": {"login": "ann"}, "merged": merged},
                },
            }
            lines.append(json.dumps(event))
        (folder / f"2017-05-01-{hour}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


def code_fields(inputs: Path, order: int = 1) -> dict[str, Any]:
    """Return the fields of code that is held against an older release and limited by language, folders in an order."""
    return {
        "sources": [str(inputs / f"code_{number}") for number in (0, 1)][::order],
        "released_before": [str(inputs / "older")],
        "language_limits": {"Ruby": 3_000},
    }


def builders_of(inputs: Path, **fields: Any) -> Iterator[Callable[[Path, int], Builder[Any]]]:
    """Give what makes each builder of a folder and a number of workers."""
    given = {
        "decontaminate": [],
        "num_tasks": 2,
        "num_shards": 2,
        "license_types": ["no_license", "permissive"],
    } | fields
    unlicensed = {name: value for name, value in given.items() if name != "license_types"}
    files = {"input_dir": str(inputs / "files"), "repository": "shop"}
    kinds: list[tuple[Any, Any, dict[str, Any]]] = [
        (CodeCommentPairsBuilder, CodeCommentPairsConfig, files | given),
        (CommitsBuilder, CommitsConfig, {"repositories": [str(inputs / "history")]} | given),
        (GithubThreadsBuilder, GithubThreadsConfig, {"archive": [str(inputs / "events" / "*.gz")]} | unlicensed),
        (NotebooksBuilder, NotebooksConfig, files | given),
        (MarkdownBuilder, MarkdownConfig, files | given),
        (WebPagesBuilder, WebPagesConfig, {"crawl": [str(inputs / "crawl" / "*")], "min_chars": 50} | unlicensed),
        (SourceCodeBuilder, SourceCodeConfig, code_fields(inputs) | given),
        (RepositoryRepairsBuilder, RepositoryRepairsConfig, {"input": str(inputs / "rows")} | unlicensed),
    ]
    for builder, config, values in kinds:

        def make(
            output: Path, workers: int, builder: Any = builder, config: Any = config, values: dict[str, Any] = values
        ) -> Builder[Any]:
            made: Builder[Any] = builder(config(output_dir=str(output / builder.name), workers=workers, **values))
            return made

        yield make


def kill_each(folder: Path) -> None:
    """Start each build over FOLDER/inputs and kill it when its first stage has written something."""
    for make in builders_of(folder / "inputs"):
        builder = make(folder / "killed", 1)
        stages = builder.output_folder / ".build" / "stages"
        child = os.fork()
        if not child:
            builder.run()
            os._exit(0)
        while not any(stages.rglob("*")) and os.waitpid(child, os.WNOHANG) == (0, 0):
            pass
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{builder.name} ended before it was killed")


if __name__ == "__main__":
    kill_each(Path(sys.argv[1]))
