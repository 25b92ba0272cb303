"""Shared by all tests: no network, no telemetry, and caches of their own.

Set before anything imports huggingface_hub, which reads its environment once.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile

import pytest

_HF_HOME = tempfile.mkdtemp(prefix="ling_tests_hf_home_")
atexit.register(shutil.rmtree, _HF_HOME, ignore_errors=True)

# A shell starts what runs in its background deaf to Ctrl-C, and programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.update(
    HF_HOME=_HF_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",
    # Not the one that evals/environments.sh may have made on this machine.
    LING_BIGCODEBENCH_PYTHON=sys.executable,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: whole files go to one worker, and the longest shall not be the last to start."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
