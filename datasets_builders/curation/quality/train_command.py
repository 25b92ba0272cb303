"""Sections 2.2.1 and 2.3.1: train a quality model from labelled files, or from files of high and of low quality.

The input is a Parquet or JSON Lines file, a dataset folder, or a dataset on the Hub with a column of code and one of
labels, a teacher LLM's scores say; or --positives and --negatives name such without labels. A tenth of the files is
held out to calibrate and a tenth to measure, by the hash of the content or of --group-column, so that equal files, or
pages of a site, never stand on both sides.
"""

import argparse
from pathlib import Path

HELP = "train a quality model, fastText or linear, from labelled files (section 2.2.1)"
EXAMPLE = (
    "python -m datasets_builders train-quality-model --input outputs/grades.jsonl --label-column grade "
    "--positive-at 4 --output outputs/quality_model"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from datasets_builders.curation.quality.quality_model import MODEL_FILES
    from datasets_builders.curation.quality.quality_training import TrainingOptions

    default = TrainingOptions()
    sources = ".parquet or .jsonl file, dataset folder, or ORG/NAME"
    parser.add_argument("--input", nargs="+", default=(), help=f"{sources}, with labels; several are put together")
    parser.add_argument("--positives", nargs="+", default=(), help=f"files of high quality, without labels: {sources}")
    parser.add_argument("--negatives", nargs="+", default=(), help="files of low quality, as --positives")
    parser.add_argument(
        "--group-column", default="", help="column of what stays on one side of the split, such as the site of pages"
    )
    parser.add_argument(
        "--tokenizer", type=Path, help="tokenizer.json, or its folder, whose tokens are learned from (section 2.3.1)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the model; replaced when it holds one")
    parser.add_argument("--content-column", default="content", help="column of the code")
    parser.add_argument("--label-column", default="label", help="column of numbers, or of true and false")
    parser.add_argument("--positive-at", type=float, default=1.0, help="label from which on files are of high quality")
    parser.add_argument(
        "--kind",
        choices=tuple(MODEL_FILES),
        default=default.kind,
        help="fasttext, or linear: a regression on rare words and counts of code, without the options below",
    )
    parser.add_argument("--dim", type=int, default=default.dim, help="numbers of a vector")
    parser.add_argument("--word-ngrams", type=int, default=default.word_ngrams, help="longest n-gram that is a feature")
    parser.add_argument("--epochs", type=int, default=default.epochs, help="passes over the files")
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate, help="learning rate at the start")
    parser.add_argument(
        "--buckets", type=int, default=default.buckets, help="buckets of hashed n-grams; the model has dim x 4 B each"
    )
    parser.add_argument(
        "--threads", type=int, default=default.threads, help="with more than one a second run gives another model"
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="seed of the training")


def run(options: argparse.Namespace) -> int:
    """Train a model, print what it does on held-out files, write the folder."""
    from datasets_builders.curation.quality.quality_training import LabelledFiles, TrainingOptions, summary, train

    description = train(
        LabelledFiles(
            tuple(options.input),
            options.content_column,
            options.label_column,
            options.positive_at,
            tuple(options.positives),
            tuple(options.negatives),
            options.group_column,
        ),
        options.output,
        TrainingOptions(
            kind=options.kind,
            dim=options.dim,
            word_ngrams=options.word_ngrams,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            buckets=options.buckets,
            seed=options.seed,
            threads=options.threads,
        ),
        options.tokenizer,
    )
    print(summary(description))
    print(f"{options.output}: use it with quality_model={options.output} min_quality=0.5")
    return 0
