"""Near-duplicates: signatures against counted sets, planted copies at known similarity, and which copy stays."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
from datatrove.data import Document
from hypothesis import given
from hypothesis import strategies as st

from datasets_builders.building.steps import Merged
from datasets_builders.curation.deduplication import signatures as signatures_module
from datasets_builders.curation.deduplication.components import components
from datasets_builders.curation.deduplication.near import NearDedup, SignatureWriter, best_of, find_clusters
from datasets_builders.curation.deduplication.signature_files import BLOCK_ROWS, SignatureFiles, SignatureFileWriter
from datasets_builders.curation.deduplication.signatures import (
    NUM_BANDS,
    NUM_PERMUTATIONS,
    band_hashes,
    bands_for,
    ngram_hashes,
    ngram_hashes_of_each,
    signatures,
)
from datasets_builders.curation.tokens import token_hashes

GOLDEN_SIGNATURE = [3398165124, 3285786180, 3237928827, 3328780941]
GOLDEN_BANDS = [16924002460442995680, 14815084082453721723]
TOKEN = re.compile(rb"[\w\x80-\xff]+|[^\w\s\x80-\xff]", re.ASCII)


def ngrams(text: bytes) -> set[tuple[bytes, ...]]:
    tokens = TOKEN.findall(text)
    length = min(5, len(tokens))
    return {tuple(tokens[at : at + length]) for at in range(len(tokens) - length + 1)} if tokens else set()


def jaccard(first: bytes, second: bytes) -> float:
    return len(ngrams(first) & ngrams(second)) / len(ngrams(first) | ngrams(second))


@given(st.text(alphabet="ab1_ \n\t+(é\x0c", max_size=60))
def test_tokens_are_words_and_single_signs(text):
    raw = text.encode()
    tokens = TOKEN.findall(raw)
    hashes = token_hashes(raw)
    assert len(hashes) == len(tokens)
    by_hash = {}
    for token, hash_of_token in zip(tokens, hashes.tolist(), strict=True):
        assert by_hash.setdefault(hash_of_token, token) == token, "two tokens, one hash"
    assert len(by_hash) == len(set(tokens)), "one token, two hashes: it would depend on its place"


def test_ngrams_are_counted_as_sets():
    text = b"def add(a, b):\n    return a + b\n" * 3
    assert len(ngram_hashes(text)) == len(ngrams(text))
    assert len(ngram_hashes(b"a b")) == 1 and len(ngram_hashes(b" \n")) == 0
    assert len(ngram_hashes(b"a   b\n c d e f")) == len(ngram_hashes(b"a b c d e f")) == 2, "white space only separates"
    assert not np.array_equal(ngram_hashes(b"a b c d 1"), ngram_hashes(b"a b c d 2")), "constants count"
    assert not np.array_equal(ngram_hashes(b"a + b c d"), ngram_hashes(b"a - b c d")), "operators count"


def test_texts_at_once_have_the_ngrams_that_each_has_alone(monkeypatch):
    raws = [b"", b"a b c", b"def f(x):\n    return x + 1\n", b" \n", b"one two", b"a b c d e", "naïve ".encode() * 9]
    alone = [ngram_hashes(raw) for raw in raws]
    for joined_bytes in (1, 40, 1 << 16):
        monkeypatch.setattr(signatures_module, "JOINED_BYTES", joined_bytes)
        together = ngram_hashes_of_each(raws)
        assert [found.tolist() for found in together] == [found.tolist() for found in alone]
    assert [len(found) for found in alone] == [len(ngrams(raw)) for raw in raws]


def test_signatures_stay_what_they_are():
    """Another version of rensa, or of these hashes, would split clusters between an old and a new build."""
    found = signatures([ngram_hashes(b"def add(first, second):\n    return first + second\n")])
    assert found.shape == (1, 256) and found.dtype == np.uint32
    assert found[0, :4].tolist() == GOLDEN_SIGNATURE
    assert band_hashes(found)[0, :2].tolist() == GOLDEN_BANDS


def test_a_lower_threshold_has_bands_that_find_its_pairs(tmp_path):
    assert (bands_for(0.7), bands_for(0.9)) == ((25, 10), (25, 10))
    for threshold in (0.3, 0.5, 0.6):
        num_bands, rows = bands_for(threshold)
        assert num_bands * rows <= NUM_PERMUTATIONS
        assert 1 - (1 - threshold**rows) ** num_bands >= 0.5
    generator = random.Random(3)
    found = 0
    for number in range(20):
        words = [f"name{generator.randrange(50_000)}" for _ in range(300)]
        texts = {"a": " ".join(words), "b": variant(words, 0.08, generator)}
        assert 0.45 < jaccard(*(text.encode() for text in texts.values())) < 0.7
        folder = tmp_path / str(number)
        list(SignatureWriter(folder, threshold=0.4).run([Document(texts[name], name) for name in "ab"], 0, 1))
        find_clusters(folder, num_tasks=1, threshold=0.4)
        found += (folder / "clusters" / "00000.jsonl").stat().st_size > 0
    assert found == 20


def test_bands_are_read_as_written_however_many_files_come_at_once(tmp_path):
    found = np.random.default_rng(0).integers(0, 1 << 32, (10_000, NUM_PERMUTATIONS), np.uint32)
    assert len(found) > 2 * BLOCK_ROWS
    writer = SignatureFileWriter(tmp_path, 0)
    writer.add(found, [[f"{number:05d}"] for number in range(len(found))])
    writer.finish()
    files, bands = SignatureFiles(tmp_path), band_hashes(found)
    for number in range(NUM_BANDS):
        assert (files.band(number) == bands[:, number]).all()


def variant(words: list[str], share: float, generator: random.Random) -> str:
    """The same text with a share of its words replaced, each at a place of its own."""
    changed = list(words)
    for at in generator.sample(range(len(words)), round(share * len(words))):
        changed[at] = f"other{generator.randrange(10**9)}"
    return " ".join(changed)


def test_signatures_estimate_the_similarity():
    generator = random.Random(0)
    words = [f"word{generator.randrange(5_000)}" for _ in range(1_500)]
    original = " ".join(words).encode()
    for share in (0.01, 0.03, 0.06, 0.1):
        other = variant(words, share, generator).encode()
        first, second = signatures([ngram_hashes(original), ngram_hashes(other)])
        assert (first == second).mean() == pytest.approx(jaccard(original, other), abs=0.1)


def dedup(texts: dict[str, str], folder: Path, ranks: int = 1, order: int = 0, **metadata: dict) -> dict[str, str]:
    """Run the three parts and return the winner of every id."""
    names = sorted(texts)
    random.Random(order).shuffle(names)
    for rank in range(ranks):
        docs = [Document(texts[n], n, metadata={"path": n, **metadata.get(n, {})}) for n in names[rank::ranks]]
        assert [doc.id for doc in SignatureWriter(folder).run(docs, rank, ranks)] == names[rank::ranks]
    find_clusters(folder, num_tasks=1)
    step = NearDedup(folder)
    step.begin(0, 1)
    winners = {}
    for name in sorted(names):
        (outcome,) = step.process(Document(texts[name], name, metadata={"path": name}))
        winners[name] = outcome.into if isinstance(outcome, Merged) else name
    step.end()
    return winners


@pytest.fixture(scope="module")
def planted():
    """200 originals, each with a copy at a known similarity: {name: text}, {name of copy: similarity}."""
    generator = random.Random(1)
    texts, similarity = {}, {}
    for number in range(200):
        words = [f"name{generator.randrange(50_000)}" for _ in range(300)]
        original, share = " ".join(words), generator.uniform(0.0, 0.14)
        copy = variant(words, share, generator)
        texts |= {f"{number:03d}_original": original, f"{number:03d}_variant": copy}
        similarity[f"{number:03d}"] = jaccard(original.encode(), copy.encode())
    return texts, similarity


def test_planted_copies_are_found_by_their_similarity(planted, tmp_path):
    texts, similarity = planted
    winners = dedup(texts, tmp_path)
    joined = {name[:3] for name, winner in winners.items() if winner != name}
    for low, high, least, most in ((0.8, 1.01, 0.95, 1.0), (0.5, 0.62, 0.0, 0.1)):
        names = [name for name, value in similarity.items() if low <= value < high]
        assert len(names) > 20
        assert least <= len(joined & set(names)) / len(names) <= most
    assert all(winner[:3] == name[:3] for name, winner in winners.items()), "unrelated texts were joined"


def test_neither_order_nor_ranks_change_the_outcome(planted, tmp_path):
    texts, _ = planted
    first = dedup(texts, tmp_path / "a", ranks=1, order=1)
    assert first == dedup(texts, tmp_path / "b", ranks=3, order=2)


def test_files_that_differ_in_constants_alone_stay_apart(tmp_path):
    generator = random.Random(2)
    table = [[str(generator.randrange(10**6)) for _ in range(200)] for _ in range(2)]
    texts = {str(number): "values = [" + ", ".join(values) + "]\n" for number, values in enumerate(table)}
    assert dedup(texts, tmp_path) == {"0": "0", "1": "1"}


def test_reformatted_copies_are_joined(tmp_path):
    code = "".join(f"def function_{i}(a, b):\n    return a * {i} + b\n\n\n" for i in range(20))
    texts = {"a": code, "b": code.replace("    ", "\t").replace("\n\n\n", "\n")}
    assert dedup(texts, tmp_path) == {"a": "a", "b": "a"}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"stars": 2, "path": "z"}, {"stars": 1, "forks": 9, "path": "a"}),
        ({"stars": 1, "forks": 2}, {"stars": 1, "forks": 1, "date": "2025-01-01"}),
        ({"date": "2025-01-01"}, {"date": "2024-12-31"}),
        ({"path": "a.py"}, {"path": "b.py"}),
    ],
)
def test_the_best_copy_stays(better, worse, tmp_path):
    code = "".join(f"def function_{i}(a, b):\n    return a * {i} + b\n" for i in range(20))
    texts = {"y": code, "x": code + "# end\n"}
    assert dedup(texts, tmp_path, y=better, x=worse) == {"y": "y", "x": "y"}


def test_of_equal_copies_the_smaller_id_stays():
    assert best_of([["b", 0, 0, "", "p"], ["a", 0, 0, "", "p"]]) == "a"


def test_a_few_lines_are_never_near_duplicates_and_no_file_at_all_is_no_error(tmp_path):
    assert dedup({"a": "import os\n", "b": "import os\n\n"}, tmp_path / "short") == {"a": "a", "b": "b"}
    assert dedup({}, tmp_path / "none") == {}


def test_what_hangs_together_is_numbered_by_its_first_member():
    assert components(6, [(4, 1), (5, 4), (2, 3)]).tolist() == [0, 1, 2, 2, 1, 1]
    assert components(2, []).tolist() == [0, 1]
