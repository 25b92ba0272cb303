"""Print, as one line of JSON, the tokens that a small model gives in every way of generating.

`check_transformers.py` runs this with one transformers after the other and compares the lines.
"""

import json
import os

import torch
from transformers import BatchEncoding
from transformers.utils import logging

from tests.modeling_ling.conftest import make_model

NEW_TOKENS = 16
PADDING = (0, 3, 7)  # of the three rows
GREEDY = {"do_sample": False, "max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS}


@torch.no_grad()
def tokens() -> dict[str, list[list[int]]]:
    """Return the new tokens of every way of generating, by its name."""
    logging.set_verbosity_error()
    model = make_model(pad_token_id=0).eval()
    draft = make_model(seed=5, num_hidden_layers=1, pad_token_id=0).eval()
    ids = torch.randint(1, 509, (3, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row, padding in enumerate(PADDING):
        mask[row, :padding] = 0
    padded = BatchEncoding({"input_ids": ids * mask, "attention_mask": mask})

    loop = ids
    for _ in range(NEW_TOKENS):
        loop = torch.cat([loop, model(loop, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    ways = {
        "loop without cache": loop,
        "greedy": model.generate(ids, **GREEDY),
        "greedy, static cache": model.generate(ids, **GREEDY, cache_implementation="static", disable_compile=True),
        "padded": model.generate(**padded, **GREEDY),
        "rows alone": torch.cat(
            [
                torch.cat([model.generate(row[None, start:], **GREEDY)[:, -NEW_TOKENS:]], dim=1)
                for row, start in zip(ids, PADDING, strict=True)
            ]
        ),
        "beam": model.generate(ids, **GREEDY, num_beams=3),
        "assisted": model.generate(ids[:1], **GREEDY, assistant_model=draft),
        "prompt lookup": model.generate(ids[:1], **GREEDY, prompt_lookup_num_tokens=3),
    }
    return {name: sequences[:, -NEW_TOKENS:].tolist() for name, sequences in ways.items()}


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    print(json.dumps(tokens()))
