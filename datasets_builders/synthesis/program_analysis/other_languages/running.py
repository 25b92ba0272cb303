"""Section 2.4: programs of other languages and calls on them, run in the sandbox many at a time.

A compiler takes far longer to start than to compile one more function, so many units share a program. A unit or call
that does not compile is found by the line of the compiler's message, taken out, and the rest is compiled again. What is
left after a crash is run again without the unit that was running.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from datasets_builders.synthesis.program_analysis.jobs import SandboxError
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict

RUNTIME_FOLDER = Path(__file__).with_name("runtime")
NUM_RUNS = 2  # processes that observe a program, the second with another order, clock, zone and environment
MAX_ROUNDS = 8
WALL_SECONDS = 300.0  # generous: what is cut off would depend on how loaded the machine is
COMPILE_SECONDS = 300.0


@dataclass(frozen=True)
class Unit:
    """A program, the calls made on it, and its check.

    Args:
        sample (`ProgramSample`): the program.
        calls: expressions.
        check (`str`): asserts, as they are shown; none if empty.
        variant_of (`int`, *optional*): of which function this is a changed version; versions may share what is costly.
        is_counted (`bool`): whether blocks are counted: ends endless programs and tells which branches were taken.
    """

    sample: ProgramSample
    calls: tuple[str, ...]
    check: str = ""
    is_counted: bool = True
    variant_of: int | None = None


@dataclass(frozen=True)
class Seen:
    """What became of a call: `value` is the literal of the answer when `status` is "ok"."""

    status: str
    value: str = ""
    steps: int = 0
    hits: frozenset[int] = frozenset()


@dataclass
class UnitResult:
    """What one process saw of a unit: results by the number of the call, and of the check."""

    calls: dict[int, Seen] = field(default_factory=dict)
    check: str = "not run"
    broken: str = ""
    is_done: bool = False


@dataclass(frozen=True)
class Place:
    """What stands on a line of an assembled program: a unit, or one of its calls."""

    unit: int
    call: int = -1


@dataclass
class Assembly:
    """Many units as one program.

    Args:
        program (`Program`): for the executor.
        places: (file, line from 1) to what stands there.
    """

    program: Program
    places: dict[tuple[str, int], Place] = field(default_factory=dict)


class Runner(ABC):
    """How units of a language become a program."""

    sandbox_language: ClassVar[str]
    units_per_program: ClassVar[int] = 64
    memory_bytes: ClassVar[int] = 1 << 30
    # Of a function: more of them cost a compiler more time than they bring.
    max_candidates: ClassVar[int] = 32
    max_mutants: ClassVar[int] = 8

    @abstractmethod
    def assemble(self, units: Sequence[Unit], max_steps: int, max_chars: int) -> Assembly:
        """Return the program that observes units."""

    def blamed(self, message: str, assembly: Assembly) -> set[Place]:
        """Return what a compiler's message finds fault with; nothing known halves the units until one is left."""
        return set()


def run_units(
    executor: Executor, runner: Runner, units: Sequence[Unit], max_steps: int, max_chars: int
) -> list[tuple[UnitResult, UnitResult]]:
    """Run units, each in two processes.

    Args:
        executor (`Executor`): the sandbox.
        runner (`Runner`): of the units' language.
        units (`Sequence[Unit]`): what to run.
        max_steps (`int`): blocks that a call may enter.
        max_chars (`int`): longest answer.

    Returns:
        Results of both processes, per unit. A unit that does not compile is `broken`.

    Raises:
        SandboxError: the sandbox could not be started.
    """
    results = [(UnitResult(), UnitResult()) for _ in units]
    size = runner.units_per_program
    for start in range(0, len(units), size):
        group = list(range(start, min(start + size, len(units))))
        _run_group(executor, runner, units, group, results, max_steps, max_chars)
    return results


def _run_group(
    executor: Executor,
    runner: Runner,
    units: Sequence[Unit],
    group: list[int],
    results: list[tuple[UnitResult, UnitResult]],
    max_steps: int,
    max_chars: int,
) -> None:
    dropped: dict[int, set[int]] = {index: set() for index in group}
    left = group
    for _ in range(MAX_ROUNDS):
        if not left:
            return
        assembly = runner.assemble([_without(units[index], dropped[index]) for index in left], max_steps, max_chars)
        execution = executor.run(assembly.program, _limits(runner))
        if execution.verdict is Verdict.INFRA_ERROR:
            raise SandboxError(
                f"the sandbox ({execution.isolation}) failed to run a program: {execution.message or 'no message'}. "
                "Free memory and disk space, then run the same command again; it continues"
            )
        if execution.verdict is Verdict.COMPILE_ERROR:
            blamed = runner.blamed(execution.stderr + execution.stdout, assembly)
            if not blamed:
                break
            left = _without_blamed(left, blamed, units, dropped, results)
            continue
        left = _collect(execution, left, units, dropped, results)
    if not left:
        return
    if len(left) == 1:
        _give_up(results[left[0]], "does not compile or ends the process")
        return
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        _run_group(executor, runner, units, half, results, max_steps, max_chars)


def _limits(runner: Runner) -> Limits:
    return Limits(
        wall_seconds=WALL_SECONDS,
        compile_seconds=COMPILE_SECONDS,
        cpu_seconds=WALL_SECONDS,
        memory_bytes=runner.memory_bytes,
        output_bytes=32 << 20,
        num_processes=128,
    )


def _without(unit: Unit, dropped: set[int]) -> Unit:
    if not dropped:
        return unit
    return replace(unit, calls=tuple("" if number in dropped else call for number, call in enumerate(unit.calls)))


def _without_blamed(
    left: list[int],
    blamed: set[Place],
    units: Sequence[Unit],
    dropped: dict[int, set[int]],
    results: list[tuple[UnitResult, UnitResult]],
) -> list[int]:
    broken = set()
    for place in blamed:
        index = left[place.unit]
        if place.call < 0:
            broken.add(index)
        else:
            dropped[index].add(place.call)
            for result in results[index]:
                result.calls[place.call] = Seen("does_not_compile")
            if len(dropped[index]) == len(units[index].calls):
                broken.add(index)
    for index in broken:
        _give_up(results[index], "does not compile")
    return [index for index in left if index not in broken]


def _give_up(pair: tuple[UnitResult, UnitResult], reason: str) -> None:
    for result in pair:
        result.broken, result.is_done = reason, True


def _collect(
    execution: ExecutionResult,
    left: list[int],
    units: Sequence[Unit],
    dropped: dict[int, set[int]],
    results: list[tuple[UnitResult, UnitResult]],
) -> list[int]:
    """Note what a program said; return the units that it did not come to, without the one that ended it."""
    started: list[int] = []
    for line in execution.stdout.split("\n"):  # not splitlines(): JavaScript leaves U+2028 in its JSON as it is
        row = _row(line)
        if row is None or not 0 <= row["unit"] < len(left):
            continue
        index = left[row["unit"]]
        result = results[index][row["run"]]
        if "begin" in row:
            started.append(index)
        elif "done" in row:
            result.is_done = True
        elif "broken" in row:
            result.broken = row["broken"]
        elif "check" in row:
            result.check = row["check"]
        else:
            hits = frozenset(int(part) for part in row.get("hits", "").split(",") if part.isdigit())
            result.calls[row["call"]] = Seen(row["status"], row.get("value", ""), row.get("steps", 0), hits)
    missing = [index for index in left if not all(result.is_done for result in results[index])]
    if not missing:
        return []
    # The unit that ran when the process ended is to blame; where it is not known, the first that is missing.
    guilty = next((index for index in reversed(started) if index in missing), missing[0])
    _give_up(results[guilty], "ends the process")
    for index in missing:
        if index != guilty:
            for result in results[index]:
                result.calls = {call: seen for call, seen in result.calls.items() if call in dropped[index]}
                result.is_done = False
    return [index for index in missing if index != guilty]


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:  # the last line of a program that was stopped while writing
        return None
    return row if isinstance(row, dict) and {"unit", "run"} <= row.keys() and row["run"] in (0, 1) else None
