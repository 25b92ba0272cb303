"""Section 4.1: what runs inside the sandbox: takes the program from a descriptor, compiles it, limits and becomes it.

This text is given to `python -c`, so it imports nothing of the project. What it says on the status descriptor comes
before the first line of the program runs; then the descriptor is closed, so that a program cannot speak on it.
"""

import base64
import builtins
import fcntl
import importlib
import json
import math  # noqa: F401  what it has is kept before programs change it
import os
import resource
import signal
import struct
import subprocess
import sys
import types

MEMORY_EXIT_STATUS = 77  # an uncaught MemoryError
COMPILER_MEMORY = 2 << 30
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22


def limit(kind: int, value: int, hard: int | None = None) -> None:
    """Set a limit, or keep the lower one that is already there."""
    ceiling = resource.getrlimit(kind)[1]
    hard = value if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        value, hard = min(value, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (value, hard))


def set_limits(limits: dict) -> None:
    """Apply the limits that a process carries itself."""
    limit(resource.RLIMIT_AS if limits["address_space"] else resource.RLIMIT_DATA, limits["memory_bytes"])
    limit(resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1)
    limit(resource.RLIMIT_FSIZE, limits["disk_bytes"])
    limit(resource.RLIMIT_NPROC, limits["num_processes"])
    limit(resource.RLIMIT_NOFILE, 256)
    limit(resource.RLIMIT_CORE, 0)


def become_user(uid: int) -> None:
    """Give up root for a user that nobody else is, so that the limit on processes counts this sandbox alone."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def restrict_system_calls(text: bytes) -> None:
    """Install a filter of system calls for this process and its children."""
    import ctypes  # not needed under other rungs, and slow to import

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")


def write_files(files: dict) -> None:
    """Put the program's files into the working directory."""
    for name, content in files.items():
        folder = os.path.dirname(name)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(name, "wb") as file:
            file.write(base64.b64decode(content))


def compile_and_become(payload: dict, status: int, channel: tuple) -> None:
    """Compile a program of another language, limited too, and become it.

    Args:
        payload: what is known of it.
        status: where to say that it starts, or did not compile.
        channel: none, or the descriptors by which it gets its marker and asks for it; it finds them as 3 and 4.
    """
    limits = payload["limits"]
    for words in payload["compile"]:
        compiler = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: set_limits(
                {**limits, "memory_bytes": COMPILER_MEMORY, "cpu_seconds": limits["compile_seconds"]}
            ),
        )
        said = b""
        while compiler.stdout and (block := os.read(compiler.stdout.fileno(), 1 << 16)):
            said = (said + block)[-limits["output_bytes"] :]
        if compiler.wait() != 0:
            os.write(status, b"compile_error")
            os.write(2, said)
            sys.exit(1)
    if not os.access(payload["run"][0], os.X_OK):
        sys.exit(f"{payload['run'][0]} cannot be run in the sandbox")  # before "started": our own failure
    set_limits(limits)
    os.write(status, b"started")
    os.close(status)
    for number, descriptor in enumerate([fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10) for number in channel], 3):
        os.dup2(descriptor, number)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(payload["run"][0], payload["run"])


def show_error(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """Print the program's traceback without this file's frame; mark a lack of memory by the exit status."""
    if issubclass(kind, MemoryError):
        os.write(2, b"MemoryError\n")
        os._exit(MEMORY_EXIT_STATUS)
    while trace is not None and trace.tb_frame.f_code.co_filename == "<string>":
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def read_payload(descriptor: int) -> dict:
    """Read what the executor wrote about the program, and close the descriptor."""
    with os.fdopen(descriptor, "rb") as payload_file:
        return json.load(payload_file)


def seed_generators(seed: int) -> None:
    """Seed Python's and numpy's global generators."""
    import random

    random.seed(seed)
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random").seed(seed)  # loaded late by numpy itself


class Before:
    """What tests call, as it was before the program's text was run; and how the marker is asked for."""

    MODULES = ("builtins", "math", "json", "hashlib", "marshal", "operator", "functools", "itertools", "numpy")

    def __init__(self) -> None:
        self.modules = {name: dict(vars(sys.modules[name])) for name in self.MODULES if name in sys.modules}
        self.settrace, self.setprofile, self.read, self.write = sys.settrace, sys.setprofile, os.read, os.write

    def restore(self) -> dict:
        """Undo what the program made of it, and return builtins of the tests' own."""
        self.settrace(None)
        self.setprofile(None)
        for name, known in self.modules.items():
            vars(sys.modules[name]).update(known)
        return self.modules["builtins"]

    def show_marker(self, request: str, channel: tuple) -> None:
        """Ask for the marker, and print it."""
        answers, requests = channel
        self.write(requests, f"{request}\n".encode())
        self.write(1, b"\n" + self.read(answers, 64))


def run(payload: dict, status: int, channel: tuple) -> None:
    """Prepare and run.

    Args:
        payload: what is known of the program.
        status: where to say that it starts, or does not compile.
        channel: none, or two descriptors by which it gets its marker.
    """
    if payload["uid"]:
        become_user(payload["uid"])
    if payload["filter"]:
        restrict_system_calls(base64.b64decode(payload["filter"]))
    os.chdir(payload["folder"])
    write_files(payload["files"])
    if payload["run"]:
        compile_and_become(payload, status, channel)
    set_limits(payload["limits"])  # before compiling: a hostile text can be costly to parse
    try:
        code = compile(payload["source"], "program.py", "exec", dont_inherit=True)
        tests = compile(payload["tests"], "tests.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        os.write(status, b"compile_error")
        sys.__excepthook__(type(error), error.with_traceback(None), None)
        sys.exit(1)
    os.write(status, b"started")
    os.close(status)
    program = types.ModuleType("__main__")
    program.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = program
    sys.argv = ["program.py"]
    sys.path.insert(0, payload["folder"])
    if payload["packages"]:
        sys.path.append(payload["packages"])
    # The site module, which is not loaded, would have brought them.
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    sys.excepthook = show_error
    request, seed = payload["request"], payload["random_seed"]
    payload.clear()  # callers hold it still
    if seed is not None:
        seed_generators(seed)
    before = Before()
    exec(code, program.__dict__)
    program.__dict__["__builtins__"] = before.restore()
    if seed is not None:
        seed_generators(seed)  # of numpy, which the program may have imported, too
    exec(tests, program.__dict__)
    if request:
        before.show_marker(request, channel)


if __name__ == "__main__":
    run(read_payload(int(sys.argv[1])), int(sys.argv[2]), tuple(map(int, sys.argv[3:])))
