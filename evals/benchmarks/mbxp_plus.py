"""Section 4.2: MBXP-PLUS: 100 problems of MBXP in each of six languages, described in English and in Chinese.

The languages are those of the paper's table: JavaScript, where its prose says Rust.
"""

from evals.benchmarks.source import BenchmarkSource

# The name of a language here, in the files' names, and in the prompt.
LANGUAGES = {
    "cpp": ("cpp", "cpp"),
    "java": ("java", "java"),
    "php": ("php", "php"),
    "typescript": ("tsp", "typescript"),
    "go": ("go", "go"),
    "javascript": ("jsp", "js"),
}
COLUMNS = ("task_id", "prompt", "entry_point", "test", "description", "description_cn", "canonical_solution")


def mbxp_plus_source(language: str) -> BenchmarkSource:
    """Return the rows of a language."""
    return BenchmarkSource(
        name="mbxp_plus",
        file_names=(f"mb{LANGUAGES[language][0]}_text_code_result100_new.jsonl",),
        hub_id="codefuse-ai/CodeFuseEval",
        columns=COLUMNS,
        num_rows=100,
        license="Apache-2.0",
    )
