"""Section 3.2: token files are read as they were written, and files that do not belong together are refused."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.token_files import write_token_store
from modeling_ling.tokenizer import encode_text
from recipes.data.packing import pack_documents
from recipes.data.token_store import TokenStore


def test_documents_come_back_in_order_with_their_end_token(
    make_store: Callable[..., TokenStore], tokenizer: PreTrainedTokenizerFast
) -> None:
    texts = ["def f():\n    return 1\n", "second \u4e2d\u6587", "third"]
    store = make_store(texts)
    assert (len(store), store.num_documents) == (3, 3)
    for number, text in enumerate(texts):
        assert store.document(number).tolist() == [*encode_text(tokenizer, text), tokenizer.eos_token_id]
    assert store.num_tokens == sum(len(store.document(number)) for number in range(3)) == store.metadata["num_tokens"]
    with pytest.raises(IndexError, match="has 3 documents"):
        store.document(3)


def test_a_store_pickles_without_its_tokens(make_store: Callable[..., TokenStore]) -> None:
    store = make_store(["word " * 5000])
    pickled = pickle.dumps(store)
    assert len(pickled) < 2000
    assert np.array_equal(pickle.loads(pickled).document(0), store.document(0))


def test_the_fingerprint_is_of_the_content(make_store: Callable[..., TokenStore]) -> None:
    first, same, other = make_store(["a", "b"], "x"), make_store(["a", "b"], "y"), make_store(["ab"], "z")
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    first.metadata.pop("content_sha256")
    without_metadata = first.fingerprint()
    same.metadata.pop("content_sha256")
    other.metadata.pop("content_sha256")
    assert without_metadata == same.fingerprint() != other.fingerprint()


def test_missing_and_mismatched_files_are_refused(make_store: Callable[..., TokenStore], tmp_path: Path) -> None:
    path = make_store(["some text", "more text"]).path
    with open(path, "ab") as file:
        file.write(b"\0\0\0\0")
    with pytest.raises(ValueError, match="do not belong together"):
        TokenStore(path)
    path.with_name("code.ds.metadata").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is not JSON"):
        TokenStore(path)
    with pytest.raises(FileNotFoundError, match="datasets_builders tokenized"):
        TokenStore(tmp_path / "absent.ds")
    empty = make_store(["x"], "empty").path
    empty.write_bytes(b"")
    empty.with_name("empty.ds.index").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no document"):
        TokenStore(empty)


@pytest.mark.parametrize(
    ("file", "place", "value", "complaint"),
    [
        ("code.ds", 3, 7, "is damaged"),  # another valid id
        ("code.ds", 3, 4_000_000_000, "is damaged"),
        ("code.ds.index", 0, 1, "is damaged"),  # the first document ends earlier
    ],
)
def test_a_store_whose_bytes_changed_is_refused_before_it_is_packed(
    file: str, place: int, value: int, complaint: str, make_store: Callable, tokenizer: PreTrainedTokenizerFast
) -> None:
    store = make_store(["some text, and more of it", "second"])
    store.verify(len(tokenizer))
    array = np.memmap(store.path.with_name(file), dtype="<u8" if file.endswith("index") else "<u4", mode="r+")
    array[place] = value
    array.flush()
    damaged = TokenStore(store.path)
    with pytest.raises(ValueError, match=complaint):
        damaged.verify(len(tokenizer))
    with pytest.raises(ValueError, match=complaint):
        pack_documents(damaged, tokenizer, 32, None, 0, store.path.parent / "packed")
    assert not list((store.path.parent / "packed").glob("*/packing.json"))


def test_an_id_outside_the_vocabulary_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    end = tokenizer.eos_token_id
    for name, ids in (("last", [len(tokenizer) - 1, end]), ("beyond", [len(tokenizer), end])):
        write_token_store(tmp_path / f"{name}.ds", [ids], {})
    TokenStore(tmp_path / "last.ds").verify(len(tokenizer))
    with pytest.raises(ValueError, match=f"holds the id {len(tokenizer)}, but the tokenizer has {len(tokenizer)}"):
        pack_documents(TokenStore(tmp_path / "beyond.ds"), tokenizer, 32, None, 0, tmp_path / "packed")
