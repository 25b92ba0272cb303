"""The blocks of modeling_ling/README.md run, in order, in one folder."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests import warm_python
from tests.readme_blocks import run_block

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = ROOT / "modeling_ling" / "README.md"
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_every_block_runs(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    blocks = [  # those with pytest are tests that run anyway
        (language, block.replace("outputs/", f"{tmp_path}/")) for language, block in BLOCKS if "pytest" not in block
    ]
    assert len(blocks) == 5
    for language, block in blocks:
        if language == "bash":
            ended = run_block(block, ROOT, environment)
        else:
            command = [sys.executable, "-c", block]
            ended = warm_python.run(
                command, libraries="training", cwd=ROOT, env=environment, capture_output=True, text=True
            )
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
    assert (tmp_path / "ling_tiny" / "modeling_bailing_moe.py").is_file()
