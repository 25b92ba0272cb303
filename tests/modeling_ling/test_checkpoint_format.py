"""Folders on disk: the released names, loading in a fresh process, configurations as other engines read them."""

import copy
import json
import os
import sys

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import modeling_ling
from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM, BailingMoeModel
from modeling_ling.accounting import count_checkpoint_tensors
from modeling_ling.export import export_model
from modeling_ling.tokenizer import encode_text
from tests import warm_python
from tests.modeling_ling.released_layout import released_names_and_shapes, saved_names_and_shapes

FRESH_PROCESS = """
import sys, torch
from transformers import AutoModelForCausalLM
folder, ids, expected = sys.argv[1:4]
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
ids = torch.load(ids)
with torch.no_grad():
    error = (model(ids).logits - torch.load(expected)).abs().max().item()
generated = model.generate(ids, max_new_tokens=4, do_sample=False)
assert "modeling_ling" not in sys.modules
print(type(model).__module__.startswith("transformers_modules"), error, generated.shape[1])
"""


@pytest.mark.parametrize(
    "overrides",
    [{}, {"first_k_dense_replace": 1, "use_bias": True, "use_qkv_bias": True}, {"num_shared_experts": 0}],
)
def test_saved_tensors_have_the_released_names_and_shapes(build_model, tmp_path, overrides):
    model = build_model(**overrides)
    model.save_pretrained(tmp_path)
    assert saved_names_and_shapes(tmp_path) == released_names_and_shapes(model.config)
    assert len(released_names_and_shapes(model.config)) == count_checkpoint_tensors(model.config)


def test_saving_what_was_loaded_is_bit_exact(build_model, tmp_path):
    build_model().to(torch.bfloat16).save_pretrained(tmp_path / "first")
    model, report = BailingMoeForCausalLM.from_pretrained(tmp_path / "first", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    model.save_pretrained(tmp_path / "second")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) and first[name].dtype == torch.bfloat16 for name in first)


@pytest.mark.slow
def test_an_exported_folder_loads_in_a_fresh_process_with_the_same_logits(build_model, tokenizer, ids, tmp_path):
    model = build_model().eval()
    export_model(model, tokenizer, tmp_path / "model")
    with torch.no_grad():
        torch.save(model(ids).logits, tmp_path / "logits.pt")
    torch.save(ids, tmp_path / "ids.pt")
    arguments = [str(tmp_path / name) for name in ("model", "ids.pt", "logits.pt")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "OMP_NUM_THREADS": "1"}
    done = warm_python.run(
        [sys.executable, "-c", FRESH_PROCESS, *arguments],
        libraries="clients",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    is_remote_code, error, length = done.stdout.split()[-3:]
    assert is_remote_code == "True"
    assert float(error) < 1e-5
    assert int(length) == 13


def test_a_checkpoint_replaces_an_earlier_one_in_the_folder_and_nothing_else(build_model, tmp_path):
    others = ["model.fp16.safetensors", "adapter_model.safetensors", "model-notes.safetensors"]
    for name in others:
        (tmp_path / name).write_text("of somebody else")
    for size, num_files in (("5GB", 1), ("50KB", 5), ("5GB", 1)):
        export_model(build_model(), None, tmp_path, max_shard_size=size)
        names = {path.name for path in tmp_path.glob("*.safetensors*")} - set(others)
        assert len(names) > num_files if num_files > 1 else names == {"model.safetensors"}
        assert all((tmp_path / name).read_text() == "of somebody else" for name in others)


def test_importing_the_package_loads_a_folder_without_remote_code(build_model, tmp_path, ids):
    model = build_model().eval()
    model.save_pretrained(tmp_path)
    plain = {key: value for key, value in model.config.to_dict().items() if key != "auto_map"}
    (tmp_path / "config.json").write_text(json.dumps(plain))
    assert isinstance(AutoConfig.from_pretrained(tmp_path), BailingMoeConfig)
    assert isinstance(AutoModel.from_pretrained(tmp_path), BailingMoeModel)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert isinstance(loaded, BailingMoeForCausalLM)
    assert torch.equal(loaded(ids).logits, model(ids).logits)


def test_the_package_registers_what_it_says():
    assert set(modeling_ling.__all__) >= {"BailingMoeConfig", "BailingMoeForCausalLM", "BailingMoeModel"}
    assert AutoConfig.for_model("bailing_moe").model_type == "bailing_moe"


def test_an_exported_folder_is_complete(build_model, tokenizer, tmp_path):
    model = build_model()
    export_model(model, tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["BailingMoeForCausalLM"]
    assert config["model_type"] == "bailing_moe"
    for target in config["auto_map"].values():
        module, name = target.split(".")
        assert f"class {name}(" in (tmp_path / f"{module}.py").read_text()
    eos = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    assert config["eos_token_id"] == config["pad_token_id"] == eos
    generation = GenerationConfig.from_pretrained(tmp_path)
    role = tokenizer.convert_tokens_to_ids("<role>")  # ends every answer but a conversation's last
    assert (generation.eos_token_id, generation.pad_token_id) == ([eos, role], eos)
    loaded = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=True)
    text = "def f(x):\n    return '<role>'"
    assert encode_text(loaded, text) == encode_text(tokenizer, text)
    assert loaded.chat_template == tokenizer.chat_template
    assert (tmp_path / "chat_template.jinja").exists()


def test_a_model_with_too_few_rows_for_the_tokenizer_is_not_exported(build_model, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="has 420 tokens but the model only vocab_size=300"):
        export_model(build_model(vocab_size=300), tokenizer, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_configuration_has_what_vllm_reads_in_the_right_types(build_config, tmp_path):
    build_config(num_shared_experts=None).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    integers = (
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
        "vocab_size",
        "num_experts",
        "num_experts_per_tok",
        "num_shared_experts",
        "moe_intermediate_size",
        "intermediate_size",
        "first_k_dense_replace",
        "num_hidden_layers",
    )
    for name in integers:
        assert type(getattr(config, name)) is int, name
    for name in ("use_bias", "use_qkv_bias", "tie_word_embeddings", "norm_head", "norm_topk_prob"):
        assert type(getattr(config, name)) is bool, name
    assert isinstance(config.rope_parameters, dict) and isinstance(config.embedding_dropout, float)
    assert config.router_dtype == "fp32", "vLLM takes any other spelling for bfloat16"
    assert not hasattr(config, "moe_shared_expert_intermediate_size")


def test_rope_scaling_in_the_old_spelling_wins_over_saved_default_parameters():
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    default = {"rope_type": "default", "rope_theta": 600000.0}
    config = BailingMoeConfig(rope_scaling=yarn, rope_parameters=default, max_position_embeddings=131072)
    assert config.rope_parameters["rope_type"] == "yarn"
    assert config.rope_parameters["rope_theta"] == 600000.0
    assert config.to_dict()["rope_scaling"]["type"] == "yarn"
    assert BailingMoeConfig(**config.to_dict()).rope_parameters == config.rope_parameters


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"norm_head": True, "tie_word_embeddings": True}, "norm_head=true with tie_word_embeddings=true"),
        ({"num_experts_per_tok": 17}, "num_experts_per_tok=17 must lie between 1 and num_experts=16"),
        ({"num_key_value_heads": 3}, "must be a multiple of num_key_value_heads=3"),
        ({"router_dtype": "float8"}, "router_dtype='float8' is unknown"),
        ({"head_dim": 7}, "head_dim=7 must be even"),
        ({"norm_softmax": True}, "norm_softmax=true is not supported"),
    ],
)
def test_impossible_configurations_are_refused_by_name(build_config, overrides, message):
    with pytest.raises(ValueError, match=message):
        build_config(**overrides)


def test_an_exported_tokenizer_knows_the_context(build_model, tokenizer, tmp_path):
    export_model(build_model(), tokenizer, tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).model_max_length == 128
    short = copy.deepcopy(tokenizer)
    short.model_max_length = 100
    export_model(build_model(), short, tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).model_max_length == 100
