"""Section 4.1: other Python environments for benchmarks whose programs need pinned packages (BigCodeBench, DS-1000)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from evals.execution.languages import Language
from evals.execution.packages import MissingPackageError

PREFIX = "python@"
ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.version]))"
FIND = (
    "import importlib.util, json, sys\n"
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))"
)


def environment_language(name: str) -> tuple[Language, str, tuple[str, ...]]:
    """Return what runs programs of "python@INTERPRETER": (language, version, folders that programs read).

    Raises:
        MissingPackageError: there is no such interpreter, or it does not run.
    """
    interpreter = name.removeprefix(PREFIX)
    prefix, base, version = _ask(interpreter, ASK)
    folders = {str(Path(folder).resolve()) for folder in (prefix, base)} | {prefix, base}
    language = Language(
        name,
        "main.py",
        tools=(),
        run=(interpreter, "-B", "main.py"),
        environment={"MPLBACKEND": "Agg", "MPLCONFIGDIR": "{tmp}/.matplotlib"},
        address_space=False,
        num_processes=128,
        out_of_memory=("MemoryError", "Unable to allocate"),
    )
    return language, version.split()[0], tuple(folder for folder in sorted(folders) if not folder.startswith("/usr"))


def missing_packages(interpreter: str, names: list[str]) -> list[str]:
    """Return which top-level packages an environment does not have."""
    return _ask(interpreter, FIND, *names)


def _ask(interpreter: str, source: str, *arguments: str) -> list[str]:
    try:
        ended = subprocess.run(
            [interpreter, "-I", "-c", source, *arguments], capture_output=True, text=True, check=True, timeout=120
        )
        return json.loads(ended.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MissingPackageError(f"{interpreter} is not a Python interpreter that runs: {error}") from error
