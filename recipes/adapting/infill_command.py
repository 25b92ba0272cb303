"""Section 3.2: how well a model fills gaps in files of one's own: exact match, edit similarity and loss."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modeling_ling.command_line import EXIT_OK

if TYPE_CHECKING:
    from recipes.adapting.infilling import Filling, Gap

HELP = "measure how a model fills gaps in held-out files"
EXAMPLE = (
    "python -m recipes infill --model Qwen/Qwen2.5-Coder-1.5B --held-out outputs/project/held_out.jsonl --to a.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", required=True, help="ask this model: a folder, or org/name[@revision] on the Hub")
    parser.add_argument(
        "--held-out",
        type=Path,
        required=True,
        metavar="FILE",
        help="take gaps from this file: content, path, repository",
    )
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="write answers and figures into this file"
    )
    parser.add_argument(
        "--per-file", type=int, default=2, metavar="N", help="ask for so many gaps of each kind in a file"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="ask for so many gaps in all, the first ones")
    parser.add_argument("--max-context", type=int, default=4096, metavar="TOKENS", help="ask with no more than this")
    parser.add_argument("--max-new-tokens", type=int, default=256, metavar="TOKENS", help="let no answer be longer")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N", help="ask for so many at once")
    parser.add_argument("--seed", type=int, default=0, help="draw other gaps")
    parser.add_argument(
        "--tests-from",
        type=Path,
        metavar="FOLDER",
        help="run the tests of this source_code dataset, of which the held-out files are, over the answers",
    )


def run(options: argparse.Namespace) -> int:
    """Ask, write, and print the figures."""
    import torch
    from tqdm import tqdm

    from recipes.adapting.infilling import Filler, gaps_of, save_fillings
    from recipes.running.checkpoints import load_model, load_tokenizer, split_revision

    with options.held_out.open(encoding="utf-8") as lines:  # not splitlines(): a text in JSON may hold U+2028
        rows = [json.loads(line) for line in lines if line.strip()]
    gaps = gaps_of(rows, options.per_file, options.seed)[: options.limit]
    if not gaps:
        raise ValueError(f"--held-out {options.held_out} has no file with a gap to ask for")
    tokenizer = load_tokenizer(options.model)
    has_gpu = torch.cuda.is_available()
    model = load_model(options.model, tokenizer, torch.bfloat16 if has_gpu else torch.float32, options.seed).eval()
    torch.nn.Module.to(model, "cuda" if has_gpu else "cpu")
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", options.max_context)
    filler = Filler(model, tokenizer, min(options.max_context, positions), options.max_new_tokens)
    fillings = []
    for at in tqdm(range(0, len(gaps), options.batch_size), desc="gaps", unit="batch", mininterval=5):
        fillings += filler.fill(gaps[at : at + options.batch_size], options.batch_size)
    if options.tests_from is not None:
        fillings = with_tests(gaps, fillings, options.tests_from)
    summary = save_fillings(fillings, split_revision(options.model)[0], options.to)
    for kind, figures in summary.items():
        low, high = figures["exact_match_interval"]
        print(
            f"{kind:14s} exact {figures['exact_match']:6.1%} ({low:.1%} to {high:.1%})  similarity "
            f"{figures['edit_similarity']:.3f}  {figures['loss_per_byte']:.3f} nats/byte  n={figures['n']}"
        )
        if "passes" in figures:
            low, high = figures["passes_interval"]
            print(
                f"{'':14s} tests pass {figures['passes']:6.1%} ({low:.1%} to {high:.1%})  n={figures['num_executed']}"
            )
    return EXIT_OK


def with_tests(gaps: Sequence[Gap], fillings: Sequence[Filling], dataset: Path) -> list[Filling]:
    """Return the answers with what the tests of their projects say of them.

    Raises:
        ValueError: the dataset has no rows.
    """
    from evals.execution import Executor
    from recipes.adapting.execution import ProjectTests
    from recipes.adapting.holding_out import read_rows

    with Executor() as executor:
        verdicts = ProjectTests(read_rows(dataset), executor).judge(gaps, [filling.answer for filling in fillings])
    return [replace(filling, passes=passes) for filling, passes in zip(fillings, verdicts, strict=True)]
