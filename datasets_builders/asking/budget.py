"""Section 2.4: what asking has cost, over all ranks and runs, and the budget at which it stops."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets_builders.building.atomic import write_json
from datasets_builders.building.errors import BuildError

SPENT_SUFFIX = ".spent"
TELL_SECONDS = 1.0
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


def spent_in(folder: Path, but: Path | None = None) -> Spent:
    """Return what all ranks of all steps in a folder of answers have spent, by what they last told.

    Args:
        folder (`Path`): with a folder for each step.
        but (`Path`, *optional*): file of the one rank that is left out.
    """
    return _told(path for path in folder.glob(f"*/*{SPENT_SUFFIX}") if path != but)


def spent_in_step(folder: Path) -> Spent:
    """Return what all ranks of the step with this folder have spent, by what they last told."""
    return _told(folder.glob(f"*{SPENT_SUFFIX}"))


def _told(files: Iterable[Path]) -> Spent:
    total = Spent()
    for file in files:
        try:
            total.add(Spent(**json.loads(file.read_text())))
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
    at once learn of each other within a second, and may be over the budget by what they start in it.

    Args:
        budget (`Budget`): of all together.
        folder (`Path`): of the answers of all steps.
        file (`Path`): where this rank tells.
        spent (`Spent`): what its file of answers holds already.
    """

    def __init__(self, budget: Budget, folder: Path, file: Path, spent: Spent) -> None:
        self.budget, self.folder, self.file, self.spent = budget, folder, file, spent
        self.is_bounded = any(asdict(budget).values())
        self._others = spent_in(folder, file) if self.is_bounded else Spent()
        self._out = Spent()
        self._told_at = -math.inf
        self._freed: asyncio.Event = asyncio.Event()

    async def reserve(self, worst: Spent) -> None:
        """Wait until a request fits.

        Raises:
            BudgetSpentError: it does not, and nothing is out that could free anything.
        """
        while self.is_bounded and (bound := self._exceeded(worst)):
            if self._out.requests == 0:
                raise BudgetSpentError(
                    f"the budget is spent: {bound}; so far {self._total().told()}. Raise it, and the same command goes "
                    "on with what is missing"
                )
            self._freed.clear()
            await self._freed.wait()
        self._out.add(worst)

    def release(self, worst: Spent) -> None:
        """Give back what was reserved for a request that is over."""
        self._out.add(Spent(-worst.requests, -worst.prompt_tokens, -worst.completion_tokens, -worst.dollars))
        self._freed.set()

    def spend(self, spent: Spent) -> None:
        """Count what an answer cost."""
        self.spent.add(spent)
        if time.monotonic() - self._told_at > TELL_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Write what was spent for the others, and read what they did."""
        self._told_at = time.monotonic()
        write_json(self.file, asdict(self.spent))
        if self.is_bounded:
            self._others = spent_in(self.folder, self.file)

    def _total(self) -> Spent:
        total = Spent(**asdict(self.spent))
        total.add(self._others)
        return total

    def _exceeded(self, worst: Spent) -> str:
        total = self._total()
        total.add(self._out)
        total.add(worst)
        for name in ("requests", "tokens", "dollars"):
            bound = getattr(self.budget, name)
            if bound and getattr(total, name) > bound + 1e-9:
                return f"budget_{name} is {bound:,}"
        return ""
