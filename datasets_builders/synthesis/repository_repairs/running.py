"""Section 2.4: what the functions of several files do before a change, after it, and where a file does not follow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_builders.synthesis.program_analysis.arguments import candidate_calls
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.questions.question import same_value
from datasets_builders.synthesis.repository_repairs.changes import Change
from datasets_builders.synthesis.repository_repairs.files import CutFile, CutFunction
from evals.execution import Executor, Limits, Program

MARK = "\x01seen "
MAX_CALLS, NUM_CANDIDATES = 6, 24
LIMITS = Limits(wall_seconds=60.0, cpu_seconds=10.0, memory_bytes=512 << 20)

# Imports the function and says of each call what came of it, as literals that read back.
_DRIVER = """
import ast as _ast, json as _json, signal as _signal, sys as _sys
_calls, _seen = {calls!r}, []
try:
    {imported}
except Exception as _error:
    # The message ends with the folder that it ran in.
    _seen = [["import", (type(_error).__name__ + ": " + str(_error).split(" (")[0])[:200]]] * len(_calls)
    _calls = []
_signal.signal(_signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
for _call in _calls:
    _signal.setitimer(_signal.ITIMER_REAL, 2)
    try:
        _value = eval(_call)
        _text = repr(_value)
        _back = _ast.literal_eval(_text)
        _seen.append(["ok", _text] if type(_back) is type(_value) and _back == _value else ["other", ""])
    except TimeoutError:
        _seen.append(["slow", ""])
    except Exception as _error:
        _seen.append(["raised", (type(_error).__name__ + ": " + str(_error))[:200]])
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
_sys.__stdout__.write("\\n" + {mark!r} + _json.dumps(_seen) + "\\n")
"""


@dataclass(frozen=True)
class FoundFault:
    """A change that a call tells.

    Args:
        change (`Change`): the change.
        failure (`str`): how the first call shows it, a sentence.
        fail_to_pass, pass_to_pass: asserts that fail and pass while the callers do not follow; all pass when they do.
    """

    change: Change
    failure: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]


def import_of(function: CutFunction) -> str:
    """Return the line that imports a function from the project's folder."""
    return f"from {function.module} import {function.name}"


def program_of(files: Sequence[CutFile], source: str, hash_seed: int = 0) -> Program:
    """Return a program that runs where files lie."""
    return Program(source, files={file.path: file.text.encode() for file in files}, hash_seed=hash_seed)


def find_faults(
    executor: Executor, functions: Sequence[tuple[CutFunction, Sequence[Change]]], seed: int, max_answer_chars: int
) -> list[list[FoundFault]]:
    """Run functions with all their changes.

    Args:
        executor (`Executor`): the sandbox.
        functions: with the changes of each.
        seed (`int`): chooses calls.
        max_answer_chars (`int`): longest value that is stated.

    Returns:
        The faults of each, in order.
    """
    programs: list[Program] = []
    calls_of: list[list[str]] = []
    for function, changes in functions:
        sample = FunctionSample(function.name, function.module, "", function.text, "", "")
        calls = [f"{function.name}()"] if function.is_test else candidate_calls(sample, seed, NUM_CANDIDATES)
        calls_of.append(calls)
        source = _DRIVER.format(calls=calls, mark=MARK, imported=import_of(function))
        programs += [program_of(function.files, source, hash_seed) for hash_seed in (1, 2)]
        for change in changes:
            programs += [program_of(change.repaired, source, 3), program_of(change.faulty, source, 4)]
    results = iter([_seen(result.stdout) for result in executor.run_batch(programs, LIMITS)])
    found = []
    for (function, changes), calls in zip(functions, calls_of, strict=True):
        right, again = next(results), next(results)
        faults = []
        for change in changes:
            repaired, faulty = next(results), next(results)
            if right and _behavior(right) == _behavior(again) == _behavior(repaired):
                fault = _fault(function, change, calls, right, faulty, max_answer_chars)
                faults += [fault] if fault else []
        found.append(faults)
    return found


def _seen(output: str) -> list[list[str]]:
    try:
        return json.loads(output.rpartition(MARK)[2]) if MARK in output else []
    except ValueError:
        return []


def _behavior(seen: list[list[str]]) -> list[tuple[str, str]]:
    """Return values, and the types of exceptions: of 7 // 0 and 7 % 0 the messages differ."""
    return [(status, text if status == "ok" else text.partition(":")[0]) for status, text in seen]


def _fault(
    function: CutFunction,
    change: Change,
    calls: list[str],
    right: list[list[str]],
    faulty: list[list[str]],
    max_answer_chars: int,
) -> FoundFault | None:
    if not faulty:
        return None
    # What took too long says nothing: another machine may have the time.
    known = {
        call: (answer, told)
        for call, (status, answer), told in zip(calls, right, faulty, strict=True)
        if status == "ok" and len(answer) <= max_answer_chars and told[0] != "slow"
    }
    if not function.is_test and len({answer for answer, _ in known.values()}) < 2:
        return None  # a function that says the same whatever it is given
    # As asserts tell: 1, 1.0 and True are one value there; what is no literal may be equal all the same.
    failing = [
        call
        for call, (answer, (status, value)) in known.items()
        if status in ("raised", "import") or (status == "ok" and not same_value(value, answer))
    ]
    passing = [call for call, (answer, told) in known.items() if told == ["ok", answer]]
    if not failing:
        return None
    if function.is_test and [answer for answer, _ in known.values()] != ["None"]:
        return None
    call = failing[0]
    answer, (status, value) = known[call]
    if status == "import":
        failure = f"`{import_of(function)}` raises `{value}`."
    elif function.is_test:
        failure = f"`{function.name}` in `{function.files[-1].path}` fails" + (f" with `{value}`." if value else ".")
    elif status == "ok":
        failure = f"`{call}` returns `{value}` instead of `{answer}`."
    else:
        failure = f"`{call}` raises `{value}`; `{answer}` is expected."

    def asserts(chosen: list[str]) -> tuple[str, ...]:
        if function.is_test:
            return tuple(f"{import_of(function)}\n{each}" for each in chosen)
        return tuple(f"{import_of(function)}\nassert {each} == {known[each][0]}" for each in chosen[:MAX_CALLS])

    return FoundFault(change, failure, asserts(failing), asserts(passing))
