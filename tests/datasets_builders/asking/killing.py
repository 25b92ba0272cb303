"""Builds that are killed by SIGKILL again and again, and what the server saw of each."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import JSONResponse

from datasets_builders.asking.request import body_of, key_of
from datasets_builders.building.identity import content_id
from tests.datasets_builders.asking.builders import build_topics, topics_and_explanations
from tests.openai_server import ScriptedServer, chat_answer

ROOT = Path(__file__).resolve().parents[3]
BUILD = """
import sys
from tests.datasets_builders.asking.builders import build_topics
if __name__ == "__main__":
    url, output, lines, workers = sys.argv[1:]
    build_topics(url, output, int(lines), int(workers))
"""


@dataclass
class Killed:
    """What a run did: answers on disk when it began, requests that it made, those of them that had been answered."""

    kept: int
    asked: int
    asked_again: int
    was_killed: bool


class Killing:
    """A build that is killed at moments of choice, against a server that answers late.

    Args:
        folder (`Path`): of the dataset.
        num_lines (`int`): documents; each is asked about once, and twice again.
        delay_seconds (`float`): until the server answers, at most.
        workers (`int`): of the build.
    """

    def __init__(self, folder: Path, num_lines: int, delay_seconds: float = 0.02, workers: int = 1) -> None:
        self.folder, self.num_lines, self.workers = folder, num_lines, workers
        self.delay_seconds = delay_seconds
        self.server = ScriptedServer(self._answer)
        self._came = threading.Condition()
        self._random = random.Random(0)

    async def _answer(self, body):
        with self._came:
            self._came.notify_all()
        await asyncio.sleep(self._random.uniform(0, self.delay_seconds))
        if "prompt" not in body:
            return chat_answer(topics_and_explanations(body["messages"]))
        text = topics_and_explanations([{"role": "prompt", "content": body["prompt"]}])
        return JSONResponse({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]})

    def run(self, requests: int | None = None, seconds: float = 0.0) -> Killed:
        """Run the build; kill it so many seconds after it has made so many requests, or never."""
        kept, before = self.kept_keys(), len(self.server.asked)
        words = [self.server.url, str(self.folder), str(self.num_lines), str(self.workers)]
        if requests is None:
            build_topics(words[0], words[1], self.num_lines, self.workers)
            was_killed = False
        else:
            was_killed = self._run_and_kill(words, before + requests, seconds)
        asked = self.server.asked[before:]
        again = sum(bool(self.keys_of(body) & kept) for body in asked)
        return Killed(len(kept), len(asked), again, was_killed)

    def _run_and_kill(self, words: list[str], num_asked: int, seconds: float) -> bool:
        # A group of its own, so that workers die in the same moment.
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD, *words],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 120
        while len(self.server.asked) < num_asked and process.poll() is None and time.monotonic() < deadline:
            with self._came:
                self._came.wait(timeout=0.2)
        time.sleep(seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, told = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), told.decode()
        return process.returncode != 0

    def kept_keys(self) -> set[str]:
        """Return the keys of the answers on disk."""
        lines = [
            line
            for path in self.folder.parent.glob(f"{self.folder.name}.answers/*/*.jsonl")
            for line in path.read_bytes().splitlines(True)
        ]
        return {line[8:40].decode() for line in lines if line.endswith(b"\n")}

    def keys_of(self, body) -> set[str]:
        """Return the keys that a request may have."""
        if "messages" in body:
            return {key_of("chat/completions", body_of(body), "")}
        topic = body["prompt"].removesuffix(" is")
        line = topic.split()[-1]
        return {key_of("completions", body_of(body), content_id(f"{int(line):04d}", topic))}

    def shards(self) -> list[bytes]:
        """Return the bytes of the dataset."""
        return [path.read_bytes() for path in sorted((self.folder / "data").iterdir())]
