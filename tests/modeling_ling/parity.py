"""Compare the model with the reference: logits, losses and every gradient, in several layouts of the batch.

Tolerances: 1e-5 on logits and losses, relative 1e-4 on every gradient. Looser ones would let known wrong variants pass
(test_known_mistakes.py).
"""

from collections.abc import Callable
from pathlib import Path

import torch

from modeling_ling import BailingMoeForCausalLM
from tests.modeling_ling.reference_model import Reference, gradient_in_runtime_layout


def lay_out(sequences: list[torch.Tensor], layout: str) -> tuple[dict[str, torch.Tensor], list[tuple[int, slice]]]:
    """Return the model's inputs for some sequences, and where each of them ended up (row, positions).

    Args:
        layout (`str`): "left" or "right" padding, or "packed": all in one row, told apart by position_ids.
    """
    if layout == "packed":
        ids = torch.cat(sequences)[None]
        positions = torch.cat([torch.arange(len(s)) for s in sequences])[None]
        ends = torch.tensor([len(s) for s in sequences]).cumsum(0).tolist()
        places = [(0, slice(end - len(s), end)) for s, end in zip(sequences, ends, strict=True)]
        inputs = {"input_ids": ids, "position_ids": positions, "labels": ids.clone()}
    else:
        width = max(len(s) for s in sequences)
        ids, mask = (torch.zeros(len(sequences), width, dtype=torch.long) for _ in range(2))
        places = []
        for row, sequence in enumerate(sequences):
            start = width - len(sequence) if layout == "left" else 0
            places.append((row, slice(start, start + len(sequence))))
            ids[places[-1]] = sequence
            mask[places[-1]] = 1
        inputs = {"input_ids": ids, "labels": ids.masked_fill(mask == 0, -100)}
        if not mask.all():
            inputs["attention_mask"] = mask
    for row, place in places:
        inputs["labels"][row, place.start] = -100  # nothing of the same sequence precedes its first token
    return inputs, places


def check_parity(
    model: BailingMoeForCausalLM,
    folder: Path,
    sequences: list[torch.Tensor],
    layout: str = "left",
    mistake: Callable[[BailingMoeForCausalLM], object] | None = None,
    smallest_gap: float = 0.0,
) -> bool:
    """Raise AssertionError unless model and reference agree.

    Args:
        folder (`Path`): empty; the model is saved here, and the reference reads the files.
        mistake (callable, *optional*): applied to the model after it was saved.
        smallest_gap (`float`): do not compare, and return False, where a choice of experts was closer than this.
    """
    model.save_pretrained(folder)
    reference = Reference.load(folder, model.config)
    logits, ce, balance, z = reference.losses(sequences)
    if reference.closest_call < smallest_gap:
        return False
    loss = ce + model.config.router_aux_loss_coef * balance + model.config.router_z_loss_coef * z
    loss.backward()

    if mistake:
        mistake(model)
    inputs, places = lay_out(sequences, layout)
    model.train()
    output = model(**inputs, use_cache=False)
    output.loss.backward()

    for place, expected in zip(places, logits, strict=True):
        torch.testing.assert_close(output.logits[place].double(), expected, atol=1e-5, rtol=0)
    for ours, expected in ((output.loss, loss), (output.ce_loss, ce), (output.aux_loss, balance), (output.z_loss, z)):
        torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=1e-6)
    for name, parameter in model.named_parameters():
        expected = gradient_in_runtime_layout(reference, name)
        found = torch.zeros_like(expected) if parameter.grad is None else parameter.grad.double()
        error = (found - expected).norm() / expected.norm().clamp(min=1e-12)
        assert error < 1e-4, f"gradient of {name}: relative error {error:.1e}"
    return True
