"""The model equals the float64 reference for configurations nobody thought of."""

import tempfile
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.modeling_ling.conftest import make_model
from tests.modeling_ling.parity import check_parity

pytestmark = pytest.mark.slow

# Two scores closer than this may be ranked either way in float32; such inputs are not compared.
MIN_GAP = 1e-5
IMPLEMENTATIONS = ("eager", "grouped_mm", "batched_mm", "bailing_moe_grouped", "bailing_moe_auto")


@st.composite
def geometries(draw) -> dict[str, object]:
    """Any geometry the configuration accepts, small enough for the reference."""
    key_heads = draw(st.sampled_from([1, 2, 3]))
    experts = draw(st.integers(2, 12))
    norm_head = draw(st.booleans())
    layers = draw(st.integers(1, 3))
    return {
        "vocab_size": draw(st.integers(40, 300)),
        "hidden_size": draw(st.sampled_from([24, 32, 48])),
        "intermediate_size": draw(st.sampled_from([16, 40])),
        "num_hidden_layers": layers,
        "num_key_value_heads": key_heads,
        "num_attention_heads": key_heads * draw(st.integers(1, 3)),
        "head_dim": draw(st.sampled_from([8, 10, 16])),
        "moe_intermediate_size": draw(st.sampled_from([8, 16, 24])),  # 2 x 24 = 48: a transposed weight fits there
        "num_experts": experts,
        "num_experts_per_tok": draw(st.integers(1, min(experts, 5))),
        "num_shared_experts": draw(st.integers(0, 3)),
        "norm_topk_prob": draw(st.booleans()),
        "first_k_dense_replace": draw(st.integers(0, layers - 1)),
        "use_bias": draw(st.booleans()),
        "use_qkv_bias": draw(st.booleans()),
        "norm_head": norm_head,
        "tie_word_embeddings": not norm_head and draw(st.booleans()),
        "rms_norm_eps": draw(st.sampled_from([1e-5, 1e-6])),
        "rope_theta": draw(st.sampled_from([100.0, 10_000.0, 600_000.0])),
        "rope_scaling": draw(
            st.sampled_from([None, {"type": "linear", "factor": 2.0}, {"type": "yarn", "factor": 4.0}])
        ),
    }


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
@given(
    geometry=geometries(),
    implementation=st.sampled_from(IMPLEMENTATIONS),
    layout=st.sampled_from(["left", "right", "packed"]),
    lengths=st.lists(st.integers(2, 8), min_size=1, max_size=3),
    seed=st.integers(0, 2**31),
)
def test_any_configuration_equals_the_reference(geometry, implementation, layout, lengths, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_model(seed, **geometry)
    model.set_experts_implementation(implementation)
    generator = torch.Generator().manual_seed(seed)
    sequences = [torch.randint(0, geometry["vocab_size"], (length,), generator=generator) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        assume(check_parity(model, Path(folder), sequences, layout, smallest_gap=MIN_GAP))
