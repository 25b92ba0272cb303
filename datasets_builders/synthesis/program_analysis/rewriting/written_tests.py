"""Section 2.4 (test generation): tests of a function, made of calls that were observed, in the styles people use."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import FailingMutant, Observation, ObservedCall

STYLES = ("asserts", "pytest", "unittest", "doctest")
MIN_TESTED_CALLS, MAX_TESTED_CALLS = 3, 6
_SINGLETONS = ("None", "True", "False")
# What runs the tests, for one who has no test runner: a failure is an exception.
_RUNNERS = {
    "asserts": "",
    "pytest": "for name, test in sorted(globals().items()):\n    if name.startswith('test_'):\n        test()",
    "unittest": (
        "import unittest\n"
        "result = unittest.TestResult()\n"
        "unittest.defaultTestLoader.loadTestsFromTestCase({name}).run(result)\n"
        "assert result.testsRun and result.wasSuccessful()"
    ),
    "doctest": (
        "import doctest\n"
        "test = doctest.DocTestParser().get_doctest({text!r}, globals(), 'examples', None, None)\n"
        "assert test.examples and not doctest.DocTestRunner().run(test, out=len).failed"
    ),
}


@dataclass(frozen=True)
class WrittenTests:
    """Tests of a function.

    `text` is what is written, `program` what runs behind the function and raises if a test fails. `num_calls` is how
    many calls are tested.
    """

    style: str
    text: str
    program: str
    num_calls: int


def write_tests(sample: FunctionSample, observation: Observation) -> WrittenTests | None:
    """Return tests that tell the function from its mutants, in a style that the content's hash chooses.

    Args:
        sample (`FunctionSample`): the function.
        observation (`Observation`): its calls, and what its mutants did instead.

    Returns:
        `WrittenTests`, or None where fewer than three calls are known.
    """
    calls = choose_calls(observation)
    if len(calls) < MIN_TESTED_CALLS:
        return None
    digest = hashlib.sha256(f"tests\0{sample.code}".encode()).digest()
    style = STYLES[digest[0] % len(STYLES)]
    # An exception is told in a natural way by two of the styles.
    failing = list(observation.failing_calls[:1]) if style in ("unittest", "doctest") else []
    return written(sample.name, style, calls, failing)


def choose_calls(observation: Observation) -> list[ObservedCall]:
    """Return few calls that tell all mutants from the function, and then some, in the order observed.

    Args:
        observation (`Observation`): calls and mutants.
    """
    left = [
        {number for number in range(len(observation.calls)) if _differs(mutant, observation.calls, number)}
        for mutant in observation.mutants
    ]
    chosen: set[int] = set()
    while left := [killers for killers in left if killers and not killers & chosen]:
        counts = [(sum(number in killers for killers in left), -number) for number in range(len(observation.calls))]
        chosen.add(-max(counts)[1])
        if len(chosen) == MAX_TESTED_CALLS:
            break
    for number in range(len(observation.calls)):
        if len(chosen) < MIN_TESTED_CALLS:
            chosen.add(number)
    return [observation.calls[number] for number in sorted(chosen)]


def _differs(mutant: FailingMutant, calls: Sequence[ObservedCall], number: int) -> bool:
    error = mutant.errors[number] if mutant.errors else ""
    return bool(error) or (bool(mutant.values[number]) and mutant.values[number] != calls[number].answer)


def written(name: str, style: str, calls: Sequence[ObservedCall], failing: Sequence[ObservedCall]) -> WrittenTests:
    """Return tests in one style.

    Args:
        name (`str`): of the function.
        style (`str`): one of `STYLES`.
        calls (`Sequence[ObservedCall]`): calls that return.
        failing (`Sequence[ObservedCall]`): calls that raise; for unittest and doctest.

    Raises:
        ValueError: the style is not known.
    """
    class_name = "".join(part.capitalize() for part in name.split("_") if part) + "Test"
    if style == "asserts":
        text = "\n".join(_assert(call) for call in calls)
    elif style == "pytest":
        text = "\n\n\n".join(
            f"def test_{name.strip('_')}_{number}():\n    {_assert(call)}" for number, call in enumerate(calls, 1)
        )
    elif style == "unittest":
        methods = [f"    def test_values(self):\n{_unittest_lines(calls)}"]
        methods += [
            f"    def test_raises(self):\n        with self.assertRaises({call.error.kind}):\n            {call.call}"
            for call in failing
            if call.error is not None
        ]
        text = f"import unittest\n\n\nclass {class_name}(unittest.TestCase):\n" + "\n\n".join(methods)
    elif style == "doctest":
        examples = [
            f">>> {call.call}\n{call.answer}" if call.answer != "None" else f">>> {call.call}" for call in calls
        ]
        examples += [
            f">>> {call.call}\nTraceback (most recent call last):\n    ...\n{call.error.text}"
            for call in failing
            if call.error is not None
        ]
        text = "\n".join(examples)
    else:
        raise ValueError(f"style is {style!r}; known: {', '.join(STYLES)}")
    runner = _RUNNERS[style]
    if style == "doctest":
        return WrittenTests(style, text, runner.format(text=text), len(calls) + len(failing))
    program = "\n\n".join(part for part in (text, runner.replace("{name}", class_name)) if part)
    return WrittenTests(style, text, program, len(calls) + len(failing))


def _assert(call: ObservedCall) -> str:
    return f"assert {call.call} {'is' if call.answer in _SINGLETONS else '=='} {call.answer}"


def _unittest_lines(calls: Sequence[ObservedCall]) -> str:
    lines = []
    for call in calls:
        if call.answer in _SINGLETONS:
            lines.append(f"        self.assertIs({call.call}, {call.answer})")
        else:
            lines.append(f"        self.assertEqual({call.call}, {call.answer})")
    return "\n".join(lines)
