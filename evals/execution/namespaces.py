"""Section 4: the second rung: user namespaces with Landlock and seccomp, by system calls alone.

This file is also a program: `python namespaces.py OPTIONS -- COMMAND` sets the isolation up in its own process and then
becomes COMMAND. It is started from a process of its own because namespaces cannot be entered by one thread of many.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
import sys
from collections.abc import Iterable

CLONE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x40000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_PDEATHSIG, PR_CAPBSET_DROP = 38, 22, 1, 24
SIGKILL = 9

# Landlock system calls are the same on every architecture (kernel 5.13 and later).
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_ALL = (1 << 13) - 1  # the file system rights of the first ABI, enough for every kernel that has Landlock
LANDLOCK_READ = 1 | 4 | 8  # execute, read a file, read a directory

# System calls that a Python program does not need and an escape might: number on x86_64, number on aarch64.
DENIED = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "bpf": (321, 280),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "unshare": (272, 97),
    "setns": (308, 268),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
}
SOCKET = (41, 198)
AF_UNIX = 1
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Raise OSError if a C call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def enter_namespaces() -> None:
    """Enter new namespaces as user 65534, and go on as the first process of the new PID namespace."""
    uid, gid = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_FLAGS), "unshare")
    map_user(uid, gid)
    child = os.fork()
    if child:
        # The parent waits outside; when it is killed, PDEATHSIG kills the namespace's first process and so all of it.
        status = os.waitpid(child, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
    check(libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl")


def map_user(uid: int, gid: int) -> None:
    """Be user 65534 in the new user namespace, and `uid` and `gid` outside of it, as before."""
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"65534 {uid} 1")
    write("/proc/self/gid_map", f"65534 {gid} 1")


def write(path: str, text: str) -> None:
    """Write a control file."""
    with open(path, "w") as file:
        file.write(text)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2)."""
    words = [word.encode() for word in (source, target, kind, data)]
    check(libc.mount(words[0], words[1], words[2], flags, words[3]), f"mount {target}")


def mount_folders(folder: str, disk_bytes: int, mode: str = "0700") -> None:
    """Give the new namespaces a proc of their own and a small writable folder."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk_bytes},mode={mode}")


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Let this process and its children open these folders and nothing else (Landlock)."""
    attributes = struct.pack("Q", LANDLOCK_ALL)
    ruleset = check(libc.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    for paths, rights in ((readable, LANDLOCK_READ), (writable, LANDLOCK_ALL)):
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            is_file = not os.path.isdir(path)
            rule = struct.pack("=Qi", rights & (1 | 2 | 4) if is_file else rights, descriptor)
            check(libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0), f"landlock_add_rule {path}")
            os.close(descriptor)
    check(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def drop_capabilities() -> None:
    """Give up what the user namespace granted; becoming the program as user 65534 clears the rest."""
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last capability of this kernel


def filter_program(machine: str, denied: Iterable[str], unix_only: bool) -> bytes:
    """Return the seccomp filter: another architecture is killed, what is denied fails with EPERM.

    With `unix_only` sockets are allowed within the machine's own Unix family only; there is no network in the namespace
    anyway.
    """
    column = ("x86_64", "aarch64").index(machine)
    numbers = [DENIED[name][column] for name in denied]
    allow, deny, kill = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
    load, jump_equal, jump_greater, give = 0x20, 0x15, 0x35, 0x06
    code = [(load, 0, 0, 4), (jump_equal, 1, 0, AUDIT_ARCH[machine]), (give, 0, 0, kill), (load, 0, 0, 0)]
    if machine == "x86_64":
        code += [(jump_greater, 0, 1, 0x40000000), (give, 0, 0, kill)]  # the x32 numbers
    for number in numbers:
        code += [(jump_equal, 0, 1, number), (give, 0, 0, deny)]
    if unix_only:
        code += [(jump_equal, 0, 3, SOCKET[column]), (load, 0, 0, 16), (jump_equal, 1, 0, AF_UNIX), (give, 0, 0, deny)]
    code += [(give, 0, 0, allow)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def restrict_system_calls(denied: Iterable[str] = DENIED, unix_only: bool = True) -> None:
    """Install the filter for this process and its children."""
    text = filter_program(platform.machine(), denied, unix_only)
    buffer = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(buffer))
    check(libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0), "seccomp")


def confine(readable: list[str], folder: str) -> None:
    """Restrict this process and its children to these files, what is writable in `folder`, and harmless calls."""
    restrict_files(readable, ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", folder])
    restrict_system_calls()


def main(arguments: list[str]) -> None:
    """Isolate this process, then become the command."""
    options = json.loads(arguments[0])
    enter_namespaces()
    mount_folders(options["folder"], options["disk_bytes"])
    os.chdir(options["folder"])
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    drop_capabilities()
    confine(options["readable"], options["folder"])
    os.execve(arguments[1], arguments[1:], options["environment"])


if __name__ == "__main__":
    main(sys.argv[1:])
