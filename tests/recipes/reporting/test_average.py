"""`python -m recipes average`: the mean of checkpoints is the mean of their weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recipes import pretrain
from recipes.__main__ import main
from recipes.reporting.average_command import checkpoint_shares

STEPS = {"train_tokens": 512 * 4, "save_steps": 1, "save_total_limit": 10, "logging_steps": 4}


@pytest.fixture(scope="module")
def run(command_line: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("average") / "run"
    pretrain.main(command_line("stage1", folder, **STEPS))
    return folder


@pytest.mark.parametrize(
    ("last", "decay", "shares"),
    [
        (1, "linear", [1.0]),
        (4, "linear", [0.25] * 4),
        (2, "cosine", [0.5, 0.5]),
        (4, "one_minus_sqrt", [0.5, 0.5**0.5 - 0.5, 0.75**0.5 - 0.5**0.5, 1 - 0.75**0.5]),
    ],
)
def test_the_mean_is_of_the_last_checkpoints(
    last: int, decay: str, shares: list[float], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from modeling_ling import BailingMoeForCausalLM

    assert checkpoint_shares(last, decay) == pytest.approx(shares)
    target = tmp_path / "averaged"
    assert main(["average", str(run), "--last", str(last), "--decay", decay, "--to", str(target)]) == 0
    assert f"checkpoint-4: {shares[-1]:.2%}" in capsys.readouterr().out
    tensors = [load_file(run / f"checkpoint-{step}" / "model.safetensors") for step in range(5 - last, 5)]
    averaged = load_file(target / "model.safetensors")
    for name, tensor in averaged.items():
        expected = sum(part[name].double() * share for part, share in zip(tensors, shares, strict=True))
        torch.testing.assert_close(tensor, expected.float(), atol=1e-7, rtol=1e-6)
    assert not BailingMoeForCausalLM.from_pretrained(target).config.output_router_logits
    assert (target / "modeling_bailing_moe.py").is_file()
    assert (target / "tokenizer.json").is_file()


@pytest.mark.parametrize(
    ("last", "target", "complaint"),
    [(9, "new", "4 whole checkpoint"), (0, "new", "4 whole checkpoint"), (2, None, "holds a model or a run")],
)
def test_what_cannot_be_averaged_is_said(
    last: int, target: str | None, complaint: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run if target is None else tmp_path / target
    assert main(["average", str(run), "--last", str(last), "--to", str(folder)]) == 2
    assert complaint in capsys.readouterr().err
