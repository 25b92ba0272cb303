"""Section 2.2.1: train a fastText classifier in a process of its own: `python -m ... fasttext_process JOB_AS_JSON`.

fastText 0.9.2 reads memory that it has not written: in a process that has freed memory before, the same data and seed
give another model, or "Encountered NaN" at any learning rate. `train_in_process` starts a fresh process in which the C
library hands out zeroed memory (glibc's MALLOC_PERTURB_, whose complement is written), so that training is repeatable.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ZEROED_MEMORY = {"MALLOC_PERTURB_": "255"}
MODULE = "datasets_builders.curation.quality.fasttext_process"


class TrainingError(Exception):
    """fastText could not train; the message is its own."""


def train_in_process(training_file: Path, model_file: Path, **arguments: Any) -> None:
    """Train a supervised model and save it.

    Args:
        training_file (`Path`): a line per text, starting with its `__label__`.
        model_file (`Path`): where the model is saved.
        **arguments: of `fasttext.train_supervised`.

    Raises:
        TrainingError: with fastText's own message.
    """
    job = json.dumps({"input": str(training_file), "output": str(model_file), "arguments": arguments})
    folder = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, **ZEROED_MEMORY, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-m", MODULE, job], env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise TrainingError(lines[-1])


def main(job: str) -> None:
    """Train as the JSON says."""
    import fasttext

    wanted = json.loads(job)
    fasttext.train_supervised(wanted["input"], **wanted["arguments"]).save_model(wanted["output"])


if __name__ == "__main__":
    main(sys.argv[1])
