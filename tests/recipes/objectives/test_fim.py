"""Section 3.2: fill-in-the-middle rearranges a document and loses none of it."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from modeling_ling.tokenizer import FIM_MARKERS, encode_text
from recipes.objectives.fim import FimConfig, FimPiece, apply_fim, refusal, resolve_markers

ALWAYS = FimConfig(rate=1.0, spm_rate=0.5, **FIM_MARKERS)
ALPHABET = (
    "abc def\n\t()=:'\"0123 \u4e2d\u6587\u65e5\u672c\u8a9e \U0001f600\U0001f469\u200d\U0001f4bb \u00e9\u00df \u05d0"
)


def recombine(pieces: list[FimPiece]) -> str:
    """Put a rearranged document back in its order, for checks and for `--show_batch`.

    Args:
        pieces: what `apply_fim` returned.

    Returns:
        The document's text.
    """
    texts = [piece.value for piece in pieces if not piece.is_marker]
    if len(pieces) == 1:
        return texts[0]
    if pieces[1].is_marker:
        suffix, prefix_and_middle = texts
        return prefix_and_middle + suffix
    prefix, suffix, middle = texts
    return prefix + middle + suffix


def test_the_parts_of_1000_random_strings_recombine_to_the_source() -> None:
    draw = random.Random(0)
    for number in range(1000):
        text = "".join(draw.choices(ALPHABET, k=draw.randrange(10, 400)))
        pieces = apply_fim(text, f"document {number}", ALWAYS, seed=1)
        assert len(pieces) > 1
        assert recombine(pieces) == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(min_size=10), key=st.text(), seed=st.integers(0, 2**32))
def test_any_text_recombines(text: str, key: str, seed: int) -> None:
    key = key.encode("utf-8", "replace").decode()
    assert recombine(apply_fim(text, key, ALWAYS, seed)) == text


def test_the_rate_and_the_share_of_both_layouts_are_within_three_sigma() -> None:
    config = FimConfig(rate=0.5, spm_rate=0.3, **FIM_MARKERS)
    number = 4000
    results = [apply_fim("x = 1\n" * 10, f"{document}", config, seed=3) for document in range(number)]
    chosen = [pieces for pieces in results if len(pieces) > 1]
    assert abs(len(chosen) - 0.5 * number) < 3 * math.sqrt(number * 0.25)
    spm = sum(pieces[1].is_marker for pieces in chosen)
    assert abs(spm - 0.3 * len(chosen)) < 3 * math.sqrt(len(chosen) * 0.21)


def test_the_layouts_are_psm_and_spm_variant_2() -> None:
    text = "abcdefghijklmnop"
    prefix, suffix, middle, _ = ALWAYS.markers
    psm = apply_fim(text, "k", FimConfig(rate=1, spm_rate=0, **FIM_MARKERS), seed=0)
    assert [piece.value for piece in psm if piece.is_marker] == [prefix, suffix, middle]
    assert [piece.is_marker for piece in psm] == [True, False, True, False, True, False]
    spm = apply_fim(text, "k", FimConfig(rate=1, spm_rate=1, **FIM_MARKERS), seed=0)
    assert [piece.is_marker for piece in spm] == [True, True, False, True, False]
    # The same cuts: suffix alone, then prefix and middle without a marker between them.
    assert spm[2].value == psm[3].value
    assert spm[4].value == psm[1].value + psm[5].value


def test_rate_0_is_the_identity() -> None:
    config = FimConfig(rate=0.0, **FIM_MARKERS)
    assert all(apply_fim("some text " * 5, str(key), config, seed=0)[0].value == "some text " * 5 for key in range(200))


def test_the_same_seed_and_key_give_the_same_result_in_any_order() -> None:
    keys = [str(number) for number in range(200)]
    config = FimConfig(rate=0.5, **FIM_MARKERS)
    forwards = {key: apply_fim("a text of some length", key, config, seed=5) for key in keys}
    backwards = {key: apply_fim("a text of some length", key, config, seed=5) for key in reversed(keys)}
    assert forwards == backwards
    assert forwards != {key: apply_fim("a text of some length", key, config, seed=6) for key in keys}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("short", "fim_too_short"),
        (f"text with {FIM_MARKERS['middle']} in it", "fim_marker_in_text"),
        ("lost \N{REPLACEMENT CHARACTER} bytes, long enough", "fim_undecodable"),
        ("a text that may be rearranged", None),
    ],
)
def test_texts_that_must_be_left_are_left_and_say_why(text: str, reason: str | None) -> None:
    assert refusal(text, ALWAYS) == reason
    assert (len(apply_fim(text, "key", ALWAYS, seed=0)) == 1) == (reason is not None)


def test_default_markers_are_single_reserved_tokens_of_the_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    config = resolve_markers(FimConfig(), tokenizer)
    assert config.markers == tuple(FIM_MARKERS.values())
    # As text in a document the same strings are several ordinary tokens.
    assert all(len(encode_text(tokenizer, marker)) > 1 for marker in config.markers)


def test_markers_that_are_not_one_token_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    wrong = FimConfig(prefix="<fim_prefix>", suffix="<fim_suffix>", middle="<fim_middle>", pad="<fim_pad>")
    with pytest.raises(ValueError, match=r"<fim_prefix>.*encodes to"):
        resolve_markers(wrong, tokenizer)


@pytest.mark.parametrize("arguments", [{"rate": 1.5}, {"spm_rate": -0.1}, {"min_chars": -1}, {"prefix": "<p>"}])
def test_a_wrong_configuration_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="FIM"):
        FimConfig(**arguments)
