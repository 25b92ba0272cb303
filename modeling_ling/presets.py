"""Section 3.1: ready geometries, one JSON file each.

lite          Ling-Coder-Lite as released: 16.8B parameters, 2.75B active
ablation_1b   about 1B parameters for data ablations: same structure, our choice of widths (the paper's is not known)
tiny          about 3M parameters for a CPU: same structure, head size 64 so that vLLM can serve it
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .configuration_bailing_moe import BailingMoeConfig

PRESETS = ("tiny", "ablation_1b", "lite")


def preset_values(name: str, vocab_size: int | None = None) -> dict[str, Any]:
    """Return the keys of a preset's configuration; torch and transformers are not needed.

    Args:
        name (`str`): "tiny", "ablation_1b" or "lite".
        vocab_size (`int`, *optional*): rows of embedding and head, when another tokenizer is used. The special ids
            are then cleared: they belong to the tokenizer (`export_model` and the recipes set them from it).

    Raises:
        ValueError: the name is no preset.

    Source: paper 3.1 (lite); the other two are ours.
    """
    if name not in PRESETS:
        raise ValueError(f"{name!r} is no preset: choose one of {', '.join(PRESETS)}")
    values = json.loads((Path(__file__).parent / "presets" / f"{name}.json").read_text(encoding="utf-8"))
    if vocab_size is not None and vocab_size != values["vocab_size"]:
        values.update(vocab_size=vocab_size, eos_token_id=None, pad_token_id=None)
    return values


def load_preset(name: str, vocab_size: int | None = None) -> BailingMoeConfig:
    """Return the configuration of a preset; the arguments are `preset_values`'s."""
    from .configuration_bailing_moe import BailingMoeConfig

    return BailingMoeConfig(**preset_values(name, vocab_size))


__all__ = ["PRESETS", "load_preset", "preset_values"]
