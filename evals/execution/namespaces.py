"""Section 4.1: the second rung: a private root in new namespaces, with Landlock and seccomp, by system calls alone.

This file is also a program: `python namespaces.py OPTIONS COMMAND` sets the isolation up in its own process and then
becomes COMMAND. It is started from a process of its own because namespaces cannot be entered by one thread of many.
The filter of system calls is every rung's.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import signal
import struct
import sys

CLONE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET
CLONE_USER = 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000  # one number on every architecture; kernel 5.12 and later
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_DUMPABLE = 38, 22, 1, 24, 4
PROGRAM_CAPABILITIES = (6, 7)  # SETGID, SETUID: by which a program of root's becomes a user of its own
SERVER_CAPABILITIES = (*PROGRAM_CAPABILITIES, 8, 12, 21)  # SETPCAP, NET_ADMIN, SYS_ADMIN: what makes namespaces
DEVICES = ("null", "zero", "full", "random", "urandom")
# Root's own files there could be written to by nobody else, but let nothing depend on it.
PROC_CONTROLS = ("sys", "sysrq-trigger", "irq", "bus")
INTERFACE_UP, SET_INTERFACE_FLAGS = 1, 0x8914

# Landlock system calls are the same on every architecture (kernel 5.13 and later).
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_READ = 1 | 4 | 8  # execute, read a file, read a directory
LANDLOCK_FILE = 1 | 2 | 4 | 1 << 14  # what a rule on a file may name: execute, write, read, truncate
LANDLOCK_SCOPES = 1 | 2  # abstract Unix sockets, signals: kernel 6.12 and later

# System calls that a program does not need and an escape might: number on x86_64, number on aarch64.
DENIED = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "unshare": (272, 97),
    "setns": (308, 268),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
}
# Those that programs try before others: the answer is that this kernel has them not. io_uring does by itself what a
# filter forbids (sockets of any kind), and the flags of clone3 cannot be seen by one.
ABSENT = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),
}
CLONE, IOCTL, SOCKET, SOCKETPAIR = (56, 220), (16, 29), (41, 198), (53, 199)
CLONE_NEW = CLONE_FLAGS | CLONE_USER
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: they type into the terminal of whoever started us
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
# Others reach past the network's namespace (AF_VSOCK) or into little tried parts of the kernel (AF_ALG, AF_PACKET).
NETWORK_FAMILIES = (AF_INET, AF_INET6, AF_NETLINK)
SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Raise OSError if a C call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process."""
    check(libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def enter_namespaces(privileged: bool) -> None:
    """Enter new namespaces, and go on in the second process of the new PID namespace.

    Its first one waits for it and for what it leaves behind: a program that changes its user, or ends early, then takes
    all others along whatever it did. Outside waits this process; it ends with the thread that started it, and the first
    one with it.

    Args:
        privileged: stay root, without a user namespace; else be user 65534 in one.
    """
    uid, gid = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_FLAGS | (0 if privileged else CLONE_USER)), "unshare")
    if not privileged:
        map_user(uid, gid)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # only now: a change of rights clears it
    first = os.fork()
    if first:
        os._exit(exit_status(first))
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    second = os.fork()
    if second:
        prctl(PR_SET_DUMPABLE, 0)  # no program of this user may look into the first process
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which the kernel then keeps from a first process
        os._exit(exit_status(second))


def exit_status(process: int) -> int:
    """Wait for a child, and for what it left behind, and return its status, 128 + n for signal n."""
    while True:
        ended, status = os.wait()
        if ended == process:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


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
    """Mount a file system, or change how it is mounted."""
    words = [word.encode() for word in (source, target, kind, data)]
    check(libc.mount(words[0], words[1], words[2], flags, words[3]), f"mount {target}")


def mount_folders(disk_bytes: int) -> None:
    """Give new namespaces in a private root a proc of their own, with read-only controls, and a small writable /tmp."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk_bytes},mode=1777")


def cover_proc() -> None:
    """Make what steers the kernel read-only."""
    for name in PROC_CONTROLS:
        path = f"/proc/{name}"
        if os.path.exists(path):
            mount(path, path, "", MS_BIND)
            mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC | MS_NOSUID | MS_NODEV)


def enter_private_root(root: str, shown: dict[str, str], links: dict[str, str], disk_bytes: int) -> None:
    """Make a root of its own for this mount namespace: what is shown, read-only, and nothing else of the host's.

    What is not in it has no path: its sockets cannot be connected to, its files not truncated nor given other rights.

    Args:
        root: an empty folder, over which it is made.
        shown: a path in the new root to what is seen there.
        links: a path in the new root to where it points.
    """
    os.umask(0o022)
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for folder in ("proc", "dev", "tmp"):
        os.mkdir(f"{root}/{folder}")
    mount("tmpfs", f"{root}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk_bytes},mode=1777")
    for path, target in links.items():
        os.symlink(target, f"{root}{path}")
    for path, source in shown.items():
        show(source, f"{root}{path}")
    for name in DEVICES:
        make_file(f"{root}/dev/{name}")
        mount(f"/dev/{name}", f"{root}/dev/{name}", "", MS_BIND)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(target, f"{root}/dev/{name}")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV)
    os.chdir(root)
    here = b"."
    # The old root comes to lie over the new one, and is then taken away: no folder is needed for it.
    check(libc.syscall(PIVOT_ROOT[os.uname().machine], here, here), "pivot_root")
    check(libc.umount2(here, MNT_DETACH), "umount2")
    mount("", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir("/tmp")


def show(source: str, path: str) -> None:
    """Show a folder or file at a path, read-only, with all that is mounted in it."""
    if os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make_file(path)
    mount(source, path, "", MS_BIND | MS_REC)
    attributes = struct.pack("QQQQ", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, 0, 0, 0)
    words = AT_FDCWD, path.encode(), AT_RECURSIVE, attributes, len(attributes)
    check(libc.syscall(MOUNT_SETATTR, *words), f"mount_setattr {path}")


def make_file(path: str) -> None:
    """Make an empty file."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def bring_loopback_up() -> None:
    """Let the program's processes reach each other through 127.0.0.1, as bubblewrap does."""
    any_socket = check(libc.socket(AF_INET, SOCK_DGRAM, 0), "socket")
    fcntl.ioctl(any_socket, SET_INTERFACE_FLAGS, struct.pack("16sh14x", b"lo", INTERFACE_UP))
    os.close(any_socket)


def restrict_files() -> None:
    """Let this process and its children write to /tmp and devices alone (Landlock, where the kernel has it).

    It repeats what the private root says, and keeps signals and abstract sockets within.
    """
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return
    handled = (1 << (13 if version < 2 else 14 if version < 3 else 15)) - 1
    attributes = struct.pack("QQQ", handled, 0, LANDLOCK_SCOPES) if version >= 6 else struct.pack("Q", handled)
    ruleset = check(libc.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    rules = {"/": LANDLOCK_READ, "/tmp": handled} | {f"/dev/{name}": handled & LANDLOCK_FILE for name in DEVICES}
    for path, rights in rules.items():
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", rights, descriptor)
        check(libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0), f"landlock_add_rule {path}")
        os.close(descriptor)
    check(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def drop_capabilities(kept: tuple[int, ...] = ()) -> None:
    """Take from what this process becomes all rights but these; becoming another user clears them too."""
    for capability in range(64):
        if capability not in kept and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last capability of this kernel


def filter_program(machine: str, unix_sockets: bool = True) -> bytes:
    """Return the seccomp filter: another architecture is killed, what is denied fails with EPERM.

    Args:
        machine: x86_64 or aarch64.
        unix_sockets: whether a program may have any; where it sees the host's files, it would reach the host's.
    """
    column = ("x86_64", "aarch64").index(machine)
    allow, kill, deny, absent = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    load, jump_equal, jump_greater, jump_set, mask, give = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

    def argument(number: int) -> tuple[int, int, int, int]:
        return load, 0, 0, 16 + 8 * number  # its lower half, which is all that the kernel looks at in these

    def unless(allowed: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
        tests = [(jump_equal, len(allowed) - at, 0, value) for at, value in enumerate(allowed)]
        return [*tests, (give, 0, 0, deny), (give, 0, 0, allow)]

    def on(call: tuple[int, int], body: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
        return [(jump_equal, 0, len(body), call[column]), *body]

    code = [(load, 0, 0, 4), (jump_equal, 1, 0, AUDIT_ARCH[machine]), (give, 0, 0, kill), (load, 0, 0, 0)]
    if machine == "x86_64":
        code += [(jump_greater, 0, 1, 0x40000000), (give, 0, 0, kill)]  # the x32 numbers
    for calls, answer in ((DENIED, deny), (ABSENT, absent)):
        for call in calls.values():
            code += on(call, [(give, 0, 0, answer)])
    code += on(CLONE, [argument(0), (jump_set, 0, 1, CLONE_NEW), (give, 0, 0, deny), (give, 0, 0, allow)])
    typing = [(jump_equal, 0, 1, number) for number in TERMINAL_INPUT]
    code += on(
        IOCTL, [argument(1), *(word for test in typing for word in (test, (give, 0, 0, deny))), (give, 0, 0, allow)]
    )
    code += on(SOCKET, [argument(0), *unless((*NETWORK_FAMILIES, AF_UNIX) if unix_sockets else NETWORK_FAMILIES)])
    if not unix_sockets:
        # Pairs stay allowed, but for datagrams: one of those can be connected anew, to any path.
        code += on(SOCKETPAIR, [argument(1), (mask, 0, 0, 0xF), *unless((SOCK_STREAM, SOCK_SEQPACKET))])
    code += [(give, 0, 0, allow)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def restrict_system_calls(text: bytes) -> None:
    """Install a filter for this process and its children."""
    buffer = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0), "seccomp")


def main(arguments: list[str]) -> None:
    """Isolate this process, then become the command."""
    options = json.loads(arguments[0])
    enter_namespaces(options["privileged"])
    enter_private_root(options["root"], options["shown"], options["links"], options["disk_bytes"])
    bring_loopback_up()
    if options["server"]:
        drop_capabilities(SERVER_CAPABILITIES)
    else:
        cover_proc()
        drop_capabilities(PROGRAM_CAPABILITIES if options["privileged"] else ())
        restrict_files()
        restrict_system_calls(filter_program(os.uname().machine))
    os.execve(arguments[1], arguments[1:], options["environment"])


if __name__ == "__main__":
    main(sys.argv[1:])
