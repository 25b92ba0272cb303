"""Section 2.2.1: find a transformers model, on disk or on the Hub, and tell before a build whether it can be used."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import digest, file_sha256
from modeling_ling.hub_reading import read_failure

CONFIG_FILE = "config.json"
WEIGHTS = ".safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
# What decides a score; a card or a picture does not.
FILES_WITH_EFFECT = ("*.json", "*.jinja", "*.model", "*.py", f"*{WEIGHTS}", "*.txt")


@dataclass(frozen=True)
class ModelSource:
    """A model that was found.

    Args:
        name (`str`): folder, or name on the Hub.
        revision (`str`, *optional*): commit on the Hub that is used from now on; None for a folder.
        config (dict): its config.json.
    """

    name: str
    revision: str | None
    config: dict[str, Any]

    def identity(self) -> str:
        """Return what changes when the model does: the commit, or a hash over the files of a folder."""
        if self.revision:
            return f"{self.name}@{self.revision}"
        folder = Path(self.name)
        paths = sorted({path for pattern in FILES_WITH_EFFECT for path in folder.glob(pattern)})
        return digest([[path.name, file_sha256(path)] for path in paths])


def find_model(model: str, revision: str, where: str) -> ModelSource:
    """Find a model and check that its weights and its tokenizer are there; of a model on the Hub, pin the commit.

    Weights that are pickles are refused: to load one runs code.

    Args:
        model (`str`): folder, or ORG/NAME on the Hub.
        revision (`str`): of a model on the Hub; empty for the newest.
        where (`str`): the field that names it, for messages.

    Raises:
        ConfigError: no such model, it cannot be reached, or a file is missing.
    """
    folder = Path(model).expanduser()
    is_path = folder.is_dir() or model.count("/") != 1 or model[0] in "./~"
    if is_path:
        if not (folder / CONFIG_FILE).is_file():
            raise ConfigError(f"{where}: {folder} has no {CONFIG_FILE}; name a model's folder, or ORG/NAME on the Hub")
        names, text, commit = [path.name for path in folder.iterdir()], (folder / CONFIG_FILE).read_bytes(), None
    else:
        names, text, commit = _on_the_hub(model, revision, where)
    if not any(name.endswith(WEIGHTS) for name in names):
        raise ConfigError(f"{where}: {model} has no *{WEIGHTS}; pickled weights are not loaded: save it anew as those")
    if not set(names) & set(TOKENIZER_FILES):
        raise ConfigError(f"{where}: {model} has no tokenizer (none of {', '.join(TOKENIZER_FILES)})")
    try:
        config = json.loads(text)
        assert isinstance(config, dict)
    except (ValueError, AssertionError):
        raise ConfigError(f"{where}: {CONFIG_FILE} of {model} is no JSON object") from None
    return ModelSource(str(folder) if is_path else model, commit, config)


def _on_the_hub(model: str, revision: str, where: str) -> tuple[list[str], bytes, str]:
    from huggingface_hub import HfApi, constants, hf_hub_download

    try:
        path = Path(hf_hub_download(model, CONFIG_FILE, revision=revision or None))
        commit = path.parent.name  # of the cache: snapshots/COMMIT/config.json
        if constants.HF_HUB_OFFLINE:
            names = [file.name for file in path.parent.iterdir()]
        else:
            names = HfApi().list_repo_files(model, revision=commit)
    except Exception as error:  # huggingface_hub, httpx and OS errors: all mean that it cannot be reached
        raise ConfigError(
            f"{where}: {model} is no folder and cannot be had from the Hub: {read_failure(error)}"
        ) from None
    return names, path.read_bytes(), commit


def check_architecture(source: ModelSource, endings: tuple[str, ...], trust_remote_code: bool, where: str) -> None:
    """Raise `ConfigError` for a model whose architecture has another head, or that transformers does not know.

    A model without the head would be given a random one, and scores without a meaning.

    Args:
        source (`ModelSource`): the model.
        endings (tuple of `str`): of the architecture's name, such as ForCausalLM.
        trust_remote_code (`bool`): may code that comes with the model be run?
        where (`str`): the field, for messages.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    import modeling_ling  # noqa: F401  # registers bailing_moe

    architectures = source.config.get("architectures") or []
    if not any(str(name).endswith(endings) for name in architectures):
        told = ", ".join(map(str, architectures)) or "it names none"
        raise ConfigError(f"{where}: needs a model ...{endings[0]}; the architecture of {source.name}: {told}")
    if trust_remote_code or source.config.get("model_type") in CONFIG_MAPPING:
        return
    raise ConfigError(
        f"{where}: transformers does not know the model type {source.config.get('model_type')!r} of {source.name}; "
        "if it comes with code of its own that you trust, trust_remote_code: true runs it"
    )


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
