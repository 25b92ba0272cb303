"""Sections 4.3.1 and 4.4.1: evalplus's tests as they are run here: the same verdicts, sooner.

A long list of inputs or results becomes a JSON text, which is read some ten times as fast as a display is compiled.
Where a test computes what it expects by the reference each time, that is done once per machine, in the sandbox, and a
digest of each value is kept: a result with that digest is right; for any other the reference is asked as before.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evals.execution import Executor, Limits, Program, Verdict
from evals.execution.toolchains import toolchains_folder

VERSION = "1"  # of what is kept
LONG = 2000  # characters of a display
LISTS = re.compile(r"^( *)(inputs|results) = (\[.*\])$", re.MULTILINE)
COMPARISON = re.compile(
    r"^ *for i, inp in enumerate\(inputs\):\n( +)(assertion\((\w+)\(\*inp\), ref_func\(\*inp\), (\S+)\))$",
    re.MULTILINE,
)
BODY = re.compile(r"^(?:def check\(candidate\):|inputs = )", re.MULTILINE)
# marshal tells all plain values of different types apart and takes no subclasses; in version 2 equal values give the
# same bytes. A NaN, which does not equal itself, has no digest.
COMPUTE = """
import hashlib, json, marshal, time

def _plain(value):
    if type(value) in (list, tuple):
        return all(map(_plain, value))
    return value is None or type(value) in (bool, int, str) or type(value) is float and value == value

_digests, _start = [], time.monotonic()
for inp in inputs:
    _given = marshal.dumps(inp, 2)
    _value = ref_func(*inp)
    _kept = _plain(_value) and marshal.dumps(inp, 2) == _given
    _digests.append(hashlib.blake2b(marshal.dumps(_value, 2), digest_size=16).hexdigest() if _kept else "")
print()  # a reference may have printed half a line
print(json.dumps([_digests, time.monotonic() - _start]))
"""
# An answer that changes its input, or hides a builtin function from the reference, is judged by the reference itself.
AGREE = """
def _ling_given(inp):
    import builtins, marshal
    hidden = any(hasattr(builtins, name) for name in ref_func.__globals__ if not name.startswith("__"))
    return None if hidden else marshal.dumps(inp, 2)

def _ling_agrees(out, inp, given, digest):
    import hashlib, marshal
    try:
        same = digest and given == marshal.dumps(inp, 2)
        return same and hashlib.blake2b(marshal.dumps(out, 2), digest_size=16).hexdigest() == digest
    except ValueError:
        return False

_LING_DIGESTS = {digests}

"""


@dataclass(frozen=True)
class PreparedTest:
    """A test's text, and how long its reference takes, 0 where that was not measured."""

    text: str
    seconds: float = 0.0


@functools.lru_cache(maxsize=1024)
def prepared_test(test: str, packages: tuple[str, ...], limits: Limits) -> PreparedTest:
    """Return a published test as it is run; kept in the user's cache by its content."""
    key = "\0".join([VERSION, sys.version, COMPUTE, AGREE, test])
    path = toolchains_folder() / "tests" / f"{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return PreparedTest(**json.loads(path.read_text(encoding="utf-8")))
    made, whole = prepare(test, packages, limits)
    if whole:
        with contextlib.suppress(OSError):  # a cache that cannot be written to
            keep(path, json.dumps(vars(made)))
    return made


def keep(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)


def prepare(test: str, packages: tuple[str, ...], limits: Limits) -> tuple[PreparedTest, bool]:
    """Return the test as it is run, and whether that is all that can be made of it."""
    test = LISTS.sub(as_json, test)
    comparison, body = COMPARISON.search(test), BODY.search(test)
    if not comparison or not body or "def ref_func(" not in test[: body.start()]:
        return PreparedTest(test), True
    inputs = next(match[0].lstrip() for match in re.finditer(r"^ *inputs = .*$", test, re.MULTILINE))
    with Executor(limits, workers=1) as executor:
        result = executor.run(Program(f"{test[: body.start()]}\n{inputs}\n{COMPUTE}", packages=packages))
    if result.verdict is not Verdict.PASS or result.output_truncated:
        return PreparedTest(test), False
    digests, seconds = json.loads(result.stdout.splitlines()[-1])
    indent, call, function, tolerance = comparison.groups()
    lines = [
        "_ling_before, _ling_digest = _ling_given(inp), _LING_DIGESTS[i]",  # an answer may have an i of its own
        f"_ling_out = {function}(*inp)",
        "if not _ling_agrees(_ling_out, inp, _ling_before, _ling_digest):",
        f"    assertion(_ling_out, ref_func(*inp), {tolerance})",
    ]
    test = test.replace(f"{indent}{call}", "\n".join(indent + line for line in lines))
    text = test[: body.start()] + AGREE.format(digests=json.dumps(digests)) + test[body.start() :]
    return PreparedTest(text, seconds), True


def as_json(found: re.Match[str]) -> str:
    """Return an assignment of a long display as one of a JSON text, where that gives the same values."""
    indent, name, display = found.groups()
    if len(display) >= LONG:
        with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = ast.literal_eval(display)
            text = json.dumps(value)
            if repr(json.loads(text)) == repr(value):
                # The length: an answer that turned json off shall not pass for want of tests.
                return f"{indent}{name} = __import__('json').loads({text!r}); assert len({name}) == {len(value)}"
    return found[0]
