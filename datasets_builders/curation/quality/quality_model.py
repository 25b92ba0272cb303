"""Section 2.2.1, code quality score: a fastText classifier of files, with a calibrated probability.

`quality_training.py` trains one; a folder holds `model.bin` and `quality_model.json`. A linear model (linear_model.py)
stands in such a folder as `model.safetensors`, and is used in the same way.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.quality.linear_model import LinearModel

if TYPE_CHECKING:
    from modeling_ling.text_encoding import TextEncoder

DESCRIPTION_FILE, TOKENIZER_FILE = "quality_model.json", "tokenizer.json"
FASTTEXT, LINEAR = "fasttext", "linear"
MODEL_FILES = {FASTTEXT: "model.bin", LINEAR: "model.safetensors"}
LABEL = "__label__"
POSITIVE, NEGATIVE = f"{LABEL}high", f"{LABEL}low"
LINE_END = "<nl>"
# Of a longer file the beginning is judged: fastText averages over all words.
MAX_CHARACTERS = 20_000
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_TOKEN = re.compile(r"\w+|[^\w\s]|\n+")


@dataclass
class QualityDescription:
    """What belongs to a model beside its weights.

    Args:
        sha256 (`str`): of the model's file.
        slope, intercept (`float`): P(high) = sigmoid(slope * logit(p) + intercept), p being the model's own.
        positive_at (`float`): labels from here on count as high quality.
        training (dict): data, sizes, parameters and versions.
        held_out (dict): what was measured on files that were not trained on.
        tokenizer_sha256 (`str`): of tokenizer.json beside it, whose tokens are the words; empty: names and signs.
        kind (`str`): fasttext or linear.
    """

    sha256: str
    slope: float
    intercept: float
    positive_at: float
    training: dict[str, Any] = field(default_factory=dict)
    held_out: dict[str, Any] = field(default_factory=dict)
    tokenizer_sha256: str = ""
    kind: str = FASTTEXT

    @property
    def model_file(self) -> str:
        """Name of the model's file."""
        return MODEL_FILES[self.kind]


def model_text(content: str) -> str:
    """Return a file as fastText is given it: a line of names, numbers and single signs, its line ends as words."""
    tokens = _TOKEN.findall(content[:MAX_CHARACTERS])
    return _without_labels(" ".join(LINE_END if token[0] == "\n" else token for token in tokens))


def _without_labels(line: str) -> str:
    """Return a line without what fastText takes for a label wherever it stands, such as code that uses fastText has."""
    return line.replace(LABEL, "label:") if LABEL in line else line


class ModelWords:
    """The words that fastText is given of files: names, numbers and signs, or the tokens of a tokenizer.

    Args:
        tokenizer (`Path`, *optional*): a tokenizer.json.

    Raises:
        ConfigError: it is none.

    Source: paper 2.3.1 has fastText learn from BPE tokens by changing its source code; tokens with blanks between them
    are the same to it.
    """

    def __init__(self, tokenizer: Path | None = None) -> None:
        self._encoder: TextEncoder | None = None
        if tokenizer is not None:
            from transformers import PreTrainedTokenizerFast

            from modeling_ling import text_encoding

            try:
                learned = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer))
            except Exception as error:  # what the library raises has no class of its own
                raise ConfigError(f"{tokenizer} is no tokenizer.json: {error}") from None
            self._encoder = text_encoding.TextEncoder(learned)
            # Tokens of byte-level BPE hold no blanks; those of others may.
            names = {number: "_".join(token.split()) for token, number in learned.get_vocab().items()}
            self._names = [names.get(number, "") for number in range(max(names, default=0) + 1)]

    def texts(self, contents: Sequence[str]) -> list[str]:
        """Return each file as a line of words, of its first 20,000 characters."""
        if self._encoder is None:
            return [model_text(content) for content in contents]
        encoded = self._encoder.encode_all([content[:MAX_CHARACTERS] for content in contents])
        return [_without_labels(" ".join(map(self._names.__getitem__, ids))) for ids in encoded]


class QualityModel:
    """A trained model.

    Source: paper 2.2.1 (fastText); linear models and the calibration (Platt's) are ours.
    """

    def __init__(self, folder: Path) -> None:
        self.description = read_description(folder)
        path = folder / self.description.model_file
        self.classifier: FastTextModel | LinearModel
        if self.description.kind == LINEAR:
            self.classifier = LinearModel.load(path, "quality_model")
        else:
            self.classifier = FastTextModel(
                path, folder / TOKENIZER_FILE if self.description.tokenizer_sha256 else None
            )

    def scores(self, contents: Sequence[str]) -> list[float]:
        """Return the calibrated probability of high quality of each file, between 0 and 1."""
        return [self.calibrated(probability) for probability in self.raw_scores(contents)]

    def raw_scores(self, contents: Sequence[str]) -> list[float]:
        """Return the model's own probabilities."""
        return self.classifier.probabilities([content[:MAX_CHARACTERS] for content in contents])

    def calibrated(self, probability: float) -> float:
        """Return the calibrated probability of the model's own."""
        return 1 / (1 + math.exp(-(self.description.slope * logit(probability) + self.description.intercept)))


class FastTextModel:
    """A classifier of two labels.

    Args:
        path (`Path`): of the model.
        tokenizer (`Path`, *optional*): see `ModelWords`.

    Raises:
        ConfigError: it is none, or has other labels.
    """

    def __init__(self, path: Path, tokenizer: Path | None = None) -> None:
        self.words = ModelWords(tokenizer)
        self._model = load_fasttext(path, "quality_model")
        if set(self._model.get_labels()) != {POSITIVE, NEGATIVE}:
            raise ConfigError(f"{path} has other labels than {POSITIVE} and {NEGATIVE}")

    def probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return the probability of each text."""
        return self.predict(self.words.texts(texts)) if texts else []

    def predict(self, lines: list[str]) -> list[float]:
        """Return the probability of each line of words."""
        labels, probabilities = self._model.predict(lines, k=2)
        return [
            float(dict(zip(names, values, strict=True)).get(POSITIVE, 0.0))
            for names, values in zip(labels, probabilities, strict=True)
        ]


def load_fasttext(path: Path, field: str) -> Any:
    """Load a fastText model that a field of a config names.

    Raises:
        ConfigError: there is none, or fastText cannot load it.
    """
    import fasttext

    check_fasttext(path, field)
    fasttext.FastText.eprint = lambda *words: None  # its loader warns about an argument of its own
    try:
        return fasttext.load_model(str(path))
    except (ValueError, MemoryError) as error:
        raise ConfigError(f"{field}: {path} cannot be loaded by fastText: {error}") from None


def check_fasttext(path: Path, field: str) -> None:
    """Raise `ConfigError` when a file is missing or does not start as a fastText model does."""
    try:
        with path.open("rb") as file:
            is_model = file.read(4) == FASTTEXT_MAGIC
    except OSError as error:
        raise ConfigError(f"{field}: {path} cannot be read: {error.strerror}") from None
    if not is_model:
        raise ConfigError(f"{field}: {path} is no fastText model")


def logit(probability: float) -> float:
    """Return log(p / (1 - p)) of a probability, which is kept away from 0 and 1 by one in a million."""
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))


def read_description(folder: Path) -> QualityDescription:
    """Read and check quality_model.json; the model itself is not opened.

    Raises:
        ConfigError: a file is missing, is no fastText model, or is not the one that the description belongs to.
    """
    try:
        description = QualityDescription(**json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8")))
        model = folder / description.model_file
    except OSError:
        raise ConfigError(_missing(folder / DESCRIPTION_FILE)) from None
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"quality_model: {folder / DESCRIPTION_FILE} is not as expected: {error}") from None
    if not model.is_file():
        raise ConfigError(_missing(model))
    if description.kind == FASTTEXT:
        check_fasttext(model, "quality_model")
    if file_sha256(model) != description.sha256:
        raise ConfigError(f"quality_model: {model} is not the model that {DESCRIPTION_FILE} describes (sha256)")
    tokenizer = folder / TOKENIZER_FILE
    if description.tokenizer_sha256 and (
        not tokenizer.is_file() or file_sha256(tokenizer) != description.tokenizer_sha256
    ):
        raise ConfigError(f"quality_model: {tokenizer} is not the tokenizer that {DESCRIPTION_FILE} describes (sha256)")
    return description


def _missing(path: Path) -> str:
    return f"quality_model: {path} is missing; `train-quality-model` makes such a folder"


def write_description(folder: Path, description: QualityDescription) -> None:
    """Write quality_model.json."""
    text = json.dumps(asdict(description), indent=2, sort_keys=True)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


class QualityScore(Step):
    """Write a quality score into every file's `quality`, and remove files below a limit.

    Args:
        folder (`Path`): of the model.
        min_quality (`float`): smallest score that stays, 0 keeps all.

    Source: paper 2.2.1.
    """

    name = "quality"
    libraries = ("fasttext-numpy2-wheel",)
    is_filter = True
    measures: ClassVar[Mapping[str, str]] = {"score": "the score, not rounded"}
    batch_size = 64

    def __init__(self, folder: Path, min_quality: float = 0.0) -> None:
        super().__init__()
        self.folder, self.min_quality = str(folder), min_quality

    def begin(self, rank: int, world_size: int) -> None:
        """Load the model."""
        self._model: QualityModel | None = QualityModel(Path(self.folder))

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Score a batch."""
        assert self._model is not None
        answers: list[Iterable[Outcome]] = []
        for doc, score in zip(docs, self._model.scores([doc.text for doc in docs]), strict=True):
            doc.metadata["quality"] = round(score, 4)
            self.note(doc, score=score)
            broken = self._broken(score)
            answers.append([Removed(doc, *broken) if broken else doc])
        return answers

    def verdict(self, doc: Document, tag: Mapping[str, Any]) -> tuple[str, str] | None:
        """Judge by the score."""
        return self._broken(tag["measures"]["score"])

    def _broken(self, score: float) -> tuple[str, str] | None:
        return ("low_quality", f"{score:.4f}") if score < self.min_quality else None

    def end(self) -> None:
        """Drop the model, which does not pickle."""
        self._model = None
