"""Section 4.3.3: GSM8K (Cobbe et al. 2021): 1,319 word problems with a number for an answer."""

from dataclasses import replace

from evals.benchmarks.source import BenchmarkSource

GSM8K = BenchmarkSource(
    name="gsm8k",
    file_names=("test.jsonl.gz", "test.jsonl"),
    hub_id="openai/gsm8k",
    hub_config="main",
    columns=("question", "answer"),
    num_rows=1319,
    license="MIT",
    sha256="51b901a6559b123df91167acbe3ed6d6d5d404ee6fa0773a4da19fd9d44c767a",
)
GSM8K_TRAIN = replace(
    GSM8K,
    file_names=("train.jsonl.gz", "train.jsonl"),
    split="train",
    num_rows=7473,
    sha256="9556bf9d7dba73d7fcaaeff6ca814c71684db1d8e8d485d83ec62f1c428b888d",
)
