"""Section 2.4: what asking has cost, over all ranks and runs, and the budget at which it stops."""

from __future__ import annotations

import asyncio
import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets_builders.building.atomic import write_json
from datasets_builders.building.errors import BuildError

SPENT_SUFFIX = ".spent"
BUDGET_LOCK = "budget.lock"
OUT = "out"  # beside what a rank spent: what its requests that are out may cost
PART = 0.005
TELL_SECONDS = 1.0
# A rank that has told nothing for so long is none any more, or waits for one answer.
SILENT_SECONDS = 120.0
BYTES_PER_TOKEN = 3.0  # of a request's JSON; fewer than in most texts, so that a reserve is rather too large


class BudgetSpentError(BuildError):
    """The next request does not fit into the budget; what was answered is kept."""


@dataclass(frozen=True)
class Budget:
    """The most that may be spent on a dataset, earlier runs included; 0 is no bound.

    Args:
        requests (`int`): answered ones.
        tokens (`int`): of questions and answers together.
        dollars (`float`): by the teachers' prices.
    """

    requests: int = 0
    tokens: int = 0
    dollars: float = 0.0


@dataclass
class Spent:
    """What was asked for and what it cost."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0

    def add(self, other: Spent) -> None:
        """Add another's."""
        self.requests += other.requests
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.dollars += other.dollars

    @property
    def tokens(self) -> int:
        """Tokens of questions and answers."""
        return self.prompt_tokens + self.completion_tokens

    def told(self) -> str:
        """Return it in words."""
        cost = f", ${self.dollars:,.2f}" if self.dollars else ""
        return f"{self.requests:,} answers, {self.prompt_tokens:,} + {self.completion_tokens:,} tokens{cost}"


def spent_in(folder: Path) -> Spent:
    """Return what all ranks of all steps in a folder of answers have spent, by what they last told.

    Args:
        folder (`Path`): with a folder for each step.
    """
    return _told(folder.glob(f"*/*{SPENT_SUFFIX}"))


def spent_in_step(folder: Path) -> Spent:
    """Return what all ranks of the step with this folder have spent, by what they last told."""
    return _told(folder.glob(f"*{SPENT_SUFFIX}"))


def _told(files: Iterable[Path]) -> Spent:
    total = Spent()
    for file in files:
        try:
            values = json.loads(file.read_text())
            values.pop(OUT, None)
            total.add(Spent(**values))
        except (OSError, ValueError, TypeError):
            continue
    return total


def spent_of(lines: Iterable[dict[str, Any]]) -> Spent:
    """Return what lines of answers cost."""
    total = Spent()
    for line in lines:
        total.requests += 1
        total.prompt_tokens += line.get("prompt_tokens", 0)
        total.completion_tokens += line.get("completion_tokens", 0)
        total.dollars += line.get("dollars", 0.0)
    return total


class Account:
    """What a rank spends, told to the others, and the budget that all share.

    A request starts where its worst case (as many tokens as it may have) still fits beside what is out. Ranks that run
    at once tell each other, under a lock, of each part of the budget that they take; together they may be over it by
    the `PART` of it that they have not yet told of.

    Args:
        budget (`Budget`): of all together.
        folder (`Path`): of the answers of all steps.
        file (`Path`): where this rank tells.
        spent (`Spent`): what its file of answers holds already.
        ranks_at_once (`int`): ranks that share the budget.
    """

    def __init__(self, budget: Budget, folder: Path, file: Path, spent: Spent, ranks_at_once: int = 1) -> None:
        self.budget, self.folder, self.file, self.spent = budget, folder, file, spent
        self.is_bounded = any(asdict(budget).values())
        self._part = PART / max(1, ranks_at_once)
        self._others, self._others_out = Spent(), Spent()
        self._out, self._told = Spent(), Spent()
        self._freed: asyncio.Event = asyncio.Event()
        self.tell()

    async def reserve(self, worst: Spent) -> None:
        """Wait until a request fits.

        Raises:
            BudgetSpentError: it does not, and nothing is out that could free anything.
        """
        while self.is_bounded:
            bound = self._exceeded(worst)
            if bound or self._is_to_be_told(worst):
                with self._locked():
                    self._read_others()
                    bound = self._exceeded(worst)
                    if not bound:
                        self._out.add(worst)
                    self._write()
                if not bound:
                    return
            else:
                break
            if self._out.requests:
                self._freed.clear()
                await self._freed.wait()
            elif self._others_out.requests:
                # The end of one rank ends the others, and what they have out would be paid for in vain.
                await asyncio.sleep(TELL_SECONDS / 2)
            else:
                raise BudgetSpentError(
                    f"the budget is spent: {bound}; so far {self._total().told()}. Raise it, and the same command goes "
                    "on with what is missing"
                )
        self._out.add(worst)

    def release(self, worst: Spent) -> None:
        """Give back what was reserved for a request that is over."""
        self._out.add(Spent(-worst.requests, -worst.prompt_tokens, -worst.completion_tokens, -worst.dollars))
        self._freed.set()
        if time.monotonic() - self._told_at > TELL_SECONDS:
            self.tell()

    def spend(self, spent: Spent) -> None:
        """Count what an answer cost."""
        self.spent.add(spent)

    def tell(self) -> None:
        """Write what was spent and what is out for the others, and read what they did."""
        if not self.is_bounded:
            self._write()
            return
        with self._locked():
            self._read_others()
            self._write()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / BUDGET_LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self) -> None:
        self._told_at = time.monotonic()
        self._told = self._committed()
        write_json(self.file, asdict(self.spent) | {OUT: asdict(self._out)})

    def _read_others(self) -> None:
        self._others, self._others_out = Spent(), Spent()
        for path in self.folder.glob(f"*/*{SPENT_SUFFIX}"):
            if path == self.file:
                continue
            try:
                values = json.loads(path.read_text())
                out = Spent(**values.pop(OUT))
                self._others.add(Spent(**values))
                if time.time() - path.stat().st_mtime < SILENT_SECONDS:
                    self._others_out.add(out)
            except (OSError, ValueError, TypeError, KeyError):
                continue

    def _committed(self) -> Spent:
        committed = Spent(**asdict(self.spent))
        committed.add(self._out)
        return committed

    def _is_to_be_told(self, worst: Spent) -> bool:
        """Return whether, with one request more, enough is taken that the others do not know of."""
        taken = self._committed()
        taken.add(worst)
        return any(
            bound and getattr(taken, name) - getattr(self._told, name) > bound * self._part
            for name, bound in asdict(self.budget).items()
        )

    def _total(self) -> Spent:
        total = Spent(**asdict(self.spent))
        total.add(self._others)
        return total

    def _exceeded(self, worst: Spent) -> str:
        total = self._total()
        for taken in (self._out, self._others_out, worst):
            total.add(taken)
        for name, bound in asdict(self.budget).items():
            if bound and getattr(total, name) > bound + 1e-9:
                return f"budget_{name} is {bound:,}"
        return ""
