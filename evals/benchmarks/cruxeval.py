"""Section 4.2: CRUXEval (Gu et al. 2024): 800 short functions, each with a call and what it returns."""

from evals.benchmarks.source import BenchmarkSource

CRUXEVAL = BenchmarkSource(
    name="cruxeval",
    file_names=("cruxeval.jsonl", "cruxeval.jsonl.gz"),
    hub_id="cruxeval-org/cruxeval",
    columns=("id", "code", "input", "output"),
    num_rows=800,
    license="MIT",
    sha256="3dd0b1b5c6d7218c4c56b79698468f1cd4705bf6f327202ff4b59154e5b8e47c",
)
