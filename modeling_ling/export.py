"""Write a model as the Hub expects it: weights in the released names, remote code, tokenizer, generation settings."""

import json
import shutil
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

REMOTE_CODE_FILES = ("configuration_bailing_moe.py", "modeling_bailing_moe.py", "losses.py")
AUTO_MAP = {
    "AutoConfig": "configuration_bailing_moe.BailingMoeConfig",
    "AutoModel": "modeling_bailing_moe.BailingMoeModel",
    "AutoModelForCausalLM": "modeling_bailing_moe.BailingMoeForCausalLM",
}


def export_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: str | Path,
    *,
    state_dict: dict[str, torch.Tensor] | None = None,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hub-ready folder that `AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` loads.

    The special ids in the model's configuration and generation configuration are set from the tokenizer.

    Args:
        model (`BailingMoeForCausalLM`): unwrapped (no DDP or accelerate shell around it).
        tokenizer (*optional*): saved beside it with its chat template; None leaves tokenizer files alone.
        folder: created if needed; other files in it stay.
        state_dict (*optional*): weights gathered by the caller (FSDP), in the runtime's names.
        max_shard_size (`str`): size of one safetensors file.

    Returns:
        `Path`: the folder.

    Raises:
        ValueError: the tokenizer has more tokens than the model has rows, or the model is of another type.

    Source: ours; names and auto_map are those of the released repositories.
    """
    folder = Path(folder)
    if model.config.model_type != "bailing_moe":
        raise ValueError(f"export_model writes bailing_moe models, got model_type {model.config.model_type!r}")
    if tokenizer is not None:
        if len(tokenizer) > model.config.vocab_size:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens but the model only vocab_size={model.config.vocab_size} "
                "rows: build the model with load_preset(..., vocab_size=len(tokenizer)) or more"
            )
        _set_special_ids(model, tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, state_dict=state_dict, max_shard_size=max_shard_size)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
        # transformers 5 writes a class name that older releases and other engines do not know; it reads this one too.
        _update_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    for name in REMOTE_CODE_FILES:
        shutil.copyfile(Path(__file__).parent / name, folder / name)
    _update_json(folder / "config.json", {"auto_map": AUTO_MAP, "architectures": ["BailingMoeForCausalLM"]})
    return folder


def _set_special_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    for key, value in ids.items():
        setattr(model.config, key, value)
    model.generation_config = GenerationConfig(**ids)


def _update_json(path: Path, values: dict[str, object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | values
    temporary = path.with_suffix(".json.partial")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


__all__ = ["AUTO_MAP", "REMOTE_CODE_FILES", "export_model"]
