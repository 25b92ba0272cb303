"""Write a model as the Hub expects it: weights in the released names, remote code, tokenizer, settings, card.

A source may be a folder or a name on the Hub: a released checkpoint, or one trained here.
"""

import json
import shutil
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from .checkpoint_layout import parse_size, released_tensors, write_checkpoint
from .configuration_bailing_moe import AUTO_MAP, BailingMoeConfig
from .modeling_bailing_moe import BailingMoeForCausalLM
from .tokenizer import ROLE_START

REMOTE_CODE_FILES = (
    "configuration_bailing_moe.py",
    "modeling_bailing_moe.py",
    "experts.py",
    "losses.py",
    "norm_head.py",
    "quantization.py",
    "strict_loading.py",
)


def load_tokenizer(source: str, revision: str | None = None) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer of a checkpoint as it is, or None where it has none."""
    try:
        return PreTrainedTokenizerFast.from_pretrained(source, revision=revision or "main")
    except (OSError, ValueError):
        return None


def export_model(
    model: BailingMoeForCausalLM,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: str | Path,
    *,
    state_dict: dict[str, torch.Tensor] | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hub-ready folder that `AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` loads.

    The special ids in the model's configuration and generation configuration are set from the tokenizer. The weights
    are written without a second copy of them in memory.

    Args:
        model (`BailingMoeForCausalLM`): unwrapped (no DDP or accelerate shell around it), not quantised.
        tokenizer (*optional*): saved beside it with its chat template; None leaves tokenizer files alone.
        folder: created if needed; other files in it stay.
        state_dict (*optional*): weights gathered by the caller (FSDP), in the runtime's names.
        max_shard_size (`str`): size of one safetensors file, such as "5GB".

    Returns:
        `Path`: the folder.

    Raises:
        ValueError: the tokenizer has more tokens than the model has rows, or the model is of another type.

    Source: names and auto_map are those of the released repositories.
    """
    folder = Path(folder)
    config: BailingMoeConfig = model.config
    if config.model_type != "bailing_moe":
        raise ValueError(f"export_model writes bailing_moe models, got model_type {config.model_type!r}")
    if getattr(model, "hf_quantizer", None) is not None:
        raise ValueError("export_model writes plain weights: load the model without quantization_config")
    ids = special_ids(config, tokenizer)
    tensors = model.state_dict() if state_dict is None else state_dict
    kept = ((name, tensor) for name, tensor in tensors.items() if not _is_tied(name, config))
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(released_tensors(kept), folder, parse_size(max_shard_size))
    for key, value in ids.items():
        setattr(config, key, value)
        setattr(model.generation_config, key, value)
    model.generation_config.eos_token_id = stop_token_ids(ids["eos_token_id"], tokenizer)
    config.dtype = next(iter(tensors.values())).dtype
    write_settings(config, tokenizer, folder, model.generation_config)
    return folder


def special_ids(config: BailingMoeConfig, tokenizer: PreTrainedTokenizerBase | None) -> dict[str, int | None]:
    """Return bos, eos and pad ids: the tokenizer's, or without one the configuration's own.

    Raises:
        ValueError: the tokenizer has more tokens than the model has rows.
    """
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    if tokenizer is None:
        return {name: getattr(config, name) for name in names}
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens but the model only vocab_size={config.vocab_size} "
            "rows: build the model with load_preset(..., vocab_size=len(tokenizer)) or more"
        )
    return {name: getattr(tokenizer, name) for name in names}


def stop_token_ids(end_id: int | None, tokenizer: PreTrainedTokenizerBase | None) -> int | list[int] | None:
    """Return what ends a generation: the end token and, since it ends every answer but the last, `<role>`."""
    role_id = None if tokenizer is None else tokenizer.get_vocab().get(ROLE_START)
    return end_id if end_id is None or role_id is None else [end_id, role_id]


def write_settings(
    config: BailingMoeConfig,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: Path,
    generation_config: GenerationConfig,
) -> None:
    """Write everything of a Hub-ready folder but weights and card: settings, tokenizer, remote code."""
    config.architectures = ["BailingMoeForCausalLM"]
    config.save_pretrained(folder)
    generation_config.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
        # transformers 5 writes a class name that older releases and other engines do not know; it reads this one too.
        settings: dict[str, object] = {"tokenizer_class": "PreTrainedTokenizerFast"}
        if tokenizer.model_max_length > VERY_LARGE_INTEGER // 2:  # a tokenizer that knows of no limit
            settings["model_max_length"] = config.max_position_embeddings
        _update_json(folder / "tokenizer_config.json", settings)
    for name in REMOTE_CODE_FILES:
        source = Path(__file__).parent / name
        if not (folder / name).exists() or not source.samefile(folder / name):
            shutil.copyfile(source, folder / name)
    _update_json(folder / "config.json", {"auto_map": AUTO_MAP})


def _is_tied(name: str, config: BailingMoeConfig) -> bool:
    return config.tie_word_embeddings and name == "lm_head.weight"


def _update_json(path: Path, values: dict[str, object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | values
    temporary = path.with_suffix(".json.partial")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


__all__ = ["REMOTE_CODE_FILES", "export_model", "load_tokenizer", "special_ids", "stop_token_ids", "write_settings"]
