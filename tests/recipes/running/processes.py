"""Runs of the recipes on several gloo processes of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def launch(worker: Path, jobs: Sequence[object], folder: Path, num_processes: int = 2) -> None:
    """Run a worker script over a list of jobs; its last words are the assertion's."""
    path = folder / f"jobs-{num_processes}.json"
    path.write_text(json.dumps(jobs), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_processes)]
    done = subprocess.run(
        [*command, str(worker), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-6000:]
