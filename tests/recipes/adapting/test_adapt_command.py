"""One command from a folder of code to a model that fills gaps in files it has not seen."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from recipes.__main__ import main
from recipes.adapting.story import AdaptOptions, data_steps, expanded_sources, recipe_flags, tokenize_inputs
from recipes.data.token_store import TokenStore
from recipes.quickstart import warm_start
from recipes.quickstart.step_runner import StepRunner
from tests import warm_python
from tests.recipes.conftest import STDLIB


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Three packages of the standard library that import files of their own, and a copy of one file elsewhere."""
    folder = tmp_path / "project"
    for name in ("json", "http", "logging"):
        shutil.copytree(STDLIB / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "copied.py").write_bytes(b"# a copy\n" + (STDLIB / "json" / "decoder.py").read_bytes())
    return folder


def arguments(code: Path, model: Path, to: Path, *more: str) -> list[str]:
    sizes = ("--sequence-length", "256", "--batch-tokens", "1024", "--epochs", "0.25", "--gaps-per-file", "1")
    return [
        *("adapt", "--code", str(code), "--model", str(model), "--to", str(to), "--benchmark", "none", *sizes),
        *("--max-new-tokens", "8", *more),
    ]


def test_a_dry_run_plans_and_writes_nothing(
    code: Path, make_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "out"
    assert main(arguments(code, make_model("Qwen2.5-Coder"), to, "--dry-run", "--", "--learning_rate", "5e-4")) == 0
    text = capsys.readouterr().out
    assert not to.exists()
    assert "asked as Qwen2.5-Coder is" in text
    assert "GB on one device" in text
    assert "H100 hours" in text
    assert "--learning_rate 5e-4" in text
    assert text.index("source_code") < text.index("hold-out") < text.index("pretrain.py")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--code", "/no/such/folder"], "no such file or folder"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--held-out-share", "1.5"], "--held-out-share is 1.5"),
        (["--batch-tokens", "10"], "a row alone has"),
    ],
)
def test_a_mistake_is_said_before_anything_is_done(
    code: Path,
    make_model: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    words: str,
) -> None:
    assert main(arguments(code, make_model("Qwen2.5-Coder"), tmp_path / "out", *change)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_without_markers_is_refused(
    code: Path, make_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(make_model("Qwen2.5-Coder"), plain)
    text = (plain / "tokenizer.json").read_text(encoding="utf-8").replace("|fim_", "|other_")
    (plain / "tokenizer.json").write_text(text, encoding="utf-8")
    assert main(arguments(code, plain, tmp_path / "out")) == 2
    assert "no fill-in-the-middle tokens" in capsys.readouterr().err


def test_checkouts_in_a_folder_are_repositories_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "all" / name / ".git").mkdir(parents=True)
    assert list(expanded_sources([str(tmp_path / "all")])) == [str(tmp_path / "all" / name) for name in ("a", "b")]
    assert list(expanded_sources([str(tmp_path / "all" / "a")])) == [str(tmp_path / "all" / "a")]
    assert list(expanded_sources(["git:x@main"])) == ["git:x@main"]


def test_a_small_project_gets_smaller_steps() -> None:
    options = AdaptOptions(("x",), "m", Path("to"))
    flags = recipe_flags(options, {"code": 100_000}, {"psm": 1.0})
    values = dict(zip(flags[::2], flags[1::2], strict=True))
    assert int(values["--global_batch_tokens"]) * 8 <= 100_000
    large = recipe_flags(options, {"code": 10**9}, {"psm": 1.0})
    assert dict(zip(large[::2], large[1::2], strict=True))["--global_batch_tokens"] == "65536"


@pytest.mark.slow
def test_code_in_model_and_figures_out_and_a_second_start_repeats_nothing(
    code: Path,
    make_model: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    popen = partial(warm_python.Popen, libraries="training")  # what the steps are forked from is a fork itself
    monkeypatch.setattr(warm_start, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": popen}))
    model, to = make_model("Qwen2.5-Coder"), tmp_path / "out"
    keys = ("--weights", "full", "--held-out-share", "0.1", "--", "--use_cpu", "true", "--learning_rate", "1e-2")
    command = arguments(code, model, to, *keys, "--warmup_steps", "1", "--save_steps", "1000")
    assert main(command) == 0, capsys.readouterr().err
    report = json.loads((to / "report.json").read_text(encoding="utf-8"))
    assert report["family"] == "Qwen2.5-Coder"
    losses = [sum(report[side][kind]["loss_per_byte"] for kind in report["after"]) for side in ("before", "after")]
    assert losses[1] < losses[0]
    card = (to / "model" / "README.md").read_text(encoding="utf-8")
    assert card.count("## Infilling on held-out files") == 1
    assert type(AutoModelForCausalLM.from_pretrained(to / "model")).__name__ == "Qwen2ForCausalLM"
    _check_no_held_out_text_was_trained_on(to)
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.count("done before") == 7


def _check_no_held_out_text_was_trained_on(to: Path) -> None:
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(to / "tokenizer")
    stores = [TokenStore(path) for path in (to / "datasets" / "tokenized" / "data").glob("*.ds")]
    trained = {
        line.strip()
        for store in stores
        for number in range(store.num_documents)
        for line in tokenizer.decode(store.document(number).tolist(), skip_special_tokens=True).splitlines()
    }
    assert len(trained) > 100
    for line in (to / "held_out.jsonl").read_text(encoding="utf-8").splitlines():
        lines = [text.strip() for text in json.loads(line)["content"].splitlines() if len(text.strip()) >= 12]
        assert sum(text in trained for text in lines) < len(lines) / 2


def test_code_in_which_no_file_imports_another_is_taken_file_by_file(
    tmp_path: Path,
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("textwrap", "shlex", "fnmatch", "bisect", "heapq", "string", "calendar", "difflib"):
        shutil.copy(STDLIB / f"{name}.py", scripts / f"{name}_script.py")
    steps = data_steps(AdaptOptions((str(scripts),), "no model", tmp_path / "out", benchmark=""))
    StepRunner(tmp_path / "out").run(steps[:3])
    assert not (tmp_path / "out" / "datasets" / "repositories" / "data").exists()
    (inputs,) = tokenize_inputs(tmp_path / "out")
    assert inputs["path"].endswith("train")
    assert inputs["where"] == ""
