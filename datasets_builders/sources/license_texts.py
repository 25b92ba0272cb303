"""Section 2.2.1: the licence texts that a text holds, by comparison with those of the SPDX list.

A text may hold several, with lines about copyright between them and names put in. It is compared by runs of three
words: a licence is there when most of its runs are. What no licence explains is given back, as it may restrict what the
licence grants.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TEXTS_FILE = Path(__file__).with_name("spdx_texts.json.gz")
SHINGLE_WORDS = 3
MIN_WORDS = 12  # of a licence that is compared with; shorter ones are told by their names
# A licence is there when this share of its runs is. Few words more or less in a short one are a greater share.
MIN_SHARE, MIN_SHARE_SHORT, SHORT_WORDS = 0.85, 0.75, 150
MIN_NEW_SHARE = 0.6  # of its runs no other licence has explained
# A text that is a part of a licence: how much of it the licence explains, and how much of the licence it is.
MAX_WORDS_OF_PART, MIN_SHARE_OF_PART = 400, 0.2
INDEXED_EVERY = 4  # runs by which candidates are found
MIN_INDEXED_SHARE = 0.6
MAX_CANDIDATES = 40
MAX_WORDS = 60_000
MAX_GAP_WORDS = 30  # what is longer is a text of its own
_WORD = re.compile(r"[a-z0-9]+")
_COPYRIGHT_LINE = re.compile(
    r"^\W*(?:copyright|\(c\)|©|all rights reserved|portions? copyright).*$", re.MULTILINE | re.IGNORECASE
)
_END = re.compile(r"end of (?:the )?terms and conditions", re.IGNORECASE)
# Put between the words of a licence, these take back what it grants.
_TAKES_BACK = re.compile(
    r"\bnon ?commercial|\bcommercial(?:ly)?\b|\bnot (?:be )?(?:grant|permit|allow|sold|sell)|\bunless\b|\bonly\b"
    r"|\bprohibited|\bforbidden|\bevaluation|\bacademic|\bmilitary|\bnuclear|\broyalt"
)
_REFUSES = re.compile(r"\bnot (?:be |hereby )?(?:grant|permit|allow|sold|sell)|\bnon ?commercial")

Shingle = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a text holds.

    Args:
        names (tuple of `str`): SPDX names of the licences in it, in their order.
        rest (`str`): the text without them.
        is_changed (`bool`): words stand between those of a licence that take back what it grants.
    """

    names: tuple[str, ...]
    rest: str
    is_changed: bool = False


def words_of_license(text: str) -> list[str]:
    """Return the words of a licence text, without lines on copyright and what follows its end."""
    return _WORD.findall(_COPYRIGHT_LINE.sub("", _END.split(text, maxsplit=1)[0]).lower())


def shingles_of(words: Sequence[str]) -> set[Shingle]:
    """Return the runs of three words."""
    return set(zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False))


def find_texts(text: str) -> Found:
    """Return the licences whose texts a text holds, and the rest of it.

    Args:
        text (`str`): of a licence file, or of a comment.
    """
    places = list(_WORD.finditer(text.lower()))[:MAX_WORDS]
    words = [place.group() for place in places]
    runs: list[Shingle] = list(zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False))
    held = set(runs)
    chosen, unexplained, left = [], set(held), _candidates(held)
    while left:
        fits = {number: fit for number in left if (fit := _fit(number, unexplained, held))}
        if not fits:
            break
        best = max(fits, key=lambda number: (fits[number], -number))
        chosen.append(best)
        unexplained -= _shingles(best)
        left = [number for number in fits if number != best]
    chosen = chosen or _part_of(text)
    covered, is_changed, starts = [False] * len(words), False, {}
    for number in chosen:
        own = _shingles(number)
        at = [place for place, run in enumerate(runs) if run in own]
        for place in at:
            covered[place : place + SHINGLE_WORDS] = [True] * SHINGLE_WORDS
        starts[number] = at[len(at) // 2]
    for number in chosen:
        is_changed = is_changed or _is_changed(number, words, runs, covered)
    names = tuple(_known()[number][0] for number in sorted(chosen, key=starts.__getitem__))
    return Found(names, _uncovered(text, places, covered) if chosen else text, is_changed)


def _part_of(text: str) -> list[int]:
    """Return the number of the licence that a short text is a part of, such as one without the words on warranty."""
    words = words_of_license(text)
    own = shingles_of(words)
    if not MIN_WORDS <= len(words) <= MAX_WORDS_OF_PART:
        return []
    index, _ = build_index()
    counts = Counter(number for run in own for number in index.get(run, ()))
    likely = sorted(counts, key=lambda number: -counts[number])[:MAX_CANDIDATES]
    share, number = max(((len(own & _shingles(number)) / len(own), -number) for number in likely), default=(0.0, 0))
    return [-number] if share >= MIN_SHARE and len(own) >= MIN_SHARE_OF_PART * len(_shingles(-number)) else []


def _candidates(runs: Collection[Shingle]) -> list[int]:
    """Return the numbers of licences that may be there."""
    index, sizes = build_index()
    counts = Counter(number for run in runs for number in index.get(run, ()))
    likely = [number for number, count in counts.items() if count >= MIN_INDEXED_SHARE * sizes[number]]
    return sorted(likely, key=lambda number: -counts[number])[:MAX_CANDIDATES]


def _fit(number: int, unexplained: set[Shingle], held: set[Shingle]) -> int:
    """Return how well a licence explains what is not explained yet: found runs less missing ones; 0 for not at all."""
    own = _shingles(number)
    found, new = len(own & held), len(own & unexplained)
    min_share = MIN_SHARE if len(own) > SHORT_WORDS else MIN_SHARE_SHORT
    if found < min_share * len(own) or new < MIN_NEW_SHARE * len(own):
        return 0
    return max(2 * found - len(own), 0)


def _is_changed(number: int, words: Sequence[str], runs: Sequence[Shingle], covered: Sequence[bool]) -> bool:
    own = _shingles(number)
    firsts = [place for run, place in {run: place for place, run in reversed([*enumerate(runs)])}.items() if run in own]
    before = " ".join(words[max(0, min(firsts) - MAX_GAP_WORDS) : min(firsts)])
    if _REFUSES.search(before):
        return True
    gap: list[str] = []
    for place in range(min(firsts), max(firsts)):
        if not covered[place]:
            gap.append(words[place])
        elif gap:
            if len(gap) <= MAX_GAP_WORDS and "copyright" not in gap and _TAKES_BACK.search(" ".join(gap)):
                return True
            gap = []
    return False


def _uncovered(text: str, places: Sequence[re.Match[str]], covered: Sequence[bool]) -> str:
    """Return the parts of a text whose words no licence explains."""
    parts, start = [], 0
    for place, is_covered in zip(places, covered, strict=True):
        if is_covered:
            parts.append(text[start : place.start()])
            start = place.end()
    return "".join([*parts, text[start:]])


@cache
def _known() -> list[tuple[str, list[str]]]:
    """Return SPDX names and the words of their texts."""
    texts = json.loads(gzip.decompress(TEXTS_FILE.read_bytes()))["texts"]
    known = [(name, words_of_license(text)) for name, text in texts.items()]
    return [(name, words) for name, words in known if len(words) >= MIN_WORDS]


@cache
def _shingles(number: int) -> frozenset[Shingle]:
    return frozenset(shingles_of(_known()[number][1]))


@cache
def build_index() -> tuple[dict[Shingle, list[int]], list[int]]:
    """Return the numbers of the licences by every fourth of their runs, and how many runs of each are there; once."""
    index: dict[Shingle, list[int]] = {}
    sizes = []
    for number, (_, words) in enumerate(_known()):
        runs = set(list(zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False))[::INDEXED_EVERY])
        sizes.append(len(runs))
        for run in runs:
            index.setdefault(run, []).append(number)
    return index, sizes
