"""A decoding step with a static cache compiles whole, once, and computes what the uncompiled model computes."""

import pytest
import torch
from transformers import StaticCache
from transformers.generation import CompileConfig

from tests.modeling_ling.conftest import needs_transformers_5_23

pytestmark = pytest.mark.slow

IMPLEMENTATIONS = ["bailing_moe_auto", "bailing_moe_grouped", "batched_mm", "grouped_mm"]


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@torch.no_grad()
def decode(model, step, ids: torch.Tensor, num_steps: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Run the prompt uncompiled, then `num_steps` greedy steps; return all tokens and the logits of every step."""
    cache = StaticCache(config=model.config, max_cache_len=32)
    logits = model(ids, past_key_values=cache, use_cache=True).logits
    every = []
    for position in range(ids.shape[1], ids.shape[1] + num_steps):
        token = logits[:, -1:].argmax(-1)
        ids = torch.cat([ids, token], dim=1)
        position_ids = torch.full((ids.shape[0], 1), position)
        logits = step(input_ids=token, past_key_values=cache, position_ids=position_ids, use_cache=True).logits
        every.append(logits)
    return ids, every


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_step_compiles_without_graph_breaks_and_only_once(build_model, ids, implementation):
    model = build_model().eval()
    model.set_experts_implementation(implementation)
    graphs = []

    def count_graphs(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    step = torch.compile(model.forward, fullgraph=True, backend=count_graphs)
    for prompt in (ids, ids.flip(0)):  # the second generation finds a new scale of the head and must not recompile
        tokens, logits = decode(model, step, prompt, 5)
        for position, step_logits in enumerate(logits):
            expected = model(tokens[:, : prompt.shape[1] + position + 1], use_cache=False).logits[:, -1:]
            torch.testing.assert_close(step_logits, expected, atol=1e-5, rtol=0)
    assert len(graphs) == 1


def test_a_step_reads_the_head_for_its_logits_only(build_model, ids):
    model = build_model().eval()
    kinds = []

    def list_operations(graph, example_inputs):
        kinds.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    decode(model, torch.compile(model.forward, fullgraph=True, backend=list_operations), ids, 2)
    assert any("topk" in kind for kind in kinds)
    assert not any("vector_norm" in kind for kind in kinds), "NormHead must not be computed for every token"


def test_a_compiled_step_follows_new_weights_after_the_next_prompt(build_model, ids):
    model = build_model().eval()
    step = torch.compile(model.forward, fullgraph=True, backend="eager")
    decode(model, step, ids, 2)
    with torch.no_grad():
        model.lm_head.weight[:, 0] *= 50.0
    tokens, logits = decode(model, step, ids, 1)
    with torch.no_grad():
        expected = model(tokens, use_cache=False).logits[:, -1:]
    torch.testing.assert_close(logits[0], expected, atol=1e-5, rtol=0)


def test_inductor_computes_the_same_steps(build_model, ids):
    model = build_model(num_hidden_layers=1).eval()
    step = torch.compile(model.forward, fullgraph=True)
    plain_tokens, plain = decode(model, model.forward, ids, 3)
    tokens, compiled = decode(model, step, ids, 3)
    assert torch.equal(tokens, plain_tokens)
    for expected, actual in zip(plain, compiled, strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_generate_with_a_static_cache_and_its_own_compilation_equals_plain_generation(build_model, ids):
    model = build_model(num_hidden_layers=1).eval()
    arguments = {"max_new_tokens": 6, "do_sample": False}
    plain = model.generate(ids, **arguments)
    compiled = model.generate(ids, cache_implementation="static", compile_config=compile_everywhere(), **arguments)
    assert torch.equal(plain, compiled)


def compile_everywhere() -> CompileConfig:
    config = CompileConfig(fullgraph=True, mode=None, backend="eager")
    config._compile_all_devices = True  # generation compiles by itself on accelerators only
    return config


@pytest.mark.parametrize("dtype", [pytest.param(torch.float32, marks=needs_transformers_5_23), torch.bfloat16])
def test_a_compiled_training_step_has_the_gradients_of_the_plain_one(build_model, ids, dtype):
    plain, compiled = (build_model(num_hidden_layers=2).to(dtype).train() for _ in range(2))
    for layer in compiled.model.layers:
        layer.compile(fullgraph=True, backend="aot_eager")
    for model in (plain, compiled):
        model(ids, labels=ids, use_cache=False).loss.backward()
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    for name, parameter in plain.named_parameters():
        error = (compiled.get_parameter(name).grad - parameter.grad).float().norm()
        assert error <= tolerance * parameter.grad.float().norm().clamp(min=1e-6), name
