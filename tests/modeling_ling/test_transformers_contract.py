"""What changes between versions of transformers and must not change what the model computes.

`make check-transformers` runs this file, with those of parity and generation, on every version that setup.py admits.
"""

import pytest
import torch
from transformers import DynamicCache, StaticCache
from transformers.modeling_outputs import MoeModelOutputWithPast

from modeling_ling.modeling_bailing_moe import CACHE_NAME

pytestmark = pytest.mark.slow


@torch.no_grad()
@pytest.mark.parametrize("name", ["cache", "past_key_values"])
@pytest.mark.parametrize("part", ["language model", "decoder", "classifier"])
def test_a_cache_is_taken_under_both_of_its_names(build_model, ids, name, part):
    model = build_model().eval()
    if part == "decoder":
        model = model.model
    if part == "classifier":
        from modeling_ling import BailingMoeForSequenceClassification

        model = BailingMoeForSequenceClassification(model.config).eval()
        model.config.pad_token_id = 508
    whole = model(ids, use_cache=False)[0]
    cache = DynamicCache(config=model.config)
    model(ids[:, :5], use_cache=True, **{name: cache})
    rest = model(ids[:, 5:], use_cache=True, **{name: cache})[0]
    assert cache.get_seq_length() == ids.shape[1]
    torch.testing.assert_close(rest, whole if part == "classifier" else whole[:, 5:], atol=1e-5, rtol=0)


def test_the_output_carries_the_cache_under_the_name_of_the_installed_version(build_model, ids):
    output = build_model().eval()(ids, use_cache=True)
    assert CACHE_NAME in MoeModelOutputWithPast.__dataclass_fields__
    assert CACHE_NAME in output
    assert output[CACHE_NAME].get_seq_length() == ids.shape[1]
    assert output.past_key_values is output[CACHE_NAME]


# Names that caches had, have in other models, or may get.
@pytest.mark.parametrize(
    "name", ["past_key_value", "layer_past", "past", "cache_params", "kv_cache", "caches", "mems", "memory"]
)
@pytest.mark.parametrize("part", ["language model", "decoder"])
def test_a_cache_under_an_unknown_name_is_refused(build_model, ids, name, part):
    model = build_model().eval()
    model = model.model if part == "decoder" else model
    with pytest.raises(TypeError, match=f"{name} looks like a cache"):
        model(ids, **{name: DynamicCache(config=model.config)})


def test_what_is_no_cache_is_refused_and_what_only_sounds_like_one_is_taken(build_model, ids):
    model = build_model().eval()
    tensors = tuple((torch.zeros(2, 2, 1, 8), torch.zeros(2, 2, 1, 8)) for _ in range(3))
    with pytest.raises(TypeError, match="Cache classes, not tuple"):
        model(ids, past_key_values=tensors)
    with pytest.raises(TypeError, match="looks like a cache"):
        model(ids, layer_past=tensors)
    with pytest.raises(TypeError, match="two names of one argument"):
        model(ids, past_key_values=DynamicCache(), cache=DynamicCache())
    expected = model(ids, use_cache=False).logits
    known = {"cache_position": torch.arange(ids.shape[1]), "past_key_values": None, "cache": None, "layer_past": None}
    assert torch.equal(model(ids, use_cache=False, **known).logits, expected)


@torch.no_grad()
@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_a_conversation_continues_from_the_cache_of_its_last_turn(build_model, ids, name):
    model = build_model().eval()
    arguments = {"do_sample": False, "max_new_tokens": 6, "min_new_tokens": 6}
    cache = StaticCache(config=model.config, max_cache_len=64) if name == "cache" else DynamicCache(config=model.config)
    first = model.generate(ids[:1], **arguments, disable_compile=True, **{CACHE_NAME: cache})
    question = torch.cat([first, ids[1:, :4]], dim=1)
    continued = model.generate(question, **arguments, disable_compile=True, **{CACHE_NAME: cache})
    assert continued.tolist() == model.generate(question, **arguments, use_cache=False).tolist()


def test_a_cache_and_gradient_checkpointing_are_refused_together(build_model, ids):
    model = build_model().train()
    model.gradient_checkpointing_enable()
    model(ids, use_cache=True)
    with pytest.raises(ValueError, match="fill the cache twice"):
        model(ids, past_key_values=DynamicCache(config=model.config))
    with torch.no_grad():
        cache = DynamicCache(config=model.config)
        model(ids, past_key_values=cache)
    assert cache.get_seq_length() == ids.shape[1]


@pytest.mark.parametrize("padding", [0, 30], ids=lambda padding: f"{padding} of padding")
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"num_beams": 2},
        {"cache_implementation": "static", "disable_compile": True},
        {"prompt_lookup_num_tokens": 3},
    ],
    ids=lambda arguments: "-".join(arguments) or "greedy",
)
def test_a_generation_ends_where_the_context_ends(build_model, ids, arguments, padding):
    model = build_model(max_position_embeddings=24, pad_token_id=0).eval()
    roomy = build_model(max_position_embeddings=64, pad_token_id=0).eval()
    prompt = torch.cat([torch.zeros(1, padding, dtype=torch.long), ids[:1]], dim=1)
    mask = torch.cat([torch.zeros(1, padding, dtype=torch.long), torch.ones_like(ids[:1])], dim=1)
    options = {"attention_mask": mask, "do_sample": False, **arguments}
    found = model.generate(prompt, **options, max_new_tokens=40)
    assert found.shape[1] == padding + 24
    assert found.tolist() == roomy.generate(prompt, **options, max_new_tokens=24 - ids.shape[1]).tolist()
    with pytest.raises(ValueError):
        model.generate(torch.ones(1, 25, dtype=torch.long), max_new_tokens=1)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bool, torch.long], ids=str)
def test_positions_to_keep_may_differ_from_row_to_row(build_model, ids, dtype):
    model = build_model().eval()
    logits = model(ids).logits
    rows = torch.tensor([[1, 4], [0, 8]])
    if dtype == torch.bool:
        mask = torch.zeros_like(ids, dtype=torch.bool).scatter_(1, rows, True)
        found, expected = model(ids, logits_to_keep=mask).logits, logits[mask]
    else:
        found, expected = model(ids, logits_to_keep=rows).logits, torch.stack([logits[0, rows[0]], logits[1, rows[1]]])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(ids, logits_to_keep=2).logits, logits[:, -2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(model(ids, logits_to_keep=rows[0]).logits, logits[:, rows[0]], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["bailing_moe_auto", "bailing_moe_grouped", "grouped_mm"])
def test_an_exported_graph_holds_for_every_length(build_model, implementation):
    model = build_model(moe_intermediate_size=32).eval()
    model.set_experts_implementation(implementation)
    example = {"input_ids": torch.ones(1, 24, dtype=torch.long), "use_cache": False}
    length = torch.export.Dim("length", min=2, max=100)
    shapes = {"input_ids": {1: length}, "use_cache": None}
    program = torch.export.export(model, (), example, dynamic_shapes=shapes).module()
    for tokens in (2, 7, 24, 60):
        ids = torch.randint(0, 509, (1, tokens), generator=torch.Generator().manual_seed(tokens))
        found = program(input_ids=ids, use_cache=False).logits
        torch.testing.assert_close(found, model(ids, use_cache=False).logits, atol=1e-5, rtol=0)
