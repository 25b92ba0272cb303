"""Section 2.3.1: a logistic regression on rare words and counts of code, beside fastText: small, and it counts.

fastText averages vectors of words, so that a page of little code among much text looks like one without. Here a word
weighs by how rare it is, and what looks like code is counted. A model is one file of tensors, which runs nothing when
it is read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets_builders.building.errors import ConfigError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_WORDS = 60_000
MIN_FILES = 3  # that hold a word
INVERSE_REGULARIZATION = 10.0  # best of 0.1, 1 and 10 on unseen sites among those that were learned from
MAX_ITERATIONS = 300
NUM_COUNTS = 9
_TOKEN = re.compile(r"\w+|[^\w\s]")
_CAMEL = re.compile(r"[a-z][A-Z]")
_SIGNS = ("{", "}", "(", ")", ";", "=", "<", ">", "[", "]")
_KEYWORDS = (
    *("api", "argument", "array", "class", "compile", "const", "def", "function", "import", "int", "library"),
    *("method", "object", "parameter", "pointer", "return", "string", "void"),
)
_FENCE = "\n```"
# Name to type of the tensors of a file.
_TENSORS = {"words": np.uint8, "rarity": np.float32, "weights": np.float32, "of_counts": np.float32}


def words_and_counts(text: str) -> tuple[dict[str, int], list[float]]:
    """Return how often each word of a text occurs, in lower case, and what looks like code, each about 0 to 1.

    Args:
        text (`str`): Markdown, or any other text; of a long one the beginning.
    """
    tokens = Counter(_TOKEN.findall(text))
    words: dict[str, int] = {}
    num_snake = num_camel = 0
    for token, number in tokens.items():
        if "_" in token:
            num_snake += number
        lower = token.lower()
        if lower != token and _CAMEL.search(token):
            num_camel += number
        words[lower] = words.get(lower, 0) + number
    num_chars, num_tokens = max(len(text), 1), max(sum(tokens.values()), 1)
    parts = ("\n" + text).split(_FENCE)
    num_in_fences = sum(map(len, parts[1::2]))
    return words, [
        math.log1p(len(parts) // 2),
        num_in_fences / num_chars,
        20 * sum(tokens.get(sign, 0) for sign in _SIGNS) / num_chars,
        10 * sum(words.get(word, 0) for word in _KEYWORDS) / num_tokens,
        20 * tokens.get("`", 0) / num_chars,
        20 * text.count("()") / num_tokens,
        5 * num_snake / num_tokens,
        5 * num_camel / num_tokens,
        math.log(num_chars) / 10,
    ]


class LinearModel:
    """A trained regression.

    Args:
        words (sequence of `str`): that weigh anything.
        rarity (array): of each word, what its occurrences count.
        weights (array): of each word.
        of_counts (array): weights of the counts of `words_and_counts`, and the intercept.

    Source: paper 2.3.1 has fastText alone; the model is ours.
    """

    def __init__(self, words: Sequence[str], rarity: np.ndarray, weights: np.ndarray, of_counts: np.ndarray) -> None:
        self.words, self.rarity, self.weights, self.of_counts = list(words), rarity, weights, of_counts
        # Of each word: what it adds to the length of a text, and to the score.
        products = (rarity.astype(np.float64) * weights).tolist()
        self._of_words = dict(zip(self.words, zip(rarity.tolist(), products, strict=True), strict=True))
        *self._of_counts, self._intercept = of_counts.tolist()

    def probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return the probability of each text."""
        return [1 / (1 + math.exp(-max(min(self._score(text), 700.0), -700.0))) for text in texts]

    def _score(self, text: str) -> float:
        words, counts = words_and_counts(text)
        known, squares, score = self._of_words, 0.0, 0.0
        for word, number in words.items():
            found = known.get(word)
            if found is not None:
                times = 1 + math.log(number)
                squares += (times * found[0]) ** 2
                score += times * found[1]
        score /= math.sqrt(squares) or 1.0
        return score + sum(map(float.__mul__, counts, self._of_counts)) + self._intercept

    def save(self, path: Path) -> None:
        """Write the model as a .safetensors file."""
        from safetensors.numpy import save_file

        # A lone surrogate is a word too.
        words = np.array(bytearray("\n".join(self.words).encode("utf-8", "surrogatepass")), np.uint8)
        values = {"words": words, "rarity": self.rarity, "weights": self.weights, "of_counts": self.of_counts}
        save_file({name: values[name].astype(kind) for name, kind in _TENSORS.items()}, path)

    @classmethod
    def load(cls, path: Path, field: str) -> LinearModel:
        """Read a model.

        Raises:
            ConfigError: the file cannot be read, or holds something else.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            found = load_file(path)
            text = found["words"].tobytes().decode("utf-8", "surrogatepass")
            words = text.split("\n") if text else []
        except OSError as error:
            raise ConfigError(f"{field}: {path} cannot be read: {error.strerror or error}") from None
        except (SafetensorError, KeyError, UnicodeDecodeError) as error:
            raise ConfigError(f"{field}: {path} is no linear model: {error}") from None
        shapes = {"rarity": (len(words),), "weights": (len(words),), "of_counts": (NUM_COUNTS + 1,)}
        for name, shape in shapes.items():
            values = found.get(name)
            if values is None or values.shape != shape or not np.isfinite(values).all():
                raise ConfigError(f"{field}: {path} is no linear model: {name} is not of {shape[0]} finite numbers")
        if len(set(words)) < len(words):
            raise ConfigError(f"{field}: {path} is no linear model: a word stands in it twice")
        return cls(words, found["rarity"], found["weights"], found["of_counts"])


class LinearTraining:
    """Collects texts and learns a model from them; holds some 8 bytes a text and word that it has."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._words: list[np.ndarray] = []
        self._times: list[np.ndarray] = []
        self._counts: list[list[float]] = []
        self._answers: list[bool] = []
        self._groups: list[str] = []

    def add(self, text: str, answer: bool, group: str) -> None:
        """Take a text, its label, and what it belongs to: each group weighs the same, such as a site."""
        words, counts = words_and_counts(text)
        numbers = self._numbers
        self._words.append(np.array([numbers.setdefault(word, len(numbers)) for word in words], np.int32))
        self._times.append(1 + np.log(np.array(list(words.values()), np.float32)))
        self._counts.append(counts)
        self._answers.append(answer)
        self._groups.append(group)

    def model(self) -> LinearModel:
        """Return the model that the texts teach; the same texts in the same order give the same."""
        occurring = np.bincount(np.concatenate(self._words), minlength=len(self._numbers))
        # The most frequent words; of equal ones those that came first.
        order = np.argsort(-occurring, kind="stable")[:MAX_WORDS]
        chosen = order[occurring[order] >= MIN_FILES]
        names = list(self._numbers)
        rarity = np.log((1 + len(self._words)) / (1 + occurring[chosen])) + 1
        columns = np.full(len(names), -1, np.int32)
        columns[chosen] = np.arange(len(chosen), dtype=np.int32)
        weights = self._fitted(self._matrix(columns, rarity))
        return LinearModel(
            [names[number] for number in chosen],
            rarity.astype(np.float32),
            weights[: len(chosen)].astype(np.float32),
            weights[len(chosen) :].astype(np.float32),
        )

    def _matrix(self, columns: np.ndarray, rarity: np.ndarray) -> csr_matrix:
        """Return a row per text: its words by rarity, of length one, and its counts."""
        from scipy.sparse import csr_matrix

        rows, values, starts = list[np.ndarray](), list[np.ndarray](), [0]
        own = np.arange(len(rarity), len(rarity) + NUM_COUNTS)
        for words, times, counts in zip(self._words, self._times, self._counts, strict=True):
            there = columns[words] >= 0
            numbers = columns[words[there]]
            weighed = times[there] * rarity[numbers]
            rows += [numbers, own]
            values += [weighed / (np.linalg.norm(weighed) or 1.0), np.array(counts)]
            starts.append(starts[-1] + len(numbers) + NUM_COUNTS)
        shape = (len(self._words), len(rarity) + NUM_COUNTS)
        return csr_matrix((np.concatenate(values), np.concatenate(rows), np.array(starts)), shape)

    def _importance(self, answers: np.ndarray) -> np.ndarray:
        """Return what each text weighs: groups the same, then both labels the same."""
        sizes = Counter(self._groups)
        importance = np.array([1 / sizes[group] for group in self._groups])
        for answer in (True, False):
            importance[answers == answer] /= importance[answers == answer].sum() or 1.0
        return importance * len(answers) / 2

    def _fitted(self, matrix: csr_matrix) -> np.ndarray:
        from scipy.optimize import minimize

        answers = np.array(self._answers)
        signs, importance = np.where(answers, 1.0, -1.0), self._importance(answers)
        transposed = matrix.T.tocsr()

        def loss(parameters: np.ndarray) -> tuple[float, Any]:
            weights = parameters[:-1]
            margins = signs * (matrix @ weights + parameters[-1])
            pulls = -importance * signs / (1 + np.exp(np.minimum(margins, 700)))
            value = importance @ np.logaddexp(0, -margins) + weights @ weights / (2 * INVERSE_REGULARIZATION)
            return float(value), np.append(transposed @ pulls + weights / INVERSE_REGULARIZATION, pulls.sum())

        start = np.zeros(matrix.shape[1] + 1)
        found: np.ndarray = minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS, "maxfun": 2 * MAX_ITERATIONS}
        ).x
        return found
