"""The answers of a server, written as they come, so that none is asked for twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class AnswerFile:
    """Answers by server and request, one line each, written as they come; one that a kill cut off is asked again."""

    def __init__(self, path: Path, server: str = "") -> None:
        self.path, self.server = path, server
        self.lock = threading.Lock()
        self.known: dict[str, str] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    self.known[entry["request"]] = entry["answer"]
                except (ValueError, KeyError, TypeError):
                    continue

    def get(self, request: dict[str, Any], ask: Callable[[], str]) -> str:
        """Return the answer to a request, from the file or by calling `ask`."""
        key = hashlib.sha256(json.dumps([self.server, request], sort_keys=True).encode()).hexdigest()
        if key not in self.known:
            answer = ask()
            with self.lock, open(self.path, "a", encoding="utf-8") as file:
                self.known[key] = answer
                file.write(json.dumps({"request": key, "answer": answer}) + "\n")
        return self.known[key]
