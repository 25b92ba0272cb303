"""Write a model with fresh weights as a Hub-ready folder: what stage 1 starts from, and what later scores compare with.

python recipes/initialize.py --preset tiny --tokenizer outputs/tokenizer --output_dir outputs/initial_model
"""

from __future__ import annotations

import argparse
from pathlib import Path

# NormHead holds each column of the head at norm 1, so that the logits can only grow with the gain of the norm before
# it, and a run of some hundred steps spends most of them on that: 64 steps of the tiny stage 1 ended at 6.24 nats with
# a gain of 1 and at 5.90 with 8. 4 begins less far from the uniform distribution. Ours; a long run learns the gain.
FINAL_NORM_GAIN = 4.0


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, draw the weights from the seed, and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny", help="tiny (about 5M parameters), ablation_1b or lite (16.8B)")
    parser.add_argument("--tokenizer", type=Path, required=True, help="a tokenizer folder")
    parser.add_argument("--output_dir", "--output-dir", type=Path, required=True, help="the model folder to write")
    parser.add_argument(
        "--final_norm_gain",
        "--final-norm-gain",
        type=float,
        default=FINAL_NORM_GAIN,
        help="initial weights of the norm before the head",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    options = parser.parse_args(arguments)

    import torch
    from transformers import AutoTokenizer

    from modeling_ling import BailingMoeForCausalLM, load_preset
    from modeling_ling.accounting import count_parameters
    from modeling_ling.export import export_model

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    config = load_preset(options.preset, vocab_size=rounded_vocabulary(len(tokenizer)))
    torch.manual_seed(options.seed)
    model = BailingMoeForCausalLM(config)
    torch.nn.init.constant_(model.model.norm.weight, options.final_norm_gain)
    export_model(model, tokenizer, options.output_dir)
    count = count_parameters(config)
    print(f"{options.output_dir}: {count.total:,} parameters, {count.active:,} active per token")


def rounded_vocabulary(num_tokens: int, multiple: int = 64) -> int:
    """Return the rows of the embedding: the tokens, rounded up so that the matrices tile well."""
    return -(-num_tokens // multiple) * multiple


if __name__ == "__main__":
    main()
