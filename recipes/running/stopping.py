"""Section 3.2: how a run ends before its last step: by a signal, by numbers that are not finite, by a full disk.

What is on the disk can always be continued: a signal saves a whole checkpoint, the others leave the last one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from recipes.running.run_folder import COMPLETE_MARKER, find_checkpoints

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
NONFINITE_POLICIES = ("stop", "skip", "rollback")
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
# torch and safetensors raise errors of their own, with no number in them.
_DISK_WORDS = (
    "No space left",
    "quota exceeded",
    "File too large",
    "PytorchStreamWriter",
    "I/O error",
    "unexpected pos",
)
_PR_SET_PDEATHSIG = 1


class TrainingStoppedError(RuntimeError):
    """Training could not go on; what was saved before is whole."""


class RunInterruptedError(RuntimeError):
    """A signal ended the run after a whole checkpoint.

    Args:
        number: of the signal.
        checkpoint: what was saved.
    """

    def __init__(self, number: int, checkpoint: Path) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}: {checkpoint} is whole. Continue with resume_from: auto.")
        self.number = number

    @property
    def exit_code(self) -> int:
        """Return what a shell gives a process that the signal ended: 143 for SIGTERM, 130 for SIGINT."""
        return 128 + self.number


class SignalWatch:
    """Notes SIGTERM and SIGINT while it is entered, so that the step at work can end; a second SIGINT acts at once.

    Attributes:
        received: the number of the first signal, 0 for none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> SignalWatch:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._before[signal.SIGINT])


def follow_launcher() -> None:
    """Ask the system for a SIGTERM when `accelerate launch` ends: it does not pass on the one that ends it."""
    if sys.platform == "linux" and "ACCELERATE_MIXED_PRECISION" in os.environ:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


@contextlib.contextmanager
def disk_errors_named(what: str, output_dir: Path) -> Iterator[None]:
    """Turn a failed write into one message that says what can be continued.

    Args:
        what: is being written.
        output_dir: the run's folder.

    Raises:
        TrainingStoppedError: the disk is full, or refuses to be written to.
    """
    try:
        yield
    except Exception as error:
        is_disk = isinstance(error, OSError) and error.errno in _DISK_ERRORS
        if not (is_disk or any(word in str(error) for word in _DISK_WORDS)):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise TrainingStoppedError(f"{what} could not be written: {reason}. {describe_last(output_dir)}") from error


def describe_last(output_dir: Path) -> str:
    """Return what a stopped run can be continued from, as a sentence."""
    last = next(reversed(find_checkpoints(output_dir)), None)
    if last is None:
        return "No whole checkpoint was saved before."
    return f"The last whole checkpoint is {last}; continue from it with resume_from: auto."


def remove_unmarked(checkpoint: Path) -> None:
    """Remove a checkpoint that could not be written to its end, so that its room is free again."""
    if checkpoint.is_dir() and not (checkpoint / COMPLETE_MARKER).exists():
        shutil.rmtree(checkpoint, ignore_errors=True)


def strict_json(value: Any) -> Any:
    """Return a value with null for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


__all__ = [
    "NONFINITE_POLICIES",
    "RunInterruptedError",
    "SignalWatch",
    "TrainingStoppedError",
    "describe_last",
    "disk_errors_named",
    "follow_launcher",
    "remove_unmarked",
    "strict_json",
]
