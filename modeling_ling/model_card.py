"""The card of an exported model: what it is, how it is loaded, what it is made of. All of it is computed.

A training run writes a card of its own, with the run's facts; this one is for checkpoints that come without.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from huggingface_hub import ModelCardData

from .accounting import count_parameters

if TYPE_CHECKING:
    from .configuration_bailing_moe import BailingMoeConfig

CARD_FILE = "README.md"
_NORM_HEAD = (
    "The output head is used with every column divided by its norm over the vocabulary (NormHead); engines that know "
    "the architecture do the same."
)


def render_card(config: BailingMoeConfig, name: str, base_model: str | None = None) -> str:
    """Return the card as Markdown with YAML metadata.

    Args:
        name (`str`): ORG/NAME on the Hub, or the name of the folder.
        base_model (`str`, *optional*): name on the Hub of the checkpoint that the weights come from.
    """
    count = count_parameters(config)
    facts = {
        "layers": f"{config.num_hidden_layers}, the first {config.first_k_dense_replace} dense",
        "hidden size": config.hidden_size,
        "experts": f"{config.num_experts} routed, top {config.num_experts_per_tok}; {config.num_shared_experts} shared",
        "width of an expert": config.moe_intermediate_size,
        "attention": f"{config.num_attention_heads} heads of {config.head_dim}, {config.num_key_value_heads} for keys",
        "vocabulary": config.vocab_size,
        "context": f"{config.max_position_embeddings:,} tokens",
        "NormHead": "yes" if config.norm_head else "no",
    }
    components = [
        f"| {name.replace('_', ' ')} | {total:,} | {active:,} |"
        for name, (total, active) in count.by_component().items()
    ]
    data = ModelCardData(
        license="mit",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["code", "mixture-of-experts", "bailing_moe"],
        base_model=base_model,
    )
    template = Template((Path(__file__).parent / "model_card.md").read_text(encoding="utf-8"))
    body = template.substitute(
        name=name,
        total=f"{count.total:,}",
        active=f"{count.active:,}",
        facts="\n".join(f"| {key} | {value} |" for key, value in facts.items()),
        components="\n".join(components),
        norm_head=_NORM_HEAD if config.norm_head else "",
        aux_coefficient=config.router_aux_loss_coef,
        z_coefficient=config.router_z_loss_coef,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


def write_card(folder: Path, config: BailingMoeConfig, name: str, base_model: str | None = None) -> Path:
    """Write the card into a folder and return its path."""
    path = folder / CARD_FILE
    path.write_text(render_card(config, name, base_model), encoding="utf-8")
    return path


__all__ = ["CARD_FILE", "render_card", "write_card"]
