"""Section 2.3: which files of a repository a message is about, by BM25.

A file is read and its words are counted once for all commits in which it has the same content.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache

_WORD = re.compile(r"[A-Za-z]+|\d+")
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
K1, B = 1.5, 0.75
PATH_WEIGHT = 5  # a word of the path counts as so many of the content
CACHED_FILES = 20_000


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters; `camelCase` and `snake_case` are taken apart."""
    return [part.lower() for word in _WORD.findall(text) for part in _CAMEL.findall(word)]


class Relevance:
    """Ranks the files of a repository.

    Args:
        text_of (function): the id of a content to its text, or None where it has none.
    """

    def __init__(self, text_of: Callable[[bytes], str | None]) -> None:
        self._text_of = text_of
        self._counts: OrderedDict[bytes, tuple[dict[str, int], int]] = OrderedDict()

    def ranked(self, query: str, files: Mapping[str, bytes], num_files: int) -> list[str]:
        """Return the paths of the files that fit best, the best first; those that share no word are left out.

        Args:
            query (`str`): the message.
            files (mapping): path to the id of its content.
            num_files (`int`): how many at most.
        """
        wanted = sorted(set(words_of(query)))  # in one order: sums of fractions depend on it
        totals, found = {}, {}
        for path, sha in files.items():
            counts, totals[path] = self._count(sha)
            of_path = _words_of_path(path)
            numbers = {word: counts.get(word, 0) + PATH_WEIGHT * (word in of_path) for word in wanted}
            if present := {word: number for word, number in numbers.items() if number}:
                found[path] = present
        average = sum(totals.values()) / max(len(totals), 1)
        containing = Counter(word for numbers in found.values() for word in numbers)
        weights = {
            word: math.log(1 + (len(files) - number + 0.5) / (number + 0.5)) for word, number in containing.items()
        }
        scores = {}
        for path, numbers in found.items():
            norm = K1 * (1 - B + B * totals[path] / max(average, 1))
            scores[path] = sum(
                weight * numbers[word] * (K1 + 1) / (numbers[word] + norm)
                for word, weight in weights.items()
                if word in numbers
            )
        best = sorted((-score, path) for path, score in scores.items() if score > 0)
        return [path for _, path in best[:num_files]]

    def _count(self, sha: bytes) -> tuple[dict[str, int], int]:
        """Return how often each word stands in a content, and how many words it has."""
        known = self._counts.get(sha)
        if known is None:
            counts = Counter(words_of(self._text_of(sha) or ""))
            known = self._counts[sha] = dict(counts), counts.total()
            if len(self._counts) > CACHED_FILES:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(sha)
        return known


@lru_cache(CACHED_FILES)
def _words_of_path(path: str) -> frozenset[str]:
    return frozenset(words_of(path))
