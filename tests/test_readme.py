"""The commands of the README run: each ```bash block, on the small path, in the environment of `make test`.

Blocks that need a GPU, an account or a network are ```console blocks; they are not run, and there is a test that says
which they are.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm_python
from tests.readme_blocks import run_block

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OUTPUT = "outputs/quickstart"  # as the README writes it
QUICKSTART = "make quickstart"
RUN_BY_OTHERS = {QUICKSTART, "make test"}  # the fixture below runs the first; the second is what runs this


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [block.strip() for block in blocks("bash") if block.strip() not in RUN_BY_OTHERS]


def environment() -> dict[str, str]:
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    found["OMP_NUM_THREADS"] = "1"  # other tests run beside it: threads that wait for each other spin
    return found


def run(command: str, output: Path) -> subprocess.CompletedProcess[str]:
    command = command.replace(OUTPUT, str(output))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment(), capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """What `make quickstart` writes, in its small form."""
    output = tmp_path_factory.mktemp("readme") / "quickstart"
    # -o: the environment that runs this is the one to use, not one to be installed first.
    ended = run(
        f"make -o {sys.prefix}/.installed {QUICKSTART[5:]} SCALE=smoke VENV={sys.prefix} OUTPUT={OUTPUT}", output
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return output


def test_the_readme_opens_with_the_two_commands():
    assert [block.strip() for block in blocks("bash")][:2] == ["make quickstart", "make test"]


def test_the_quickstart_leaves_what_the_readme_promises(quickstart):
    report = (quickstart / "report.html").read_text(encoding="utf-8")
    for promised in (
        "Held-out loss",
        "held_out_execution",
        "Expert load per layer",
        "the ledger",
        "Time and memory",
        "AFTER ALL STAGES",
    ):
        assert promised in report, promised
    assert "<svg" in report and "<script" not in report
    assert (quickstart / "report.md").is_file()
    assert (quickstart / "model" / "config.json").is_file()


def test_a_second_quickstart_only_repeats_the_report(quickstart):
    ended = run(f"python -m recipes.quickstart --scale smoke --output {OUTPUT}", quickstart)
    assert ended.returncode == 0
    assert ended.stdout.count("done before") == len(list((quickstart / "state").iterdir()))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(quickstart, command):
    ended = run_block(command.replace(OUTPUT, str(quickstart)), ROOT, environment())
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_runs(quickstart, code):
    program = code.replace(OUTPUT, str(quickstart))
    ended = warm_python.run(
        [sys.executable, "-c", program], libraries="training", cwd=quickstart, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
