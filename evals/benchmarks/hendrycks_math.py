"""Section 4.3.3: MATH (Hendrycks et al. 2021)."""

from evals.benchmarks.source import BenchmarkSource

MATH = BenchmarkSource(
    name="math",
    file_names=("test.jsonl", "test.json.gz", "test.jsonl.gz", "test.parquet"),
    hub_id="EleutherAI/hendrycks_math",
    columns=("problem", "level", "type", "solution"),
    num_rows=5000,
    license="MIT",
)
