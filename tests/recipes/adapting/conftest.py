"""Tiny random models of other makers' architectures, whose tokenizers have their makers' fill-in-the-middle tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Starcoder2Config,
)

from modeling_ling.fill_in_the_middle import FAMILIES, MarkerFamily

SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
}
CONFIGS: dict[str, type[PretrainedConfig]] = {
    "Qwen2.5-Coder": Qwen2Config,
    "StarCoder": Starcoder2Config,
    "DeepSeek-Coder": LlamaConfig,
    "Code Llama": LlamaConfig,
}
END = {"DeepSeek-Coder": "<\uff5cend\u2581of\u2581sentence\uff5c>", "Code Llama": "</s>"}
BEGIN = {"DeepSeek-Coder": "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "Code Llama": "<s>"}


def family_named(name: str) -> MarkerFamily:
    return next(family for family in FAMILIES if family.name == name)


def make_tokenizer(family: str, texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of the family's construction: bytes, or for Code Llama words that begin with a space."""
    markers = family_named(family)
    tokenizer = Tokenizer(models.BPE(byte_fallback=family == "Code Llama"))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if family == "Code Llama":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        texts = [line for text in texts for line in text.splitlines(keepends=True)]  # a text is one word to the trainer
        alphabet = sorted({character for text in texts for character in text} | {"\u2581", "\u263a"})
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    )
    end, begin = END.get(family, "<|endoftext|>"), BEGIN.get(family)
    names = [end, begin, *markers.markers, markers.pad, markers.end]
    specials = list(dict.fromkeys(name for name in names if name))
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in specials])
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=end,
        bos_token=begin,
        pad_token=end,
        clean_up_tokenization_spaces=False,
    )


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory, source_texts: list[str]) -> Callable[[str], Path]:
    """Gives the folder of a tiny model of a family, made once."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp("models") / family.replace(" ", "_")
            tokenizer = make_tokenizer(family, source_texts[:20])
            tokenizer.save_pretrained(folder)
            torch.manual_seed(0)
            config = CONFIGS[family](
                vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=False, **SIZES
            )
            AutoModelForCausalLM.from_config(config).save_pretrained(folder)
            made[family] = folder
        return made[family]

    return make
