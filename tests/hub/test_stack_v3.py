"""A table in the Stack v3's schema on the Hub gives the shards that its repositories give as folders."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_ling.publishing import publish_folder
from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

NUM_REPOSITORIES = int(os.environ.get("LING_STACK_V3_REPOSITORIES", "60"))
WORDS = ("anchor", "basil", "copper", "dune", "ember", "falcon", "garnet", "harbor", "indigo", "jasper", "kestrel")
MIT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    'documentation files (the "Software"), to deal in the Software without restriction, including without limitation '
    "the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and "
    "to permit persons to whom the Software is furnished to do so, subject to the following conditions: The above "
    "copyright notice and this permission notice shall be included in all copies or substantial portions of the "
    'Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT '
    "LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT "
    "SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION "
    "OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER "
    "DEALINGS IN THE SOFTWARE."
)


def repository(number: int) -> dict[str, str]:
    """Return the files of a made-up project: modules that import one another, and its licence."""
    draw = Random(number)
    names = draw.sample(WORDS, draw.randrange(2, 5))
    files = {"LICENSE": MIT, "README.md": f"# Project {number}\n\nWorks on {' and '.join(names)} in its own way.\n"}
    for at, name in enumerate(names):
        imported = f"from {names[at - 1]} import {names[at - 1]}_{number}\n\n\n" if at else ""
        lines = "".join(
            f"    {draw.choice(WORDS)}_{line} = value * {draw.randrange(10**6)}\n"
            for line in range(draw.randrange(3, 9))
        )
        files[f"{name}.py"] = f"{imported}def {name}_{number}(value):\n{lines}    return value\n"
    return files


def row(number: int, files: dict[str, str], stars: int | None) -> dict[str, object]:
    """Return a repository as the Stack v3 has it."""
    of_language = {".py": "Python", ".md": "Markdown"}
    return {
        "repo_path": f"project_{number:05d}",
        "repo_id": number,
        "commit_id": f"{number:040x}" if stars is not None else None,
        "github_metadata": {
            "branch": "main",
            "commit_count": 3,
            "repo_created_at": "2022-04-19T03:57:35.000Z",
            "is_fork": number % 7 == 0 if stars is not None else None,
            "is_org_owned": False,
            "forked_from": None,
            "stars": stars,
            "forks": stars,
            "issues": 0,
            "pull_requests": 0,
        },
        "num_files": len(files),
        "files": [
            {
                "content_id": f"{number:032x}{at:08x}",
                "content": content,
                "path": path,
                "language": of_language.get(Path(path).suffix, "Text"),
                "license_type": "permissive",
                "detected_licenses": ["MIT"],
            }
            for at, (path, content) in enumerate(files.items())
        ],
    }


BUILD = """
from datasets_builders.repositories.builder import RepositoriesBuilder
from datasets_builders.repositories.config import RepositoriesConfig

def build(output, source, workers):
    config = RepositoriesConfig(
        output_dir=output, sources=[source], decontaminate=[], near_dedup=False, num_shards=2, workers=workers
    )
    RepositoriesBuilder(config).run()
"""


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "data").glob("*.parquet"))}


def test_the_stack_v3_on_the_hub_gives_the_shards_of_its_repositories_as_folders(
    online: HubServer, run_client: Callable[..., Any], tmp_path: Path
) -> None:
    repositories = {number: repository(number) for number in range(NUM_REPOSITORIES)}
    for number, files in repositories.items():
        folder = tmp_path / "clones" / f"project_{number:05d}"
        folder.mkdir(parents=True)
        for path, content in files.items():
            (folder / path).write_text(content, encoding="utf-8")
    for name, stars_of in (("unknown", lambda number: None), ("known", lambda number: number * 3)):
        rows = [row(number, files, stars_of(number)) for number, files in repositories.items()]
        (tmp_path / name / "data").mkdir(parents=True)
        for shard in range(2):
            table = pa.Table.from_pylist(
                rows[shard::2], schema=pa.Table.from_pylist([row(0, repositories[0], 1)]).schema
            )
            shard_path = tmp_path / name / "data" / f"train-{shard:05d}-of-00002.parquet"
            pq.write_table(table, shard_path, row_group_size=max(4, NUM_REPOSITORIES // 100))
        (tmp_path / name / "README.md").write_text("---\nlicense: mit\n---\n# Code\n", encoding="utf-8")
        publish_folder(tmp_path / name, f"acme/{name}", endpoint=online.url)
    for output, source, workers in (
        ("out_folders", f"{tmp_path}/clones/*", 2),
        ("out_table", "hf://datasets/acme/unknown", 2),
        ("out_known", "hf://datasets/acme/known", 1),
    ):
        run_client(f"{BUILD}\nbuild({output!r}, {source!r}, {workers})\nanswer = 1", timeout=3600)
    as_folders = shards(tmp_path / "out_folders")
    assert len(as_folders) == 2 and shards(tmp_path / "out_table") == as_folders

    found = {row["repository"]: row for row in pq.read_table(tmp_path / "out_known" / "data").to_pylist()}
    assert len(found) == len(pq.read_table(tmp_path / "out_folders" / "data"))
    for number in repositories:
        kept = found[f"project_{number:05d}"]
        assert (kept["stars"], kept["forks"], kept["license"]) == (number * 3, number * 3, "MIT")
        assert (kept["commit"], kept["is_fork"]) == (f"{number:040x}", number % 7 == 0)
