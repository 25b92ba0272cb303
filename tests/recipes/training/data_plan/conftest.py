"""A small tokenizer and token files from the standard library's own source, for the data side of training."""

import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from modeling_ling.tokenizer import train_tokenizer
from recipes.training.token_store import TokenStore

STDLIB = Path(textwrap.__file__).parent


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
