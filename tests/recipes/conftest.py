"""A small world for training tests: a tokenizer, token files, conversations, pairs and a model of 0.1M parameters."""

from __future__ import annotations

import gc
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from modeling_ling.tokenizer import train_tokenizer
from recipes.data.token_store import TokenStore
from tests.recipes.running.processes import import_once

RECIPES = Path(__file__).resolve().parents[2] / "recipes" / "configs" / "tiny"
COMMON = ["--sequence_length", "128", "--per_device_train_batch_size", "2", "--warmup_steps", "1"]
PRETRAIN = ["--global_batch_tokens", "512", "--max_epochs", "1000"]
STDLIB = Path(textwrap.__file__).parent

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
    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
    from modeling_ling.export import export_model
    from modeling_ling.tokenizer import encode_text

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
    # Each run ends with a collection of garbage: a third of a second of looking through what the libraries made.
    import_once()
    gc.freeze()
    return SmallWorld(root, root / "fresh")


@pytest.fixture(scope="session")
def command_line(small_world) -> Callable[..., list[str]]:
    """Gives the arguments of a small run of a shipped recipe: command_line("stage1", output_dir, field=value)."""

    def build(stage: str, output_dir: Path | None, **fields: object) -> list[str]:
        sizes = {"sft": ["--global_batch_rows", "4"], "dpo": ["--global_batch_pairs", "4"]}.get(stage, PRETRAIN)
        arguments = ["--config", str(RECIPES / f"{stage}.yaml"), "--data_root", str(small_world.root), *COMMON, *sizes]
        if stage == "stage1":
            arguments += ["--init_from", str(small_world.model)]
            if not fields.keys() & {"schedule", "drop_on", "milestones_tokens"}:
                arguments += ["--milestones_tokens", "1024"]
        if output_dir is not None:
            arguments += ["--output_dir", str(output_dir)]
        for name, value in fields.items():
            arguments += [f"--{name}", str(value)]
        return arguments

    return build


@pytest.fixture(scope="session")
def source_texts() -> list[str]:
    """Sixty files of the standard library, of all sizes, in a fixed order."""
    files = sorted(STDLIB.glob("*.py"))[:60]
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]


@pytest.fixture(scope="session")
def tokenizer(source_texts: list[str]) -> PreTrainedTokenizerFast:
    return train_tokenizer(source_texts[:20], vocab_size=1200)


@pytest.fixture(scope="session")
def write_store(tokenizer: PreTrainedTokenizerFast) -> Callable[..., TokenStore]:
    """Writes a token file from texts; the same files that the tokenized builder writes."""

    def write(folder: Path, texts: list[str], name: str = "code") -> TokenStore:
        documents = (encode_document(tokenizer, text) for text in texts)
        path = folder / "data" / f"{name}.ds"
        write_token_store(path, documents, {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)})
        return TokenStore(path)

    return write


@pytest.fixture
def make_store(tmp_path: Path, write_store: Callable[..., TokenStore]) -> Callable[..., TokenStore]:
    """Writes a token file into the test's own folder."""
    return partial(write_store, tmp_path)
