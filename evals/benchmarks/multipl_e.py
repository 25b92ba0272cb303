"""Section 4.2: MultiPL-E (Cassano et al. 2023): HumanEval and MBPP translated; the release of 2024-09.

Later releases of the translators give other numbers of rows. Python's column of the paper's table is HumanEval itself
(n=164) and MBPP with types (n=400); the latter was never translated and is not here.
"""

from evals.benchmarks.source import BenchmarkSource

# The name of a language here, its name on the Hub, and by corpus the number of rows and their hash.
LANGUAGES = {
    "cpp": (
        "cpp",
        {"humaneval": (161, "289b4ba7a16beef31f43c8c10d33fec08235bdbe958e653428782dcc0d3fa072"), "mbpp": (397, "")},
    ),
    "java": (
        "java",
        {"humaneval": (158, "59bd64852c780e74078df4cdd79f47719be3c37509d4357818b535cc6a4f7b04"), "mbpp": (386, "")},
    ),
    "php": (
        "php",
        {"humaneval": (161, "eb01c88105bc04a8ccf11c890dbac307f7f9474d5f1c4c77e659aef16fffea5b"), "mbpp": (397, "")},
    ),
    "typescript": (
        "ts",
        {"humaneval": (159, "c5e245fb3c784ad4b6becd9b8c0e1691ba193743377d582498ac93844ff2f144"), "mbpp": (390, "")},
    ),
    "csharp": (
        "cs",
        {"humaneval": (158, "a0771de195882a6273d81954961a89c000b539fd0c1a6ba441ce840102bb8694"), "mbpp": (386, "")},
    ),
    "bash": (
        "sh",
        {"humaneval": (158, "ccb84b336284ecc189e30b2cf040d7fe51364435b170a3762478a29a8d533add"), "mbpp": (382, "")},
    ),
    "go": (
        "go",
        {"humaneval": (154, "8a5c0505ddde917ea22f9ad8a070be2b955e2c678720358e5500c61a06a78359"), "mbpp": (374, "")},
    ),
    "rust": (
        "rs",
        {"humaneval": (156, "019f71444a8cba974154036de495a0a9825f996e755378b64258c30ba5aaf72d"), "mbpp": (354, "")},
    ),
    "javascript": (
        "js",
        {"humaneval": (161, "7df7e29c11c2f9431afb634be3980234b366a7822bbdc131919e35288a1ee879"), "mbpp": (397, "")},
    ),
}
COLUMNS = ("name", "language", "prompt", "tests", "stop_tokens")


def multipl_e_source(corpus: str, language: str) -> BenchmarkSource:
    """Return the rows of a language.

    Args:
        corpus (`str`): "humaneval" or "mbpp".
    """
    name, sizes = LANGUAGES[language]
    num_rows, sha256 = sizes[corpus]
    return BenchmarkSource(
        name=f"multipl_e_{corpus}_v2024_09",
        file_names=(f"{corpus}-{name}-reworded.jsonl.gz", f"{corpus}-{name}-reworded.jsonl"),
        hub_id="nuprl/MultiPL-E",
        hub_config=f"{corpus}-{name}",
        columns=COLUMNS,
        num_rows=num_rows,
        license="BSD-3-Clause, not for training",
        sha256=sha256,
    )
