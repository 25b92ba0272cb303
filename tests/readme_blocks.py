"""Blocks of commands of a README: read by bash, whose words, patterns and errors they are, and then run by forks.

Each start of `python` would cost the seconds that importing torch and transformers takes; see `warm_python`.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import warm_python

PYTHON = Path(sys.executable)
# A shell that runs a block with these writes down what our programs would be called with; other commands it runs.
_WRITE_DOWN = """
python() { printf '%s\\0' "$#" python "$@" >&3; }
ling-coder() { printf '%s\\0' "$#" ling-coder "$@" >&3; }
"""


def run_block(block: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a block of commands up to the first that fails; return how that or the last one ended, and what all wrote.

    Args:
        block: lines of bash; `python` and `ling-coder` are this environment's.
        folder: where they run.
        environment: of the commands.
    """
    receiver, sender = os.pipe()
    command = ["bash", "-euo", "pipefail", "-c", f"exec 3>&{sender}{_WRITE_DOWN}{block}"]
    ended = subprocess.run(command, cwd=folder, env=environment, pass_fds=[sender], capture_output=True, text=True)
    os.close(sender)
    with open(receiver, encoding="utf-8") as calls:
        written = calls.read().split("\0")[:-1]
    while written and ended.returncode == 0:
        num_words = int(written[0])
        program, *words = written[1 : 2 + num_words]
        del written[: 2 + num_words]
        script = [] if program == "python" else [str(PYTHON.parent / program)]
        done = warm_python.run(
            [sys.executable, *script, *words],
            libraries="training",
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        ended = subprocess.CompletedProcess(
            block, done.returncode, ended.stdout + done.stdout, ended.stderr + done.stderr
        )
    return ended
