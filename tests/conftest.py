"""Shared by all tests: no network, no telemetry, and caches of their own.

Set before anything imports huggingface_hub, which reads its environment once.
"""

import atexit
import ctypes
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

HOME_PREFIX = "ling_tests_hf_home_"
_HF_HOME = os.environ.pop("LING_WORKER_HF_HOME", None) or tempfile.mkdtemp(prefix=HOME_PREFIX)
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
    # Other tests run beside each: threads of one that wait for each other take the others' processor time.
    OMP_NUM_THREADS="1",
    # Not the one that evals/environments.sh may have made on this machine.
    LING_BIGCODEBENCH_PYTHON=sys.executable,
)

# Else each worker rewrites the assertions of all tests again, and each program of a test compiles our packages.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Seldom through all objects: the libraries' two million stay, and a look at each of them takes half a second.
gc.set_threshold(*gc.get_threshold()[:2], 1000)


SLOWEST = Path(__file__).with_name("SLOWEST.md")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the costliest files first, then those with slow tests: the longest shall not be the last to start."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    seconds = seconds_of_files(SLOWEST.read_text(encoding="utf-8"))
    items.sort(key=lambda item: (-seconds.get(item.nodeid.partition("::")[0], 0.0), item.path not in slow))


def seconds_of_files(table: str) -> dict[str, float]:
    """Return what the costliest files take, as `--slowest` wrote it."""
    return {name: float(spent) for spent, name in re.findall(r"^\| ([\d.]+) \| `([^`:]+)` \|$", table, re.M)}


def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling":
    """Give each free worker the next test, or those tests together that share what is costly to make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shared_scope(nodeid)

        def mark_test_complete(self, node: "WorkerController", item_index: int, duration: float = 0) -> None:
            super().mark_test_complete(node, item_index, duration)
            # Else it counts what is pending among all that a worker has ever done, at each message of each test.
            given = self.assigned_work[node]
            for scope in [scope for scope, tests in given.items() if all(tests.values())]:
                del given[scope]

    return ByFixtures(config, log)


# Fixtures of a session that take long: all tests of the folder run on the worker that has made them.
FOLDERS_TOGETHER = ("tests/datasets_builders/released",)
_SHARED = re.compile(r"scope=\"(?:module|class|package)\"")


def shared_scope(nodeid: str) -> str:
    """Return what a test shares fixtures with: its folder, its file or nothing."""
    file = nodeid.partition("::")[0]
    folder = str(Path(file).parent)
    if folder in FOLDERS_TOGETHER:
        return folder
    return file if _has_shared_fixtures(file) else nodeid


@cache
def _has_shared_fixtures(file: str) -> bool:
    return _SHARED.search((Path(__file__).parents[1] / file).read_text(encoding="utf-8")) is not None


def pytest_collection_finish() -> None:
    """Set what the imports have made aside: libraries collect garbage by hand, and would go through all of it."""
    gc.freeze()


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Fork the workers from a process that imports for all of them, in place of as many new interpreters."""
    from execnet import gateway_io
    from execnet.gateway_base import ExecModel, Popen2IO

    from tests import warm_python

    if not warm_python.FORKS:
        return

    class ForkedWorker(gateway_io.Popen2IOMaster):
        def __init__(self, args: list[str], execmodel: ExecModel) -> None:
            home = tempfile.mkdtemp(prefix=HOME_PREFIX)
            self.popen = warm_python.Popen(
                [word for word in args if word != "-u"],
                libraries=warm_python.WORKERS,
                env=os.environ | {"HF_HOME": home, "LING_WORKER_HF_HOME": home},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            Popen2IO.__init__(self, self.popen.stdin, self.popen.stdout, execmodel=execmodel)

    gateway_io.Popen2IOMaster = ForkedWorker
    warm_python.start_workers([argument.partition("::")[0] for argument in config.args])


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Fork what the commands of tests are forked from before a test has started a thread, where that is not done."""
    if "tests.warm_python" in sys.modules:
        sys.modules["tests.warm_python"].fork_server()


SLOWEST_ROWS = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes `tests/SLOWEST.md`."""
    parser.addoption(
        "--slowest", metavar="FILE", help=f"write a table of the {SLOWEST_ROWS} costliest tests and files there"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Inherit what tests leave running, where the table is asked for: what nobody waits for is counted nowhere else."""
    if (
        sys.platform != "linux"
        or not config.getoption("--slowest")
        or not config.getoption("numprocesses", None)
        or hasattr(config, "workerinput")
    ):
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    threading.Thread(target=_wait_for_all, daemon=True).start()


PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def _wait_for_all() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:  # not yet
            time.sleep(0.1)


def _processor_seconds() -> float:
    """Return the processor time of this process and of the children that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what a test costs with the fixtures that it is the first to need. Reports travel to xdist's main process."""
    item.stash[_STARTED] = _processor_seconds()
    return (yield)


_STARTED = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Put the processor time up to the end of each phase on its report."""
    report = yield
    report.processor_seconds = _processor_seconds() - item.stash[_STARTED]
    return report


def _costliest(seconds: dict[str, float], *, of: str) -> str:
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:SLOWEST_ROWS]
    rows = "".join(f"| {spent:.1f} | `{name}` |\n" for name, spent in slowest)
    return f"| seconds | {of} |\n| ---: | --- |\n{rows}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the table when it is asked for."""
    if not config.getoption("--slowest"):
        return
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "processor_seconds"):
                seconds[report.nodeid] = max(seconds.get(report.nodeid, 0.0), report.processor_seconds)
    files: Counter[str] = Counter()
    for name, spent in seconds.items():
        files[name.partition("::")[0]] += spent
    file = config.getoption("--slowest")
    command = f'make test PYTEST_ARGS="-n 4 --no-loadscope-reorder --slowest {file}"'
    if "tests.warm_python" in sys.modules:
        sys.modules["tests.warm_python"].stop()
    deadline = time.monotonic() + 10
    while psutil.Process().children() and time.monotonic() < deadline:
        time.sleep(0.1)
    Path(file).write_text(
        f"# The {SLOWEST_ROWS} costliest tests and files\n\n"
        f"Processor seconds, children and first use of a fixture included, of {sum(seconds.values()):,.0f} in "
        f"{len(seconds):,} tests: `{command}`. With collection, and with what goes on beside and after a test: "
        f"{_processor_seconds():,.0f}.\n\n"
        f"{_costliest(seconds, of='test')}\n## And files\n\n{_costliest(files, of='file')}",
        encoding="utf-8",
    )
