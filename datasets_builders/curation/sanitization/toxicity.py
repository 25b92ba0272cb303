"""Section 2.1: toxic language in what code says to people, by the user's word lists and fastText model.

Only comments and string literals are judged, as the parse of the syntax check found them: a function called `kill` is
no insult. Files in languages without a grammar are not judged, but for prose such as Markdown and documents without a
language, which are judged whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.quality.quality_model import load_fasttext
from datasets_builders.curation.syntax.prose import PROSE

LABEL = "__label__"
# Of fewer words a model says little: strings are keys and formats more often than sentences.
MIN_WORDS_OF_A_PIECE = 3
MAX_CHARACTERS_OF_A_PIECE = 20_000
# Chinese and Japanese put no spaces between words: there each character counts as one, and a word has no boundary.
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_PART_OF_A_WORD = re.compile(rf"[^\W{_UNSPACED}]")


@dataclass(frozen=True)
class ToxicityLimits:
    """When a file is removed: for as many hits, of which there is such a share, both reached.

    Args:
        hits (`int`): toxic words, or comments and strings that the model calls toxic.
        fraction (`float`): of the words in comments and strings that are toxic; of comments and strings with three
            words or more that the model calls toxic.
        probability (`float`): of the toxic labels together, from which on the model's word counts.

    Source: ours; the paper publishes no limits.
    """

    hits: float = 3
    fraction: float = 0.01
    probability: float = 0.5

    def check(self) -> None:
        """Raise `ConfigError` for a value out of range."""
        if self.hits < 1:
            raise ConfigError(f"toxicity_limits: hits is {self.hits:g}, but must be at least 1")
        for name in ("fraction", "probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"toxicity_limits: {name} is {getattr(self, name):g}, but must be in [0, 1]")


def normalized(text: str) -> str:
    """Return a text as words are compared: NFKC, without case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def read_word_lists(paths: Sequence[Path]) -> list[str]:
    """Read lists with a word or phrase per line; `#` starts a comment.

    Raises:
        ConfigError: a list cannot be read, or holds nothing.
    """
    words: dict[str, None] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"toxicity_words: {path} cannot be read: {error}") from None
        found = [" ".join(normalized(line.partition("#")[0]).split()) for line in lines]
        if not any(_WORD.search(word) for word in found):
            raise ConfigError(f"toxicity_words: {path} holds no word; write a word or phrase per line")
        words |= dict.fromkeys(word for word in found if _WORD.search(word))
    return list(words)


class ToxicWords:
    """Finds words and phrases of a list, all in one pass.

    Args:
        words: normalised, with single spaces.
    """

    def __init__(self, words: Sequence[str]) -> None:
        import ahocorasick

        self._automaton: Any = ahocorasick.Automaton()
        for word in words:
            self._automaton.add_word(word, (len(word), len(_WORD.findall(word))))
        self._automaton.make_automaton()

    def count(self, text: str) -> tuple[int, int, int]:
        """Return how often words of the list stand in a text, how many words those are, and how many it has."""
        text = " ".join(normalized(text).split())
        found = []
        for last, (length, num_words) in self._automaton.iter(text):
            start, end = last + 1 - length, last + 1
            if not (_goes_on(text, start) or _goes_on(text, end)):
                found.append((start, -end, num_words))
        hits = toxic = after = 0
        for start, negative_end, num_words in sorted(found):
            if start >= after:  # of phrases within each other the longest counts
                hits, toxic, after = hits + 1, toxic + num_words, -negative_end
        return hits, toxic, len(_WORD.findall(text))


def _goes_on(text: str, place: int) -> bool:
    """Return whether a word goes on over a place between two characters."""
    around = text[max(place - 1, 0) : place + 1]
    return 0 < place < len(text) and all(map(_PART_OF_A_WORD.match, around))


class ToxicityModel:
    """A supervised fastText model with the labels that mean toxic.

    Raises:
        ConfigError: it cannot be loaded, is no classifier, or does not have the labels.

    Source: such as dolma's models trained on the Jigsaw data.
    """

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._model = load_fasttext(path, "toxicity_model")
        if self._model.f.getArgs().model.name != "supervised":
            raise ConfigError(f"toxicity_model: {path} holds word vectors and is no classifier")
        known = self._model.get_labels()
        self._labels = frozenset(f"{LABEL}{label.removeprefix(LABEL)}" for label in labels)
        if missing := sorted(self._labels - set(known)):
            raise ConfigError(
                f"toxicity_labels: {path} has no label {missing[0].removeprefix(LABEL)!r}; it has "
                f"{', '.join(sorted(label.removeprefix(LABEL) for label in known)[:20])}"
            )

    def probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return for each text how probable it is that it is toxic."""
        if not texts:
            return []
        lines = [" ".join(text[:MAX_CHARACTERS_OF_A_PIECE].split()) for text in texts]
        labels, probabilities = self._model.predict(lines, k=-1)
        return [
            float(sum(value for name, value in zip(names, values, strict=True) if name in self._labels))
            for names, values in zip(labels, probabilities, strict=True)
        ]


class Toxicity(Step):
    """Remove files whose comments and strings are toxic; an option.

    Args:
        word_lists: files of words; may be none.
        model (`Path`, *optional*): a fastText classifier.
        labels: those of the model that mean toxic.
        limits: when a file is removed.
        prose_languages: of files that are judged whole.

    Raises:
        ConfigError: a list or the model cannot be used.

    Source: paper 2.1 (security sanitisation); StarCoder and Dolma judge whole files.
    """

    name = "toxicity"
    libraries = ("fasttext-numpy2-wheel", "pyahocorasick")
    is_filter = True
    measures: ClassVar[Mapping[str, str]] = {
        "word_hits": "toxic words and phrases; null without a list",
        "toxic_words": "words of those",
        "words": "words of all comments and strings",
        "model_hits": "comments and strings that the model finds toxic; null without one",
        "pieces": "comments and strings that it was asked about",
    }

    def __init__(
        self,
        word_lists: Sequence[Path],
        model: Path | None,
        labels: Sequence[str],
        limits: ToxicityLimits,
        prose_languages: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.words = read_word_lists(word_lists)
        self.model_file, self.labels = model, list(labels)
        if model:
            ToxicityModel(model, labels)
        self.limits, self.prose_languages = limits, frozenset(prose_languages)

    def begin(self, rank: int, world_size: int) -> None:
        """Build the automaton and load the model."""
        self._words = ToxicWords(self.words) if self.words else None
        self._model = ToxicityModel(self.model_file, self.labels) if self.model_file else None

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a file that says nothing toxic to people."""
        pieces = doc.metadata.pop(PROSE, None)
        language = doc.metadata.get("language")
        if pieces is None and (language is None or language in self.prose_languages):
            pieces = doc.text.split("\n\n")
        if pieces is None:
            self.stat_update("not_judged")
        measured: dict[str, float | None] = dict.fromkeys(self.measures)
        broken = None
        if self._words:
            counts = map(sum, zip((0, 0, 0), *map(self._words.count, pieces or []), strict=True))
            measured |= dict(zip(("word_hits", "toxic_words", "words"), counts, strict=True))
            broken = self._broken(measured)
        if self._model and (self.is_tagging or not broken):
            judged = [piece for piece in pieces or [] if len(_WORD.findall(piece)) >= MIN_WORDS_OF_A_PIECE]
            hits = sum(probability >= self.limits.probability for probability in self._model.probabilities(judged))
            measured |= {"model_hits": hits, "pieces": len(judged)}
            broken = self._broken(measured)
        self.note(doc, **measured)
        yield Removed(doc, *broken) if broken else doc

    def verdict(self, doc: Document, tag: Mapping[str, Any]) -> tuple[str, str] | None:
        """Judge by what was counted."""
        return self._broken(tag["measures"])

    def _broken(self, measured: Mapping[str, Any]) -> tuple[str, str] | None:
        hits, toxic, words = (measured[name] for name in ("word_hits", "toxic_words", "words"))
        if hits is not None and self._is_too_much(hits, toxic, words):
            return "toxic_words", f"{toxic:g} of {words:g} words"
        hits, pieces = measured["model_hits"], measured["pieces"]
        if hits is not None and self._is_too_much(hits, hits, pieces):
            return "toxic_model", f"{hits:g} of {pieces:g} comments and strings"
        return None

    def _is_too_much(self, hits: int, part: int, whole: int) -> bool:
        return hits >= self.limits.hits and part >= self.limits.fraction * whole

    def end(self) -> None:
        """Neither pickles."""
        self._words = self._model = None
