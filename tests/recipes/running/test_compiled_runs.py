"""torch.compile changes the speed of a run, not what it learns."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from recipes import pretrain
from recipes.running.run_folder import METRICS_FILE

pytestmark = pytest.mark.slow


def test_a_compiled_run_has_the_losses_of_one_that_is_not(command_line: Callable, tmp_path: Path) -> None:
    """Without a C++ compiler: the graphs are those of inductor, its kernels are not."""
    losses = {}
    for name, keys in (("plain", {}), ("compiled", {"torch_compile": "true", "torch_compile_backend": "aot_eager"})):
        fields = {"train_tokens": 1024, "schedule": "constant", "logging_steps": 1, **keys}
        pretrain.main(command_line("stage1", tmp_path / name, **fields))
        lines = (tmp_path / name / METRICS_FILE).read_text(encoding="utf-8").splitlines()
        losses[name] = [json.loads(line)["total_loss"] for line in lines]
        assert (tmp_path / name / "model.safetensors").is_file()
    torch._dynamo.reset()
    assert len(losses["plain"]) == 2
    assert losses["compiled"] == pytest.approx(losses["plain"], rel=1e-5)
