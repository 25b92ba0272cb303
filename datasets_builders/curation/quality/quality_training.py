"""Section 2.2.1: train the fastText quality model from labelled files.

    python -m datasets_builders train-quality-model --input LABELLED --label-column score --positive-at 3 --output MODEL

LABELLED is a Parquet or JSON Lines file, a dataset folder, or a dataset on the Hub with a column of code and one of
labels, a teacher LLM's scores say. A tenth of the files is held out to calibrate and a tenth to measure, by the hash of
the content, so that equal files never stand on both sides.
"""

import argparse
import hashlib
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.command_line import HelpFormatter
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.curation.quality.fasttext_process import TrainingError, train_in_process
from datasets_builders.curation.quality.labelled_rows import rows_of
from datasets_builders.curation.quality.quality_model import (
    MODEL_FILE,
    NEGATIVE,
    POSITIVE,
    QualityDescription,
    QualityModel,
    logit,
    model_text,
    write_description,
)

SPLITS = ("test", "calibration", *("train",) * 8)
BATCH = 256
NUM_BINS = 10
MIN_FILES_OF_A_CLASS = 5
TRAINING_FILE = "train.txt"
PARAMETERS = ("dim", "word_ngrams", "epochs", "learning_rate", "buckets", "seed")


def main(arguments: Sequence[str]) -> int:
    """Train a model, print what it does on held-out files, write the folder."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets_builders train-quality-model",
        description=__doc__,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--input", required=True, help=".parquet or .jsonl file, dataset folder, or ORG/NAME")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model; replaced when it holds one")
    parser.add_argument("--content-column", default="content", help="the code")
    parser.add_argument("--label-column", default="label", help="numbers, or true and false")
    parser.add_argument("--positive-at", type=float, default=1.0, help="labels from here on are high quality")
    parser.add_argument("--dim", type=int, default=64, help="of a vector")
    parser.add_argument("--word-ngrams", type=int, default=2, help="longest run of words that is a feature")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the files")
    parser.add_argument("--learning-rate", type=float, default=0.5, help="at the start")
    parser.add_argument("--buckets", type=int, default=200_000, help="of hashed n-grams; the model has dim x 4 B each")
    parser.add_argument("--threads", type=int, default=1, help="with more than one a second run gives another model")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    options = parser.parse_args(arguments)
    try:
        description = train(options)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(summary(description))
    print(f"{options.output}: use it with quality_model={options.output} min_quality=0.5")
    return 0


def train(options: argparse.Namespace) -> QualityDescription:
    """Train, calibrate, measure and write a model.

    Raises:
        ConfigError: the data cannot be read, lack a column, or have too few files of a class.
    """
    output: Path = options.output
    if output.exists() and not (output / MODEL_FILE).is_file() and any(output.iterdir()):
        raise ConfigError(f"--output {output} holds something that is no quality model; name another folder")
    temporary = output.with_name(f"{output.name}.incomplete")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    held_out, training = _split(options, temporary / TRAINING_FILE)
    try:
        train_in_process(
            temporary / TRAINING_FILE,
            temporary / MODEL_FILE,
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
    (temporary / TRAINING_FILE).unlink()
    description = QualityDescription(file_sha256(temporary / MODEL_FILE), 1.0, 0.0, options.positive_at, training)
    write_description(temporary, description)
    trained = QualityModel(temporary)
    raw, answers = _scores(trained, held_out["calibration"])
    description.slope, description.intercept = fit_platt(raw, answers)
    trained.description = description
    raw, answers = _scores(trained, held_out["test"])
    description.held_out = measure([trained.calibrated(one) for one in raw], answers)
    description.held_out["calibration_error_uncalibrated"] = calibration_error(raw, answers)
    write_description(temporary, description)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    return description


def _split(
    options: argparse.Namespace, training_file: Path
) -> tuple[dict[str, list[tuple[str, bool]]], dict[str, Any]]:
    """Write the files to train on; return those that are held out, and what there was."""
    held_out: dict[str, list[tuple[str, bool]]] = {"test": [], "calibration": []}
    counts = {split: [0, 0] for split in ("train", "calibration", "test")}
    seen, num_equal = set(), 0
    with training_file.open("w", encoding="utf-8") as lines:
        for content, is_high in labelled_files(options):
            digest = hashlib.sha256(content.encode("utf-8", "replace")).digest()
            if digest[:16] in seen:
                num_equal += 1
                continue
            seen.add(digest[:16])
            split = SPLITS[int.from_bytes(digest[16:24], "big") % len(SPLITS)]
            counts[split][is_high] += 1
            if split == "train":
                lines.write(f"{POSITIVE if is_high else NEGATIVE} {model_text(content)}\n")
            else:
                held_out[split].append((content, is_high))
    for split, (low, high) in counts.items():
        if min(low, high) < MIN_FILES_OF_A_CLASS:
            raise ConfigError(
                f"{split} has {high} files of high and {low} of low quality (labels from {options.positive_at} on are "
                f"high), but needs {MIN_FILES_OF_A_CLASS} of each; give more files or another --positive-at"
            )
    return held_out, {
        "input": options.input,
        "files": {split: {"low": low, "high": high} for split, (low, high) in counts.items()},
        "left_out_as_equal": num_equal,
        "parameters": {name: getattr(options, name) for name in PARAMETERS},
        "fasttext": importlib.metadata.version("fasttext-numpy2-wheel"),
    }


def labelled_files(options: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """Give (content, is it of high quality) of each row."""
    for row in rows_of(options.input):
        for column in (options.content_column, options.label_column):
            if column not in row:
                raise ConfigError(f"{options.input} has no column {column!r}; it has {', '.join(row)}")
        content, label = row[options.content_column], row[options.label_column]
        if isinstance(content, str) and content.strip() and isinstance(label, bool | int | float):
            yield content, float(label) >= options.positive_at


def _scores(model: QualityModel, files: list[tuple[str, bool]]) -> tuple[list[float], list[bool]]:
    """Return fastText's own probabilities, and the labels."""
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

    x = np.array([logit(one) for one in probabilities])
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
    }


def calibration_error(scores: Sequence[float], answers: Sequence[bool]) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, answer in zip(scores, answers, strict=True):
        bins.setdefault(min(int(score * NUM_BINS), NUM_BINS - 1), []).append((score, answer))
    gaps = (abs(sum(score for score, _ in one) - sum(answer for _, answer in one)) for one in bins.values())
    return sum(gaps) / max(len(scores), 1)


def summary(description: QualityDescription) -> str:
    """Return the held-out figures as lines."""
    lines = [f"{name:32s} {value:.4g}" for name, value in description.held_out.items()]
    return "\n".join(["on held-out files, at 0.5:", *lines])
