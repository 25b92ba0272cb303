"""Section 2.1, Figure 2: how long a step may work on one document: a last resort, far above what any needs.

Bytes must not depend on how fast a machine is. So steps are linear in the size of a document, which a build limits
(`max_bytes`), and what cannot be linear counts its own work, as the parser its reports. The processor time here is for
what nobody thought of: it allows some hundred times what the slowest step needs for a megabyte, so that no machine
removes what another one keeps, and one document costs minutes at most and not the build.
"""

import os
import signal
import threading
from types import FrameType

SECONDS_PER_DOCUMENT = 120.0
SECONDS_PER_MEGABYTE = 60.0
# Where the exception was caught on its way, it comes again.
SECONDS_BETWEEN = 1.0


class OverTimeBudget(BaseException):
    """A document took longer than the budget; no `Exception`, so that nobody on the way takes it for the document's."""


class _Watch:
    """The one handler of the process, and the limit that it tells; where there is none, no timer runs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.process = 0

    def install(self) -> None:
        """Take the signal, once a process: to ask for the handler each time costs more than to set the timer."""
        if self.process != os.getpid():
            signal.signal(signal.SIGVTALRM, self.stop)
            self.process = os.getpid()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Interrupt what takes too long."""
        if self.seconds:
            raise OverTimeBudget(f"more than {self.seconds:.0f} s of processor time")


_WATCH = _Watch()


class TimeBudget:
    """Raises `OverTimeBudget` when the block takes more processor time of this process, system calls not counted.

    Only a main thread can be interrupted, and only between two steps of Python or inside a pattern of `re`; in another
    thread there is no limit. A class, and no generator, since it surrounds each document of each step.

    Args:
        seconds (`float`, *optional*): None: no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds if threading.current_thread() is threading.main_thread() else None

    def __enter__(self) -> None:
        if self.seconds is not None:
            _WATCH.install()
            _WATCH.seconds = self.seconds
            signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds, SECONDS_BETWEEN)

    def __exit__(self, *error: object) -> None:
        if self.seconds is not None:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            finally:
                _WATCH.seconds = 0.0
