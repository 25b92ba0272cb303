"""Programs as forks of one server: none sees anything of another's, and a server that is gone is replaced."""

import os
import threading
from pathlib import Path

import pytest

from evals.execution import Executor, Limits, Program, Verdict, fork_server, probe_isolation
from evals.execution.control_groups import usable_parent
from evals.execution.executor import LADDER
from evals.execution.fork_server import ForkServer

LIMITS = Limits(wall_seconds=5.0, cpu_seconds=5.0, memory_bytes=1 << 30)
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]
NUMPY = ("numpy",)


@pytest.fixture(scope="module", params=RUNGS)
def executor(request):
    with Executor(LIMITS, isolation=request.param, workers=1) as executor:
        yield executor


def servers(executor):
    """The executor's idle servers."""
    return executor._servers._idle


def run_in_turn(executor, *sources, packages=NUMPY):
    """Run programs one after the other as forks of the same server."""
    executor.run(Program("", packages=packages))
    server = servers(executor)[-1]
    assert server.key == (packages, 0), "none started"
    results = [executor.run(Program(source, packages=packages)) for source in sources]
    assert servers(executor)[-1] is server and server.process.poll() is None, "not all were forks of one server"
    return results


SHARED = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
# What a program leaves behind, and what prints that it was found.
LEFT = {
    "a file": ("open('left', 'w').write('x')", "import os\nprint(os.listdir('.'))\nassert not os.listdir('.')"),
    "a process": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    for n in range(3): os.close(n)\n    time.sleep(60)",
        "import os\nothers = [name for name in os.listdir('/proc') if name.isdigit() and int(name) > 2]\n"
        "assert not others, others",
    ),
    "shared memory": (
        SHARED + "assert libc.shmget(77, 4096, 0o1666) >= 0",
        SHARED + "assert libc.shmget(77, 0, 0) == -1",
    ),
    "semaphores": (
        SHARED + "assert libc.semget(78, 1, 0o1666) >= 0",
        SHARED + "assert libc.semget(78, 0, 0) == -1",
    ),
    "a message queue": (
        SHARED + "libc.mq_open(b'/left', 0o102, 0o666, None)",
        SHARED + "assert libc.mq_open(b'/left', 0) == -1",
    ),
    "a changed numpy": (
        "import numpy\nnumpy.random.seed(1)\nnumpy.array = None\nnumpy.left = 1",
        "import numpy\nassert numpy.array([1]).sum() == 1 and not hasattr(numpy, 'left')",
    ),
    "changed builtins": (
        "import builtins\nbuiltins.print = builtins.len = None\nbuiltins.left = 1",
        "assert len('ab') == 2\ntry: left\nexcept NameError: pass\nelse: raise SystemExit('left')",
    ),
    "a changed module": (
        "import sys, json\nsys.modules['math'] = sys\njson.loads = None\nsys.path.insert(0, '/left')\nsys.left = 1",
        "import sys, json, math\nassert math.sqrt(4) == 2 and json.loads('1') == 1 and '/left' not in sys.path\n"
        "assert not hasattr(sys, 'left')",
    ),
    "the environment": (
        "import os\nos.environ['LEFT'] = '1'\nos.umask(0o777)\nos.nice(5)",
        "import os\nassert 'LEFT' not in os.environ and os.umask(0o22) == 0o22 and os.nice(0) == 0, os.nice(0)",
    ),
    "signal handlers": (
        "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\nsignal.alarm(1)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])",
        "import signal\nassert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL and signal.alarm(0) == 0\n"
        "assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])",
    ),
    "exit functions": (
        "import atexit\natexit.register(lambda: None)",
        "import atexit\nassert not atexit._ncallbacks()",
    ),
    "a socket": (
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0left')\ns.listen()",
        "import socket\ns = socket.socket(socket.AF_UNIX)\nassert s.connect_ex('\\0left') != 0\ns.bind('\\0left')",
    ),
    "tracing": (
        "import sys, gc\nsys.setrecursionlimit(99)\nsys.excepthook = None\ngc.disable()",
        "import sys, gc\nassert sys.getrecursionlimit() == 1000 and gc.isenabled()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT)
def test_the_next_program_finds_nothing_that_one_left(executor, what):
    left, found = run_in_turn(executor, *LEFT[what])
    assert left.verdict is Verdict.PASS, left
    assert found.verdict is Verdict.PASS, found


def test_keys_of_the_kernel_are_out_of_reach(executor):
    """They belong to users and sessions, which outlive a program."""
    source = SHARED + (
        "import platform\nnumber = {'x86_64': 248, 'aarch64': 217}[platform.machine()]\n"
        "for ring in (-1, -2, -3, -4, -5):\n"
        "    assert libc.syscall(number, b'user', b'left', b'x', 1, ring) == -1 and ctypes.get_errno() == 1"
    )
    assert [result.verdict for result in run_in_turn(executor, source)] == [Verdict.PASS]


def test_nothing_of_a_program_is_in_the_next_ones_memory(executor):
    """It reads all of its own memory for a text that it does not hold in one piece itself."""
    secret = "".join(reversed("tsap-eht-fo-terces-eht"))
    search = (
        "import ctypes\nsecret = b'tsap-eht-fo-terces-eht'[::-1]\nnumber = 0\n"
        "for line in open('/proc/self/maps').read().splitlines():\n"
        "    start, end = (int(word, 16) for word in line.split()[0].split('-'))\n"
        "    if line.split()[1].startswith('rw'): number += ctypes.string_at(start, end - start).count(secret)\n"
        "print(number)"
    )
    holder = f"secret = {secret!r} * 3\nimport json\nopen('f', 'w').write(secret)\n"
    holds = holder + search.replace("secret = b'tsap-eht-fo-terces-eht'[::-1]\n", "secret = secret[:22].encode()\n")
    alone, first, second = run_in_turn(executor, search, holds, search, packages=())
    assert int(first.stdout) > int(second.stdout), (first, second)
    assert second.stdout == alone.stdout, (alone, second)


def test_what_is_random_differs_between_forks(executor):
    source = (
        "import random, numpy, os, uuid, tempfile, secrets\nrandom.shuffle([])\n"
        "for value in (random.random(), numpy.random.rand(), numpy.random.default_rng().random(), os.urandom(8), "
        "uuid.uuid4(), tempfile.mkdtemp(), secrets.token_hex()): print(value)"
    )
    first, second = (result.stdout.splitlines() for result in run_in_turn(executor, source, source))
    assert len(first) == len(second) == 7
    assert not set(first) & set(second)


def test_a_seeded_generator_gives_what_it_gives_everywhere(executor):
    source = "import random, numpy\nrandom.seed(1)\nnumpy.random.seed(1)\nprint(random.random(), numpy.random.rand())"
    seen = {result.stdout for result in run_in_turn(executor, source, source)}
    assert seen == {"0.13436424411240122 0.417022004702574\n"}


def test_no_descriptor_is_inherited_and_the_server_is_not_seen(executor):
    source = (
        "import os\nassert sorted(os.listdir('/proc/self/fd')) == ['0', '1', '2', '3'], os.listdir('/proc/self/fd')\n"
        "try: os.fstat(3)\nexcept OSError: pass\nelse: raise SystemExit('open')\n"
        "assert os.getpid() == 2 and os.getppid() == 1\n"
        "assert [name for name in os.listdir('/proc') if name.isdigit()] == ['1', '2']\n"
        "try: assert os.listdir('/proc/1/fd') == []\nexcept PermissionError: pass\n"
        "for name in ('mem', 'environ', 'maps', 'ns/pid'):\n"
        "    try: open(f'/proc/1/{name}').read(1)\n"
        "    except PermissionError: pass\n"
        "    else: raise SystemExit(name)"
    )
    (result,) = run_in_turn(executor, source, packages=())
    assert result.verdict is Verdict.PASS, result


def test_every_namespace_is_the_programs_own_and_it_has_no_rights(executor):
    """Neither the host's namespaces nor those of the server."""
    names = ("pid", "net", "mnt", "ipc", "uts", "cgroup", "user")
    source = (
        f"import os\nfor name in {names}: print(os.readlink('/proc/self/ns/' + name))\n"
        "for line in open('/proc/self/status'):\n"
        "    if line.startswith(('Cap', 'NoNewPrivs')): print(line.split()[1])"
    )
    (result,) = run_in_turn(executor, source, packages=())
    seen = result.stdout.splitlines()
    own = dict(zip(names, seen[: len(names)], strict=True))
    server = servers(executor)[-1].process.pid
    for process in ("self", server):
        for name in names:
            if name == "user" and executor._sandbox.privileged:
                continue  # a user of its own there instead
            assert own[name] != str(Path(f"/proc/{process}/ns/{name}").readlink()), name
    assert [int(value, 16) for value in seen[len(names) :]] == [0, 0, 0, 0, 0, 1]


def test_programs_with_another_hash_seed_get_another_server(executor):
    source = "print(hash('a'))"
    first, again, other = (executor.run(Program(source, hash_seed=seed)) for seed in (5, 5, 6))
    assert first.stdout == again.stdout != other.stdout
    assert {server.key for server in servers(executor)} >= {((), 5), ((), 6)}


def test_idle_servers_are_few(executor):
    for seed in range(12):
        executor.run(Program("print(1)", hash_seed=100 + seed))
    assert len(servers(executor)) == 8
    assert servers(executor)[-1].key == ((), 111)


def test_a_killed_program_takes_its_server_along_and_another_takes_its_place(executor):
    run_in_turn(executor, "")
    server = servers(executor)[-1]
    loop = executor.run(Program("while True: pass", packages=NUMPY), Limits(wall_seconds=0.5, memory_bytes=1 << 30))
    assert loop.verdict is Verdict.TIMEOUT
    assert server.process.poll() is not None and server not in servers(executor)
    assert executor.run(Program("print(1)", packages=NUMPY)).verdict is Verdict.PASS


def test_a_server_that_dies_idle_is_replaced(executor):
    run_in_turn(executor, "")
    server = servers(executor)[-1]
    server.process.kill()
    server.process.wait()
    assert executor.run(Program("print(1)", packages=NUMPY)).verdict is Verdict.PASS
    assert server not in servers(executor)


def test_a_server_that_dies_under_its_program_is_no_verdict(executor, monkeypatch):
    send = ForkServer.send
    killed = []

    def send_and_die(server, *arguments):
        send(server, *arguments)
        server.process.kill()
        killed.append(server)

    monkeypatch.setattr(ForkServer, "send", send_and_die)
    for _ in range(5):
        result = executor.run(Program("sum(range(10**7))\nprint(1)", hash_seed=7))
        assert (result.verdict, result.stdout) == (Verdict.PASS, "1\n")
    assert len(killed) == 3  # and not tried any more


def test_a_server_that_is_interrupted_serves_nobody_else(executor, monkeypatch):
    run_in_turn(executor, "", packages=())
    server, send = servers(executor)[-1], ForkServer.send

    def send_and_stop(server, *arguments):
        send(server, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ForkServer, "send", send_and_stop)
        executor.run(Program("raise SystemExit(9)"))
    assert server.process.poll() is not None and server not in servers(executor)
    result = executor.run(Program("print('right')"))
    assert (result.verdict, result.stdout) == (Verdict.PASS, "right\n")


def test_the_number_of_a_server_that_is_gone_gets_no_signal(executor, monkeypatch):
    run_in_turn(executor, "", packages=())
    server = servers(executor)[-1]
    server.process.kill()
    server.process.wait()
    signalled = []
    monkeypatch.setattr(os, "killpg", lambda number, _: signalled.append(number))
    assert executor.run(Program("print(1)")).verdict is Verdict.PASS
    assert server.process.pid not in signalled


@pytest.mark.parametrize("language", ["python", "bash"])
def test_programs_that_cannot_start_cost_no_other_its_server(executor, language):
    large, little = Program("", language, files={"x": b"x" * (1 << 20)}, hash_seed=8), Limits(disk_bytes=1 << 16)
    for _ in range(3):
        assert executor.run(large, little).verdict is Verdict.INFRA_ERROR
    executor._servers.close()
    assert executor.run(Program("print(1)", hash_seed=8)).verdict is Verdict.PASS
    assert [server.key for server in servers(executor)] == [((), 8)]


def test_what_cannot_be_isolated_is_a_failure_of_the_server(executor, monkeypatch):
    """Its text, with a step that fails in the program's first process."""
    text = fork_server.INSIDE.replace('os.chdir("/tmp")', 'os.chdir("/no_such_folder")')
    assert text != fork_server.INSIDE
    monkeypatch.setattr(fork_server, "INSIDE", text)
    for _ in range(4):
        assert executor.run(Program("print(1)", hash_seed=10)).stdout == "1\n"
    assert executor._servers._failures[(), 10] == 3


def test_what_steers_the_kernel_is_read_only(executor):
    """Bubblewrap and Landlock see to that too; a fork of bubblewrap's has it covered whoever it is."""
    source = (
        "import os\ntry: os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)\nexcept OSError: pass\nelse: 1 / 0\n"
    )
    if executor.isolation == "bubblewrap":
        source += "assert os.statvfs('/proc/sys').f_flag & os.ST_RDONLY"
    (result,) = run_in_turn(executor, source, packages=())
    assert result.verdict is Verdict.PASS, result


def test_what_a_package_prints_holds_nobody_up_and_is_no_programs(executor, tmp_path, monkeypatch):
    package = tmp_path / "loud_package"
    package.mkdir()
    text = "import sys\nfor file in (sys.stdout, sys.stderr): file.write('x' * 200_000)\nprint('y')\n"
    (package / "__init__.py").write_text(text)
    tmp_path.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(fork_server, "START_SECONDS", 10)
    result, again = run_in_turn(executor, "print('ran')", "print('ran')", packages=("loud_package",))
    assert result.stdout == again.stdout == "ran\n" and not result.stderr


@pytest.mark.parametrize("statement", [
    "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
    "import mmap\nshared = mmap.mmap(-1, 4096)",
    "raise OSError('does not import')",
])  # fmt: skip
def test_packages_that_do_not_lend_themselves_to_forking_are_imported_by_each_program(tmp_path, monkeypatch, statement):
    package = tmp_path / "peculiar_package"
    package.mkdir()
    (package / "__init__.py").write_text(f"{statement}\n")
    tmp_path.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "try: import peculiar_package\nexcept OSError: pass\nprint('ran')"
    with Executor(LIMITS, workers=1) as executor:
        for _ in range(2):
            result = executor.run(Program(source, packages=("peculiar_package",)))
            assert (result.verdict, result.stdout) == (Verdict.PASS, "ran\n"), result
        assert not servers(executor)


@pytest.mark.slow
@pytest.mark.skipif(not usable_parent(), reason="control groups cannot be made by this user")
def test_all_processes_of_a_fork_together_keep_within_its_memory(executor):
    source = (
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        block = b'x' * (200 << 20)\n"
        "        time.sleep(60)\n        os._exit(0)\nfor _ in range(4): os.wait()"
    )
    result = executor.run(Program(source), Limits(memory_bytes=512 << 20, wall_seconds=5))
    assert result.verdict is Verdict.OOM, result
    assert executor.run(Program("print(1)")).verdict is Verdict.PASS


def test_an_executor_takes_its_servers_along(executor):
    with Executor(LIMITS, isolation=executor.isolation, workers=3) as other:
        other.run_batch([Program("print(1)")] * 12)
        started = list(servers(other))
        assert started
    assert all(server.process.poll() is not None for server in started)
    assert not any(Path(server._holder.name).exists() for server in started if server._holder)


def test_threads_that_end_leave_servers_that_work_or_are_replaced(executor):
    results = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: results.append(executor.run(Program("print(1)", hash_seed=9))))
        thread.start()
        thread.join()
        servers(executor)[-1].process.wait()  # with the thread that started it
    assert [result.stdout for result in results] == ["1\n"] * 3
    assert not executor._servers._failures[(), 9]
