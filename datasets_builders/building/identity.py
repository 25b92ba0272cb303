"""Section 2.1: by what documents, files and values are known: hashes of their content."""

import hashlib
import json
from pathlib import Path

CONTENT_ID_CHARACTERS = 32
DIGEST_CHARACTERS = 16


def content_id(*parts: str) -> str:
    """Return the id of what texts make up: the first 32 hex digits of the SHA-256 of their UTF-8, joined by NUL."""
    content = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:CONTENT_ID_CHARACTERS]


def digest(value: object) -> str:
    """Return a short hash of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGEST_CHARACTERS]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
