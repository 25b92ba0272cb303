"""Section 2.3: which files of a repository a message is about, by BM25.

A file is read and its words are counted once for all commits in which it has the same content.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

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
        self._counts: OrderedDict[bytes, Counter[str]] = OrderedDict()

    def ranked(self, query: str, files: Mapping[str, bytes], num_files: int) -> list[str]:
        """Return the paths of the files that fit best, the best first; those that share no word are left out.

        Args:
            query (`str`): the message.
            files (mapping): path to the id of its content.
            num_files (`int`): how many at most.
        """
        wanted = set(words_of(query))
        counted = {path: self._count(path, sha) for path, sha in files.items()}
        average = sum(total for _, total in counted.values()) / max(len(counted), 1)
        containing = Counter(word for counts, _ in counted.values() for word in wanted if counts[word])
        weights = {
            word: math.log(1 + (len(counted) - number + 0.5) / (number + 0.5)) for word, number in containing.items()
        }
        scores = {}
        for path, (counts, total) in counted.items():
            norm = K1 * (1 - B + B * total / max(average, 1))
            scores[path] = sum(
                weight * counts[word] * (K1 + 1) / (counts[word] + norm)
                for word, weight in weights.items()
                if counts[word]
            )
        best = sorted((-score, path) for path, score in scores.items() if score > 0)
        return [path for _, path in best[:num_files]]

    def _count(self, path: str, sha: bytes) -> tuple[Counter[str], int]:
        counts = self._counts.get(sha)
        if counts is None:
            counts = self._counts[sha] = Counter(words_of(self._text_of(sha) or ""))
            if len(self._counts) > CACHED_FILES:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(sha)
        with_path = counts + Counter(dict.fromkeys(words_of(path), PATH_WEIGHT))
        return with_path, counts.total()
