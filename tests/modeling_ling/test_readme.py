"""The blocks of modeling_ling/README.md run, in order, in one folder."""

import os
import re
import subprocess
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = ROOT / "modeling_ling" / "README.md"
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


# Each program is a process of its own, forked when what all of them import has been imported once.
RUN_PROGRAMS = """
import os, sys
import torch, transformers.modeling_utils
for program in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})
        sys.exit()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed:\\n{program}")
"""


def test_every_block_runs(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    blocks = [  # those with pytest are tests that run anyway
        (language, block.replace("outputs/", f"{tmp_path}/")) for language, block in BLOCKS if "pytest" not in block
    ]
    assert len(blocks) == 5
    for language, group in groupby(blocks, key=itemgetter(0)):
        programs = [program for _, program in group]
        command = [sys.executable, "-c", RUN_PROGRAMS, *programs]
        if language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", "\n".join(programs)]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "ling_tiny" / "modeling_bailing_moe.py").is_file()
