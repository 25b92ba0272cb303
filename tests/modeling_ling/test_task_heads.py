"""Heads of tasks on the decoder, and the code that a saved model takes along."""

import json

import pytest
import torch
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from modeling_ling import BailingMoeForCausalLM, BailingMoeModel
from modeling_ling.configuration_bailing_moe import AUTO_MAP

HEADS = {
    AutoModelForSequenceClassification: ({"labels": torch.tensor([0, 2])}, (2, 3)),
    AutoModelForTokenClassification: ({"labels": torch.arange(18).reshape(2, 9) % 3}, (2, 9, 3)),
    AutoModelForQuestionAnswering: (
        {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([3, 4])},
        (2, 9),
    ),
}


@pytest.mark.parametrize("auto_class", HEADS, ids=lambda auto_class: auto_class.__name__)
def test_a_head_reads_a_language_model_trains_and_is_read_back(build_model, ids, tmp_path, auto_class):
    language_model = build_model(num_labels=3, pad_token_id=0)
    language_model.save_pretrained(tmp_path / "language_model")
    model = auto_class.from_pretrained(tmp_path / "language_model").eval()
    targets, shape = HEADS[auto_class]
    torch.testing.assert_close(
        model.model(ids).last_hidden_state, language_model.eval().model(ids).last_hidden_state, atol=1e-5, rtol=0
    )
    output = model(ids, **targets)
    assert output[1].shape == shape
    output.loss.backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0
    model.save_pretrained(tmp_path / "task")
    again = auto_class.from_pretrained(tmp_path / "task").eval()
    assert type(again) is type(model)
    torch.testing.assert_close(again(ids)[0], model(ids)[0])


@pytest.mark.parametrize("model_class", [BailingMoeForCausalLM, BailingMoeModel])
def test_a_saved_model_takes_along_the_code_that_its_auto_map_names(build_config, tmp_path, model_class):
    torch.manual_seed(0)
    model_class(build_config()).save_pretrained(tmp_path)
    auto_map = json.loads((tmp_path / "config.json").read_text())["auto_map"]
    assert auto_map == AUTO_MAP
    files = {path.stem for path in tmp_path.glob("*.py")}
    assert {entry.split(".")[0] for entry in auto_map.values()} <= files
    assert files == {
        "configuration_bailing_moe",
        "experts",
        "losses",
        "modeling_bailing_moe",
        "norm_head",
        "quantization",
        "strict_loading",
    }
