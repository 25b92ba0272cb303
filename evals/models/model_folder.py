"""A model as it was named: whether there is one, and which one it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from evals.errors import UsageError
from modeling_ling.damaged_files import damaged_file
from modeling_ling.hub_reading import hub_failure


def check_model(model: str) -> None:
    """Refuse a path that is no model folder; names of the Hub pass.

    Raises:
        UsageError: no config.json there, or not a model's.
    """
    folder = Path(model)
    looks_like_path = folder.is_absolute() or model.count("/") != 1 or folder.exists()
    if not looks_like_path:
        _check_name(model)
        return
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(f"--model {model}: no config.json there; give a model folder, or org/name on the Hub")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"--model {model}: config.json is not JSON: {error}") from error
    if not isinstance(settings, dict) or "model_type" not in settings:
        raise UsageError(f"--model {model}: config.json is not a model's: it lacks model_type")


def _check_name(model: str) -> None:
    """Refuse what cannot be a repository's name on the Hub, a revision behind it among others."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(model)
    except HFValidationError as error:
        name, at, revision = model.partition("@")
        if not at:
            raise UsageError(f"--model {model}: no folder, and no name on the Hub either ({error})") from None
        fetch = f"`hf download {name} --revision {revision} --local-dir FOLDER`"
        raise UsageError(
            f"--model {model}: a name stands for its main revision; {fetch}, and give that FOLDER"
        ) from None


@contextlib.contextmanager
def loading(model: str) -> Iterator[None]:
    """Say in a line what transformers says of a model or tokenizer that it cannot load.

    Raises:
        UsageError: files are missing, broken, or of an architecture that transformers does not know.
    """
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        why = hub_failure(error) or damaged_file(error) or lines[0]
        raise UsageError(f"--model {model} cannot be loaded: {why}") from error


def model_fingerprint(model: str) -> str:
    """Return a hash that changes when the files of a local model do; of its name for a model on the Hub."""
    files = sorted(path for path in Path(model).glob("*") if path.is_file()) if Path(model).is_dir() else []
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([model, facts]).encode()).hexdigest()[:16]


def model_revision(model: str) -> str | None:
    """Return the commit of a cached model of the Hub, or a hash of a folder's files; None if it is not known."""
    if Path(model).is_dir():
        return model_fingerprint(model)
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(model, "config.json")
    return Path(path).parent.name if isinstance(path, str) else None
