"""Section 3.2: where a model comes from: the model it began with, its datasets, the code and the command that made it.

What names a model or a dataset on a card must be there for its reader: a repository of the Hub, never a path.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes.running.run_folder import RUN_FILE

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@[\w./+-]+)?")
PACKAGE = Path(__file__).resolve().parent.parent


def hub_id(name: str | None) -> str | None:
    """Return the repository that a name means on the Hub, without its revision; None for a path and for a preset."""
    found = HUB_ID.fullmatch(name or "")
    return found["id"] if found and not Path(name or "").exists() else None


def run_of(folder: str | Path) -> dict[str, Any]:
    """Return run.json of a stage's folder; empty where there is none."""
    try:
        run = json.loads((Path(folder) / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def lineage(init_from: str, datasets: Sequence[str], repository: str | None) -> dict[str, Any]:
    """Return what the head of a model's card says of its origin.

    Args:
        init_from: the recipe's: a repository, a stage's folder, or a preset.
        datasets: that the stage read, as the recipe names them.
        repository: where the model is pushed to, or None.

    Returns:
        repository; base_model, the nearest ancestor that is on the Hub, or None; datasets of the Hub, those of the
        stages before included.
    """
    before = run_of(init_from)
    own = [identifier for identifier in map(hub_id, datasets) if identifier]
    base = hub_id(init_from) or before.get("repository") or before.get("base_model")
    earlier = [str(name) for name in before.get("datasets") or ()]
    return {"repository": repository, "base_model": base, "datasets": list(dict.fromkeys([*earlier, *own]))}


def code_commit(package: Path = PACKAGE) -> dict[str, Any]:
    """Return the commit of this code and whether files of it were changed; None for both outside of its repository.

    Args:
        package: whose repository is asked. One that merely holds the environment it is installed in does not count.
    """

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(package), *arguments], capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    is_ours = git("ls-files", "--error-unmatch", "__init__.py") is not None
    commit = git("rev-parse", "HEAD") if is_ours else None
    changes = git("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "has_local_changes": None if changes is None else bool(changes)}


def command_text(kind: str, arguments: Sequence[str]) -> str:
    """Return the command that trained, without the names of this machine's folders."""
    text = shlex.join(["python", f"recipes/{kind}.py", *arguments])
    for folder, short in ((Path.cwd(), "."), (Path.home(), "~")):
        text = re.sub(rf"{re.escape(str(folder))}(?=[/\s'\"]|$)", short, text)
    return text
