"""Section 4.2: HumanEval (Chen et al. 2021) and HumanEval+ (Liu et al. 2023): 164 Python functions to complete."""

from evals.benchmarks.source import BenchmarkSource

COLUMNS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
HUMANEVAL = BenchmarkSource(
    name="humaneval",
    file_names=("HumanEval.jsonl.gz", "HumanEval.jsonl", "HumanEval.parquet"),
    hub_id="openai/openai_humaneval",
    hub_config="openai_humaneval",
    columns=COLUMNS,
    num_rows=164,
    license="MIT",
    sha256="b19293e42932e70278b8e5ed83f8c82879cf34e0d3a44cc580f060b7cdaba4f8",
)
# v0.1.10 in the layout of HumanEval: the tests are self-contained and need numpy.
HUMANEVAL_PLUS = BenchmarkSource(
    name="humanevalplus",
    file_names=("HumanEvalPlus-OriginFmt.jsonl.gz", "HumanEvalPlus-OriginFmt.jsonl"),
    hub_id="evalplus/humanevalplus",
    columns=COLUMNS,
    num_rows=164,
    license="Apache-2.0",
    sha256="8778f6f31e78d1630709eb36e296fe4705466e6aa2b50dea7db67959ae0ef158",
)
