"""Do serving engines compute our model from an exported folder? One small model per configuration, in float32.

    make check-engines

Each engine lives in an environment of its own, because it pins other packages. For every configuration it loads the
folder that `export` writes and gives the log-probabilities of two greedy continuations; they must be ours. What
`modeling_ling.serving` warns of has to fail here, and nothing else may. Last, latency is measured in vLLM once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.efficiency.engines import measure_vllm
from evals.efficiency.latency import Plan
from modeling_ling import BailingMoeForCausalLM
from modeling_ling.export import export_model
from modeling_ling.serving import engine_warnings
from tests.modeling_ling.conftest import make_model

# vLLM's attention on a CPU needs heads of at least 32; 64 is what the presets have.
SIZES = {"hidden_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512}
CONFIGURATIONS: dict[str, dict[str, object]] = {
    "as released": {},
    "without NormHead": {"norm_head": False},
    "tied embeddings": {"norm_head": False, "tie_word_embeddings": True},
    "first layer dense": {"first_k_dense_replace": 1},
    "no shared experts": {"num_shared_experts": 0},
    "one expert per token": {"num_experts_per_tok": 1},
    "unnormalised top-k": {"norm_topk_prob": False},
    "biased qkv": {"use_qkv_bias": True},
    "all biases": {"use_bias": True, "use_qkv_bias": True},
    "heads wider than hidden / heads": {"head_dim": 128},
    "linear rope": {"rope_scaling": {"type": "linear", "factor": 2.0}},
    "yarn": {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
}
SMALL_ENGINE = {"dtype": "float32", "kv_cache_memory_bytes": 2**28, "enforce_eager": True}
PROMPT_TOKENS, NEW_TOKENS = 9, 16
TOLERANCE = 1e-3  # nats; a wrong configuration is off by 0.01 or more


@torch.no_grad()
def our_answers(model: BailingMoeForCausalLM) -> tuple[list[list[int]], torch.Tensor]:
    """Return greedy sequences and the log-probability of every generated token, `(2, NEW_TOKENS)`."""
    prompt = torch.randint(0, 500, (2, PROMPT_TOKENS), generator=torch.Generator().manual_seed(1))
    arguments = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
    ids = model.generate(prompt, **arguments)
    log_probabilities = model(ids[:, :-1], use_cache=False).logits.log_softmax(-1)
    return ids.tolist(), log_probabilities.gather(-1, ids[:, 1:, None])[:, PROMPT_TOKENS - 1 :, 0]


def ask(python: str, worker: str, folder: Path, sequences: list[list[int]]) -> torch.Tensor:
    """Return the engine's log-probabilities.

    Raises:
        RuntimeError: the engine gave none; its last lines.
    """
    job, answer = folder / "job.json", folder / "answer.json"
    job.write_text(json.dumps({"folder": str(folder), "sequences": sequences, "prompt_tokens": PROMPT_TOKENS}))
    command = [python, str(Path(__file__).with_name(worker)), str(job), str(answer)]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}  # vLLM counts cores
    environment["VLLM_TARGET_DEVICE"] = "cpu"
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    if not answer.exists():  # an engine that aborts while shutting down has answered
        errors = [line.strip() for line in run.stderr.splitlines() if "Error: " in line]
        raise RuntimeError(errors[0] if errors else f"exit code {run.returncode} (negative: killed by that signal)")
    return torch.tensor(json.loads(answer.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlx", metavar="PYTHON", help="interpreter of an environment with mlx-lm")
    parser.add_argument("--vllm", metavar="PYTHON", help="interpreter of an environment with vLLM")
    parser.add_argument("--only", help="one configuration, by name")
    options = parser.parse_args()
    engines = {
        "mlx": (options.mlx, "mlx_worker.py"),
        "vLLM": (options.vllm, "vllm_worker.py"),
    }
    num_surprises = 0
    for name, overrides in CONFIGURATIONS.items():
        if options.only not in (None, name):
            continue
        model = make_model(**(SIZES | overrides)).eval()
        sequences, expected = our_answers(model)
        for engine, (python, worker) in engines.items():
            if python is None:
                continue
            warned = bool(engine_warnings(model.config).get(engine))
            with tempfile.TemporaryDirectory() as folder:
                export_model(model, None, folder)
                try:
                    error = (ask(python, worker, Path(folder), sequences) - expected).abs().max().item()
                    result = f"{error:.1e} nats"
                except RuntimeError as problem:
                    error, result = float("inf"), f"refused: {problem}"
            is_surprise = (error > TOLERANCE) != warned
            num_surprises += is_surprise
            verdict = "SURPRISE" if is_surprise else "differs, as warned" if warned else "same"
            print(f"{engine:<6}{name:<34}{verdict:<20}{result[:160]}", flush=True)
    if options.vllm:
        with tempfile.TemporaryDirectory() as folder:
            export_model(make_model(**SIZES).eval(), None, folder)
            lines, versions = measure_vllm(folder, Plan([(16, 8)], repeats=2), options.vllm, arguments=SMALL_ENGINE)
        print(f"vLLM  latency{'':27}measured{'':12}{lines[0]['median_seconds']:.3f} s for 8 tokens, {versions['vllm']}")
    return 1 if num_surprises else 0


if __name__ == "__main__":
    sys.exit(main())
