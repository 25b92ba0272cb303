"""Start a worker in processes of one group: `python -m tests.forked_launch NUM_PROCESSES WORKER.py [ARGUMENT ...]`.

The processes have the environment that torchrun gives them. They are forked once the worker has been imported, so that
what the worker imports costs its seconds once and not in each process; torchrun itself starts in `test_worlds.py`. A
worker has `main()`, which reads sys.argv. The first process that fails ends the others.
"""

import gc
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from modeling_ling.command_line import collect_seldom
from tests import warm_python

ROOT = Path(__file__).parents[1]
SECONDS = 300


def launch(worker: Path, *arguments: object, num_processes: int = 2) -> None:
    """Run a worker in several processes; its last words are the assertion's."""
    command = [sys.executable, "-m", "tests.forked_launch", num_processes, worker, *arguments]
    process = warm_python.Popen(
        list(map(str, command)),
        libraries="training",
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        errors = process.communicate(timeout=SECONDS)[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors[-6000:]


def _imported(worker: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(worker.stem, worker)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: Sequence[str]) -> int:
    """Fork the processes and return 0 when all of them have ended well."""
    num_processes, worker = int(arguments[0]), Path(arguments[1])
    collect_seldom()
    module, port = _imported(worker), _free_port()
    gc.freeze()
    sys.argv = list(arguments[1:])
    children = set()
    for rank in map(str, range(num_processes)):
        child = os.fork()
        if child == 0:
            os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            os.environ |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(num_processes))
            module.main()
            return 0
        children.add(child)
    while children:
        child, status = os.wait()
        children.remove(child)
        if status:
            for other in children:
                os.kill(other, signal.SIGKILL)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
