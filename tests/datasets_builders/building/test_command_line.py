"""The command line: help, plan, refusals."""

import contextlib
import os
import subprocess
import termios

import pytest

from datasets_builders.__main__ import main

pytestmark = pytest.mark.slow


def test_help_lists_every_builder(run_cli):
    done = run_cli("--help")
    assert done.returncode == 0
    for name in ("source_code", "documentation", "arithmetic", "synthetic_qa", "sft", "dpo", "tokenized"):
        assert f"  {name} " in done.stdout


def test_help_of_a_builder_lists_its_fields_with_defaults(run_cli):
    done = run_cli("source_code", "--help")
    assert done.returncode == 0
    assert "max_bytes: int = 1000000" in done.stdout
    assert "num_shards: int = 1" in done.stdout
    assert "--push-to" in done.stdout


@pytest.mark.parametrize("command_name", ["grade", "inspect", "train-quality-model"])
def test_help_of_a_command_shows_the_defaults(run_cli, command_name):
    shown = run_cli(command_name, "--help").stdout
    assert "(default: 0)" in shown and "None" not in shown and "False" not in shown


@pytest.mark.parametrize("flag", ["--dry-run", "--dry_run"])
def test_a_dry_run_prints_the_plan_and_touches_nothing(run_cli, code_folder, tmp_path, flag):
    before = sorted(tmp_path.rglob("*"))
    done = run_cli(
        "source_code", flag, "decontaminate=[]", f"input_dir={code_folder}", "output_dir=out", "num_shards=2"
    )
    assert done.returncode == 0, done.stderr
    for expected in ("read_code [1:1]", "exact_dedup [n:1]", str(code_folder), "num_shards: 2", "_of_00002.parquet"):
        assert expected in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["source_cod"], "did you mean 'source_code'?"),
        (["source_code", "outputdir=x"], "did you mean 'output_dir'?"),
        (["source_code", "--config", "absent.yaml"], "no config file absent.yaml"),
        (["source_code"], "output_dir is not set"),
        (["source_code", "output_dir=x", "input_dir=absent"], "does not exist"),
        (["source_code", "output_dir=x", "--wrokers", "2"], "unrecognized arguments: --wrokers"),
        (["source_code", "output_dir=x", "--push-to", "a/b/c"], "--push-to"),
        (["source_code", "output_dir=.", "input_dir=."], "the same folder"),
        (["source_code", "output_dir=x", "languages=[python]"], "did you mean 'Python'?"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_without_a_traceback(run_cli, tmp_path, arguments, message):
    before = sorted(tmp_path.rglob("*"))
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_code_is_an_error_that_says_what_was_there(run_cli, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.png").write_bytes(b"\x89PNG")
    done = run_cli("source_code", "decontaminate=[]", "input_dir=pictures", "output_dir=out")
    assert done.returncode == 3, "so that a caller can tell"
    assert "all 1 inputs were removed (other_kind_of_file: 1)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "data").exists()


def test_a_folder_of_the_user_is_never_overwritten(run_cli, code_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    done = run_cli("source_code", "decontaminate=[]", f"input_dir={code_folder}", "output_dir=mine")
    assert done.returncode == 2
    assert "was not written by a builder" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_dataset_of_another_builder_is_never_overwritten(run_cli, code_folder, tmp_path, more):
    assert run_cli("arithmetic", "num_documents=50", "output_dir=sums").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = run_cli("source_code", "decontaminate=[]", f"input_dir={code_folder}", "output_dir=sums", *more)
    assert done.returncode == 2
    assert "holds a dataset of arithmetic, not of source_code" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_terminal_shows_a_bar_and_a_pipe_none(run_cli, command, environment, tmp_path):
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (30, 100))
    arguments = ("arithmetic", "num_documents=20000", "output_dir=out")
    process = subprocess.Popen(
        command(*arguments), env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal is an error, not an end of file
        while chunk := os.read(screen, 65_536):
            shown += chunk
    os.close(screen)
    assert process.wait() == 0
    assert b"arithmetic: compute: 0 docs" in shown
    piped = run_cli(*arguments, "seed=1")
    assert "docs/s" not in piped.stderr
    assert "starting over" in piped.stderr


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_traceback(command, environment, tmp_path):
    for number in range(2_000):
        (tmp_path / f"module_{number}.py").write_text("import module_0\n")
    process = subprocess.Popen(
        command("repositories", "inspect", str(tmp_path), "--json"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1


def test_a_field_written_as_a_flag_is_shown_as_it_is_meant(tmp_path, capsys):
    assert main(["arithmetic", "--output_dir", str(tmp_path), "--dry-run"]) == 2
    assert "fields have no hyphens: output_dir=VALUE" in capsys.readouterr().err
    assert main(["arithmetic", f"output_dir={tmp_path}", "--dryrun"]) == 2
    assert "hyphens" not in capsys.readouterr().err
