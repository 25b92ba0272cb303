"""A question dataset built from a few modules of the standard library, once for all tests of this folder."""

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.building import BuilderConfig, BuildResult
from datasets_builders.released.dpo import DPOBuilder, DPOConfig
from datasets_builders.released.sft import SFTBuilder, SFTConfig
from datasets_builders.released.synthetic_qa import SyntheticQABuilder, SyntheticQAConfig

MODULES = """
    base64.py bisect.py calendar.py codeop.py colorsys.py copy.py distutils/util.py email/utils.py fnmatch.py
    fractions.py functools.py genericpath.py gettext.py glob.py heapq.py html/__init__.py http/cookiejar.py
    imaplib.py ipaddress.py keyword.py locale.py mimetypes.py ntpath.py nturl2path.py operator.py posixpath.py
    quopri.py random.py sre_parse.py statistics.py string.py stringprep.py textwrap.py token.py tokenize.py
    urllib/parse.py uuid.py xml/sax/saxutils.py
"""
FOREIGN = {
    "notes.md": ("# Notes\n", "Markdown"),
    "broken.py": ("def f(:\n", "Python"),
    "copy_of_bisect.py": ("", "Python"),
}


def write_rows(folder: Path, rows: list[dict[str, Any]], name: str = "train_00000_of_00001.parquet") -> Path:
    """Write rows as a dataset folder."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / name)
    return folder


def code_row(path: str, content: str, language: str = "Python") -> dict[str, Any]:
    """Return a row as source_code makes it."""
    return {
        "id": hashlib.sha256(f"{path}\0{content}".encode()).hexdigest()[:32],
        "content": content,
        "path": path,
        "repository": "cpython",
        "language": language,
        "license": "psf-2.0",
        "num_bytes": len(content.encode()),
        "num_lines": content.count("\n"),
    }


def read_rows(folder: Path, split: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a dataset folder with their split."""
    rows = []
    for path in sorted((folder / "data").glob(f"{split or ''}*.parquet")):
        rows += [{**row, "split": path.name.split("_")[0]} for row in pq.read_table(path).to_pylist()]
    return rows


@dataclass
class Built:
    """A dataset folder with its result and rows."""

    folder: Path
    config: BuilderConfig
    result: BuildResult
    rows: list[dict[str, Any]]


@pytest.fixture(scope="session")
def source_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stdlib = Path(sysconfig.get_path("stdlib"))
    texts = {name: (stdlib / name).read_text("utf-8") for name in MODULES.split() if (stdlib / name).is_file()}
    rows = [code_row(name, text) for name, text in texts.items()]
    rows += [code_row(name, text or texts["bisect.py"] + "\n", kind) for name, (text, kind) in FOREIGN.items()]
    folder = write_rows(tmp_path_factory.mktemp("source_code"), sorted(rows, key=lambda row: row["id"]))
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: psf-2.0\n---\n# Source\n")
    return folder


@pytest.fixture(scope="session")
def questions(source_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built") / "synthetic_qa"
    config = SyntheticQAConfig(
        output_dir=str(folder),
        input=str(source_folder),
        decontaminate=[],
        num_tasks=2,
        workers=2,
        num_candidate_calls=24,
        num_mutants=8,
    )
    result = SyntheticQABuilder(config).run()
    return Built(folder, config, result, read_rows(folder))


@pytest.fixture(scope="session")
def chats(questions: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built") / "sft"
    config = SFTConfig(output_dir=str(folder), input=str(questions.folder), num_tasks=2, max_rows={"code_repair": 40})
    result = SFTBuilder(config).run()
    return Built(folder, config, result, read_rows(folder))


@pytest.fixture(scope="session")
def pairs(questions: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built") / "dpo"
    config = DPOConfig(output_dir=str(folder), input=str(questions.folder), num_tasks=2, workers=2)
    result = DPOBuilder(config).run()
    return Built(folder, config, result, read_rows(folder))
