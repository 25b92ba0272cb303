"""The blocks of modeling_ling/README.md run, in order, in one folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = ROOT / "modeling_ling" / "README.md"
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_every_block_runs(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    num_run = 0
    for language, block in BLOCKS:
        if "pytest" in block:
            continue  # these tests run anyway
        program = block.replace("outputs/", f"{tmp_path}/")
        command = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
        ended = subprocess.run([*command, program], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
        num_run += 1
    assert num_run == 5
    assert (tmp_path / "ling_tiny" / "modeling_bailing_moe.py").is_file()
