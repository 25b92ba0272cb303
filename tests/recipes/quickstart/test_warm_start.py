"""Commands as forks of one process: they end as they do in a process of their own, and where none can fork they run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from recipes.quickstart.step_runner import end_session
from recipes.quickstart.warm_start import RunningCommand, WarmStart

SHARED = "email.mime.text"  # imported by nothing here


class Started:
    """What runs scripts, and their log."""

    def __init__(self, folder: Path, warm_start: WarmStart) -> None:
        self.folder, self.warm_start, self.log = folder, warm_start, folder / "log"

    def start(self, code: str, *arguments: str) -> RunningCommand:
        script = self.folder / "script.py"
        script.write_text(code, encoding="utf-8")
        with open(self.log, "wb") as log:
            return self.warm_start.start([sys.executable, str(script), *arguments], log)

    def status(self, code: str, *arguments: str) -> int:
        return self.start(code, *arguments).wait(60)


@pytest.fixture(params=["forked", "of its own"])
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Started]:
    modules = [SHARED] if request.param == "forked" else ["no_such_module"]
    warm_start = WarmStart(dict(os.environ), modules)
    yield Started(tmp_path, warm_start)
    warm_start.close()


def test_a_command_has_its_own_arguments_session_and_log(started: Started) -> None:
    code = (
        "import os, sys, script_neighbour\n"
        "print(__name__, sys.argv, sys.stdin.read() == '', os.getsid(0) == os.getpid())\n"
        "os.system('echo of a child')\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    (started.folder / "script_neighbour.py").write_text("", encoding="utf-8")
    assert started.status(code, "--flag", "value") == 0
    lines = set(started.log.read_text().splitlines())
    assert f"__main__ ['{started.folder / 'script.py'}', '--flag', 'value'] True True" in lines
    assert {"of a child", "to stderr"} <= lines


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('a message')", 1, "a message"),
        ("raise ValueError('no')", 1, "ValueError: no"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("import atexit; atexit.register(print, 'at its end')", 0, "at its end"),
    ],
)
def test_statuses_are_those_of_a_process_of_its_own(started: Started, code: str, status: int, said: str) -> None:
    assert started.status(code) == status
    assert said in started.log.read_text()


def test_one_command_after_another_finds_nothing_of_the_one_before(started: Started) -> None:
    assert started.status("import sys, os; os.environ['LEFT'] = '1'; sys.left = 1; sys.exit(2)") == 2
    assert started.status("import sys, os; sys.exit('LEFT' in os.environ or hasattr(sys, 'left'))") == 0


def test_what_is_shared_is_imported_once(started: Started) -> None:
    forked = started.warm_start.modules == [SHARED]
    assert started.status(f"import sys; sys.exit({SHARED!r} in sys.modules)") == forked
    assert started.warm_start.usable == forked


def test_an_interrupt_ends_a_command_and_its_children(started: Started) -> None:
    process = started.start("import subprocess; subprocess.run(['sleep', '600'])")
    while not (children := psutil.Process(process.pid).children()):
        pass
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    end_session(process)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in started.log.read_text()
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert started.status("pass") == 0


def test_the_memory_of_a_command_is_that_of_a_tree(started: Started) -> None:
    process = started.start("import time; time.sleep(60)")
    root = psutil.Process(started.warm_start.tree_pid(process))
    assert process.pid in {root.pid, *(child.pid for child in root.children())}
    end_session(process)


def test_it_gets_ready_before_the_first_command_asks_for_it(started: Started) -> None:
    started.warm_start.prepare()
    server = started.warm_start.server
    assert server is not None
    started.warm_start.prepare()
    assert started.warm_start.server is server, "one process, however often it is asked for"
    assert started.status("import sys; sys.exit(4)") == 4
    assert started.warm_start.server is (server if started.warm_start.usable else None)
