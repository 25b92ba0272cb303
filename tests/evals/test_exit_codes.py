"""What a user does wrong is said in a line and is exit code 2; nothing heavy is imported to say it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evals.__main__ import EFFICIENCY, SCORING, main
from modeling_ling.command_line import load_command, make_parser
from tests import warm_python

ROOT = Path(__file__).parents[2]
HEAVY = ("datasets", "lighteval", "torch", "transformers")
ENDPOINT = ("--backend", "endpoint", "--base-url", "http://127.0.0.1:9/v1")


def evals(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "evals", *map(str, arguments)]
    return warm_python.run(command, libraries="evaluation", cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Things that users take for something else."""
    root = tmp_path_factory.mktemp("mistakes")
    for name in ("empty", "no_weights", "broken_config", "dataset_config", "other_run", "foreign", "cut_run"):
        (root / name).mkdir()
    (root / "no_weights" / "config.json").write_text('{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}')
    (root / "broken_config" / "config.json").write_text("{")
    (root / "dataset_config" / "config.json").write_text("[]")
    task = {"metric": "pass@1", "value": 0.5, "n": 2, "interval": [0.1, 0.9], "isolation": None}
    results = {"model": "org/other", "preset": "standard", "base": False, "tasks": {"humaneval": task}}
    (root / "other_run" / "results.json").write_text(json.dumps(results))
    (root / "foreign" / "results.json").write_text('{"config_general": {}, "results": {"all": {}}}')
    (root / "cut_run" / "results.json").write_text(json.dumps(results))
    (root / "cut_run" / "samples").mkdir()
    sample = {"id": "HumanEval/0", "prediction": "    return 1", "verdict": "fail"}
    (root / "cut_run" / "samples" / "humaneval.jsonl").write_text(json.dumps(sample) + '\n{"id": "HumanEval/1", "pre')
    (root / "file").write_text("")
    return root


# What was typed, and what the line on stderr must say. {} is the fixture's folder. Those with an address are what users
# of other harnesses ran into, as they reported it.
MISTAKES = [
    (("bogus",), "there is no command 'bogus'"),
    (("rnu", "--model", "x"), "did you mean 'run'"),
    (("run",), "--model, --tasks"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--modle", "x"), "unrecognized arguments: --modle"),
    (("run", "--model", "a/b", "--tasks", " , "), "nothing is named"),
    (("run", "--model", "a/b", "--tasks", "no_such_thing"), "known: code, general, all, humaneval, "),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--limit", "0"), "at least 1"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--temperature", "-1"), "must lie between 0 and"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--top-p", "0.9"), "--top-p has no effect without --temp"),
    (("run", "--model", "/nowhere", "--tasks", "humaneval"), "no config.json there"),
    (("run", "--model", "{}/broken_config", "--tasks", "humaneval"), "config.json is not JSON"),
    (("run", "--model", "{}/dataset_config", "--tasks", "humaneval"), "lacks model_type"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--data-dir", "/nowhere"), "no such folder"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--held-out", "{}/file"), "a file, not a folder"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--output", "{}/file"), "give a folder"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--output", "{}/other_run"), "holds the results of org/other"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--output", "{}/foreign"), "is not of an `evals run`"),
    (("run", "--model", "a/b", "--tasks", "humaneval", *ENDPOINT, "--baseline-model", "c/d"), "--baseline-model"),
    (("run", "--model", "a/b", "--tasks", "humaneval", "--backend", "endpoint"), "needs --base-url"),
    (("selfcheck", "--tasks", "humaneval", "--data-dir", "{}/empty"), "holds none of HumanEval.jsonl"),
    (("selfcheck", "--tasks", "held_out_execution", "--held-out", "/nowhere"), "no such folder"),
    (("rescore", "/nowhere"), "no results.json there"),
    (("rescore", "{}/foreign"), "is not of an `evals run`"),
    (("report", "/nowhere"), "no results.json there"),
    (("report", "{}/foreign"), "is not of an `evals run`"),
    (("report", "{}/other_run", "--output", "{}/file"), "File exists"),
    (("samples", "/nowhere"), "no results.json there"),
    (("samples", "{}/cut_run"), "humaneval.jsonl, line 2, is not JSON"),
    (("samples", "{}/other_run", "--verdicts", "fail"), "no answers to any task are kept there"),
    (("samples", "{}/other_run", "--tasks", "gsm8k"), "no answers to these tasks are kept there"),
    (("compare", "/nowhere", "{}/other_run"), "no results.json there"),
    (("compare", "{}/other_run", "{}/other_run"), "no problem in common"),
    (("compare", "{}/other_run", "{}/other_run/results.json"), "is a file; give the folder it lies in, "),
    (("compare", "{}/other_run"), "SECOND"),
    (("loss", "--model", "/nowhere", "--baseline", "/nowhere", "--data", "{}/empty"), "no config.json there"),
    (("loss", "--model", "a/b", "--baseline", "a/b", "--data", "/nowhere"), "no such folder"),
    (("loss", "--model", "a/b", "--baseline", "a/b"), "--data"),
    (("efficiency",), "there is no command 'efficiency'"),
    (("efficiency", "floor", "--batch-sizes", "0"), "at least 1"),
    (("efficiency", "latency", "--model", "/nowhere"), "no config.json there"),
    # github.com/EleutherAI/lm-evaluation-harness/issues/1512: a name's hyphens and underscores
    (("run", "--model", "a/b", "--tasks", "human-eval"), "unknown human-eval; did you mean humaneval"),
    # .../lm-evaluation-harness/issues/2005: a folder of a task's name where the command is typed changes its meaning;
    # here a folder without config.json does not become a model, nor a task's name a folder
    (("run", "--model", "{}/empty", "--tasks", "humaneval"), "no config.json there"),
    # .../lm-evaluation-harness/issues/2927: a file where a folder is meant
    (("run", "--model", "a/b", "--tasks", "humaneval", "--output", "{}/results.json"), "give a folder"),
    # .../lm-evaluation-harness/issues/3125: the address of one operation instead of the server's
    (
        ("run", "--model", "a/b", "--tasks", "humaneval", *ENDPOINT[:3], "http://127.0.0.1:9/v1/chat/completions"),
        "give the server's address alone, http://127.0.0.1:9/v1",
    ),
    # github.com/planetlabs/planet-client-python/issues/392: an address without a scheme
    (("run", "--model", "a/b", "--tasks", "humaneval", *ENDPOINT[:3], "127.0.0.1:9/v1"), "must start with http://"),
    # github.com/microsoft/winml-cli/issues/530: a flag that is taken and ignored
    (("run", "--model", "a/b", "--tasks", "humaneval", *ENDPOINT[2:]), "no effect without --backend endpoint"),
    (("run", "--model", "a/b", "--tasks", "humaneval", *ENDPOINT, "--batch-size", "2"), "no effect without --backend"),
    # github.com/bigcode-project/bigcode-evaluation-harness/issues/150: many samples, greedily
    (("run", "--model", "a/b", "--tasks", "humaneval", "--num-samples", "9"), "needs --temperature above 0"),
    # github.com/evalplus/evalplus/issues/63: a file that ends in the middle of a line
    (("rescore", "{}/cut_run"), "humaneval.jsonl, line 2, is not JSON"),
    (("report", "{}/cut_run"), "humaneval.jsonl, line 2, is not JSON"),
    # github.com/evalplus/evalplus/issues/229: a flag of another command
    (("rescore", "{}/other_run", "--model", "a/b"), "unrecognized arguments: --model"),
    # github.com/huggingface/smol-course/issues/266: a task as lighteval's own command line writes it
    (("run", "--model", "a/b", "--tasks", "lighteval|humaneval|0|0"), "did you mean humaneval"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: " ".join(value)[:60])
def test_a_users_mistake_is_said_in_a_line_and_is_exit_code_2(
    arguments, message, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("{}", str(folder)) for word in arguments]) == 2
    assert message in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == [], "a command that was refused leaves nothing behind"


@pytest.mark.slow
def test_a_command_ends_with_these_codes(folder):
    assert evals("run", "--model", "/nowhere", "--tasks", "humaneval").returncode == 2
    shown = evals("report", folder / "other_run", "--output", folder / "report")
    assert shown.returncode == 0 and (folder / "report" / "report.md").is_file(), shown.stderr
    away = evals("run", "--model", "m", "--tasks", "held_out_execution", "--output", folder / "away", *ENDPOINT)
    assert away.returncode == 2 and "held_out_execution: unscorable" in away.stderr


# github.com/EleutherAI/lm-evaluation-harness/issues/1431 and 2386: names parted by a comma and a space
def test_names_may_be_parted_by_commas_and_spaces(tmp_path, capsys):
    assert main(["selfcheck", "--tasks", "gsm8k,", "mbpp", "--data-dir", str(tmp_path)]) == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["gsm8k", "mbpp"]


@pytest.mark.parametrize(
    "arguments", [("--help",), ("list",), ("run", "--help"), ("rescore", "/nowhere"), ("efficiency", "flops")]
)
def test_what_needs_no_model_imports_none(arguments):
    program = (
        "import sys; from evals.__main__ import main; code = main(sys.argv[1:]); "
        f"print('imported:', *[name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "imported:", ended.stdout + ended.stderr


@pytest.mark.parametrize("name", [*SCORING, *EFFICIENCY])
def test_every_command_has_one_form(name, capsys):
    """A line of help, an example that starts with its name, and help for every option."""
    command = load_command({**SCORING, **EFFICIENCY}[name])
    assert command.HELP and command.EXAMPLE.startswith(f"python -m evals {name}")
    assert main([*name.split(), "--help"]) == 0
    assert command.EXAMPLE in capsys.readouterr().out
    assert all(action.help for action in make_parser(name, command)._actions)


def test_help_shows_a_list_of_defaults_as_it_is_typed(capsys):
    assert main(["samples", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: all)" in text and "[]" not in text
