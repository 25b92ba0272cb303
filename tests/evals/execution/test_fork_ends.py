"""A fork of the server ends as a program with an interpreter of its own does, whatever the end."""

import pytest

from evals.execution import Executor, Limits, Program, probe_isolation
from evals.execution.executor import LADDER
from evals.execution.fork_server import ForkServer
from evals.execution.running import run_once

LIMITS = Limits(wall_seconds=5.0, cpu_seconds=5.0, memory_bytes=1 << 30)
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]


@pytest.fixture(scope="module", params=RUNGS)
def executor(request):
    with Executor(LIMITS, isolation=request.param, workers=1) as executor:
        yield executor


# Source, standard input: how an interpreter ends.
ENDINGS = {
    "output and input": ("print(input(), __name__)\nimport sys\nprint(sys.argv, file=sys.stderr)", "x"),
    "a message": ("import sys\nprint('out', end='')\nsys.exit('said')", ""),
    "a large status": ("raise SystemExit(513)", ""),
    "a huge status": ("raise SystemExit(2**64)", ""),
    "no status": ("raise SystemExit", ""),
    "a traceback": ("def f():\n    raise ValueError('x')\ntry:\n    f()\nfinally:\n    f()", ""),
    "a syntax error": ("x = (", ""),
    "a null byte": ("x = '\0'", ""),
    "interrupted": ("raise KeyboardInterrupt", ""),
    "killed": ("import os\nprint('lost')\nos.kill(os.getpid(), 15)", ""),
    "crashed": ("import ctypes\nctypes.string_at(0)", ""),
    "aborted": ("import os\nos.abort()", ""),
    "at once": ("import os\nprint('lost')\nos._exit(3)", ""),
    "exit functions": ("import atexit\natexit.register(print, 'last')\nprint('first')", ""),
    "a failing exit function": ("import atexit\natexit.register(lambda: 1 / 0)\nprint('first')", ""),
    "finalizers": (
        "class A:\n    def __init__(self, name): self.name = name\n    def __del__(self): print('del', self.name)\n"
        "b, _a, c = A('b'), A('a'), A('c')\nc.c = c\nprint('first')",
        "",
    ),
    "a generator": ("def f():\n    try: yield 1\n    finally: print('closed')\ng = f()\nnext(g)", ""),
    "threads": (
        "import threading\ndef f():\n    lock.acquire()\n    print('thread')\nlock = threading.Lock()\nlock.acquire()\n"
        "threading.Thread(target=f).start()\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "print('main')\nlock.release()",
        "",
    ),
    "a pool": (
        "from concurrent.futures import ThreadPoolExecutor\nprint(ThreadPoolExecutor(2).submit(pow, 2, 5).result())",
        "",
    ),
    "processes": (
        "import multiprocessing, subprocess, sys\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))\n"
        "    print(subprocess.run([sys.executable, '-c', 'print(7)'], capture_output=True).stdout)",
        "",
    ),
    "no threads": ("import sys\nprint('x')\nsys.modules['threading'] = None", ""),
    "a hook": ("import sys\nsys.excepthook = lambda *args: print('hook', args[0].__name__)\n1 / 0", ""),
    "a failing hook": ("import sys\nsys.excepthook = lambda *args: 1 / 0\nraise ValueError('x')", ""),
    "closed output": ("import os\nprint('x')\nos.close(1)", ""),
    "another output": ("import io, sys\nprint('a')\nsys.stdout = io.StringIO()\nprint('b')", ""),
    "no output": ("import sys\nprint('a')\nsys.stdout = None", ""),
    "recursion": ("def f(): f()\ntry: f()\nexcept RecursionError: print('deep')", ""),
    "no memory": ("x = bytearray(4 << 30)", ""),
    "a session": ("import os\nprint(os.getpgrp() == os.getpid())\nif os.fork() == 0: os.setsid(); os._exit(0)", ""),
    "exit": ("exit(4)", ""),
}  # fmt: skip

IN_OTHER_WORDS = ("a failing exit function", "a failing hook", "closed output", "no threads")  # on stderr


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_fork_ends_as_a_program_with_an_interpreter_of_its_own(executor, monkeypatch, ending):
    source, stdin = ENDINGS[ending]
    program = Program(source, stdin=stdin)
    forks, send = [], ForkServer.send
    monkeypatch.setattr(ForkServer, "send", lambda server, *arguments: forks.append(server) or send(server, *arguments))
    forked = run_once(executor._sandbox, program, LIMITS, servers=executor._servers)
    alone = run_once(executor._sandbox, program, LIMITS)
    assert forks and forks == executor._servers._idle[-1:] and not executor._servers._failures[(), 0], forked
    for name in ("verdict", "exit_code", "stdout", "message"):
        assert getattr(forked, name) == getattr(alone, name), (forked, alone)
    if ending not in IN_OTHER_WORDS:
        assert forked.stderr == alone.stderr
