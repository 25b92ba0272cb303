"""Section 4.1: the fork server: an interpreter that has imported the packages, and forks itself for each program.

This text is given to `python -c`, in a sandbox; it runs our own code and packages of the environment only.
Each fork enters namespaces of its own and gives up every right before it compiles or runs its program; that process
then shares nothing that can be written with the server or with the programs before and after it.
"""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable, Iterator

NEW_CGROUP, NEW_USER = 0x02000000, 0x10000000
NEW_OTHERS = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET
CLONE = {"x86_64": 56, "aarch64": 220}
CAPABILITY_VERSION = 0x20080522
FLUSH_FAILED = 120  # the interpreter's exit status
MESSAGE_BYTES, MAX_DESCRIPTORS = 256, 16


def load(name: str, text: str) -> types.ModuleType:
    """Return a module made of a text of ours."""
    module = types.ModuleType(name)
    exec(compile(text, "<string>", "exec"), module.__dict__)
    return module


def import_packages(names: list, folder: str) -> None:
    """Import what programs will; leave the path as it was.

    Raises:
        RuntimeError: an import left a thread or memory that forks would share; programs then start one by one.
    """
    sys.path.append(folder)
    # Judged programs seed these (`inside.seed_generators`): an import in each fork would take longer than the fork.
    generators = ["random", *(f"{name}.random" for name in names if name == "numpy")]
    for name in [*names, *generators]:
        importlib.import_module(name)
    sys.path.remove(folder)
    sys.stdout.flush()  # else each fork would
    threads = os.listdir("/proc/self/task")
    with open("/proc/self/maps") as maps:
        shared = [line.split() for line in maps if line.split()[1][1] == "w" and line.split()[1][3] == "s"]
    if len(threads) > 1 or shared:
        raise RuntimeError(f"{names} left {len(threads)} threads, {len(shared)} shared writable mappings")


def silence() -> None:
    """Let nobody have to read what packages print; programs get an output of their own."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)


@contextlib.contextmanager
def saying_why(control: socket.socket) -> Iterator[None]:
    """Send an error to the executor before it ends this process."""
    try:
        yield
    except BaseException as error:
        control.send(f"{type(error).__name__}: {error}".encode()[:MESSAGE_BYTES])
        raise


class Server:
    """The loop, and what turns a fork of it into a program's process.

    Args:
        control: one packet with descriptors comes in per program, one with its exit status goes out, or one before it
            with why it could not be isolated.
        options: `packages` and their `package_folder`; whether it is `privileged` (started by root without a user
            namespace) and whether programs are to be `confined` by Landlock too.
        namespaces, inside: our modules: system calls, and what runs a program in its process.
    """

    def __init__(
        self, control: socket.socket, options: dict, namespaces: types.ModuleType, inside: types.ModuleType
    ) -> None:
        self.control, self.options, self.namespaces, self.inside = control, options, namespaces, inside
        self.user = os.geteuid(), os.getegid()
        self.filter = namespaces.filter_program(os.uname().machine)
        self.libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock over a call, as os.fork does

    def serve(self) -> tuple[dict, int, tuple]:
        """Fork for each packet, and return in a program's process alone: what is known of it, and its descriptors."""
        gc.collect()
        gc.freeze()  # programs' collections leave the server's objects, and so its memory, alone
        self.control.send(b"ready")
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, MAX_DESCRIPTORS)
            if not message:
                os._exit(0)
            first = self.fork_into_namespaces()
            if first == 0:
                size = int(message)
                return self.prepare(descriptors[:5], descriptors[5 : 5 + size], descriptors[5 + size :])
            for descriptor in descriptors:
                os.close(descriptor)
            self.control.send(str(self.namespaces.exit_status(first)).encode())

    def fork_into_namespaces(self) -> int:
        """Fork the first process of new namespaces; unlike unshare(2), this can be done again and again."""
        flags = NEW_OTHERS | (0 if self.options["privileged"] else NEW_USER)
        number = CLONE[os.uname().machine]
        return self.check(self.libc.syscall(number, flags | signal.SIGCHLD, 0, 0, 0, 0), "clone")

    def check(self, result: int, what: str) -> int:
        """Raise OSError if a C call failed."""
        if result < 0:
            raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
        return result

    def prepare(self, own: list, channel: list, joins: list) -> tuple[dict, int, tuple]:
        """Isolate this process, the first of its namespaces, and fork the program's, which alone returns.

        Args:
            own: descriptors of the payload, stdin, stdout, stderr and status.
            channel: none, or those by which the program gets its marker.
            joins: those of control groups.
        """
        payload, stdin, stdout, stderr, status = own
        for join in joins:
            os.write(join, b"0")
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, number)
        known = self.inside.read_payload(payload)
        with saying_why(self.control):
            self.enter(known)
        self.control.detach()
        known["limits"]["num_processes"] += 1  # this one
        kept = [fcntl.fcntl(number, fcntl.F_DUPFD, 64) for number in (*channel, status)]
        for number, descriptor in enumerate(kept, 3):
            os.dup2(descriptor, number)
        os.closerange(3 + len(kept), os.sysconf("SC_OPEN_MAX"))
        os.setsid()
        self.namespaces.prctl(self.namespaces.PR_SET_DUMPABLE, 0)  # no program of this user may look into this process
        program = os.fork()
        if program:
            os.closerange(0, 3 + len(kept))
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # which the kernel then keeps from a first process
            os._exit(self.namespaces.exit_status(program))
        if not self.options["privileged"]:
            self.namespaces.prctl(self.namespaces.PR_SET_DUMPABLE, 1)
        reseed()
        return known, 2 + len(kept), tuple(range(3, 3 + len(channel)))

    def enter(self, known: dict) -> None:
        """Set up the new namespaces for the program, then give up every right."""
        namespaces, options = self.namespaces, self.options
        if not options["privileged"]:
            namespaces.map_user(*self.user)
        namespaces.check(namespaces.libc.unshare(NEW_CGROUP), "unshare")  # only now, in the program's control group
        namespaces.mount_folders(known["limits"]["disk_bytes"])
        namespaces.cover_proc()
        namespaces.bring_loopback_up()
        os.chdir("/tmp")
        namespaces.prctl(namespaces.PR_SET_NO_NEW_PRIVS, 1)
        namespaces.drop_capabilities()
        if options["privileged"]:
            self.inside.become_user(known["uid"])
            known["uid"] = 0
        nothing = bytes(24)
        self.check(self.libc.capset(struct.pack("=Ii", CAPABILITY_VERSION, 0), nothing), "capset")
        namespaces.prctl(namespaces.PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which clears it
        if options["confined"]:
            namespaces.restrict_files()
        namespaces.restrict_system_calls(self.filter)


def reseed() -> None:
    """Give numpy's global generator a seed of this process's own; the random module sees to itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random:
        numpy_random.seed()


def exit_code(run: Callable[[], None]) -> int:
    """Run the program, and return what an interpreter makes of what it raises."""
    try:
        run()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            code = ended.code or 0
            return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF  # as of a C long
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(*sys.exc_info())  # what the hook raises goes the interpreter's way
        return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def end(code: int) -> None:
    """Do what a program sees of an interpreter's end, and leave; tearing the rest down would copy the server's memory.

    Threads are waited for, exit functions called, the program's objects finalized, its output flushed.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
    except BaseException as error:  # the program's own doing; no interpreter's status depends on it
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    atexit._run_exitfuncs()
    flushed = flush()
    sys.modules.pop("__main__", None)
    gc.collect()
    os._exit(code if flush() and flushed else FLUSH_FAILED)


def flush() -> bool:
    """Flush the output, and return whether that worked."""
    worked = True
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            worked = False
    return worked


def main() -> None:
    """Serve; in a program's process, become it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    options = json.loads(sys.argv[2])
    namespaces, inside = (load(name, options.pop(name)) for name in ("namespaces", "inside"))
    silence()
    with saying_why(control):
        import_packages(options["packages"], options["package_folder"])
    server = Server(control, options, namespaces, inside)
    namespaces.prctl(namespaces.PR_SET_PDEATHSIG, signal.SIGKILL)
    known, status, channel = server.serve()
    end(exit_code(lambda: inside.run(known, status, channel)))


main()
