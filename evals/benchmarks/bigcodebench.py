"""Section 4.2: BigCodeBench (Zhuo et al. 2024), all tasks and the hard ones."""

from evals.benchmarks.source import BenchmarkSource

HARD_SHA256 = "6546a4e79d71a7a07d3a0beda5bb64d1bcaa2eaa0dff8ca813f32045b03bede8"
COLUMNS = (
    "task_id",
    "complete_prompt",
    "instruct_prompt",
    "canonical_solution",
    "code_prompt",
    "test",
    "entry_point",
    "libs",
)


def bigcodebench_source(hard: bool) -> BenchmarkSource:
    """Return the rows of the 1,140 tasks, or of the 148 hard ones."""
    kind = "hard" if hard else "full"
    return BenchmarkSource(
        name="bigcodebench",
        file_names=(f"bigcodebench_{kind}.json.gz", f"bigcodebench_{kind}.jsonl", f"bigcodebench_{kind}.parquet"),
        hub_id="bigcode/bigcodebench-hard" if hard else "bigcode/bigcodebench",
        split="v0.1.4",
        columns=COLUMNS,
        num_rows=148 if hard else 1140,
        license="Apache-2.0",
        sha256=HARD_SHA256 if hard else "",
    )
