"""Runs in an environment with vLLM: log-probabilities of given sequences. Arguments: job file, answer file."""

import json
import sys
from pathlib import Path

from vllm import LLM, SamplingParams


def main(job_file: str, answer_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    engine = LLM(
        job["folder"],
        trust_remote_code=True,
        dtype="float32",
        max_model_len=64,
        max_num_seqs=2,
        skip_tokenizer_init=True,
        enforce_eager=True,
        kv_cache_memory_bytes=2**28,
    )
    parameters = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
    outputs = engine.generate([{"prompt_token_ids": ids} for ids in job["sequences"]], parameters)
    answers = [
        [
            float(entry[token].logprob)
            for token, entry in zip(ids, output.prompt_logprobs, strict=True)
            if entry is not None
        ][job["prompt_tokens"] - 1 :]
        for ids, output in zip(job["sequences"], outputs, strict=True)
    ]
    Path(answer_file).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
