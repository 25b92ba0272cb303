"""Section 4.2: DS-1000 (Lai et al. 2023)."""

from evals.benchmarks.source import BenchmarkSource

DS1000 = BenchmarkSource(
    name="ds1000",
    file_names=("test.jsonl", "test.jsonl.gz", "ds1000.jsonl.gz"),
    hub_id="xlangai/DS-1000",
    revision="4416080ac5cb80bdf7576aefb8f9a0b4d5426a44",
    columns=("prompt", "reference_code", "code_context", "metadata"),
    num_rows=1000,
    license="CC-BY-SA-4.0",
)
