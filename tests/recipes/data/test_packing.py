"""Section 3.2: packing loses no token, cuts only at line ends, and never cuts a rearranged document."""

import pickle
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.bin_packing import best_fit
from datasets_builders.tokenized.token_files import write_token_store
from modeling_ling.fill_in_the_middle import FIM_MARKERS
from modeling_ling.tokenizer import train_tokenizer
from recipes.data.chunking import Chunker
from recipes.data.packing import PackedWindows, pack_documents
from recipes.data.token_store import TokenStore
from recipes.objectives.fim import FimConfig, resolve_markers

SEQ_LENGTH = 512
MakeStore = Callable[..., TokenStore]


def runs(windows: PackedWindows) -> list[tuple[int, ...]]:
    """Every chunk of every window, as the training sees it."""
    found = []
    for window in range(len(windows)):
        start = 0
        for end in windows.boundaries(window):
            found.append(tuple(windows.ids(window)[start:end].tolist()))
            start = int(end)
    return found


def chunker(tokenizer: PreTrainedTokenizerFast, rate: float) -> Chunker:
    fim = resolve_markers(FimConfig(rate=rate), tokenizer) if rate else None
    return Chunker(tokenizer, SEQ_LENGTH, fim, seed=0, end_id=tokenizer.eos_token_id)


def test_no_token_is_lost_or_made(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str], tmp_path: Path
) -> None:
    store = make_store(source_texts)
    windows = pack_documents(store, tokenizer, SEQ_LENGTH, None, 0, tmp_path / "cache")
    packed = Counter(token for run in runs(windows) for token in run)
    stored = Counter(token for number in range(len(store)) for token in store.document(number).tolist())
    assert packed == stored
    assert windows.num_tokens == store.num_tokens
    assert windows.statistics["documents"] == len(store)
    assert windows.padding_fraction < 0.025


def test_with_fim_only_markers_and_end_tokens_are_added_and_the_text_stays(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str], tmp_path: Path
) -> None:
    store = make_store(source_texts)
    windows = pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(rate=0.5), 0, tmp_path / "cache")
    prefix, suffix, middle, _ = tokenizer.convert_tokens_to_ids(list(FIM_MARKERS.values()))
    packed, rearranged = runs(windows), 0
    characters: Counter[str] = Counter()
    for run in packed:
        if run[0] == prefix:
            rearranged += 1
            assert run.count(prefix) == run.count(suffix) == run.count(middle) == 1
            # The end token is there after the middle, once.
            assert (run[-1], run.count(tokenizer.eos_token_id)) == (tokenizer.eos_token_id, 1)
        characters.update(tokenizer.decode(run, skip_special_tokens=True))
    assert rearranged == windows.statistics["fim_rearranged"]
    left = sum(count for reason, count in windows.statistics.items() if reason.startswith("fim_")) - rearranged
    left -= windows.statistics["fim_end_tokens_added"]
    assert 0.4 < (rearranged + left) / windows.statistics["chunks"] < 0.6
    # Re-encoding the parts may change tokens, never text.
    original: Counter[str] = Counter()
    for number in range(len(store)):
        original.update(tokenizer.decode(store.document(number), skip_special_tokens=True))
    assert characters == original
    assert windows.padding_fraction < 0.03


def test_documents_are_cut_at_line_ends_and_only_if_longer_than_a_window(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str]
) -> None:
    store = make_store(source_texts[:20])
    parts: dict[int, list[np.ndarray]] = {}
    for chunk in chunker(tokenizer, rate=0).chunks(store):
        assert 0 < len(chunk.ids) <= SEQ_LENGTH
        parts.setdefault(chunk.document, []).append(chunk.ids)
    assert any(len(chunks) > 3 for chunks in parts.values())
    inside_lines = total = 0
    for number, chunks in parts.items():
        document = store.document(number)
        assert np.array_equal(np.concatenate(chunks), document)
        assert (len(chunks) > 1) == (len(document) > SEQ_LENGTH)
        for before, after in pairwise(chunks):
            total += 1
            cut = tokenizer.decode(before).endswith("\n") or tokenizer.decode(after).startswith("\n")
            inside_lines += not cut
    # Only a line longer than a quarter of the window is cut inside.
    assert inside_lines / total < 0.01


def test_a_line_longer_than_a_window_is_cut_without_loss(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    store = make_store(["a" + "\u4e2d\u6587" * 3000, "x" * 5000])
    windows = pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(rate=1.0), 0, tmp_path / "cache")
    plain = pack_documents(store, tokenizer, SEQ_LENGTH, None, 0, tmp_path / "cache")
    assert plain.num_tokens == store.num_tokens
    assert windows.statistics["fim_undecodable"] > 0


def test_fim_does_not_depend_on_the_order_of_documents(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str]
) -> None:
    texts = source_texts[:15]
    forwards = chunker(tokenizer, rate=0.5).chunks(make_store(texts, "forwards"))
    backwards = chunker(tokenizer, rate=0.5).chunks(make_store(texts[::-1], "backwards"))
    assert {chunk.ids.tobytes() for chunk in forwards} == {chunk.ids.tobytes() for chunk in backwards}


def test_conversations_and_marker_strings_are_not_rearranged(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    marker_text = f"a document that quotes {FIM_MARKERS['prefix']} as text, at some length"
    store = make_store([marker_text])
    role, end = tokenizer.convert_tokens_to_ids(["<role>", "</role>"])
    chat = [role, *store.document(0)[:8].tolist(), end, *store.document(0)[8:].tolist()]
    write_token_store(tmp_path / "both.ds", [store.document(0).tolist(), chat], {})
    windows = pack_documents(TokenStore(tmp_path / "both.ds"), tokenizer, 256, FimConfig(rate=1.0), 0, tmp_path)
    assert windows.statistics["fim_marker_in_text"] == 1
    assert windows.statistics["fim_special_token_in_document"] == 1
    assert windows.num_tokens == store.num_tokens + len(chat)


def test_packed_windows_are_kept_and_made_anew_when_anything_changes(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str], tmp_path: Path
) -> None:
    store, cache = make_store(source_texts[:5]), tmp_path / "cache"
    first = pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(), 0, cache)
    written = (first.folder / "windows.bin").stat().st_mtime_ns
    again = pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(), 0, cache)
    assert (again.folder / "windows.bin").stat().st_mtime_ns == written
    others = [
        pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(), 1, cache),
        pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(rate=0.4), 0, cache),
        pack_documents(store, tokenizer, 2 * SEQ_LENGTH, FimConfig(), 0, cache),
        pack_documents(make_store(source_texts[:4]), tokenizer, SEQ_LENGTH, FimConfig(), 0, cache),
    ]
    assert len({windows.fingerprint for windows in [first, *others]}) == 5
    # A run that was killed while packing leaves a folder of another name, never half a window file under this one.
    assert sorted(folder.name for folder in cache.iterdir() if folder.name.endswith(".tmp")) == []


def test_packing_twice_gives_the_same_bytes(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str], tmp_path: Path
) -> None:
    store = make_store(source_texts[:10])
    folders = [
        pack_documents(store, tokenizer, SEQ_LENGTH, FimConfig(), 0, tmp_path / name).folder for name in ("one", "two")
    ]
    for file in sorted(folders[0].iterdir()):
        assert file.read_bytes() == (folders[1] / file.name).read_bytes()


@pytest.mark.parametrize("fim", [None, FimConfig(rate=0.5)])
def test_spans_and_workers_change_no_token(
    fim: FimConfig | None,
    make_store: MakeStore,
    tokenizer: PreTrainedTokenizerFast,
    source_texts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(source_texts[:30])
    whole = pack_documents(store, tokenizer, SEQ_LENGTH, fim, 0, tmp_path / "whole")
    monkeypatch.setattr("recipes.data.packing.SPAN_TOKENS", store.num_tokens // 5)
    spans = store.spans(store.num_tokens // 5)
    assert len(spans) == 5
    assert [number for span in spans for number in range(*span)] == list(range(len(store)))
    alone = pack_documents(store, tokenizer, SEQ_LENGTH, fim, 0, tmp_path / "alone", num_workers=1)
    together = pack_documents(store, tokenizer, SEQ_LENGTH, fim, 0, tmp_path / "together", num_workers=2)
    for file in ("windows.bin", "chunk_ends.bin", "window_index.bin", "packing.json"):
        assert (alone.folder / file).read_bytes() == (together.folder / file).read_bytes()
    assert Counter(runs(alone)) == Counter(runs(whole))
    assert alone.statistics["documents"] == whole.statistics["documents"]


def test_a_stage_packs_no_more_than_it_reads(
    make_store: MakeStore,
    tokenizer: PreTrainedTokenizerFast,
    source_texts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recipes.data.packing.SPAN_TOKENS", 4096)
    store = make_store(source_texts)
    whole = pack_documents(store, tokenizer, SEQ_LENGTH, None, 0, tmp_path, num_workers=1)
    part = pack_documents(store, tokenizer, SEQ_LENGTH, None, 0, tmp_path, windows_wanted=20, num_workers=1)
    assert 20 <= len(part) < 60 < len(whole)
    assert runs(part) == runs(whole)[: len(runs(part))]
    assert (part.store_tokens, whole.store_tokens) == (store.num_tokens, store.num_tokens)
    more = pack_documents(store, tokenizer, SEQ_LENGTH, None, 0, tmp_path, windows_wanted=10**6, num_workers=1)
    assert more.folder == whole.folder


def test_windows_pickle_without_their_ids(
    make_store: MakeStore, tokenizer: PreTrainedTokenizerFast, source_texts: list[str], tmp_path: Path
) -> None:
    windows = pack_documents(make_store(source_texts[:5]), tokenizer, SEQ_LENGTH, None, 0, tmp_path / "cache")
    pickled = pickle.dumps(windows)
    assert len(pickled) < 2000
    assert np.array_equal(pickle.loads(pickled).ids(0), windows.ids(0))


def test_another_tokenizers_store_is_refused(
    make_store: MakeStore, source_texts: list[str], tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    other = train_tokenizer(source_texts[:2], vocab_size=500)
    with pytest.raises(ValueError, match="was tokenised with another tokenizer"):
        pack_documents(make_store(["text"]), other, SEQ_LENGTH, None, 0, tmp_path / "cache")
    with pytest.raises(ValueError, match="windows need at least 20 tokens"):
        pack_documents(make_store(["text"]), tokenizer, 16, FimConfig(), 0, tmp_path / "cache")


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 100), max_size=200))
def test_best_fit_places_every_item_once_and_overfills_nothing(lengths: list[int]) -> None:
    bins = best_fit(lengths, 100)
    assert sorted(item for members in bins for item in members) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in members) <= 100 for members in bins)
    # No two bins could be one: best fit never opens a bin while an item would fit an open one.
    rooms = sorted(100 - sum(lengths[item] for item in members) for members in bins)
    assert sum(room >= 50 for room in rooms) <= 1


def test_best_fit_refuses_what_fits_no_bin() -> None:
    with pytest.raises(ValueError, match="101 tokens"):
        best_fit([3, 101], 100)
