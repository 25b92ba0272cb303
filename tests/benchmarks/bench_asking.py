"""How fast teachers are asked: a step that asks and the raw client of OpenAI, in turns, against one loopback server.

    python tests/benchmarks/bench_asking.py --requests 4000 --concurrency 256 --delay-ms 50

The server answers each request after a fixed time, in a process of its own. Both clients run in this one, in turns; for
each the best of the rounds counts, since what disturbs a shared machine only slows down. The step does what the raw
client does not: it keeps each answer on disk, counts tokens, holds a ramp and gives the outcomes in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OPENAI_API_KEY", "none")

from datatrove.data import Document

from datasets_builders.asking import Ask, Asking, Request, Teacher

MODEL = "bench"
TEXT = "Write a function that returns the sum of the squares of a list of integers. " * 8


class Answered(Ask):
    """Ask about a text."""

    name = "answered"

    def request(self, doc):
        return Request.of_user(doc.text)

    def take(self, doc, answer):
        doc.metadata["answer"] = answer.text
        yield doc


def serve(delay_seconds: float, ready: Connection) -> None:
    """Answer every request after a delay, with as little work as there can be."""
    answer = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}
    usage = {"prompt_tokens": 150, "completion_tokens": 150, "total_tokens": 300}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [answer], "usage": usage}
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                received = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in received.lower().split(b"\r\n")[1:] if line)
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                await asyncio.sleep(delay_seconds)
                writer.write(head + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def ours(url: str, concurrency: int, num_requests: int, round_number: int) -> None:
    """Ask by the step."""
    folder = tempfile.mkdtemp(prefix="bench-asking-")
    try:
        asking = Asking([Teacher(MODEL, url, concurrency=concurrency)], folder)
        documents = (Document(f"{round_number} {number} {TEXT}", str(number)) for number in range(num_requests))
        answered = sum(outcome.metadata["answer"] == TEXT for outcome in Answered(asking).outcomes_of(documents))
        assert answered == num_requests
    finally:
        shutil.rmtree(folder)


def raw(url: str, concurrency: int, num_requests: int, round_number: int) -> None:
    """Ask by the client of OpenAI, with a semaphore around it."""
    import openai

    async def ask_all() -> int:
        gate = asyncio.Semaphore(concurrency)
        limits = openai.DefaultAsyncHttpxClient(base_url=url)
        async with openai.AsyncOpenAI(base_url=url, api_key="none", http_client=limits) as client:

            async def ask(number: int) -> bool:
                messages = [{"role": "user", "content": f"{round_number} {number} {TEXT}"}]
                async with gate:
                    said = await client.chat.completions.create(
                        model=MODEL, messages=messages, max_tokens=1024, temperature=0
                    )
                return said.choices[0].message.content == TEXT

            return sum(await asyncio.gather(*map(ask, range(num_requests))))

    assert asyncio.run(ask_all()) == num_requests


def main() -> None:
    """Measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000, help="requests of a round")
    parser.add_argument("--concurrency", type=int, default=256, help="requests at once")
    parser.add_argument("--delay-ms", type=float, default=50, help="time after which the server answers")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each client")
    options = parser.parse_args()
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(options.delay_ms / 1000, sender), daemon=True
    )
    server.start()
    url = f"http://127.0.0.1:{receiver.recv()}/v1"
    best: dict[str, tuple[float, float]] = {}
    for client in (ours, raw):  # imports
        client(url, options.concurrency, 100, -1)
    for round_number in range(options.rounds):
        for client in (raw, ours):
            wall, processor = time.perf_counter(), time.process_time()
            client(url, options.concurrency, options.requests, round_number)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            rates = (options.requests / wall, options.requests / processor)
            best[client.__name__] = tuple(map(max, rates, best.get(client.__name__, (0.0, 0.0))))
            print(f"{client.__name__:5} {rates[0]:7.0f} requests/s, {rates[1]:7.0f} per processor second", flush=True)
    server.kill()
    bound = options.concurrency / options.delay_ms * 1000
    for name, (rate, per_second) in best.items():
        print(
            f"best of {name:5}: {rate:.0f} requests/s ({rate / bound:.1%} of {bound:.0f}), {per_second:.0f} per CPU s"
        )
    clock, processor = (best["ours"][kind] / best["raw"][kind] for kind in (0, 1))
    print(f"ours / raw: {clock:.2f} by the clock, {processor:.2f} by processor time")


if __name__ == "__main__":
    main()
