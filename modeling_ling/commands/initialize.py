"""Section 3.1: a model with fresh weights as a Hub-ready folder: what stage 1 starts from."""

import argparse
from pathlib import Path

from modeling_ling.presets import PRESETS

HELP = "write a model with random weights"
EXAMPLE = "python -m modeling_ling init --preset tiny --tokenizer outputs/tokenizer --to outputs/initial_model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--preset", choices=PRESETS, required=True, help="tiny (about 3M), ablation_1b or lite (16.8B)")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there")
    parser.add_argument("--tokenizer", help="a tokenizer folder or a name on the Hub; sets the vocabulary's size")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), default="float32", help="number format of the weights"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights")
    parser.add_argument(
        "--final-norm-gain", type=float, default=1.0, help="initial weights of the norm before the head"
    )
    parser.add_argument("--max-shard-size", default="5GB", help="size of one file, and the memory this takes")


def run(options: argparse.Namespace) -> int:
    """Write the model and print its size."""
    from modeling_ling.checkpoint_layout import parse_size, refuse_existing_model

    parse_size(options.max_shard_size)
    if not options.overwrite:
        refuse_existing_model(options.to)

    import torch
    from transformers import AutoTokenizer

    from modeling_ling.accounting import count_parameters
    from modeling_ling.export import special_ids
    from modeling_ling.presets import load_preset
    from modeling_ling.random_model import rounded_vocabulary, write_random_model

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer) if options.tokenizer else None
    vocab_size = None if tokenizer is None else rounded_vocabulary(len(tokenizer))
    config = load_preset(options.preset, vocab_size=vocab_size)
    for name, value in special_ids(config, tokenizer).items():
        setattr(config, name, value)
    write_random_model(
        config,
        tokenizer,
        options.to,
        dtype=getattr(torch, options.dtype),
        seed=options.seed,
        final_norm_gain=options.final_norm_gain,
        max_shard_size=options.max_shard_size,
    )
    count = count_parameters(config)
    print(f"{options.to}: {count.total:,} parameters, {count.active:,} active per token, {options.dtype}")
    return 0
