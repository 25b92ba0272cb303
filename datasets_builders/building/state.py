"""What a build remembers in `.build/`, so that a killed run can continue and a changed one starts over."""

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from datasets_builders.building.atomic import remove_temporary_files, write_json
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.executors.slurm_queue import jobs_left

# Libraries that the form of every shard hangs on.
LIBRARIES_OF_ALL = ("datatrove", "pyarrow", "datasets")
# Everything that a build writes; what else lies in the folder is the user's.
OUTPUTS = (
    *("data", "removed", "pictures", "report_pictures"),
    *("ledger.json", "README.md", "report.html", "report.md", "tagged.json"),
)
# What the user has to mend about the place of a folder; a full disk is none of it.
_NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG)


def fingerprint(
    builder: str, config: dict[str, Any], inputs: dict[str, Any], code: str, libraries: Collection[str] = ()
) -> dict[str, Any]:
    """Return all that decides the bytes of a dataset, as JSON.

    Args:
        builder (`str`): name of the builder.
        config (dict): its fields with an effect.
        inputs (dict): what identifies the inputs.
        code (`str`): hash of the code.
        libraries (collection of `str`): those that some step hangs on, as pip names them.
    """
    names = [*LIBRARIES_OF_ALL, *sorted(set(libraries) - set(LIBRARIES_OF_ALL))]
    return {
        "builder": builder,
        "config": config,
        "inputs": inputs,
        "code": code,
        "versions": {"python": sys.version.split()[0]} | {name: _version_of(name) for name in names},
    }


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@contextmanager
def locked(file: Path, doing: str) -> Iterator[None]:
    """Hold a file, which is made with its folder, against other processes. The lock dies with its process.

    Args:
        file (`Path`): what is locked.
        doing (`str`): what the process does that holds it, for the message.

    Raises:
        BuildError: another process holds it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(f"another process is {doing}; wait for it or stop it") from None
        yield


def is_locked(file: Path) -> bool:
    """Whether a process of this machine holds a file with `locked`."""
    try:
        with locked(file, ""):
            return False
    except BuildError:
        return True


class BuildState:
    """The `.build` folder of one dataset folder."""

    def __init__(self, output_folder: Path) -> None:
        self.output_folder = output_folder
        self.folder = output_folder / ".build"
        self.fingerprint_file = self.folder / "fingerprint.json"
        self.finished_file = self.folder / "finished.json"
        self.plan_file = self.folder / "plan.json"  # stages and their numbers of parts, in order

    def check_folder(self, builder: str) -> None:
        """Raise `ConfigError` when the output folder holds something that this builder has not written."""
        if self.output_folder.exists() and not self.output_folder.is_dir():
            raise ConfigError(f"output_dir {self.output_folder} is a file; name a folder")
        if file := next((parent for parent in self.output_folder.parents if parent.is_file()), None):
            raise ConfigError(f"output_dir {self.output_folder}: {file} is a file, so nothing can lie in it")
        previous = self.read(self.fingerprint_file)
        if previous and previous["builder"] != builder:
            raise ConfigError(
                f"output_dir {self.output_folder} holds a dataset of {previous['builder']}, not of {builder}; "
                "name another folder, or delete this one"
            )
        if self.folder.is_dir() or not self.output_folder.exists():
            return
        if any(self.output_folder.iterdir()):
            raise ConfigError(
                f"output_dir {self.output_folder} is not empty and was not written by a builder; name a new folder"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second run.

        Raises:
            BuildError: another process is building in this folder.
            ConfigError: the folder cannot be made, or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "lock").touch()
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise
            raise ConfigError(
                f"output_dir {self.output_folder} cannot be written ({error.strerror}: {error.filename}); name another "
                "folder, or change its rights"
            ) from error
        with locked(self.folder / "lock", f"building in {self.output_folder}"):
            yield

    def is_of(self, current: dict[str, Any]) -> bool:
        """Return whether an earlier run in the folder had this fingerprint."""
        return self.read(self.fingerprint_file) == current

    def prepare(self, current: dict[str, Any]) -> str:
        """Make the folder ready for a run with this fingerprint.

        Args:
            current (dict): the fingerprint.

        Returns:
            `str`: "new", "continue", "finished", or "changed: <what>" when an older run was dropped.
        """
        previous = self.read(self.fingerprint_file)
        self.remove_temporary_files()
        if previous == current:
            if self._is_finished():
                return "finished"
            self.finished_file.unlink(missing_ok=True)
            return "continue"
        self.clear()
        write_json(self.fingerprint_file, current)
        if previous is None:
            return "new"
        return "changed: " + ", ".join(key for key in current if previous.get(key) != current[key])

    def remove_temporary_files(self) -> None:
        """Remove what is half written, unless jobs of Slurm may be writing it: they outlive the driver."""
        if not jobs_left(self.folder):
            remove_temporary_files(self.output_folder)

    def clear(self) -> None:
        """Remove all that an earlier build wrote, the fingerprint first: a half-cleared folder is a new one."""
        self.fingerprint_file.unlink(missing_ok=True)
        for name in OUTPUTS:
            _remove(self.output_folder / name)
        for path in self.folder.iterdir():
            if path.name != "lock":
                _remove(path)

    def finish(self, result: dict[str, Any]) -> None:
        """Remember the finished files by size and drop the intermediate documents."""
        remove_temporary_files(self.output_folder)  # of jobs that were at work when this run began
        write_json(self.finished_file, result | {"files": self._file_sizes()})
        _remove(self.folder / "stages")
        _remove(self.folder / "progress")

    def _is_finished(self) -> bool:
        finished = self.read(self.finished_file)
        if finished is None:
            return False
        if finished["files"] == self._file_sizes():
            _remove(self.folder / "stages")
            return True
        # The intermediate documents are gone, so that a damaged dataset is built again from the start.
        fingerprint_text = self.fingerprint_file.read_bytes()
        self.clear()
        self.fingerprint_file.write_bytes(fingerprint_text)
        return False

    def _file_sizes(self) -> dict[str, int]:
        paths = [*sorted((self.output_folder / "data").rglob("*")), self.output_folder / "ledger.json"]
        return {str(path.relative_to(self.output_folder)): path.stat().st_size for path in paths if path.is_file()}

    @staticmethod
    def read(path: Path) -> Any:
        """Return what a file of the state holds, None where it is not there or half written."""
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def free_bytes(folder: Path) -> int:
    """Return the free space of the file system that holds `folder`, or would hold it once made."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize
