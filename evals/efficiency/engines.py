"""Section 5.2: what generates while latency is measured: transformers here, or vLLM in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.efficiency.latency import Plan, measure
from evals.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


class EngineError(RuntimeError):
    """An engine that does not start, or ends while it measures; the message has its own words."""


def measure_models(
    models: Sequence[str],
    plan: Plan,
    *,
    backend: str,
    tensor_parallel: Sequence[int],
    vllm_python: str,
    vllm_arguments: Mapping[str, Any],
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Measure several models, with vLLM each over several numbers of GPUs.

    Args:
        models: folders, or names on the Hub.
        backend: "transformers" or "vllm".

    Returns:
        (by model, and by number of GPUs if there are several, the lines of `measure`; the machine and the versions).

    Raises:
        UsageError: no such model or interpreter, or several GPUs without vLLM.
        EngineError: vLLM refuses the model.
    """
    from evals.models.model_folder import check_model

    if backend == "transformers" and list(tensor_parallel) != [1]:
        raise UsageError("--tensor-parallel is vLLM's: add --backend vllm")
    for name in models:
        check_model(name)
    measured: dict[str, list[dict[str, Any]]] = {}
    versions: dict[str, str] = {}
    for name in models:
        for num_gpus in tensor_parallel:
            label = f"{name}, {num_gpus} GPUs" if len(tensor_parallel) > 1 else name
            if backend == "vllm":
                lines, versions = measure_vllm(name, plan, vllm_python, num_gpus, vllm_arguments)
            else:
                lines, versions = measure_transformers(name, plan)
            measured[label] = [{"model": label, **line} for line in lines]
    return measured, versions


def measure_transformers(name: str, plan: Plan) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Load a model with transformers and measure it: bf16 on a GPU, else fp32 on the CPU.

    Returns:
        (the lines of `measure`, the machine and the versions).
    """
    import platform

    import torch
    import transformers

    import modeling_ling  # noqa: F401 - registers the architecture
    from evals.models.model_folder import loading

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    # Any: what transformers annotates as the model's class lacks `generate` and the types of its settings.
    model: Any
    with loading(name):
        model = transformers.AutoModelForCausalLM.from_pretrained(name, trust_remote_code=True, dtype=dtype)
    model = model.to(device).eval()

    def generate(prompts: list[list[int]], output_tokens: int) -> list[int]:
        ids = torch.tensor(prompts, device=device)
        arguments = {"min_new_tokens": output_tokens, "max_new_tokens": output_tokens, "do_sample": False}
        out = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **arguments)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return [out.shape[1] - ids.shape[1]] * len(out)

    def peak_memory() -> float | None:
        if device.type != "cuda":
            return None
        peak = torch.cuda.max_memory_allocated(device) / 2**30
        torch.cuda.reset_peak_memory_stats(device)
        return peak

    where = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    versions = {"device": where, "torch": torch.__version__, "transformers": transformers.__version__}
    return measure(generate, model.config.vocab_size, plan, peak_memory), versions


def measure_vllm(
    name: str, plan: Plan, python: str, tensor_parallel: int = 1, arguments: Mapping[str, Any] | None = None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Load a model with vLLM, in the environment of another interpreter, and measure it there.

    Args:
        python: an interpreter that has vLLM; vLLM pins a torch of its own.
        tensor_parallel: GPUs that the weights are cut over.
        arguments: more of `vllm.LLM`: {"dtype": "float16"}, say, in which the paper measured.

    Returns:
        (the lines of `measure` without peak memory, which vLLM takes whole at its start; the machine and the versions).

    Raises:
        UsageError: no such interpreter.
        EngineError: no vLLM in it, or vLLM refuses the model.
    """
    with tempfile.TemporaryDirectory(prefix="ling_vllm_") as folder:
        job, answer = Path(folder, "job.json"), Path(folder, "answer.json")
        of_engine = {"tensor_parallel_size": tensor_parallel, **(arguments or {})}
        values = {"model": name, "plan": asdict(plan), "arguments": of_engine}
        job.write_text(json.dumps(values), encoding="utf-8")
        # vLLM counts cores and takes all; ours is found from the folder that holds it.
        environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        environment["PYTHONPATH"] = str(ROOT)
        command = [python, "-m", "evals.efficiency.vllm_worker", str(job), str(answer)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        except OSError as error:
            raise UsageError(f"{python} cannot be run: {error.strerror}; name one by --vllm-python") from None
        if not answer.is_file():  # an engine that fails while it shuts down has answered
            raise EngineError(f"vLLM ({python}) measured nothing of {name}: {first_error(ended.stdout + ended.stderr)}")
        said = json.loads(answer.read_text(encoding="utf-8"))
        return said["lines"], said["versions"]


def first_error(said: str) -> str:
    """Return the line of tracebacks that names the error: the first, which caused the others; else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "Error: " in line]
    return (errors or lines[-1:] or ["it said nothing"])[0][-600:]
