"""The answers of a model, written as they come, so that none is asked for twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one request.

    Args:
        text (`str`): what is judged.
        finish_reason (`str`): why the model ended, in the server's word: "stop", or "length" at the limit of tokens.
        reasoning (`str`): what it thought before, where that is told apart.
        usage (`dict`): tokens by kind, as the server counts them.
        fault (`str`): why there is no answer. Such a request is not the model's failure, and is asked again.
    """

    text: str = ""
    finish_reason: str = ""
    reasoning: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""


class AnswerFile:
    """Answers by server and request, one line each, written as they come; one that a kill cut off is asked again."""

    def __init__(self, path: Path, server: str = "") -> None:
        self.path, self.server = path, server
        self.lock = threading.Lock()
        self.known: dict[str, Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.read_bytes() if path.is_file() else b""
        for line in written.split(b"\n"):
            try:
                entry = json.loads(line)
                answer = Answer(text=entry.pop("answer"), **{name: entry[name] for name in entry.keys() - {"request"}})
                if isinstance(answer.text, str) and not answer.fault:
                    self.known[entry["request"]] = answer
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        if written and not written.endswith(b"\n"):  # what a kill cut off shall not swallow the next answer
            with open(path, "ab") as file:
                file.write(b"\n")

    def key_of(self, request: Mapping[str, Any]) -> str:
        """Return the name of a request in the file."""
        return hashlib.sha256(json.dumps([self.server, request], sort_keys=True).encode()).hexdigest()

    def get(self, request: Mapping[str, Any], ask: Callable[[], Answer]) -> Answer:
        """Return the answer to a request, from the file or by calling `ask`."""
        key = self.key_of(request)
        if key not in self.known:
            return self.add(key, ask())
        return self.known[key]

    def add(self, key: str, answer: Answer) -> Answer:
        """Write an answer down; a fault too, to be read by people alone."""
        entry = {name: value for name, value in asdict(answer).items() if value and name != "text"}
        with self.lock, open(self.path, "a", encoding="utf-8") as file:
            if not answer.fault:
                self.known[key] = answer
            file.write(json.dumps({"request": key, "answer": answer.text, **entry}) + "\n")
        return answer
