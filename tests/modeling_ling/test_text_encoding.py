"""Text encoded word by word has the ids that the library gives, and lines can be encoded apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from modeling_ling.text_encoding import LINE_START, TextEncoder, byte_characters, text_encoder
from modeling_ling.tokenizer import encode_text, train_tokenizer

# What the pattern treats apart, and where Python's tables differ from the library's.
PIECES = st.sampled_from(
    [
        *"\n\r\t aZ9'()._\x0b\x1c\x00é中😀\u017f\u212a",
        "\r\n",
        "'s",
        "'LL",
        "'\u017f",
        "e\u0301",
        "\x85",
        "\u2028",
        "\xa0",
        "<role>",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=16).map("".join)


def by_the_library(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@given(TEXTS)
def test_ids_are_the_librarys(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert text_encoder(tokenizer).is_fast
    assert encode_text(tokenizer, text) == by_the_library(tokenizer, text)


@given(TEXTS)
def test_texts_cut_at_line_starts_keep_their_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    whole = by_the_library(tokenizer, text)
    for cut in (match.start() for match in LINE_START.finditer(text)):
        assert by_the_library(tokenizer, text[:cut]) + by_the_library(tokenizer, text[cut:]) == whole


def test_a_word_beyond_the_cache_and_an_added_token_change_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_ling.text_encoding.MAX_CACHED_WORDS", 3)
    tokenizer = train_tokenizer(["def add(a, b): return a + b\n"] * 3, 400)
    text = "def add(a, b):\n\n    return [a, b]" + "x" * 200
    assert encode_text(tokenizer, text) == by_the_library(tokenizer, text)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<extra>"]})
    assert encode_text(tokenizer, "a <extra> b") == by_the_library(tokenizer, "a <extra> b")
    tokenizer.add_tokens(AddedToken("return", special=False))
    assert not text_encoder(tokenizer).is_fast
    assert encode_text(tokenizer, text) == by_the_library(tokenizer, text)


@pytest.mark.parametrize("pattern", [r"\s+|\S+", r"."])
def test_another_construction_is_left_to_the_library(pattern: str) -> None:
    other = Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(use_regex=False)]
    )
    other.train_from_iterator(["a b c"], trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=other)
    encoder = TextEncoder(tokenizer)
    assert not encoder.is_fast
    assert encoder.encode("a b\nc") == by_the_library(tokenizer, "a b\nc")


def test_the_characters_of_bytes_are_the_librarys() -> None:
    assert sorted(byte_characters().values()) == sorted(pre_tokenizers.ByteLevel.alphabet())
