"""Train a byte-level BPE tokenizer with the model's special tokens on datasets that the builders wrote.

    python recipes/train_tokenizer.py --output_dir outputs/tokenizer --vocab_size 4096 \
        outputs/datasets/source_code:content outputs/datasets/documentation:text

Each input is FOLDER:COLUMN, a dataset folder with data/train_*.parquet and a column of strings or of chat messages
(of messages, the contents are read). On disk afterwards: a tokenizer folder that AutoTokenizer loads, with the chat
template. The released checkpoints bring their own tokenizer: this one is for models trained from scratch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as parquet

ROWS_PER_BATCH = 256


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, train, and write the tokenizer folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="FOLDER:COLUMN", help="a dataset folder and the column to read")
    parser.add_argument("--output_dir", "--output-dir", type=Path, required=True, help="the tokenizer folder to write")
    parser.add_argument(
        "--vocab_size", "--vocab-size", type=int, default=4096, help="tokens in all, special ones included"
    )
    options = parser.parse_args(arguments)
    columns = [parse_input(argument) for argument in options.inputs]

    from modeling_ling.tokenizer import train_tokenizer  # after the arguments are known to be right: the import is slow

    tokenizer = train_tokenizer(texts_of(columns), options.vocab_size)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(options.output_dir)
    num_bytes = sum(len(text.encode()) for text in texts_of(columns))
    num_tokens = sum(len(ids) for ids in encoded(tokenizer, texts_of(columns)))
    bytes_per_token = num_bytes / max(num_tokens, 1)
    print(f"{options.output_dir}: {len(tokenizer)} tokens; {bytes_per_token:.2f} bytes per token on its input")


def parse_input(argument: str) -> tuple[Path, str]:
    """Split FOLDER:COLUMN and check that both exist.

    Raises:
        SystemExit: the argument has no column, the folder no train shards, or the shards no such column.
    """
    folder, separator, column = argument.rpartition(":")
    shards = train_shards(Path(folder))
    if not separator or not shards:
        raise SystemExit(
            f"{argument}: expected FOLDER:COLUMN with shards under FOLDER/data/train_*.parquet; build it first"
        )
    names = parquet.read_schema(shards[0]).names
    if column not in names:
        raise SystemExit(f"{argument}: no column '{column}' in {shards[0]}; it has {', '.join(names)}")
    return Path(folder), column


def train_shards(folder: Path) -> list[Path]:
    """Return the train shards of a dataset folder, in order."""
    return sorted((folder / "data").glob("train_*.parquet"))


def texts_of(columns: list[tuple[Path, str]]) -> Iterator[str]:
    """Yield every text of every (folder, column), in order."""
    for folder, column in columns:
        for shard in train_shards(folder):
            for batch in parquet.ParquetFile(shard).iter_batches(ROWS_PER_BATCH, columns=[column]):
                for value in batch.column(0).to_pylist():
                    yield from (message["content"] for message in value) if isinstance(value, list) else (value,)


def encoded(tokenizer, texts: Iterator[str]) -> Iterator[list[int]]:
    """Yield the token ids of each text, special-token parsing off."""
    from modeling_ling.tokenizer import encode_text

    return (encode_text(tokenizer, text) for text in texts)


if __name__ == "__main__":
    main()
