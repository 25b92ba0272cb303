"""Section 4.2: MBPP (Austin et al. 2021), ids 11 to 510, and MBPP+ (Liu et al. 2023), 378 of its cleaned problems."""

from dataclasses import replace

from evals.benchmarks.source import BenchmarkSource

MBPP = BenchmarkSource(
    name="mbpp",
    file_names=("mbpp.jsonl.gz", "mbpp.jsonl"),
    hub_id="google-research-datasets/mbpp",
    hub_config="full",
    columns=("task_id", "text", "code", "test_list", "test_setup_code"),
    num_rows=500,
    license="CC-BY-4.0",
    ids=range(11, 511),
    sha256="6212c817435cc921b345ecec3ec9658b8dbc3d0e7e8c580713750c5e7fecfd24",
)
# The three examples of the few-shot prompt; MBPP+ contains them, so it is asked without examples.
MBPP_SHOTS = replace(
    MBPP,
    split="prompt",
    num_rows=3,
    ids=range(2, 5),
    sha256="ec7d81ef4b5f8f91ebe19b559820725393736286ed99dff4c4d87af7d1d09e83",
)
MBPP_PLUS = BenchmarkSource(
    name="mbppplus",
    file_names=("MbppPlus-OriginFmt.jsonl.gz", "MbppPlus-OriginFmt.jsonl"),
    hub_id="evalplus/mbppplus",
    columns=("task_id", "code", "prompt", "test_list", "test"),
    num_rows=378,
    license="Apache-2.0",
    sha256="c2be2a571d548cbb6a53812f670ece9d662e22d666e195156fcef960300166df",
)
