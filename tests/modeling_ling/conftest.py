"""Fixtures of the model tests: a small random model that shows every usual mistake, and a tokenizer."""

from collections.abc import Callable

import pytest
import torch
import transformers
from packaging.version import Version

from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
from modeling_ling.tokenizer import train_tokenizer

# transformers 5.17, the oldest supported: no ep_size, no uneven tensor parallel split, no gradient of compiled float32
# grouped products.
needs_transformers_5_23 = pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.23"), reason="transformers below 5.23 lacks what this tests"
)

TEXTS = [
    "def add(first, second):\n    return first + second\n\n\nclass Stack:\n    def push(self, item):\n        pass\n",
    "import os\nfor name in os.listdir('.'):\n    print(name, 'HUMAN', \"ASSISTANT\", 42)\n",
    "The quick brown fox doesn't jump over the lazy dog. Question: what does the function return? Answer: 7.",
] * 4


def make_config(**overrides: object) -> BailingMoeConfig:
    values: dict[str, object] = {
        "vocab_size": 509,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "moe_intermediate_size": 24,
        "num_experts": 16,
        "num_experts_per_tok": 4,
        "num_shared_experts": 2,
        "norm_head": True,
        "rope_theta": 600000.0,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-6,
        "initializer_range": 0.1,
        "router_aux_loss_coef": 0.015,
        "router_z_loss_coef": 1e-4,
    }
    return BailingMoeConfig(**(values | overrides))


@torch.no_grad()
def make_model(seed: int = 0, **overrides: object) -> BailingMoeForCausalLM:
    """Build a model on which a nearly right implementation differs visibly: sharp router, uneven head columns."""
    torch.manual_seed(seed)
    model = BailingMoeForCausalLM(make_config(**overrides))
    for name, parameter in model.named_parameters():
        if name.endswith("mlp.gate.weight"):
            parameter.mul_(6.0)
        elif name.endswith("bias"):
            parameter.uniform_(-0.2, 0.2)
        elif "norm" in name:
            parameter.uniform_(0.5, 1.5)
    if not model.config.tie_word_embeddings:
        model.lm_head.weight.mul_(torch.empty(model.config.hidden_size).uniform_(0.5, 1.5))
    return model


@pytest.fixture
def build_model() -> Callable[..., BailingMoeForCausalLM]:
    return make_model


@pytest.fixture(scope="session")
def build_config() -> Callable[..., BailingMoeConfig]:
    return make_config


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(TEXTS, vocab_size=420)


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(0, 509, (2, 9), generator=torch.Generator().manual_seed(1))
