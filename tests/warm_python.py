"""Commands of tests without the seconds of an interpreter's start: `run` and `Popen`, as subprocess has them.

A server has imported what the tests import and runs no thread that a fork would miss. Each `[sys.executable, ...]` is
forked from it, with words, environment, folder and open files of its own, and is a child of the process that asked:
exit code, signals and processor time are as ever. Commands that talk to a Hub of their own come from a second server,
which has imported nothing that reads the Hub's variables.

The workers of a run are commands too: all are forked from one server, which imports for all of them, and each forks the
server of its own commands at its birth. One process that runs all tests forks it when they are collected.

Not for what is about the start itself (what is imported, memory, what `/proc` says). All commands of a test process
hash texts alike: where bytes are compared, one of them shall have a PYTHONHASHSEED. What an interpreter or a library
reads from the environment once is the server's: a command with other such variables starts an interpreter of its own,
as does what is not `-m`, `-c` or a script.

On Linux alone: a fork becomes a child of who asked by a call of Linux's, and libraries of macOS end a process that was
forked after they had been used. Elsewhere every command is an interpreter of its own, workers too: slower, and the same
tests.
"""

import atexit
import ctypes
import gc
import importlib
import json
import logging
import multiprocessing.util
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
_DATA = ("httpx", "numpy", "pandas", "pyarrow.dataset", "pyarrow.parquet", "yaml")
_MODEL = ("transformers.modeling_utils", "transformers.models.auto.modeling_auto", "accelerate", "safetensors.torch")
# Without what turns torch's gradients off: a fork of the server may train.
_LIGHTEVAL = ("lighteval.metrics.metrics_sample", "lighteval.tasks.lighteval_task")
_TRL = ("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer")
# What huggingface_hub, transformers, accelerate and datasets import of others.
_BELOW_THE_HUB = (
    *("boto3", "filelock", "fsspec", "httpcore", "jinja2", "PIL.Image", "psutil", "regex", "safetensors"),
    *("scipy.stats", "tokenizers", "torch._dynamo", "torch.distributed.checkpoint", "torch.distributed.fsdp"),
    *("torch.distributed.tensor", "torch.testing._internal.distributed.fake_pg", "tqdm.auto", "xxhash"),
)
CLIENTS = "clients"
WORKERS = "workers"
LIBRARIES = {
    "builders": (*_DATA, "datasets", "datatrove.executor.slurm", "datatrove.tools.launch_pickled_pipeline"),
    "models": (*_DATA, "datasets", "torch", *_MODEL, "modeling_ling.modeling_bailing_moe", "modeling_ling.tokenizer"),
    "training": (*_DATA, "datasets", "torch", *_MODEL, "transformers.trainer", "peft", *_TRL),
    "evaluation": (*_DATA, "datasets", "torch", *_MODEL, *_LIGHTEVAL),
    # What reads none of the Hub's variables: for commands with a Hub of their own.
    CLIENTS: (*_DATA, *_BELOW_THE_HUB),
    WORKERS: (),  # what the tests import
}
# What is read whenever it is needed, or set in a process of tests by our own commands and by torch, and what clients of
# the Hub read once.
_READ_LATER = (
    r"PATH|PYTHONPATH|OLDPWD|PWD|TMPDIR|COLUMNS|LINES|MASTER_\w+|\w*RANK|\w*WORLD_SIZE|(PYTEST|LING|SLURM)_\w+"
    # What scikit-learn, generation and training set where they are imported or work.
    r"|GOMP_SPINCOUNT|KMP_DUPLICATE_LIB_OK|KMP_INIT_AT_FORK|TORCHINDUCTOR_CACHE_DIR|(FSDP|NCCL)_\w+"
    r"|TOKENIZERS_PARALLELISM|HF_HUB_DISABLE_TELEMETRY|RAY_USAGE_STATS_ENABLED|ACCELERATE_\w+"
)
_OF_THE_HUB = r"(HF|TRANSFORMERS)_\w+|NO_PROXY|no_proxy"
_HERE = dict(os.environ)
FORKS = sys.platform == "linux"
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37  # linux/prctl.h
_LENGTH_BYTES = 8
COMMANDS = "commands"
_ARROWS_THREAD = "jemalloc_bg_thd"  # starts again in each fork

_servers: dict[str, socket.socket] = {}
_one_at_a_time = threading.Lock()


class Popen(subprocess.Popen[Any]):
    """A command that is forked from a server where that is possible.

    Args:
        args (sequence): the command.
        libraries (`str`): what the server imports before it forks, a key of `LIBRARIES`; "clients" come from a server
            without the Hub's client, and may have a Hub of their own. "workers" run tests, in a HF_HOME of their own.
        options: of `subprocess.Popen`.
    """

    def __init__(self, args: Sequence[Any], *, libraries: str = "builders", **options: Any) -> None:
        self._libraries = libraries
        super().__init__(args, **options)

    # What is around it, such as pipes, is subprocess's own; the order of its parameters is the same since Python 3.11.
    def _execute_child(self, args: Any, *given: Any) -> None:
        executable, preexec_fn, _, pass_fds, folder, environment, _, _, shell, *streams = given[:15]
        new_session, process_group = given[-2:]
        unusual = executable or preexec_fn or pass_fds or shell or process_group != -1
        variables = dict(os.environ if environment is None else environment)
        if unusual or not _is_python(args) or not could_be_forked(variables, self._libraries):
            super()._execute_child(args, *given)  # type: ignore[misc]  # typeshed leaves private methods out
            return
        request = {
            "libraries": LIBRARIES[self._libraries],
            "words": [os.fsdecode(word) for word in args[1:]],
            "folder": str(Path(os.fsdecode(folder or ".")).absolute()),
            "variables": variables,
            "new_session": new_session,
            "runs_tests": self._libraries == WORKERS,
        }
        files = [streams[0], streams[3], streams[5]]
        server = self._libraries if self._libraries in (CLIENTS, WORKERS) else COMMANDS
        self.pid = _ask(server, request, [usual if file == -1 else file for usual, file in enumerate(files)])
        self._child_created = True
        self._close_pipe_fds(*streams)  # type: ignore[attr-defined]


def run(
    args: Sequence[Any],
    *,
    capture_output: bool = False,
    check: bool = False,
    input: str | bytes | None = None,
    timeout: float | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a command as `subprocess.run` does, forked from a server where that is possible."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with Popen(args, **options) as process:
        try:
            output, errors = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


def _is_python(args: Any) -> bool:
    if isinstance(args, str | bytes | os.PathLike) or len(args) < 2 or args[0] != sys.executable:
        return False
    word = os.fsdecode(args[1])
    return word in ("-m", "-c") or not word.startswith("-")


def could_be_forked(variables: dict[str, str], libraries: str) -> bool:
    """Return whether a command with these variables can come from the server, which has read its own."""
    if not FORKS:
        return False
    free = {CLIENTS: f"{_READ_LATER}|{_OF_THE_HUB}", WORKERS: f"{_READ_LATER}|HF_HOME"}.get(libraries, _READ_LATER)
    different = {name for name in variables.keys() | _HERE.keys() if variables.get(name) != _HERE.get(name)}
    return all(re.fullmatch(free, name) for name in different)


def _ask(name: str, request: dict[str, Any], files: list[int]) -> int:
    """Return the process id of a new command, which is this process's child."""
    prctl = ctypes.CDLL(None).prctl
    with _one_at_a_time:
        server = _servers.get(name) or _start(name)
        message = json.dumps(request).encode()
        before = ctypes.c_int()
        prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # it becomes a child of this one when the server lets go of it
        try:
            socket.send_fds(server, [len(message).to_bytes(_LENGTH_BYTES, "big")], files)
            server.sendall(message)
            answer = server.recv(_LENGTH_BYTES)
        finally:
            prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)
    assert answer, "the server of commands has ended; it says why on stderr"
    return int.from_bytes(answer, "big")


def fork_server() -> None:
    """Fork the server of commands from this process, which has imported libraries and has run no test."""
    if not FORKS or COMMANDS in _servers:  # as it was born
        return
    here, there = socket.socketpair()
    process = os.fork()
    if process == 0:
        try:
            here.close()
            _leave_pytest()
            serve(there)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    there.close()
    _servers[COMMANDS] = here
    atexit.register(_stop, here, partial(os.waitpid, process, 0))


def _leave_pytest() -> None:
    """Undo what pytest has changed in its process."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1):
        os.dup2(nowhere, file)
    sys.stdin, sys.stdout = sys.__stdin__, sys.__stdout__ = _stream(0, "r"), _stream(1, "w")
    sys.stderr = sys.__stderr__ = _stream(2, "w")
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    logging.root.handlers[:] = [found for found in logging.root.handlers if "pytest" not in type(found).__module__]
    atexit._clear()  # what the tests clear away at their end
    atexit.register(logging.shutdown)
    atexit.register(multiprocessing.util._exit_function)  # type: ignore[attr-defined]  # as its import had done


def _stream(number: int, mode: str) -> Any:
    return open(number, mode, errors="backslashreplace", buffering=1, closefd=False)


def start_workers(paths: Sequence[str]) -> None:
    """Start the server that workers come from, beside this process.

    Args:
        paths (sequence of `str`): files and folders of the tests that they will run.
    """
    _start(WORKERS, *paths)


def stop() -> None:
    """Let go of the servers: each ends."""
    while _servers:
        _servers.popitem()[1].close()


def _start(name: str, *paths: str) -> socket.socket:
    here, there = socket.socketpair()
    # Not `-m`: a worker shall find this module, with its server, where its tests import it from.
    program = f"from tests import warm_python; warm_python.main({there.fileno()}, *{paths!r})"
    process = subprocess.Popen([sys.executable, "-c", program], pass_fds=[there.fileno()], cwd=ROOT, env=_HERE)
    there.close()
    _servers[name] = here
    atexit.register(_stop, here, process.wait)
    return here


def main(connection: int, *paths: str) -> None:
    """Serve whoever has the other end of a connection.

    Args:
        connection (`int`): the number of the open socket.
        paths (`str`): files and folders of tests: what they import is imported first.
    """
    if paths:
        import_for_tests(paths)
    serve(socket.socket(fileno=connection))


# A statement at the start of a line: what stands deeper may be for type checkers or for one system alone.
_IMPORT = re.compile(r"^(?:import [\w., ]+|from \w[\w.]* import (?:\((?:[^)#]|#.*)*\)|[\w, ]+))", re.M)
# pytest rewrites the assertions of these as they are imported, and warns where they have been.
_PYTEST_S = re.compile(r"(?:import|from) (?:tests|pytest|_pytest|xdist|hypothesis)\b")


def import_for_tests(paths: Sequence[str]) -> None:
    """Import what tests import at their start, and what the commands of some are forked with.

    Args:
        paths (sequence of `str`): files and folders of tests.
    """
    texts = [file.read_text(encoding="utf-8") for path in paths for file in _test_files(ROOT / path)]
    statements = sorted({statement for text in texts for statement in _IMPORT.findall(text)})
    for statement in statements:
        if not _PYTEST_S.match(statement):
            with suppress(Exception), warnings.catch_warnings(action="ignore"):  # collection tells what is wrong
                exec(statement, {})
    commands = {name for text in texts for name in re.findall(r"warm_python|libraries=\"(\w+)\"", text)}
    for name in sorted(commands - {CLIENTS}):
        for module in LIBRARIES[name or "builders"]:
            importlib.import_module(module)


def _test_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [*path.rglob("test_*.py"), *path.rglob("conftest.py")]


def _stop(connection: socket.socket, wait: Callable[[], Any]) -> None:
    connection.close()
    with suppress(ChildProcessError):
        wait()


def serve(connection: socket.socket) -> None:
    """Fork a command for each request until nobody is left to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the process that asks decides when this one ends
    in_huge_pages = False
    while True:
        length, files, _, _ = socket.recv_fds(connection, _LENGTH_BYTES, 3)
        if not length:
            return
        request = json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        for name in set(request.pop("libraries")) - sys.modules.keys():
            importlib.import_module(name)
        gc.freeze()
        if not in_huge_pages:
            use_huge_pages()
            in_huge_pages = True
        assert len(_threads()) == 1, f"a fork would miss a thread: {_threads()}"
        receiver, sender = os.pipe()
        between = os.fork()
        if between == 0:
            between = os.getpid()
            command = os.fork()
            if command == 0:
                while os.getppid() == between:
                    time.sleep(0.001)
                os.close(receiver)
                os.close(sender)
                connection.close()
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                become(**request)
            os.write(sender, command.to_bytes(_LENGTH_BYTES, "big"))
            os._exit(0)
        os.waitpid(between, 0)
        connection.sendall(os.read(receiver, _LENGTH_BYTES))
        for file in (receiver, sender, *files):
            os.close(file)


_HUGE_PAGE = 2 << 20
_MADV_COLLAPSE = 25  # asm-generic/mman-common.h, Linux 6.1


def use_huge_pages() -> None:
    """Move this process's memory into huge pages, where Linux can: a fork then copies a table 512 times shorter."""
    advise = ctypes.CDLL(None).madvise
    for mapping in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, _, *file = mapping.split()
        if rights != "rw-p" or file not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        for page in range(-(-start // _HUGE_PAGE) * _HUGE_PAGE, end - _HUGE_PAGE + 1, _HUGE_PAGE):
            advise(ctypes.c_void_p(page), ctypes.c_size_t(_HUGE_PAGE), _MADV_COLLAPSE)


def move_home(before: str, after: str) -> None:
    """Put another folder for one that modules have read from HF_HOME as they were imported."""
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if issubclass(type(value), str | Path) and f"{value}/".startswith(f"{before}/"):
                setattr(module, name, type(value)(after + str(value)[len(before) :]))


def _threads() -> list[str]:
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("[0-9]*/comm")]
    return [name for name in names if name != _ARROWS_THREAD]


def become(
    words: list[str], folder: str, variables: dict[str, str], new_session: bool = False, runs_tests: bool = False
) -> NoReturn:
    """Make this process, a fork, `python WORDS ...` in a folder and with an environment, to its end.

    Args:
        words (list of `str`): what follows the interpreter's name.
        folder (`str`): where it runs.
        variables (dict of `str` to `str`): its environment.
        new_session (`bool`): whether it leads a session of its own.
        runs_tests (`bool`): whether it is a worker, with a HF_HOME and a server of commands of its own.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if new_session:
        os.setsid()
    os.chdir(folder)
    before = {"", str(ROOT), *_search_path()}
    home = os.environ.get("HF_HOME")
    if runs_tests:  # what libraries set as they are imported
        variables |= {name: value for name, value in os.environ.items() if name not in _HERE}
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:] = ["", *_search_path(), *(place for place in sys.path if place not in before)]
    if runs_tests:
        _servers.clear()
        _HERE.clear()
        _HERE.update(variables)
        move_home(str(home), variables["HF_HOME"])
        fork_server()
    code = 0
    try:
        _run(words)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        code = 0 if end.code is None else end.code & 0xFF if isinstance(end.code, int) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does, but without taking all apart
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _search_path() -> list[str]:
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _run(words: list[str]) -> None:
    main = sys.modules["__main__"] = ModuleType("__main__")
    kind, *arguments = words
    if kind == "-m":
        sys.path[0] = str(Path.cwd())
        sys.argv = ["-m", *arguments[1:]]
        runpy._run_module_as_main(arguments[0])  # type: ignore[attr-defined]  # what `-m` calls
    elif kind == "-c":
        sys.argv = ["-c", *arguments[1:]]
        exec(compile(arguments[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path[0] = str(Path(kind).resolve().parent)
        sys.argv = words
        main.__file__ = kind
        exec(compile(Path(kind).read_bytes(), kind, "exec"), main.__dict__)
