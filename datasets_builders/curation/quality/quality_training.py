"""Section 2.2.1, code quality score: train a quality model, calibrate and measure it on held-out files."""

import hashlib
import importlib.metadata
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.curation.quality.fasttext_process import TrainingError, train_in_process
from datasets_builders.curation.quality.labelled_rows import rows_of
from datasets_builders.curation.quality.linear_model import LinearTraining
from datasets_builders.curation.quality.quality_model import (
    DESCRIPTION_FILE,
    FASTTEXT,
    LINEAR,
    MAX_CHARACTERS,
    MODEL_FILES,
    NEGATIVE,
    POSITIVE,
    TOKENIZER_FILE,
    ModelWords,
    QualityDescription,
    QualityModel,
    logit,
    write_description,
)

SPLITS = ("test", "calibration", *("train",) * 8)
BATCH = 256
NUM_BINS = 10
RECALLS = (0.9, 0.95, 0.99, 0.995)
MIN_CLASS_FILES = 5
TRAINING_FILE = "train.txt"


@dataclass(frozen=True)
class LabelledFile:
    """A file, whether it is of high quality, and what it must not be torn from when some are held out."""

    content: str
    is_high: bool
    group: str


@dataclass(frozen=True)
class LabelledFiles:
    """What is learned from: sources with labels, or sources of files of high and of low quality.

    Args:
        labelled (tuple of `str`): see `rows_of`; empty where the other two are given.
        content_column, label_column (`str`): of the code, and of numbers or of true and false.
        positive_at (`float`): labels from here on are high quality.
        positives, negatives (tuple of `str`): sources without labels, see `rows_of`.
        group_column (`str`): of files that stay on one side, such as the site of pages; empty: the content itself.
    """

    labelled: tuple[str, ...] = ()
    content_column: str = "content"
    label_column: str = "label"
    positive_at: float = 1.0
    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    group_column: str = ""

    def __post_init__(self) -> None:
        if bool(self.labelled) == bool(self.positives or self.negatives):
            raise ConfigError("give --input with labels, or --positives and --negatives without, not both")
        if bool(self.positives) != bool(self.negatives):
            raise ConfigError("--positives and --negatives belong together; one of them is missing")

    @property
    def sources(self) -> dict[str, list[str]]:
        """What is read, for the description of the model."""
        if self.labelled:
            return {"labelled": list(self.labelled)}
        return {"positives": list(self.positives), "negatives": list(self.negatives)}

    def __iter__(self) -> Iterator[LabelledFile]:
        """Give each file that has a content and, where they are wanted, a label and a group."""
        for source in self.labelled:
            for row in self._rows(source, self.label_column):
                label = row[self.label_column]
                if isinstance(label, bool | int | float):
                    yield self._file(row, float(label) >= self.positive_at)
        for sources, is_high in ((self.positives, True), (self.negatives, False)):
            for source in sources:
                for row in self._rows(source):
                    yield self._file(row, is_high)

    def _rows(self, source: str, *more_columns: str) -> Iterator[dict[str, Any]]:
        needed = [self.content_column, *more_columns, *filter(None, [self.group_column])]
        for row in rows_of(source):
            for column in needed:
                if column not in row:
                    raise ConfigError(f"{source} has no column {column!r}; it has {', '.join(row)}")
            content = row[self.content_column]
            if isinstance(content, str) and content.strip():
                yield row

    def _file(self, row: dict[str, Any], is_high: bool) -> LabelledFile:
        content = row[self.content_column]
        return LabelledFile(content, is_high, str(row[self.group_column]) if self.group_column else content)


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training; all but the kind are fastText's.

    Args:
        kind (`str`): fasttext, or linear: a regression on words and counts of code, of which groups weigh the same.
        dim (`int`): numbers of a vector.
        word_ngrams (`int`): longest n-gram that is a feature.
        epochs (`int`): passes over the files.
        learning_rate (`float`): at the start.
        buckets (`int`): of hashed n-grams; the model has dim x 4 bytes each, 48 MB with a vocabulary of 8,192 tokens.
        seed (`int`): of the training.
        threads (`int`): with more than one a second run gives another model.
    """

    kind: str = FASTTEXT
    dim: int = 64
    word_ngrams: int = 2
    epochs: int = 10
    learning_rate: float = 0.5
    buckets: int = 180_000
    seed: int = 0
    threads: int = 1


def train(
    files: LabelledFiles, output: Path, options: TrainingOptions, tokenizer: Path | None = None
) -> QualityDescription:
    """Train, calibrate, measure and write a model.

    Args:
        files (`LabelledFiles`): what is learned from.
        output (`Path`): folder of the model; replaced when it holds one.
        options (`TrainingOptions`): of the training.
        tokenizer (`Path`, *optional*): a tokenizer.json, or a folder with one, whose tokens are fastText's words.

    Raises:
        ConfigError: the data cannot be read, lack a column, or have too few files of a class.
    """
    if tokenizer and options.kind == LINEAR:
        raise ConfigError("--tokenizer is fastText's; a linear model has words of its own")
    if output.exists() and not (output / DESCRIPTION_FILE).is_file() and any(output.iterdir()):
        raise ConfigError(f"--output {output} holds something that is no quality model; name another folder")
    temporary = output.with_name(f"{output.name}.incomplete")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    learner: _Learner
    learner, tokenizer_sha256 = _LinearLearner(), ""
    if options.kind == FASTTEXT:
        words, tokenizer_sha256 = _words_of(tokenizer, temporary)
        learner = _FastTextLearner(temporary / TRAINING_FILE, words, options)
    held_out, counts = _split(files, learner)
    model_file = temporary / MODEL_FILES[options.kind]
    learner.learn(model_file)
    training = {"input": files.sources, **counts, **learner.described()}
    description = QualityDescription(
        file_sha256(model_file), 1.0, 0.0, files.positive_at, training, {}, tokenizer_sha256, options.kind
    )
    write_description(temporary, description)
    trained = QualityModel(temporary)
    raw, answers = _scores(trained, held_out["calibration"])
    description.slope, description.intercept = fit_platt(raw, answers)
    trained.description = description
    raw, answers = _scores(trained, held_out["test"])
    description.held_out = measure([trained.calibrated(probability) for probability in raw], answers)
    description.held_out["calibration_error_uncalibrated"] = calibration_error(raw, answers)
    write_description(temporary, description)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    return description


def _words_of(tokenizer: Path | None, folder: Path) -> tuple[ModelWords, str]:
    """Return the words that are learned from; a tokenizer is copied into the model's folder."""
    if tokenizer is None:
        return ModelWords(), ""
    source = tokenizer / TOKENIZER_FILE if tokenizer.is_dir() else tokenizer
    if not source.is_file():
        raise ConfigError(f"--tokenizer {tokenizer} holds no {TOKENIZER_FILE}")
    copy = folder / TOKENIZER_FILE
    shutil.copyfile(source, copy)
    return ModelWords(copy), file_sha256(copy)


class _Learner(Protocol):
    """Is given what there is to learn from, and writes a model."""

    def add(self, files: Sequence[LabelledFile]) -> None:
        """Take files."""

    def learn(self, model_file: Path) -> None:
        """Write the model."""

    def described(self) -> dict[str, Any]:
        """Return parameters and versions, for the description."""


class _FastTextLearner:
    def __init__(self, training_file: Path, words: ModelWords, options: TrainingOptions) -> None:
        self.training_file, self.words, self.options = training_file, words, options
        training_file.touch()

    def add(self, files: Sequence[LabelledFile]) -> None:
        with self.training_file.open("a", encoding="utf-8") as lines:
            for file, text in zip(files, self.words.texts([file.content for file in files]), strict=True):
                lines.write(f"{POSITIVE if file.is_high else NEGATIVE} {text}\n")

    def learn(self, model_file: Path) -> None:
        options = self.options
        try:
            train_in_process(
                self.training_file,
                model_file,
                dim=options.dim,
                wordNgrams=options.word_ngrams,
                epoch=options.epochs,
                lr=options.learning_rate,
                bucket=options.buckets,
                thread=options.threads,
                seed=options.seed,
                loss="softmax",
                verbose=0,
            )
        except TrainingError as error:
            raise ConfigError(f"fastText: {error}; where it met NaN, give a smaller --learning-rate") from None
        self.training_file.unlink()

    def described(self) -> dict[str, Any]:
        return {
            "parameters": {name: value for name, value in asdict(self.options).items() if name != "threads"},
            "fasttext": importlib.metadata.version("fasttext-numpy2-wheel"),
        }


class _LinearLearner:
    def __init__(self) -> None:
        self.training = LinearTraining()

    def add(self, files: Sequence[LabelledFile]) -> None:
        for file in files:
            # Without a group each file is one of its own, and all weigh the same.
            self.training.add(file.content[:MAX_CHARACTERS], file.is_high, file.group)

    def learn(self, model_file: Path) -> None:
        self.training.model().save(model_file)

    def described(self) -> dict[str, Any]:
        return {"parameters": {"kind": LINEAR}, "scipy": importlib.metadata.version("scipy")}


def _split(files: LabelledFiles, learner: _Learner) -> tuple[dict[str, list[tuple[str, bool]]], dict[str, Any]]:
    """Let the files to train on be learned from; return those that are held out, and how many there were."""
    held_out: dict[str, list[tuple[str, bool]]] = {"test": [], "calibration": []}
    counts = {split: [0, 0] for split in ("train", "calibration", "test")}
    seen: set[bytes] = set()
    num_equal = 0
    batch: list[LabelledFile] = []
    for file in files:
        digest = _digest(file.content)[:16]
        if digest in seen:
            num_equal += 1
            continue
        seen.add(digest)
        split = SPLITS[int.from_bytes(_digest(file.group)[16:24], "big") % len(SPLITS)]
        counts[split][file.is_high] += 1
        if split != "train":
            held_out[split].append((file.content, file.is_high))
            continue
        batch.append(file)
        if len(batch) == BATCH:
            learner.add(batch)
            batch = []
    learner.add(batch)
    for split, (low, high) in counts.items():
        if min(low, high) < MIN_CLASS_FILES:
            raise ConfigError(
                f"{split} has {high} files of high and {low} of low quality (labels from {files.positive_at} on are "
                f"high), but needs {MIN_CLASS_FILES} of each; give more files or another --positive-at"
            )
    return held_out, {
        "files": {split: {"low": low, "high": high} for split, (low, high) in counts.items()},
        "left_out_as_equal": num_equal,
    }


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _scores(model: QualityModel, files: list[tuple[str, bool]]) -> tuple[list[float], list[bool]]:
    """Return the model's own probabilities, and the labels."""
    scores: list[float] = []
    for at in range(0, len(files), BATCH):
        scores += model.raw_scores([content for content, _ in files[at : at + BATCH]])
    return scores, [is_high for _, is_high in files]


def fit_platt(probabilities: Sequence[float], answers: Sequence[bool]) -> tuple[float, float]:
    """Return slope and intercept that make the log-likelihood of the answers largest.

    Source: Platt (1999), with his targets, which keep a separable set from an infinite slope.
    """
    import numpy as np
    from scipy.optimize import minimize

    x = np.array([logit(probability) for probability in probabilities])
    y = np.array(answers, bool)
    high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2)
    target = np.where(y, high, low)

    def loss(parameters: Any) -> float:
        z = parameters[0] * x + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(1e-3, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def measure(scores: Sequence[float], answers: Sequence[bool]) -> dict[str, float]:
    """Return precision, recall and F1 at 0.5, the area under the ROC curve, and the expected calibration error."""
    from scipy.stats import rankdata

    chosen = [score >= 0.5 for score in scores]
    true = sum(pick and answer for pick, answer in zip(chosen, answers, strict=True))
    precision, recall = true / max(sum(chosen), 1), true / max(sum(answers), 1)
    num_high, num_low = sum(answers), len(answers) - sum(answers)
    ranks = sum(rank for rank, answer in zip(rankdata(scores), answers, strict=True) if answer)
    area = (ranks - num_high * (num_high + 1) / 2) / max(num_high * num_low, 1)
    return {
        "n": len(answers),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "roc_auc": float(area),
        "calibration_error": calibration_error(scores, answers),
        **operating_points(scores, answers),
    }


def operating_points(scores: Sequence[float], answers: Sequence[bool]) -> dict[str, float]:
    """Return, for each of `RECALLS`, the largest limit that reaches it, and the precision there.

    Args:
        scores: of files.
        answers: whether each is of high quality.
    """
    ranked = sorted(zip(scores, answers, strict=True), reverse=True)
    num_high = sum(answers)
    points: dict[str, float] = {}
    for recall in RECALLS:
        needed, found = math.ceil(recall * num_high), 0
        for number, (score, is_high) in enumerate(ranked, 1):
            found += is_high
            # Files with the same score are taken together.
            if found >= needed and (number == len(ranked) or ranked[number][0] < score):
                points |= {f"limit_at_recall_{recall}": score, f"precision_at_recall_{recall}": found / number}
                break
    return points


def calibration_error(scores: Sequence[float], answers: Sequence[bool]) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, answer in zip(scores, answers, strict=True):
        bins.setdefault(min(int(score * NUM_BINS), NUM_BINS - 1), []).append((score, answer))
    gaps = (abs(sum(score for score, _ in pairs) - sum(answer for _, answer in pairs)) for pairs in bins.values())
    return sum(gaps) / max(len(scores), 1)


def summary(description: QualityDescription) -> str:
    """Return the held-out figures as lines."""
    lines = [f"{name:32s} {value:.4g}" for name, value in description.held_out.items()]
    return "\n".join(["on held-out files, at 0.5:", *lines])
