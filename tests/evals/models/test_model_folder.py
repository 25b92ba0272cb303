"""Models that cannot be loaded are the user's mistake, said in a line by every command that loads one."""

import json
from pathlib import Path

import pytest

from evals.__main__ import main
from evals.errors import UsageError
from evals.models.model_folder import check_model

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64}


@pytest.fixture(params=["no_weights", "unknown_architecture"])
def unloadable(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder whose config.json is a model's, and that is all there is."""
    kind = {"no_weights": "qwen2", "unknown_architecture": "no_such_type"}[request.param]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **SIZES}))
    return str(tmp_path)


def test_it_is_said_in_a_line(unloadable, held_out, tmp_path, capsys):
    asked = ("--tasks", "held_out_execution", "--held-out", str(held_out), "--output", str(tmp_path / "out"))
    for command in (
        ["run", "--model", unloadable, *asked],
        ["loss", "--model", unloadable, "--baseline", unloadable, "--data", str(held_out)],
        ["efficiency", "latency", "--model", unloadable, "--lengths", "4:2"],
    ):
        assert main(command) == 2
        assert f"error: --model {unloadable} cannot be loaded: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("acme/coder@v9", "`hf download acme/coder --revision v9 --local-dir FOLDER`, and give that FOLDER"),
        ("acme/my coder", "no folder, and no name on the Hub either"),
        ("outputs/quickstart/modle", "no config.json there; give a model folder"),
    ],
)
def test_what_can_be_no_name_is_said_in_a_line(model, message):
    with pytest.raises(UsageError, match=message):
        check_model(model)
    check_model("acme/coder")
