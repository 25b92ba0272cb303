"""Section 4.2: HumanEvalPack (Muennighoff et al. 2023): 164 functions with a bug each, in six languages."""

from evals.benchmarks.source import BenchmarkSource

# The name of a language here, its name in the files and on the Hub, the hash of its rows.
LANGUAGES = {
    "python": ("python", "1e5133d9a14b665cd1cad29941f918079beed83ce9b3844b335cc8a2c2797f7c"),
    "java": ("java", "466d546f148bd9df08480832094a4ab3011315ea6ec615ba2bd6117d243d34cb"),
    "cpp": ("cpp", "d60fb4c68663df24b16c955cb922dfd2b3bfd21616fdcd2a45825ddf40ccdfca"),
    "go": ("go", "a52648ac76f7951ed981f48a011ec07332dafa6cd351eedf2ace0d395f4a4339"),
    "rust": ("rust", "00a06ab0a1bb757858aa9b4af24d45799edfe2b273fe879c304122ab0305ec52"),
    "javascript": ("js", "5f2b379e99b81fec9cefdc01b38c10c2e4f5f6c5c80220ab26fdaed24774305c"),
}
COLUMNS = ("task_id", "declaration", "canonical_solution", "buggy_solution", "test", "entry_point")
GO_COLUMNS = ("prompt", "import", "test_setup")


def humanevalfix_source(language: str) -> BenchmarkSource:
    """Return the rows of a language."""
    name, sha256 = LANGUAGES[language]
    return BenchmarkSource(
        name="humanevalpack",
        file_names=(f"humanevalpack_{name}.jsonl.gz", f"humanevalpack_{name}.jsonl"),
        hub_id="bigcode/humanevalpack",
        hub_config=name,
        columns=COLUMNS + (GO_COLUMNS if language == "go" else ()),
        num_rows=164,
        license="MIT",
        sha256=sha256,
    )
