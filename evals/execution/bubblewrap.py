"""Section 4.1: the first rung: bubblewrap: namespaces of its own, a read-only system, one small writable folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.execution.packages import INSIDE_FOLDER, locate
from evals.execution.program import Limits

ETC = Path(__file__).with_name("etc")
SYSTEM_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
SERVER_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SETPCAP")


def interpreter() -> str:
    """Return the base interpreter, outside any virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def interpreter_folders() -> list[str]:
    """Return the folders that hold the interpreter and its standard library, where they lie outside /usr."""
    folders = {str(Path(sys.base_prefix).resolve()), str(Path(interpreter()).parent.parent)}
    return sorted(folder for folder in folders if folder != "/" and not f"{folder}/".startswith("/usr/"))


def command(
    limits: Limits,
    environment: Mapping[str, str],
    privileged: bool,
    packages: Sequence[str] = (),
    folders: Sequence[str] = (),
    server: bool = False,
) -> list[str]:
    """Return the bwrap command up to and with the interpreter and its flags.

    Args:
        folders: of toolchains, shown where they are, beside the system's and the interpreter's.
        privileged: started by root without a user namespace; the program then becomes a user of its own inside, which
            is what makes the limit on processes hold (the kernel does not apply it to root).
        server: for the fork server, which where it is privileged needs what makes namespaces.
    """
    words = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session"]
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if privileged:
        words += ["--cap-drop", "ALL"]
        for name in ("SETUID", "SETGID", *(SERVER_CAPABILITIES if server else ())):
            words += ["--cap-add", f"CAP_{name}"]
    else:
        words += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    shown, links = view(packages, folders)
    for path, target in links.items():
        words += ["--symlink", target, path]
    words += [
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--perms",
        "1777",
        "--size",
        str(limits.disk_bytes),
        "--tmpfs",
        "/tmp",
    ]
    for path, source in shown.items():
        words += show(source, path)
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return [*words, "--", *interpreter_words()]


def view(packages: Sequence[str], folders: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return all that a program sees of the host, read-only: paths to their sources there, and links to their targets.

    Args:
        packages: of this environment.
        folders: of toolchains.
    """
    shown, links = {"/usr": "/usr"}, {}
    for folder in SYSTEM_FOLDERS:
        if Path(folder).is_symlink():
            links[folder] = str(Path(folder).readlink())
        elif Path(folder).is_dir():
            shown[folder] = folder
    shown |= {folder: folder for folder in (*interpreter_folders(), *folders)}
    for name in packages:
        shown |= {f"{INSIDE_FOLDER}/{folder.name}": str(folder) for folder in locate(name)}
    for file in ("hosts", "nsswitch.conf"):  # the name localhost; the host's own files name its neighbours
        shown[f"/etc/{file}"] = str(ETC / file)
    if Path("/etc/ld.so.cache").is_file():
        shown["/etc/ld.so.cache"] = "/etc/ld.so.cache"
    return shown, links


def below_tmp(folder: str) -> bool:
    """Return whether a folder of the host lies where programs have their own."""
    return folder.startswith("/tmp/")


def show(source: str, path: str) -> list[str]:
    """Return the flags that show a folder or file at a path, read-only, with parents that everybody may pass."""
    words = []
    for parent in reversed(Path(path).parents[:-1]):
        # Made by hand: bubblewrap would give them the mode of the host's, and a home is often closed to others.
        if str(parent) not in ("/tmp", "/usr"):
            words += ["--perms", "0755", "--dir", str(parent)]
    return [*words, "--ro-bind", source, path]


def interpreter_words() -> list[str]:
    """Return the interpreter and its flags: no site-packages, no user folder, no byte code, no unsafe path."""
    return [interpreter(), "-s", "-S", "-B", "-P"]


def environment(hash_seed: int) -> dict[str, str]:
    """Return all of a program's environment; nothing of ours is inherited."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
