"""The ways `generate` is called, and the ways weights are placed: all give the tokens of the plain greedy loop."""

import pytest
import torch

from modeling_ling import BailingMoeForCausalLM
from modeling_ling.export import export_model

NEW_TOKENS = 12
GREEDY = {"do_sample": False, "max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS}


@torch.no_grad()
def greedy(model, ids: torch.Tensor) -> list[list[int]]:
    """Generate without a cache and without transformers' loop."""
    for _ in range(NEW_TOKENS):
        ids = torch.cat([ids, model(ids, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    return ids.tolist()


@torch.no_grad()
def log_probability(model, ids: torch.Tensor, prompt_tokens: int) -> torch.Tensor:
    logits = model(ids[:, :-1], use_cache=False).logits.log_softmax(-1)
    return logits.gather(-1, ids[:, 1:, None])[:, prompt_tokens - 1 :, 0].sum(dim=1)


@pytest.mark.parametrize("norm_head", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"cache_implementation": "static"},
        {"prompt_lookup_num_tokens": 3},
        {"use_cache": False},
    ],
    ids=lambda arguments: "-".join(arguments) or "plain",
)
def test_every_cache_gives_the_greedy_tokens(build_model, ids, arguments, norm_head):
    model = build_model(norm_head=norm_head).eval()
    ids = ids[:1]  # prompt lookup takes one sequence
    assert model.generate(ids, **GREEDY, **arguments).tolist() == greedy(model, ids)


@pytest.mark.parametrize("draft_seed", [0, 5], ids=["a good draft", "a bad draft"])
def test_assisted_decoding_gives_the_tokens_of_the_large_model(build_model, ids, draft_seed):
    model = build_model().eval()
    draft = build_model(seed=draft_seed, num_hidden_layers=3 if draft_seed == 0 else 1).eval()
    assisted = model.generate(ids[:1], assistant_model=draft, **GREEDY)
    assert assisted.tolist() == greedy(model, ids[:1])


def test_beam_search_finds_at_least_the_greedy_score_and_reports_it(build_model, ids):
    model = build_model().eval()
    arguments = {**GREEDY, "num_beams": 4, "length_penalty": 0.0}
    beams = model.generate(ids, **arguments, return_dict_in_generate=True, output_scores=True)
    score = log_probability(model, beams.sequences, ids.shape[1])
    torch.testing.assert_close(beams.sequences_scores, score, atol=1e-4, rtol=0)
    assert (score >= log_probability(model, torch.tensor(greedy(model, ids)), ids.shape[1]) - 1e-4).all()


@torch.no_grad()
def test_sampling_follows_the_distribution_of_the_model(build_model, ids):
    model = build_model().eval()
    torch.manual_seed(0)
    arguments = {"do_sample": True, "top_k": 0, "temperature": 0.2, "max_new_tokens": 1}
    tokens = model.generate(ids[:1], num_return_sequences=4000, **arguments)[:, -1]
    frequencies = torch.bincount(tokens, minlength=509) / 4000
    expected = (model(ids[:1]).logits[0, -1] / 0.2).softmax(-1)
    assert (frequencies - expected).abs().sum() / 2 < 0.2, "total variation"
    assert (frequencies - 1 / 509).abs().sum() / 2 > 0.5, "a uniform draw would pass otherwise"


@pytest.fixture
def folder(build_model, tmp_path):
    export_model(build_model(), None, tmp_path / "model")
    return tmp_path / "model"


def test_automatic_placement_and_offloading_to_disk_change_nothing(folder, ids, tmp_path):
    expected = greedy(BailingMoeForCausalLM.from_pretrained(folder).eval(), ids)
    automatic = BailingMoeForCausalLM.from_pretrained(folder, device_map="auto").eval()
    assert automatic.generate(ids, **GREEDY).tolist() == expected
    # Room for two of the three layers: the rest, with the output head, is read from disk in every forward pass.
    layer = sum(p.numel() * 4 for p in automatic.model.layers[0].parameters())
    embedding = automatic.model.word_embeddings.weight.numel() * 4
    offloaded = BailingMoeForCausalLM.from_pretrained(
        folder,
        device_map="auto",
        max_memory={"cpu": 2 * layer + embedding + 1000},
        offload_folder=tmp_path / "offload",
    ).eval()
    assert "disk" in offloaded.hf_device_map.values()
    assert offloaded.lm_head.weight.is_meta
    assert offloaded.generate(ids, **GREEDY).tolist() == expected


@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, "bfloat16", "auto"])
def test_the_dtype_is_taken_under_its_old_and_new_name(folder, ids, name, dtype):
    model = BailingMoeForCausalLM.from_pretrained(folder, **{name: dtype})
    expected = torch.float32 if dtype == "auto" else torch.bfloat16
    assert {parameter.dtype for parameter in model.parameters()} == {expected}
    assert model(ids).logits.dtype == expected
