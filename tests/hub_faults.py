"""Failures that the loopback Hub injects into requests, as the real Hub and the network now and then do."""

import re
import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """A failure to inject `times` more times into requests whose method and path match."""

    path: re.Pattern[str]
    method: str
    kind: str
    times: int


class Faults:
    """Failures to inject, by kind: a status such as "429" or "500", "cut" (the connection breaks inside a body) or
    "lost" (the request is served, but its answer never arrives)."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()
        self.injected: list[tuple[str, str, str]] = []

    def add(self, path_pattern: str, method: str = "*", kind: str = "500", times: int = 1) -> None:
        """Make the next `times` requests fail whose path matches the regular expression (searched, not anchored)."""
        if kind not in ("cut", "lost") and re.fullmatch("[45][0-9][0-9]", kind) is None:
            raise ValueError(f"kind is {kind!r}; give 'cut', 'lost' or a status such as '500'")
        self._waiting.append(Fault(re.compile(path_pattern), method, kind, times))

    def take(self, method: str, path: str) -> str | None:
        with self._lock:
            for fault in self._waiting:
                if fault.times > 0 and fault.method in ("*", method) and fault.path.search(path):
                    fault.times -= 1
                    self.injected.append((method, path, fault.kind))
                    return fault.kind
        return None
