"""The precision of a sharded run. accelerate shards on accelerators only: what is checked is what it is given."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import FullyShardedDataParallelPlugin

from recipes.running.sharding import mixed_precision_policy, use_own_precision


@pytest.mark.parametrize("precision", ["bf16", "no"])
def test_gradients_are_summed_and_the_loss_is_given_in_float32(precision: str) -> None:
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    plugin.set_mixed_precision("bf16")
    assert plugin.mixed_precision_policy.reduce_dtype == torch.bfloat16  # accelerate's own
    assert plugin.mixed_precision_policy.output_dtype == torch.bfloat16
    use_own_precision(SimpleNamespace(state=SimpleNamespace(fsdp_plugin=plugin), mixed_precision=precision))
    policy = plugin.mixed_precision_policy
    assert policy == mixed_precision_policy(bf16=precision == "bf16")
    assert policy.param_dtype == (torch.bfloat16 if precision == "bf16" else None)
    assert policy.reduce_dtype in (torch.float32, None)
    assert policy.output_dtype is None


def test_a_run_that_does_not_shard_is_left_alone() -> None:
    use_own_precision(SimpleNamespace(state=SimpleNamespace(), mixed_precision="bf16"))
