"""Section 3.1: train a byte-level BPE tokenizer with the model's special tokens.

Each input is FOLDER:COLUMN, a dataset folder with data/train_*.parquet and a column of strings or of chat messages (of
messages, the contents are read), FOLDER:COLUMN:LANGUAGE_COLUMN to report every language by itself, or a text file. The
released checkpoints bring their own tokenizer: this one is for models trained from scratch.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HELP = "train a tokenizer on datasets or text files"
EXAMPLE = (
    "python -m modeling_ling train-tokenizer --to outputs/tokenizer --vocab-size 4096 "
    "outputs/datasets/source_code:content:language outputs/datasets/documentation:text"
)
REPORT_FILE = "tokenizer_report.json"
ROWS_PER_BATCH = 256


@dataclass(frozen=True)
class Input:
    """One argument of the command line: where texts come from, and under which name they are reported."""

    path: Path
    column: str | None = None
    language_column: str | None = None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield (name in the report, text) in the order of the files."""
        if self.column is None:
            yield self.path.name, self.path.read_text(encoding="utf-8")
            return
        from pyarrow import parquet

        columns = [self.column, *([self.language_column] if self.language_column else [])]
        for shard in train_shards(self.path):
            for batch in parquet.ParquetFile(shard).iter_batches(ROWS_PER_BATCH, columns=columns):
                for row in batch.to_pylist():
                    name = self.path.name
                    if self.language_column:
                        name += f", {row[self.language_column]}"
                    value = row[self.column]
                    for text in [message["content"] for message in value] if isinstance(value, list) else [value]:
                        yield name, text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="FOLDER:COLUMN[:LANGUAGE_COLUMN] or a text file")
    parser.add_argument("--to", type=Path, required=True, help="the tokenizer folder to write")
    parser.add_argument("--vocab-size", type=int, default=4096, help="tokens in all, special ones included")
    parser.add_argument("--num-reserved-tokens", type=int, default=16, help="reserved tokens (released: 256)")
    parser.add_argument(
        "--unicode-normalization",
        choices=("none", "NFC"),
        default="none",
        help="none keeps every byte; NFC, as released, composes decomposed accents",
    )


def run(options: argparse.Namespace) -> int:
    """Train the tokenizer, and print bytes per token of every input."""
    from modeling_ling.tokenizer import train_tokenizer

    inputs = [parse_input(argument) for argument in options.inputs]
    tokenizer = train_tokenizer(
        (text for source in inputs for _, text in source.texts()),
        options.vocab_size,
        num_reserved_tokens=options.num_reserved_tokens,
        unicode_normalization=None if options.unicode_normalization == "none" else options.unicode_normalization,
    )
    options.to.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(options.to)
    report = bytes_per_token(tokenizer, inputs)
    (options.to / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{'input':<40} {'bytes':>14} {'tokens':>14} {'bytes per token':>16}")
    for name, figures in report.items():
        print(f"{name:<40} {figures['bytes']:>14,} {figures['tokens']:>14,} {figures['bytes_per_token']:>16.2f}")
    print(f"{options.to}: {len(tokenizer)} tokens")
    return 0


def parse_input(argument: str) -> Input:
    """Read one input argument and check that it exists.

    Raises:
        ValueError: neither a text file nor a dataset folder, or one without that column.
    """
    from pyarrow import parquet

    if Path(argument).is_file():
        return Input(Path(argument))
    folder, *columns = argument.split(":")
    shards = train_shards(Path(folder))
    if not columns or len(columns) > 2 or not shards:
        raise ValueError(
            f"{argument}: expected a text file, or FOLDER:COLUMN[:LANGUAGE_COLUMN] with shards under "
            "FOLDER/data/train_*.parquet; build it first"
        )
    names = parquet.read_schema(shards[0]).names
    for column in columns:
        if column not in names:
            raise ValueError(f"{argument}: no column '{column}' in {shards[0]}; it has {', '.join(names)}")
    return Input(Path(folder), *columns)


def train_shards(folder: Path) -> list[Path]:
    """Return the train shards of a dataset folder, in order."""
    return sorted((folder / "data").rglob("train_*.parquet"))


def bytes_per_token(tokenizer: PreTrainedTokenizerBase, inputs: list[Input]) -> dict[str, dict[str, float]]:
    """Return bytes, tokens and their ratio for every input and language, on the texts that trained it, and overall."""
    from modeling_ling.tokenizer import encode_texts

    totals: dict[str, list[int]] = {}
    pairs = (pair for source in inputs for pair in source.texts())
    while batch := list(islice(pairs, ROWS_PER_BATCH)):
        encoded = encode_texts(tokenizer, [text for _, text in batch])
        for (name, text), ids in zip(batch, encoded, strict=True):
            counted = totals.setdefault(name, [0, 0])
            counted[0] += len(text.encode("utf-8", errors="replace"))
            counted[1] += len(ids)
    totals["all"] = [sum(values[0] for values in totals.values()), sum(values[1] for values in totals.values())]
    return {
        name: {"bytes": num_bytes, "tokens": num_tokens, "bytes_per_token": round(num_bytes / max(num_tokens, 1), 4)}
        for name, (num_bytes, num_tokens) in totals.items()
    }


__all__ = ["bytes_per_token", "parse_input"]
