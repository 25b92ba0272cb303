"""`ling-coder` is the four programs under one name."""

import sys

import pytest

from recipes import console
from recipes.__main__ import main as recipes_main


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "data   build datasets (python -m datasets_builders)"),
        ([], 2, "usage: ling-coder PROGRAM"),
        (["chta"], 2, "did you mean 'chat'?"),
        (["data", "--help"], 0, "usage: ling-coder data COMMAND"),
        (["model", "describe", "--help"], 0, "usage: ling-coder model describe"),
        (["chat", "--help"], 0, "usage: ling-coder model chat"),
        (["train", "plna"], 2, "ling-coder train: error: there is no command 'plna'; did you mean 'plan'?"),
        (["data", "list"], 0, "  source_code "),
        (["plan", "no.yaml"], 2, "no.yaml"),
        (["plan", "."], 2, "is a folder; name a recipe in it"),
    ],
)
def test_what_is_printed(arguments, code, words, capsys):
    assert console.main(arguments) == code
    printed = capsys.readouterr()
    assert words in printed.out + printed.err


def test_the_program_that_plans_says_who_trains(capsys):
    assert recipes_main(["sft", "--config", "x.yaml"]) == 2
    assert "`ling-coder train sft --config RECIPE`, which is `python recipes/sft.py" in capsys.readouterr().err


def test_training_is_the_script_alone_or_under_accelerate():
    script = str(console.RECIPES / "sft.py")
    recipe = ["--config", "sft.yaml"]
    launched = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "node.yaml"]
    assert console.training_command("sft", recipe) == [sys.executable, script, *recipe]
    assert console.training_command("sft", ["--launch", "node.yaml", *recipe]) == [*launched, script, *recipe]
    assert console.training_command("sft", [*recipe, "--launch=node.yaml"]) == [*launched, script, *recipe]
    assert console.training_command("distill", recipe)[1:3] == ["-m", "recipes.distill"]
