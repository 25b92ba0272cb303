"""The form that every command line of the project has: a table of commands, exit codes, one line for a mistake."""

import argparse
import gc
import json
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from modeling_ling import command_line
from modeling_ling.command_line import CommandFailedError, guarded, run_program, with_hyphens


@dataclass
class Repeat:
    """Print a word."""

    HELP: str = "print a word some times"
    EXAMPLE: str = "python -m words repeat hello --num-times 2"
    seen: list[argparse.Namespace] = field(default_factory=list)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("words", nargs="*")
        parser.add_argument("--num-times", type=int, default=0, help="how often")
        parser.add_argument("--loud", action="store_true", help="in capitals")

    def run(self, options: argparse.Namespace) -> int:
        self.seen.append(options)
        if options.words == ["missing"]:
            raise FileNotFoundError("no such word")
        if options.words == ["false"]:
            raise CommandFailedError("not a word")
        if options.words == ["bug"]:
            raise KeyError("a bug of the program")
        if options.words == ["interrupt"]:
            raise KeyboardInterrupt
        print(*options.words)
        return 0


def run(*arguments: str) -> tuple[int, list[argparse.Namespace]]:
    command = Repeat()
    sections = {"commands": {"repeat": command, "repeat twice-over": command}}
    return run_program("words", "Words, printed.", sections, arguments), command.seen


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["repeat", "hello"], 0),
        (["repeat", "false"], 1),
        (["repeat", "missing"], 2),
        (["repeat", "hello", "--num-times", "many"], 2),
        (["repeat", "hello", "--num", "2"], 2),  # no abbreviations: they would break when an option is added
        (["repeat", "interrupt"], 130),
        (["repaet"], 2),
        ([], 2),
        (["--help"], 0),
        (["repeat", "--help"], 0),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert run(*arguments)[0] == code


def test_a_mistake_is_one_line_and_a_bug_is_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    run("repeat", "missing")
    assert capsys.readouterr().err == "python -m words repeat: error: no such word\n"
    with pytest.raises(KeyError):
        run("repeat", "bug")


def test_a_command_of_two_words_is_found_first_and_near_names_are_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("repeat", "twice-over", "hello")[1][0].words == ["hello"]
    assert run("repeat", "twice_over", "hello")[1][0].words == ["hello"]
    assert run("repeat", "over")[1][0].words == ["over"]
    run("repaet", "hello")
    assert "did you mean 'repeat'?" in capsys.readouterr().err


def test_options_may_stand_between_positional_arguments() -> None:
    _, (options,) = run("repeat", "a_b=1", "--num_times=3", "c_d=2", "--loud")
    assert (options.words, options.num_times, options.loud) == (["a_b=1", "c_d=2"], 3, True)


def test_only_names_of_flags_get_hyphens() -> None:
    given = ["--push_to=my_org/a_b", "--dry_run", "a_b=c_d", "-x_y", "--", "--not_a_flag"]
    assert with_hyphens(given) == ["--push-to=my_org/a_b", "--dry-run", "a_b=c_d", "-x_y", "--", "--not_a_flag"]
    # Flags of another program, handed on as one text.
    assert with_hyphens(["--evals_options", "--base --data-dir a_b"]) == ["--evals-options", "--base --data-dir a_b"]


def test_help_shows_defaults_that_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    run("repeat", "--help")
    text = capsys.readouterr().out
    assert "how often (default: 0)" in text
    assert "in capitals\n" in text
    assert "python -m words repeat hello --num-times 2" in text


def test_a_reader_that_closes_the_pipe_is_no_error() -> None:
    script = "import sys; from modeling_ling.__main__ import main; sys.exit(main(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(timeout=120)


def test_a_command_looks_seldom_through_all_objects():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        assert guarded(lambda: gc.get_threshold()[2], "program") >= 1000
        assert gc.get_threshold()[:2] == (700, 10)
    finally:
        gc.set_threshold(*before)


@dataclass
class Push(Repeat):
    """Print a word, elsewhere."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--push-to")
        parser.add_argument("--model", required=True)
        parser.add_argument("--output-dir")
        parser.add_argument("--to")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--model", "m", "--push_to_hub"], "unrecognized arguments: --push-to-hub; --push-to-hub is --push-to here"),
        (["--model_args", "pretrained=m"], "are required: --model; --model-args is --model here"),
        (["--model", "m", "--save-path=x"], "--save-path is --to here"),
        (["--model", "m", "--output-dir", "x", "--nproc", "2"], "unrecognized arguments: --nproc 2\n"),
    ],
)
def test_a_flag_of_another_program_is_answered_by_ours(arguments, hint, capsys):
    assert run_program("words", "Words.", {"commands": {"push": Push()}}, ["push", *arguments]) == 2
    assert hint in capsys.readouterr().err


def test_the_word_list_lists(capsys):
    assert run("list")[0] == 0
    assert "repeat twice-over" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("noted", "wanted"),
    [
        ({"url": "file:///wheels/it.whl", "archive_info": {}}, "[train] @ file:///wheels/it.whl'` brings it"),
        (
            {"url": "https://host/it.git", "vcs_info": {"vcs": "git", "commit_id": "4b" * 20}},
            f"[train] @ git+https://host/it.git@{'4b' * 20}'` brings it",
        ),
        (None, "[train] @ file:///PATH/OF/THE.whl'`"),
    ],
)
def test_what_was_installed_without_a_clone_is_installed_from_where_it_came(noted, wanted, tmp_path, monkeypatch):
    metadata = tmp_path / "ling_coder_recipes-0.1.0.dist-info"  # as pip writes it
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: ling-coder-recipes\nVersion: 0.1.0\n")
    if noted is not None:
        (metadata / "direct_url.json").write_text(json.dumps(noted))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(command_line, "ROOT", tmp_path)
    assert f"`python -m pip install 'ling-coder-recipes{wanted}" in command_line.missing_sentence("trl", "train")
