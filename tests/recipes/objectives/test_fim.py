"""Section 3.2: fill-in-the-middle rearranges a document and loses none of it."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from modeling_ling.fill_in_the_middle import FIM_MARKERS, fim_marker_ids
from modeling_ling.tokenizer import encode_text
from recipes.objectives.fim import LAYOUTS, FimConfig, FimPiece, apply_fim, draw_cut, refusal, resolve_markers
from recipes.objectives.fim_ids import FimEncoder

THIRDS = {"psm": 0.3, "spm": 0.3, "suffix_prefix_middle": 0.4}
ALWAYS = FimConfig(rate=1.0, layouts=THIRDS, **FIM_MARKERS)
ALPHABET = (
    "abc def\n\t()=:'\"0123 \u4e2d\u6587\u65e5\u672c\u8a9e \U0001f600\U0001f469\u200d\U0001f4bb \u00e9\u00df \u05d0"
)


def recombine(pieces: list[FimPiece]) -> str:
    """Put a rearranged document back in its order."""
    if len(pieces) == 1:
        return pieces[0].value
    prefix, suffix, middle, _ = ALWAYS.markers
    texts: dict[str, str] = {}
    marker = ""
    rest: list[str] = []
    for piece in pieces:
        if piece.is_marker:
            marker = piece.value
        elif marker in texts:
            rest.append(piece.value)
        else:
            texts[marker] = piece.value
    if rest:  # spm: the prefix stands behind the middle's marker
        return texts[middle] + rest[0] + texts[suffix]
    return texts[prefix] + texts[middle] + texts[suffix]


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


def only(layout: str) -> FimConfig:
    return FimConfig(rate=1, layouts={layout: 1.0}, **FIM_MARKERS)


def layout_of(pieces: list[FimPiece]) -> str:
    if pieces[1].is_marker:
        return "spm"
    return "psm" if pieces[0].value == FIM_MARKERS["prefix"] else "suffix_prefix_middle"


def test_the_rate_and_the_shares_of_the_layouts_are_within_three_sigma() -> None:
    config = FimConfig(rate=0.5, layouts=THIRDS, **FIM_MARKERS)
    number = 4000
    results = [apply_fim("x = 1\n" * 10, f"{document}", config, seed=3) for document in range(number)]
    chosen = [pieces for pieces in results if len(pieces) > 1]
    assert abs(len(chosen) - 0.5 * number) < 3 * math.sqrt(number * 0.25)
    counts = Counter(map(layout_of, chosen))
    for layout, share in THIRDS.items():
        assert abs(counts[layout] - share * len(chosen)) < 3 * math.sqrt(len(chosen) * share * (1 - share))


def test_the_layouts_hold_the_same_parts_in_their_orders() -> None:
    text = "abcdefghijklmnop"
    pre, suf, mid, _ = ALWAYS.markers
    psm, spm, seed_coder = ([piece.value for piece in apply_fim(text, "k", only(name), seed=0)] for name in LAYOUTS)
    prefix, suffix, middle = psm[1], psm[3], psm[5]
    assert prefix + middle + suffix == text
    assert psm == [pre, prefix, suf, suffix, mid, middle]
    assert spm == [pre, suf, suffix, mid, prefix, middle]
    assert seed_coder == [suf, suffix, pre, prefix, mid, middle]


def prompt_of(layout: str, prefix: list[int], suffix: list[int], markers: dict[str, int]) -> list[int]:
    """The ids that an editor sends: both sides of the cursor, encoded by themselves."""
    pre, suf, mid = markers["prefix"], markers["suffix"], markers["middle"]
    if layout == "psm":
        return [pre, *prefix, suf, *suffix, mid]
    if layout == "spm":
        return [pre, suf, *suffix, mid, *prefix]
    return [suf, *suffix, pre, *prefix, mid]


@settings(max_examples=150, deadline=None)
@given(
    text=st.lists(st.sampled_from([*ALPHABET, "\r\n", "\n    ", "return x", "e\u0301"]), min_size=10, max_size=80),
    key=st.integers(),
    layout=st.sampled_from([*LAYOUTS]),
)
def test_what_is_trained_begins_with_the_prompt_of_an_editor(
    tokenizer: PreTrainedTokenizerFast, text: list[str], key: int, layout: str
) -> None:
    document = "".join(text)
    config, markers = only(layout), fim_marker_ids(tokenizer)
    ids = FimEncoder(tokenizer, config, seed=0).rearrange(np.array(encode_text(tokenizer, document)), f"{key}")
    cut = draw_cut(len(document), f"{key}", config, 0)
    prefix, middle, suffix = document[: cut.start], document[cut.start : cut.end], document[cut.end :]
    prompt = prompt_of(layout, encode_text(tokenizer, prefix), encode_text(tokenizer, suffix), markers)
    assert ids == prompt + encode_text(tokenizer, middle)


def test_real_files_are_trained_as_editors_ask(tokenizer: PreTrainedTokenizerFast, source_texts: list[str]) -> None:
    markers = fim_marker_ids(tokenizer)
    for layout, text in zip([*LAYOUTS] * 20, source_texts, strict=True):
        config = only(layout)
        ids = FimEncoder(tokenizer, config, seed=0).rearrange(np.array(encode_text(tokenizer, text)), "key")
        cut = draw_cut(len(text), "key", config, 0)
        parts = [text[: cut.start], text[cut.start : cut.end], text[cut.end :]]
        prefix, middle, suffix = (encode_text(tokenizer, part) for part in parts)
        assert ids == prompt_of(layout, prefix, suffix, markers) + middle


def test_ids_that_are_not_the_tokenizers_own_are_kept_outside_of_the_cut_lines(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    text = "".join(f"value_{number} = {number}\n" for number in range(40))
    one_by_one = np.array([token for character in text for token in encode_text(tokenizer, character)])
    ids = FimEncoder(tokenizer, only("psm"), seed=0).rearrange(one_by_one, "k")
    assert recombine(apply_fim(text, "k", only("psm"), 0)) == text
    decoded = [tokenizer.decode([token]) for token in ids if token not in fim_marker_ids(tokenizer).values()]
    assert sum(len(token) > 1 for token in decoded) < 30
    cut = draw_cut(len(text), "k", only("psm"), 0)
    assert "".join(decoded) == text[: cut.start] + text[cut.end :] + text[cut.start : cut.end]


def test_a_tokenizer_of_another_construction_is_encoded_in_full(source_texts: list[str]) -> None:
    other = Tokenizer(models.BPE())
    other.pre_tokenizer, other.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    specials = [f"<{name}>" for name in FIM_MARKERS]
    trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), vocab_size=400)
    other.train_from_iterator(source_texts[:2], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=other, additional_special_tokens=specials)
    names = dict(zip(FIM_MARKERS, specials, strict=True))
    config = FimConfig(rate=1, layouts={"spm": 1}, **names)
    text = source_texts[2][:2000]
    ids = FimEncoder(tokenizer, config, seed=0).rearrange(np.array(encode_text(tokenizer, text)), "key")
    cut = draw_cut(len(text), "key", config, 0)
    prefix, middle, suffix = text[: cut.start], text[cut.start : cut.end], text[cut.end :]
    markers = fim_marker_ids(tokenizer, names)
    prompt = prompt_of("spm", encode_text(tokenizer, prefix), encode_text(tokenizer, suffix), markers)
    assert ids == prompt + encode_text(tokenizer, middle)


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


@pytest.mark.parametrize(
    "arguments",
    [
        {"rate": 1.5},
        {"layouts": {"psm": 0.5}},
        {"layouts": {"PSM": 1.0}},
        {"layouts": {"psm": -0.1, "spm": 1.1}},
        {"min_chars": -1},
        {"prefix": "<p>"},
    ],
)
def test_a_wrong_configuration_is_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="FIM"):
        FimConfig(**arguments)
