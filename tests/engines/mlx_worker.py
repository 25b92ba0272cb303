"""Runs in an environment with mlx-lm: log-probabilities of a continuation by MLX on the CPU. Arguments: job, answer."""

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx_lm.utils import load_model


def main(job_file: str, answer_file: str) -> None:
    mx.set_default_device(mx.cpu)
    job = json.loads(Path(job_file).read_text())
    model = load_model(Path(job["folder"]), lazy=False, strict=True)[0]
    answers = []
    for ids in job["sequences"]:
        logits = model(mx.array([ids[:-1]]))[0].astype(mx.float32)
        log_probabilities = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
        chosen = mx.take_along_axis(log_probabilities, mx.array(ids[1:])[:, None], axis=-1)[:, 0]
        answers.append(chosen[job["prompt_tokens"] - 1 :].tolist())
    Path(answer_file).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
