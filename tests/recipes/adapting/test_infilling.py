"""Gaps in files, what a model is asked, and what is counted of its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from recipes.adapting.infilling import (
    KINDS,
    RANDOM_SPAN,
    SEVERAL_LINES,
    SINGLE_LINE,
    Filler,
    Filling,
    Gap,
    compare,
    edit_similarity,
    gaps_of,
    load_fillings,
    save_fillings,
)
from tests.recipes.adapting.conftest import CONFIGS

pytestmark = pytest.mark.slow

TEXT = "import os\n\n\ndef join(first, second):\n    both = os.path.join(first, second)\n    return both\n" * 3


def rows(*texts: str) -> list[dict[str, str]]:
    return [{"path": f"{number}.py", "repository": "r", "content": text} for number, text in enumerate(texts)]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab c\n\té中😀{}", max_size=300), st.integers(0, 5))
def test_the_pieces_of_a_gap_are_the_file(text: str, seed: int) -> None:
    for gap in gaps_of(rows(text), per_file=3, seed=seed):
        assert gap.prefix + gap.middle + gap.suffix == text
        assert gap.middle.strip()
        if gap.kind == SINGLE_LINE:
            assert "\n" not in gap.middle
            assert gap.suffix[:1] in ("", "\n")
            assert not gap.prefix.rsplit("\n", 1)[-1].strip(), "an editor has indented the line"


def test_there_are_gaps_of_all_kinds_and_they_are_drawn_again() -> None:
    gaps = gaps_of(rows(TEXT))
    assert {gap.kind for gap in gaps} == set(KINDS)
    assert all(2 <= len(gap.middle.splitlines()) <= 6 for gap in gaps if gap.kind == SEVERAL_LINES)
    assert all(8 <= len(gap.middle) <= 200 for gap in gaps if gap.kind == RANDOM_SPAN)
    assert gaps == gaps_of(rows(TEXT))
    assert gaps != gaps_of(rows(TEXT), seed=1)
    assert gaps_of(rows("", "x", "}\n}\n}\n")) == []


@pytest.mark.parametrize(
    ("first", "second", "similarity"),
    [("", "", 1), ("", "ab", 0), ("abc", "abc", 1), ("kitten", "sitting", 1 - 3 / 7), ("中文", "中", 0.5)],
)
def test_edit_similarity(first: str, second: str, similarity: float) -> None:
    assert edit_similarity(first, second) == pytest.approx(similarity)


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_a_model_of_each_family_is_asked_in_its_own_form(family: str, make_model: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model(family))
    model = AutoModelForCausalLM.from_pretrained(make_model(family)).eval()
    filler = Filler(model, tokenizer, max_context=256, max_new_tokens=8)
    gap = Gap("a", SINGLE_LINE, "x = 1\n" * 300, "y = 2", "\nz = 3" * 300)
    ids = filler.prompt(gap)
    assert 150 < len(ids) <= 248
    text = tokenizer.decode(ids)
    assert "x = 1" in text
    assert "z = 3" in text, "a long file is shortened on both sides"
    gaps = gaps_of(rows(TEXT))
    alone = [filler.fill([gap])[0] for gap in gaps]
    together = filler.fill(gaps, batch_size=4)
    assert [filling.answer for filling in together] == [filling.answer for filling in alone]
    assert all(0 <= filling.similarity <= 1 for filling in together)
    assert all(filling.loss_per_byte > 0 for filling in together)


def test_any_special_token_ends_an_answer(make_model: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model("Qwen2.5-Coder"))
    filler = Filler(AutoModelForCausalLM.from_pretrained(make_model("Qwen2.5-Coder")), tokenizer, 256)
    for end in ("<|fim_pad|>", "<|endoftext|>", "<|fim_prefix|>"):
        ids = [*tokenizer.encode("a = 1"), tokenizer.convert_tokens_to_ids(end), *tokenizer.encode("b = 2")]
        assert filler._text(ids) == "a = 1"


def test_figures_come_with_intervals_and_differences_are_paired(tmp_path: Path) -> None:
    def filling(number: int, exact: bool) -> Filling:
        return Filling(f"{number}.py", SINGLE_LINE, "a", "a" if exact else "b", exact, float(exact), 2.0 - exact)

    before = [filling(number, number < 5) for number in range(40)]
    after = [filling(number, number < 30) for number in range(40)]
    summary = save_fillings(after, "m", tmp_path / "after.json")[SINGLE_LINE]
    assert summary["exact_match"] == 0.75
    low, high = summary["exact_match_interval"]
    assert low < 0.75 < high
    assert load_fillings(tmp_path / "after.json") == after
    mean, low, high = compare(before, after)[SINGLE_LINE]["similarity"]
    assert mean == pytest.approx(25 / 40)
    assert 0 < low < mean < high
