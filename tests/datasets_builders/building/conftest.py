"""Small inputs and the command line as a user types it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import pytest

from tests import warm_python

ROOT = Path(__file__).parents[3]


def command_of(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "datasets_builders", *arguments]


@pytest.fixture
def command():
    return command_of


@pytest.fixture(scope="session")
def environment():
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def run_cli_in(environment):
    """Run the command line in the given folder; returns the finished process."""

    def run(folder: Path, *arguments: str, search_path: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return warm_python.run(
            command_of(*map(str, arguments)),
            env=environment | {"PYTHONPATH": f"{search_path}{os.pathsep}{ROOT}"},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def run_cli(run_cli_in, tmp_path):
    """Run the command line in a folder of its own; returns the finished process."""
    return partial(run_cli_in, tmp_path)


@pytest.fixture
def code_folder(tmp_path):
    """Two packages of the standard library: 30 real files, one of them twice."""
    folder = tmp_path / "code"
    for package in ("json", "email"):
        shutil.copytree(
            Path(sysconfig.get_path("stdlib")) / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(folder / "json" / "decoder.py", folder / "copy_of_decoder.py")
    return folder


@pytest.fixture(scope="session")
def shard_hashes():
    """SHA-256 of every shard of a dataset folder."""

    def hashes(folder: Path) -> dict[str, str]:
        data = Path(folder) / "data"
        paths = sorted(data.glob("*"))
        assert paths
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    return hashes


@pytest.fixture
def ledger_of():
    def read(folder: Path) -> dict[str, dict]:
        return {step["name"]: step for step in json.loads((Path(folder) / "ledger.json").read_text())["steps"]}

    return read
