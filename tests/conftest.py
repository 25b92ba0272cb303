"""Shared by all tests: no network, no telemetry, and caches of their own.

Set before anything imports huggingface_hub, which reads its environment once.
"""

import atexit
import os
import shutil
import tempfile

_HF_HOME = tempfile.mkdtemp(prefix="ling_tests_hf_home_")
atexit.register(shutil.rmtree, _HF_HOME, ignore_errors=True)

os.environ.update(
    HF_HOME=_HF_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",
)
