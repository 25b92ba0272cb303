"""A small world for training tests: a tokenizer, token files, conversations, pairs and a model of 0.1M parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

CODE = "def add_{0}(a, b):\n    # add two numbers, number {0}\n    return a + b + {0}\n\n\nprint(add_{0}({0}, 2))\n"
PROSE = "Number {0} is followed by number {1}. People who count write it down, line after line.\n"
SUM = "Ann has {0} apples and buys {1} more. She now has {2} apples.\n"


@dataclass(frozen=True)
class SmallWorld:
    """Paths of what the recipes read.

    Attributes:
        root: what recipes call data_root.
        model: folder of a fresh model.
    """

    root: Path
    model: Path


def _texts() -> dict[str, list[str]]:
    return {
        "code_raw": [CODE.format(number) * (1 + number % 3) for number in range(60)],
        "code_related": [f"add_{number} adds two numbers and {number}.\n" for number in range(60)],
        "code_synthetic": [f"What does add_{number}(1, 2) return? {number + 3}\n" for number in range(60)],
        "natural_language": [PROSE.format(number, number + 1) * 2 for number in range(60)],
        "math": [SUM.format(number, number + 1, 2 * number + 1) for number in range(60)],
    }


def _write_parquet(folder: Path, rows: list[dict]) -> None:
    from datasets import Dataset

    (folder / "data").mkdir(parents=True)
    Dataset.from_list(rows).to_parquet(folder / "data" / "train_00000_of_00001.parquet")


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """Builds everything with the real tokenizer trainer, token-file writer and export."""
    torch.set_num_threads(1)
    from datasets_builders.tokenized.token_files import write_token_store
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint
    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
    from modeling_ling.export import export_model
    from modeling_ling.tokenizer import encode_text, train_tokenizer

    root = tmp_path_factory.mktemp("world")
    texts = _texts()
    tokenizer = train_tokenizer([text for group in texts.values() for text in group], 420)
    tokenizer.save_pretrained(root / "tokenizer")
    for name, documents in texts.items():
        write_token_store(
            root / "datasets" / "tokenized" / "data" / f"{name}.ds",
            [[*encode_text(tokenizer, text), tokenizer.eos_token_id] for text in documents],
            {"source": name, "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
        )
    conversations = [
        {
            "mid": f"c{number}",
            "messages": [
                {"role": "user", "content": f"Write add_{number}. <role>"},
                {"role": "assistant", "content": CODE.format(number)},
            ],
        }
        for number in range(40)
    ]
    conversations.append(
        {
            "mid": "too-long",
            "messages": [
                {"role": "user", "content": "Write much."},
                {"role": "assistant", "content": "word " * 500},
            ],
        }
    )
    _write_parquet(root / "datasets" / "sft", conversations)
    pairs = [
        {"mid": f"p{number}", "prompt": f"What is {number} + 1?", "chosen": f"{number + 1}", "rejected": f"{number}"}
        for number in range(24)
    ]
    _write_parquet(root / "datasets" / "dpo", pairs)
    torch.manual_seed(0)
    config = BailingMoeConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        moe_intermediate_size=32,
        num_experts=4,
        num_experts_per_tok=2,
        num_shared_experts=1,
        norm_head=True,
        initializer_range=0.02,
        max_position_embeddings=512,
    )
    export_model(BailingMoeForCausalLM(config), tokenizer, root / "fresh")
    return SmallWorld(root, root / "fresh")
