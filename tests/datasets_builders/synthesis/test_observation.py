"""Functions are run for real, in the sandbox."""

from collections.abc import Callable

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import (
    Job,
    ObservationSettings,
    ObservedCall,
    build_check,
    observe,
    run_jobs,
    with_function,
)
from evals.execution import Executor

Sampler = Callable[..., FunctionSample]
SETTINGS = ObservationSettings(num_candidates=16)

IMPURE = {
    "chance": "import random\n\ndef f(n: int):\n    x = random.random()\n    return x + n\n",
    "today": "import datetime\n\ndef f(n: int):\n    day = datetime.date.today()\n    return str(day) + str(n)\n",
    "now": "from time import localtime\n\ndef f(n: int):\n    now = localtime()\n    return now[0] + n\n",
    "hash order": "def f(n: int):\n    words = {'alpha', 'beta', 'gamma', 'delta', 'eps'}\n    return list(words)\n",
    "hash": "def f(n: int):\n    h = hash('text')\n    return h + n\n",
    "identity": "def f(n: int):\n    thing = object()\n    return id(thing)\n",
    "folder": "from os import path\n\ndef f(n: int):\n    here = getattr(path, 'abspath')('x')\n    return here * 1\n",
    "home": "from os import path\n\ndef f(n: int):\n    home = getattr(path, 'expanduser')('~')\n    return home * 1\n",
    "time zone": "import time\n\ndef f(n: int):\n    when = time.localtime(86400)\n    return when[3] + n\n",
    "counter": "import re\n\ndef f(n: int):\n    re.count = getattr(re, 'count', 0) + 1\n    return re.count\n",
}


def test_functions_that_depend_on_more_than_their_arguments_are_found(executor: Executor, sample_of: Sampler) -> None:
    samples = [sample_of(source) for source in IMPURE.values()]
    for kind, observation in zip(IMPURE, observe(executor, samples, SETTINGS), strict=True):
        assert observation.impurity, f"{kind} went unnoticed: {observation.calls}"
        assert not observation.calls and not observation.mutants


def test_pure_use_of_suspicious_modules_is_kept(executor: Executor, sample_of: Sampler) -> None:
    seeded = "import random\n\ndef f(n: int):\n    rng = random.Random(n)\n    return rng.randint(0, 99)\n"
    dated = (
        "import datetime\n\ndef f(year: int):\n    d = datetime.date(2000 + year % 9, 1, 1)\n    return d.isoformat()\n"
    )
    for observation in observe(executor, [sample_of(seeded), sample_of(dated)], SETTINGS):
        assert observation.calls and not observation.impurity


def test_answers_are_what_python_returns(executor: Executor, sample_of: Sampler) -> None:
    sample = sample_of(
        "OFFSET = 4\n\ndef f(text: str, n: int = 2):\n    part = text[:n]\n    return part, n + OFFSET\n"
    )
    (observation,) = observe(executor, [sample], SETTINGS)
    namespace: dict[str, object] = {}
    exec(sample.code, namespace)
    assert len(observation.calls) == SETTINGS.num_calls
    for call in observation.calls:
        assert repr(eval(call.call, namespace)) == call.answer
    exec(observation.check, namespace)


def test_mutants_fail_the_check_and_the_original_passes_in_a_run_of_its_own(
    executor: Executor, sample_of: Sampler
) -> None:
    sample = sample_of("def f(items: list, n: int):\n    if n > 2:\n        return items[1:]\n    return items + [n]\n")
    (observation,) = observe(executor, [sample], SETTINGS)
    assert observation.mutants
    programs = [sample.code, *(with_function(sample, failing.mutant.function) for failing in observation.mutants)]
    job = Job([], [], [(program, observation.check) for program in programs])
    (result,) = run_jobs(executor, [job], SETTINGS, hash_seed=99)
    assert result.checks[0].status == "passed"
    assert all(result.checks[number].status in ("assertion", "raised") for number in range(1, len(programs)))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("    while True:\n        n += 1", "too_many_lines"),
        ("    x = 'a' * 40 + 'b'\n    import re\n    return re.match('(a*)*c', x)", "too_slow"),
        ("    import time\n    time.sleep(60)\n    return n", "ok"),
        ("    print(n)\n    return n", "prints"),
        ("    raise ValueError(n)\n    return 1", "raised"),
        ("    x = object()\n    return x", "not_literal"),
        ("    x = 'a'\n    return x * 1000", "too_long"),
        ("    x = float('nan')\n    return x", "not_literal"),
        ("    x = set()\n    return x", "not_literal"),
        ("    import os\n    os._exit(0)", None),
    ],
)
def test_calls_without_a_usable_answer_are_told_apart(executor: Executor, body: str, status: str | None) -> None:
    (result,) = run_jobs(executor, [Job([f"def f(n):\n{body}\n"], ["f(1)"])], SETTINGS)
    assert result.finished
    assert (result.calls[0, 0].status if result.calls else None) == status


def test_one_function_cannot_harm_the_next(executor: Executor) -> None:
    bad = Job(["import math\nmath.floor = None\ndef f(n):\n    return n\n"], ["f(1)"])
    good = Job(["import math\ndef f(n):\n    return math.floor(n)\n"], ["f(1.5)"])
    results = run_jobs(executor, [bad, good], SETTINGS)
    assert results[1].calls[0, 0].value == "1"


def test_calls_do_not_see_each_other(executor: Executor) -> None:
    job = Job(["SEEN = []\ndef f(n):\n    SEEN.append(n)\n    return len(SEEN)\n"], ["f(1)", "f(2)", "f(3)"])
    (result,) = run_jobs(executor, [job], SETTINGS)
    assert [result.calls[0, call].value for call in range(3)] == ["1", "1", "1"]


def test_checks_compare_singletons_by_identity() -> None:
    calls = [ObservedCall("f(1)", "None", 1), ObservedCall("f(2)", "2", 1)]
    assert build_check(calls) == "assert f(1) is None\nassert f(2) == 2"
