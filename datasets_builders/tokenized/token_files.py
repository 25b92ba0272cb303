"""Section 3.2: writing token files in datatrove's layout: ids, document ends, metadata.

`NAME.ds` holds the ids of all documents one after another (uint32, little endian: a vocabulary of 126,464 needs more
than 16 bits), `NAME.ds.index` the end of each document (uint64), `NAME.ds.metadata` a JSON object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKEN_BYTES = 4


def write_token_store(
    path: str | Path, documents: Iterable[Sequence[int] | NDArray[np.uint32]], metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one token file with its index and metadata, under temporary names renamed at the end.

    The metadata is renamed last: a store whose metadata is there is whole.

    Args:
        path: `.../NAME.ds`.
        documents: token ids of each document, its end token included, in the order of the file.
        metadata: what else to record (source, tokenizer fingerprint, ...).

    Returns:
        The metadata as written: the given keys, num_documents, num_tokens, token_bytes and content_sha256.

    Raises:
        ValueError: a document without tokens.

    Source: datatrove's layout; content_sha256 is ours.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    targets = [path, path.with_name(path.name + ".index"), path.with_name(path.name + ".metadata")]
    unfinished = [target.with_name(target.name + ".tmp") for target in targets]
    token_digest, index_digest = hashlib.sha256(), hashlib.sha256()
    num_tokens = num_documents = 0
    with open(unfinished[0], "wb") as token_file, open(unfinished[1], "wb") as index_file:
        for ids in documents:
            if len(ids) == 0:
                raise ValueError(f"Document {num_documents} of {path} has no tokens: remove it before writing.")
            num_tokens += len(ids)
            num_documents += 1
            tokens = np.asarray(ids, dtype="<u4").tobytes()
            end = np.array([num_tokens], dtype="<u8").tobytes()
            token_digest.update(tokens)
            index_digest.update(end)
            token_file.write(tokens)
            index_file.write(end)
    description = {
        **metadata,
        "num_documents": num_documents,
        "num_tokens": num_tokens,
        "token_bytes": TOKEN_BYTES,
        "content_sha256": hashlib.sha256(token_digest.digest() + index_digest.digest()).hexdigest(),
    }
    unfinished[2].write_text(json.dumps(description, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for temporary, target in zip(unfinished, targets, strict=True):
        temporary.replace(target)
    return description
