"""What evaluation sees: the loss of the released model, and logits alone among the predictions."""

import numpy
import pytest
import torch
from torch.nn import functional
from transformers import Trainer, TrainingArguments

from modeling_ling import PRESETS, BailingMoeConfig, load_preset


def cross_entropy(model, ids: torch.Tensor) -> torch.Tensor:
    logits = model(ids, use_cache=False).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


@pytest.mark.parametrize("asked", [False, True, None])
def test_the_loss_of_an_evaluation_is_cross_entropy_alone(build_model, ids, asked):
    model = build_model(router_aux_loss_coef=0.5, router_z_loss_coef=0.1).eval()
    output = model(ids, labels=ids, use_cache=False, output_router_logits=asked)
    torch.testing.assert_close(output.loss, cross_entropy(model, ids))
    assert torch.equal(output.loss, output.ce_loss)
    assert (output.aux_loss is None) == (output.router_logits is None) == (not asked)


def test_the_router_losses_act_in_training(build_model, ids):
    model = build_model(router_aux_loss_coef=0.5, router_z_loss_coef=0.1).train()
    output = model(ids, labels=ids, use_cache=False)
    torch.testing.assert_close(output.ce_loss, cross_entropy(model, ids))
    torch.testing.assert_close(output.loss, output.ce_loss + 0.5 * output.aux_loss + 0.1 * output.z_loss)


def test_a_released_configuration_has_the_released_loss_and_a_preset_that_of_the_paper(build_model, ids):
    released = BailingMoeConfig()
    assert (released.router_aux_loss_coef, released.router_z_loss_coef) == (0.0, 0.0)
    model = build_model(router_aux_loss_coef=0.0, router_z_loss_coef=0.0).train()
    output = model(ids, labels=ids)
    assert torch.equal(output.loss, output.ce_loss) and output.router_logits is None
    for name in PRESETS:
        preset = load_preset(name)
        assert (preset.router_aux_loss_coef, preset.router_z_loss_coef) == (0.015, 1e-4)


@pytest.mark.parametrize("output_router_logits", [False, True])
def test_metrics_of_a_trainer_get_one_array_of_logits(build_model, tmp_path, output_router_logits):
    model = build_model(output_router_logits=output_router_logits)
    rows = torch.randint(0, 509, (6, 10), generator=torch.Generator().manual_seed(1))
    seen = []

    def compute_metrics(prediction):
        seen.append(prediction.predictions)
        return {}

    arguments = TrainingArguments(str(tmp_path), per_device_eval_batch_size=2, report_to=[], use_cpu=True)
    data = [{"input_ids": row, "labels": row.clone()} for row in rows]
    trainer = Trainer(model=model, args=arguments, eval_dataset=data, compute_metrics=compute_metrics)
    loss = trainer.evaluate()["eval_loss"]
    assert isinstance(seen[0], numpy.ndarray) and seen[0].shape == (6, 10, 509)
    model.eval()
    assert loss == pytest.approx(cross_entropy(model, rows).item(), abs=1e-5)
    torch.testing.assert_close(torch.tensor(seen[0]), model(rows).logits.detach(), atol=1e-5, rtol=0)
