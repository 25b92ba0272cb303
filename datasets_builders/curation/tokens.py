"""Section 2.1: tokens of code and words of prose as arrays of hashes, for near-deduplication and decontamination.

Tokens are hashed by array operations over the bytes: a string per token or run is what takes the time elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SPACE, _WORD, _SIGN = 0, 1, 2  # of these a word alone has the lowest bit
# What each byte is: in code every sign is a token of its own, in prose signs only separate words.
CODE = np.full(256, _SIGN, np.uint8)
CODE[[9, 10, 11, 12, 13, 32]] = _SPACE
CODE[[*range(48, 58), *range(65, 91), *range(97, 123), 95, *range(128, 256)]] = _WORD
PROSE = np.where(CODE == _WORD, _WORD, _SPACE).astype(np.uint8)
# Odd, so that it has an inverse modulo 2**64: a token's hash does not depend on where in the file it stands.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each value with its bits spread over all of it (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def token_hashes(raw: bytes, kinds_of_bytes: NDArray[np.uint8] = CODE) -> NDArray[np.uint64]:
    """Return a hash per token of a text, in order.

    Args:
        raw (`bytes`): UTF-8; bytes of other scripts count as letters.
        kinds_of_bytes: `CODE` or `PROSE`.

    Source: ours; Karp and Rabin's polynomial, by differences of prefix sums.
    """
    return tokens_with_starts(raw, kinds_of_bytes)[0]


def tokens_with_starts(
    raw: bytes, kinds_of_bytes: NDArray[np.uint8] = CODE
) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Return a hash per token of a text, see `token_hashes`, and the byte at which each begins."""
    if not raw:
        return np.empty(0, np.uint64), np.empty(0, np.intp)
    data = np.frombuffer(raw, np.uint8)
    kinds = np.frombuffer(raw.translate(kinds_of_bytes.tobytes()), np.uint8)
    inside_word = (kinds[:-1] & kinds[1:] & _WORD).view(np.bool_)  # between a byte and the next
    is_token = kinds != _SPACE
    is_start, is_end = is_token.copy(), is_token
    is_start[1:] &= ~inside_word
    is_end[:-1] &= ~inside_word
    starts, ends = np.flatnonzero(is_start), np.flatnonzero(is_end) + 1
    with np.errstate(over="ignore"):
        powers, inverses = powers_of(len(data) + 1)
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum((data + np.uint64(1)) * inverses[: len(data)], out=sums[1:])
        return mix((sums[ends] - sums[starts]) * powers[starts]), starts


_cached_powers: list[NDArray[np.uint64]] = []


def powers_of(count: int) -> Sequence[NDArray[np.uint64]]:
    """Return the powers of the base and of its inverse, `count` of them at least, computed once per process."""
    if not _cached_powers or len(_cached_powers[0]) < count:
        size = max(1 << 16, 1 << (count - 1).bit_length())
        _cached_powers[:] = [
            np.concatenate((np.ones(1, np.uint64), np.cumprod(np.full(size - 1, base)))) for base in (_BASE, _INVERSE)
        ]
    return _cached_powers
