"""A checkpoint that does not fit is refused by name: no weight is ever random unless that was asked for."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from modeling_ling import BailingMoeForCausalLM, BailingMoeForSequenceClassification, BailingMoeModel

pytestmark = pytest.mark.slow

EXPERT = "model.layers.1.mlp.experts.3.up_proj.weight"


@pytest.fixture
def folder(build_model, tmp_path):
    build_model().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_weights(folder, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder, **values) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", ["model.layers.1.mlp.gate.weight", "lm_head.weight", "model.norm.weight"])
def test_a_missing_tensor_is_an_error_that_names_it(folder, name):
    change_weights(folder, lambda weights: weights.pop(name))
    with pytest.raises(ValueError, match=rf"the checkpoint lacks {re.escape(name)}\. Is the download complete"):
        BailingMoeForCausalLM.from_pretrained(folder)
    with pytest.raises(ValueError, match="the checkpoint lacks"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_one_missing_expert_matrix_is_an_error_too(folder):
    change_weights(folder, lambda weights: weights.pop(EXPERT))
    with pytest.raises(ValueError, match="gate_proj, up_proj and down_proj of every expert must be there"):
        BailingMoeForCausalLM.from_pretrained(folder)


def test_a_whole_expert_too_few_is_an_error_that_gives_both_numbers(folder):
    change_config(folder, num_experts=17)
    with pytest.raises(
        ValueError, match=r"down_proj: \(16, 64, 24\) in the checkpoint, \(17, 64, 24\) here.*num_experts=17"
    ):
        BailingMoeForCausalLM.from_pretrained(folder)


def test_missing_tensors_are_random_only_on_request(folder):
    change_weights(folder, lambda weights: weights.pop("model.layers.1.mlp.gate.weight"))
    model, report = AutoModelForCausalLM.from_pretrained(folder, allow_missing_weights=True, output_loading_info=True)
    assert set(report["missing_keys"]) == {"model.layers.1.mlp.gate.weight"}
    assert model.model.layers[1].mlp.gate.weight.std() > 0


def test_a_tensor_without_a_place_is_an_error(folder):
    change_weights(
        folder, lambda weights: weights.update({"model.layers.0.attention.query_norm.weight": torch.ones(8)})
    )
    with pytest.raises(ValueError, match=r"has no place for model\.layers\.0\.attention\.query_norm\.weight"):
        BailingMoeForCausalLM.from_pretrained(folder)


def test_a_config_with_fewer_layers_than_the_checkpoint_is_an_error(folder):
    change_config(folder, num_hidden_layers=2)
    with pytest.raises(ValueError, match=r"no place for model\.layers\.2\..* and \d+ more.*num_hidden_layers"):
        BailingMoeForCausalLM.from_pretrained(folder)


def test_another_vocabulary_is_named(folder):
    change_config(folder, vocab_size=500)
    with pytest.raises(ValueError, match=r"\(509, 64\) in the checkpoint, \(500, 64\) here.*vocab_size=500"):
        BailingMoeForCausalLM.from_pretrained(folder)


def test_another_width_is_named(folder):
    change_config(folder, first_k_dense_replace=0, num_attention_heads=4, head_dim=8)
    with pytest.raises(ValueError, match=r"query_key_value\.weight: \(96, 64\) in the checkpoint, \(64, 64\) here"):
        BailingMoeForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinite_weights_are_refused_on_request(folder, value):
    def damage(weights):
        weights[EXPERT][2, 5] = value

    change_weights(folder, damage)
    with pytest.raises(ValueError, match=r"NaN or infinite values in model\.layers\.1\.mlp\.experts\.gate_up_proj"):
        BailingMoeForCausalLM.from_pretrained(folder, check_finite=True)


def test_the_decoder_and_the_classifier_read_language_model_checkpoints(folder, build_model, ids):
    model = build_model().eval()
    decoder = BailingMoeModel.from_pretrained(folder)
    torch.testing.assert_close(decoder(ids).last_hidden_state, model.model(ids).last_hidden_state)
    change_config(folder, num_labels=1, pad_token_id=0)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder)
    assert isinstance(classifier, BailingMoeForSequenceClassification)
    batch = torch.cat([ids[:1], torch.tensor([[0] * 4 + [5, 6, 7, 8, 9]])])
    scores = classifier(batch, attention_mask=(batch != 0).long()).logits
    alone = classifier(batch[1:, 4:]).logits
    torch.testing.assert_close(scores[1], alone[0], atol=1e-5, rtol=0)


def test_a_trained_classifier_is_read_back_whole(build_model, ids, tmp_path):
    build_model().save_pretrained(tmp_path / "lm")
    classifier = BailingMoeForSequenceClassification.from_pretrained(tmp_path / "lm", num_labels=2, pad_token_id=0)
    loss = classifier(ids, labels=torch.tensor([0, 1])).loss
    loss.backward()
    assert classifier.score.weight.grad.abs().sum() > 0
    classifier.save_pretrained(tmp_path / "classifier")
    again = BailingMoeForSequenceClassification.from_pretrained(tmp_path / "classifier")
    assert torch.equal(again(ids).logits, classifier(ids).logits)


# ---- load_state_dict, and what resumes by it


@pytest.mark.parametrize("strict", [True, False])
def test_load_state_dict_takes_the_released_names(folder, build_model, ids, strict):
    expected, other = build_model().eval(), build_model(seed=1).eval()
    report = other.load_state_dict(load_file(folder / "model.safetensors"), strict=strict)
    assert not report.missing_keys and not report.unexpected_keys
    assert torch.equal(other(ids).logits, expected(ids).logits)


def test_shards_that_split_the_experts_of_a_layer_are_put_together(folder, build_model, ids):
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    other = build_model(seed=1).eval()
    for part in (names[::2], names[1::2]):
        other.load_state_dict({name: weights[name] for name in part}, strict=False)
    assert torch.equal(other(ids).logits, build_model().eval()(ids).logits)


@pytest.mark.parametrize("max_shard_size", ["5GB", "100KB"])
def test_a_plain_trainer_resumes_with_the_experts_it_saved(build_model, ids, tmp_path, max_shard_size):
    class SmallShards(Trainer):
        def _save(self, output_dir, state_dict=None):
            super()._save(output_dir, state_dict)
            self.model.save_pretrained(output_dir, max_shard_size=max_shard_size)

    def trainer(model, steps):
        arguments = TrainingArguments(
            tmp_path / "run", max_steps=steps, save_steps=2, report_to="none", use_cpu=True, learning_rate=1e-3
        )
        rows = [{"input_ids": row, "labels": row} for row in ids.repeat(8, 1)]
        return SmallShards(model, arguments, train_dataset=rows)

    unbroken = build_model()
    trainer(unbroken, 2).train()
    resumed = build_model(seed=1)  # other weights: whatever is not loaded shows
    continued = trainer(resumed, 3)
    continued.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    trainer(unbroken, 3).train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    for name, parameter in resumed.named_parameters():
        torch.testing.assert_close(parameter, unbroken.get_parameter(name), msg=name)


# ---- positions


def test_a_position_beyond_the_context_is_refused_with_the_way_out(build_model):
    model = build_model(max_position_embeddings=16).eval()
    model(torch.ones(1, 16, dtype=torch.long))
    with pytest.raises(ValueError, match=r"position 16 is beyond max_position_embeddings=16.*yarn"):
        model(torch.ones(1, 17, dtype=torch.long))
    assert model.generate(torch.ones(1, 14, dtype=torch.long), max_new_tokens=5, do_sample=False).shape[1] == 16


def test_rope_scaling_and_packed_short_documents_may_be_longer(build_model):
    long = torch.ones(1, 24, dtype=torch.long)
    yarn = {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16}
    build_model(max_position_embeddings=16, rope_scaling=yarn)(long)
    positions = torch.tensor([[*range(12), *range(12)]])
    build_model(max_position_embeddings=16)(long, position_ids=positions, use_cache=False)
