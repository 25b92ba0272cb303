"""Section 3.2: one row of a built dataset as token ids, its text treated as data throughout.

`<role>` or `<|endoftext|>` inside a corpus is text: parsed as a special token it could forge a turn or a document end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MESSAGES_KEY = "messages"


class UnusableRowError(ValueError):
    """A row that cannot become tokens; the message is the reason under which it is removed."""


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a folder and checks that it can end a document.

    Raises:
        ValueError: not a tokenizer folder, or a tokenizer without an end token.
    """
    from transformers import AutoTokenizer

    if Path(folder).is_file():
        raise ValueError(f"{folder} is a file: give the folder it lies in, {Path(folder).parent}, as `tokenizer`.")
    if not (Path(folder) / "tokenizer.json").is_file():
        raise ValueError(
            f"{folder} holds no tokenizer.json: give the folder of a trained tokenizer (or of a model) as `tokenizer`."
        )
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    if tokenizer.eos_token_id is None:
        raise ValueError(f"The tokenizer of {folder} has no eos_token: documents could not be told apart.")
    return tokenizer


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a hash of what decides ids: the fast tokenizer without the padding and truncation of its last call.

    Args:
        tokenizer: a fast tokenizer.

    Returns:
        sha256, hexadecimal.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("padding", None)
    state.pop("truncation", None)
    state["eos_token"] = tokenizer.eos_token
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def encode_document(tokenizer: PreTrainedTokenizerBase, value: str | Sequence[Mapping[str, Any]] | None) -> list[int]:
    """Turn one text or one conversation into token ids that end with the end token, once.

    Args:
        tokenizer: with chat template where conversations are given.
        value: a string, or a list of {role, content}.

    Returns:
        The ids; the last is eos, and in a text it is the only special id.

    Raises:
        UnusableRowError: nothing to encode ("empty"), or malformed ("malformed_messages").

    Source: released chat template for conversations; the parsing rule is ours.
    """
    from modeling_ling.tokenizer import encode_chat, encode_text

    end_id = tokenizer.eos_token_id
    if isinstance(value, str):
        if not value.strip():
            raise UnusableRowError("empty")
        return [*encode_text(tokenizer, value), end_id]
    if not value:
        raise UnusableRowError("empty")
    try:
        ids = encode_chat(tokenizer, value)["input_ids"]
    except (ValueError, AttributeError) as error:
        raise UnusableRowError("malformed_messages") from error
    return ids if ids[-1] == end_id else [*ids, end_id]
