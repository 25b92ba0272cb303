"""Section 2.1: how often the gate errs, measured on data of known worth.

    python -m recipes.ablation_gate.error_rates --repeats 40 --output recipes/ablation_gate/error_rates.json

Worth is planted: windows of code whose tokens were shuffled teach nothing about code. Half of the original's windows
are so; a candidate with fewer is good, one with as many neutral, one with more bad. Each repeat draws original,
candidates and held-out windows anew, trains control and experiment as the gate does (same checkpoint, same tokens,
1:1, the order of recipes.data), and asks the gate's own judge. The model has 0.15M parameters: what carries over to
others is the rate against the difference in units of the spread between pairs of runs, not the difference in nats.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recipes.ablation_gate.judging import APPROVE, REJECT, Measure, judge
from recipes.data.window_order import BlockOrder, permuted

if TYPE_CHECKING:
    import torch

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM

RATES_FILE = Path(__file__).with_name("error_rates.json")
VOCAB_SIZE, WINDOW_TOKENS, ROWS_PER_STEP = 512, 64, 16
NUM_ORIGINAL, NUM_CANDIDATE, NUM_HELD_OUT = 1024, 512, 96
WARM_STEPS, ARM_STEPS = 400, 24
LEARNING_RATE = 2e-3
ORIGINAL_INTACT = 0.5
# Share of a candidate's windows that are intact.
CANDIDATES = {
    "bad, large": 0.0,
    "bad, small": 0.25,
    "neutral": 0.5,
    "good, small": 0.625,
    "good": 0.75,
    "good, large": 1.0,
}
Windows = NDArray[np.int64]


def code_windows() -> tuple[Windows, Windows]:
    """Return windows of the standard library's code to train on and to hold out, of other files."""
    from modeling_ling.tokenizer import encode_text, train_tokenizer

    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    tokenizer = train_tokenizer(texts[:20], VOCAB_SIZE)
    halves = []
    for part in (texts[0::2], texts[1::2]):
        ids = np.concatenate([np.asarray(encode_text(tokenizer, text[:20_000]), dtype=np.int64) for text in part])
        halves.append(ids[: len(ids) // WINDOW_TOKENS * WINDOW_TOKENS].reshape(-1, WINDOW_TOKENS))
    return halves[0], halves[1]


def drawn(pool: Windows, num_windows: int, intact: float, generator: np.random.Generator) -> Windows:
    """Return windows of the pool, of which a share is intact and the tokens of the others are shuffled."""
    windows = pool[generator.choice(len(pool), num_windows, replace=False)].copy()
    for number in range(round(num_windows * intact), num_windows):
        generator.shuffle(windows[number])
    return windows


def small_model() -> BailingMoeForCausalLM:
    """Return a fresh mixture-of-experts model of 0.15M parameters."""
    import torch

    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM

    torch.manual_seed(0)
    return BailingMoeForCausalLM(
        BailingMoeConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            moe_intermediate_size=32,
            num_experts=4,
            num_experts_per_tok=2,
            num_shared_experts=1,
            norm_head=True,
            initializer_range=0.02,
            max_position_embeddings=WINDOW_TOKENS,
        )
    )


def train(model: BailingMoeForCausalLM, sources: Sequence[Windows], seed: int, num_steps: int) -> None:
    """Train on equal shares of the sources, in the order that a recipe's mixture with this seed has.

    Args:
        model: changed in place.
        sources: windows of each.
        seed: of the order.
        num_steps: of ROWS_PER_STEP windows.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    order = BlockOrder([1 / len(sources)] * len(sources), num_steps * ROWS_PER_STEP, ROWS_PER_STEP, seed)
    model.train()
    for step in range(num_steps):
        rows = []
        for place in range(step * ROWS_PER_STEP, (step + 1) * ROWS_PER_STEP):
            source, ordinal = order.locate(place)
            epoch, rank = divmod(ordinal, len(sources[source]))
            rows.append(sources[source][permuted(rank, len(sources[source]), seed + 1_000_003 * source, epoch)])
        ids = torch.from_numpy(np.stack(rows))
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def window_losses(model: BailingMoeForCausalLM, windows: Windows) -> NDArray[np.float64]:
    """Return each window's mean loss in nats per token."""
    import torch

    model.eval()
    ids = torch.from_numpy(windows)
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
    losses: torch.Tensor = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return losses.mean(dim=1).double().numpy()


def one_repeat(
    checkpoint: BailingMoeForCausalLM, pool: Windows, held_out_pool: Windows, repeat: int, num_seeds: int
) -> dict[str, NDArray[np.float64]]:
    """Return the differences (num_seeds, windows) of every candidate against the control, of one drawing of data."""
    generator = np.random.default_rng([18, repeat])
    original = drawn(pool, NUM_ORIGINAL, ORIGINAL_INTACT, generator)
    held_out = drawn(held_out_pool, NUM_HELD_OUT, 1.0, generator)
    candidates = {name: drawn(pool, NUM_CANDIDATE, intact, generator) for name, intact in CANDIDATES.items()}
    differences: dict[str, list[NDArray[np.float64]]] = {name: [] for name in candidates}
    for number in range(num_seeds):
        seed = 1000 * repeat + number
        control = copy.deepcopy(checkpoint)
        train(control, [original], seed, ARM_STEPS)
        control_losses = window_losses(control, held_out)
        for name, candidate in candidates.items():
            experiment = copy.deepcopy(checkpoint)
            train(experiment, [original, candidate], seed, ARM_STEPS)
            differences[name].append(control_losses - window_losses(experiment, held_out))
    return {name: np.stack(rows) for name, rows in differences.items()}


def rates(repeats: Sequence[dict[str, NDArray[np.float64]]], num_seeds: int) -> list[dict[str, Any]]:
    """Return what the judge says of each kind of candidate, from the first pairs of runs of every repeat."""
    rows = []
    for name, intact in CANDIDATES.items():
        measures = [Measure("held_out", "nats per token", 0.0, 0.0, repeat[name][:num_seeds]) for repeat in repeats]
        verdicts = [judge([measure]) for measure in measures]
        results = [verdict.measures[0] for verdict in verdicts]
        spread = float(np.sqrt(np.mean([result.spread**2 for result in results])))
        effect = float(np.mean([result.difference for result in results]))
        by_name = [verdict.verdict for verdict in verdicts]
        rows.append(
            {
                "candidate": name,
                "intact_fraction": intact,
                "num_seeds": num_seeds,
                "num_repeats": len(repeats),
                "num_approved": by_name.count(APPROVE),
                "num_rejected": by_name.count(REJECT),
                "effect_nats": round(effect, 5),
                "spread_nats": round(spread, 5),
                "effect_in_spreads": round(effect / spread, 2),
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, writing the record after every repeat."""
    import torch

    from modeling_ling.accounting import count_parameters
    from recipes.reporting.run_card import installed_versions

    parser = argparse.ArgumentParser(description="Measure how often the ablation gate errs.")
    parser.add_argument("--repeats", type=int, default=40, help="draw the data so many times")
    parser.add_argument("--seeds", type=int, default=4, help="train so many pairs of runs for each candidate")
    parser.add_argument("--output", type=Path, default=RATES_FILE, help="write the record to this file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    started, started_cpu = time.time(), time.process_time()
    pool, held_out_pool = code_windows()
    checkpoint = small_model()
    train(checkpoint, [drawn(pool, len(pool) // 2, ORIGINAL_INTACT, np.random.default_rng(18))], 0, WARM_STEPS)
    repeats: list[dict[str, NDArray[np.float64]]] = []
    for repeat in range(options.repeats):
        repeats.append(one_repeat(checkpoint, pool, held_out_pool, repeat, options.seeds))
        record = {
            "command": "python -m recipes.ablation_gate.error_rates "
            f"--repeats {options.repeats} --seeds {options.seeds}",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "parameters": count_parameters(checkpoint.config).total,
            "tokens_per_run": ARM_STEPS * ROWS_PER_STEP * WINDOW_TOKENS,
            "num_held_out": NUM_HELD_OUT,
            "original_intact_fraction": ORIGINAL_INTACT,
            "cpu_seconds": round(time.process_time() - started_cpu),
            "wall_seconds": round(time.time() - started),
            "versions": installed_versions(),
            "rates": [row for count in range(2, options.seeds + 1) for row in rates(repeats, count)],
        }
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"repeat {repeat + 1} of {options.repeats}, {record['cpu_seconds']} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
