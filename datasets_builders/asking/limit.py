"""Section 2.4: how many requests are out at once: as many as the server bears, found out by asking.

It starts with a few, doubles with each round of answers up to the most that is allowed, halves where the server says
that it is too much, and then grows by a fixed number a round: additive increase, multiplicative decrease, as TCP does.
The number is a part of the most that is allowed, so that one refusal at the start is not felt for hours.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque

START = 8
ROUNDS_TO_RECOVER = 32
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0
MAX_RETRY_AFTER_SECONDS = 600.0


class AdaptiveLimit:
    """Places for requests to one server.

    Args:
        most (`int`): never more than these.
        start (`int`): places at first.
    """

    def __init__(self, most: int, start: int = START) -> None:
        self.most = most
        self.places = float(min(start, most))
        self.threshold = float(most)
        self.running = 0
        self.num_cuts = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._last_cut = 0.0
        self._paused_until = 0.0
        self._pauses_in_a_row = 0

    async def enter(self) -> float:
        """Wait for a place; returns the time at which it was given."""
        if self.running >= int(self.places) or self._waiting:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self.leave()
                raise
        else:
            self.running += 1
        while (seconds := self._paused_until - time.monotonic()) > 0:
            try:
                await asyncio.sleep(seconds * random.uniform(1.0, 1.1))
            except asyncio.CancelledError:
                self.leave()
                raise
        return time.monotonic()

    def leave(self) -> None:
        """Give the place back."""
        self.running -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.running < int(self.places):
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.running += 1  # the place is the waiter's from now on
                waiter.set_result(None)

    def answered(self) -> None:
        """Allow more: the server answered."""
        self._pauses_in_a_row = 0
        if self.places < self.most:
            additive = max(1.0, self.most / ROUNDS_TO_RECOVER)  # for all answers of a round together
            step = 1.0 if self.places < self.threshold else additive / max(self.places, additive)
            self.places = min(float(self.most), self.places + step)

    def too_many(self, sent_at: float, retry_after_seconds: float | None = None) -> None:
        """Allow half as many: the server says that it is too much. Requests sent before the last cut cut no more.

        Args:
            sent_at (`float`): when the request was sent, as `enter` told.
            retry_after_seconds (`float`, *optional*): for how long the server wants no request.
        """
        now = time.monotonic()
        if sent_at >= self._last_cut:
            self.places = self.threshold = max(1.0, self.places / 2)
            self._last_cut = now
            self.num_cuts += 1
            self._pauses_in_a_row += 1
            pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._pauses_in_a_row - 1, 16))
            self._paused_until = max(self._paused_until, now + pause * random.uniform(0.5, 1.0))
        if retry_after_seconds is not None:
            self._paused_until = max(self._paused_until, now + min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
