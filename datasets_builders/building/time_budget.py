"""Section 2.1, Figure 2: how long a step may work on one document: a last resort, far above what any needs.

Bytes must not depend on how fast a machine is. So steps are linear in the size of a document, which a build limits
(`max_bytes`), and what cannot be linear counts its own work, as the parser its reports. The processor time here is for
what nobody thought of: it allows some hundred times what the slowest step needs for a megabyte, so that no machine
removes what another one keeps, and one document costs minutes at most and not the build.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS_PER_DOCUMENT = 120.0
SECONDS_PER_MEGABYTE = 60.0
# Where the exception was caught on its way, it comes again.
SECONDS_BETWEEN = 1.0


class OverTimeBudget(BaseException):
    """A document took longer than the budget; no `Exception`, so that nobody on the way takes it for the document's."""


@contextmanager
def time_budget(seconds: float | None) -> Iterator[None]:
    """Raise `OverTimeBudget` when the block takes more processor time of this process, system calls not counted.

    Only a main thread can be interrupted, and only between two steps of Python or inside a pattern of `re`; in another
    thread there is no limit.

    Args:
        seconds (`float`, *optional*): None: no limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise OverTimeBudget(f"more than {seconds:.0f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, SECONDS_BETWEEN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)
