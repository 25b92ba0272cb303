"""Functions are run for real, in the sandbox."""

import ast
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.jobs import Job, ObservationSettings, run_jobs
from datasets_builders.synthesis.program_analysis.mutation import mutate
from datasets_builders.synthesis.program_analysis.observation import ObservedCall, build_check, observe, with_function
from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict

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
    "version": "import sys\n\ndef f(n: int):\n    v = sys.version_info\n    return v[2] + n\n",
    "version text": "from sys import version_info as v\n\ndef f(n: int):\n    t = 'x' * n\n    return t + str(v[1])\n",
    "word size": "import sys\n\ndef f(n: int):\n    big = sys.maxsize\n    return big + n\n",
    "byte order": "import sys\n\ndef f(n: int):\n    o = sys.byteorder\n    return o * 2 + str(n)\n",
    "platform": "import typing\n\ndef f(n: int):\n    s = getattr(typing.sys, 'platform')\n    return s + str(n)\n",
    "module counter": "from itertools import count\nC = count()\n\ndef f(n: int):\n    c = next(C)\n    return c + n\n",
    "growing list": "SEEN = []\n\ndef f(n: int):\n    SEEN.append(n)\n    return len(SEEN)\n",
    "mutable default": "def f(n: int, seen=[]):\n    seen.append(n)\n    return list(seen)\n",
    "cache": "KNOWN = {}\n\ndef f(n: int):\n    KNOWN[n] = 1\n    return sorted(KNOWN)\n",
    "function attribute": "def f(n: int):\n    f.calls = getattr(f, 'calls', 0) + 1\n    return f.calls + n\n",
    "class attribute": "class Pot:\n    total = 0\n\ndef f(n: int):\n    Pot.total += n + 1\n    return Pot.total\n",
    "rare chance": "import random\n\ndef f(n: int):\n    r = random.randint(0, 10**9)\n    return n if r else -n\n",
    "generator": "from random import Random\n\ndef f(n: int):\n    r = Random().random()\n    return n if r else -n\n",
    "boot time": "import time\n\ndef f(n: int):\n    late = time.monotonic() > 1\n    return late and n > 3\n",
    "used time": "from time import process_time\n\ndef f(n: int):\n    s = int(process_time())\n    return s + n\n",
    "day": "from datetime import date\n\ndef f(n: int):\n    d = date.today().day\n    return n if d else -n\n",
    "compressed": "import zlib\n\ndef f(t: str):\n    b = zlib.compress(t.encode() * 9)\n    return len(b)\n",
    "own sizes": "import struct\n\ndef f(n: int):\n    s = struct.calcsize('l')\n    return s + n\n",
    "own order": "from struct import Struct\n\ndef f(n: int):\n    s = Struct('i')\n    return s.pack(n % 9)\n",
    "small numbers": "def f(n: int):\n    m = int(str(n))\n    return m is n\n",
    "texts": "def f(t: str):\n    other = ''.join(list(t))\n    return other is not t\n",
    "number's hash": "def f(x: float):\n    h = hash(x + 0.5)\n    return h\n",
    "keywords": "from keyword import kwlist\n\ndef f(n: int):\n    k = len(kwlist)\n    return k + n\n",
    "unicode": "import unicodedata as u\n\ndef f(t: str):\n    v = u.unidata_version\n    return v + t\n",
    "syntax tree": "import ast\n\ndef f(t: str):\n    tree = ast.parse('x = 1')\n    return ast.dump(tree)\n",
    "system": "import os\n\ndef f(t: str):\n    n = os.name\n    return n + t\n",
    "depth": "def g(n):\n    try:\n        return g(n + 1)\n    except RecursionError:\n        return n\n\n"
    "def f(n: int):\n    d = g(n)\n    return d\n",
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
    reseeded = "import random\n\ndef f(n: int):\n    random.seed(n)\n    return random.randint(0, 99)\n"
    packed = "import struct\n\ndef f(n: int):\n    s = struct.pack('>H', n % 9)\n    return s\n"
    sentinel = "NONE = object()\n\ndef f(n: int, m=NONE):\n    if m is NONE:\n        return n\n    return m\n"
    hashed = (
        "class Point:\n    def __init__(self, x):\n        self.x = x\n\n    def __eq__(self, other):\n"
        "        return self.x == other.x\n\n    def __hash__(self):\n        return hash((self.x, 1))\n\n\n"
        "def f(n: int):\n    points = {Point(n), Point(n), Point(n + 1)}\n    return len(points)\n"
    )
    samples = [sample_of(source, "f") for source in (seeded, dated, reseeded, packed, sentinel, hashed)]
    for sample, observation in zip(samples, observe(executor, samples, SETTINGS), strict=True):
        assert observation.calls and not observation.impurity, sample.function


def test_caches_and_rewritten_state_that_no_answer_shows_are_kept(executor: Executor, sample_of: Sampler) -> None:
    cached = "from functools import lru_cache\n\n@lru_cache\ndef f(n: int):\n    m = n * n\n    return m + 1\n"
    later = "import sys\n\ndef f(n: int):\n    if sys.version_info >= (3, 8):\n        return n * 2\n    return n\n"
    for observation in observe(executor, [sample_of(cached), sample_of(later)], SETTINGS):
        assert observation.calls and not observation.impurity


def test_what_a_call_does_to_its_arguments_is_seen(executor: Executor, sample_of: Sampler) -> None:
    source = "def f(items: list, n: int = 1):\n    for _ in range(2):\n        items.append(n)\n"
    (observation,) = observe(executor, [sample_of(source)], SETTINGS)
    assert not observation.calls, "what is returned, None, is not what the function is for"
    assert observation.changing_calls
    for call in observation.changing_calls:
        given = ast.literal_eval(ast.parse(call.call, mode="eval").body.args[0])
        ((label, text),) = call.changes
        assert (
            label == 0
            and ast.literal_eval(text)[: len(given)] == given
            and len(ast.literal_eval(text)) == len(given) + 2
        )


def test_exceptions_are_seen_with_the_line_that_raised_them(executor: Executor, sample_of: Sampler) -> None:
    source = "def f(n: int):\n    if n > 2:\n        raise ValueError(f'{n} is too much')\n    return n\n"
    (observation,) = observe(executor, [sample_of(source)], SETTINGS)
    assert observation.calls and observation.failing_calls
    for call in observation.failing_calls:
        assert call.error.kind == "ValueError" and call.error.line == 3
        assert call.error.text == f"ValueError: {ast.literal_eval(call.call[2:-1])} is too much"


def test_constant_functions_are_marked(executor: Executor, sample_of: Sampler) -> None:
    constant, other = observe(
        executor,
        [
            sample_of("def f(n: int):\n    m = n\n    return 7\n"),
            sample_of("def f(n: int):\n    m = n\n    return m\n"),
        ],
        SETTINGS,
    )
    assert constant.is_constant and not other.is_constant


def test_methods_are_called_on_objects_of_their_class(executor: Executor, sample_of: Sampler) -> None:
    source = (
        "class Pot:\n    def __init__(self, size: int):\n        self.size = size\n        self.kept = []\n\n"
        "    def fill(self, n: int):\n        self.kept.append(n)\n        return self.size - n\n\n"
        "    @property\n    def double(self):\n        return self.size * 2\n"
    )
    (observation,) = observe(executor, [sample_of(source)], SETTINGS)
    namespace: dict[str, object] = {}
    exec(sample_of(source).code, namespace)
    assert any(".fill(" in call.call for call in observation.calls)
    assert any(call.call.endswith(".double") for call in observation.calls)
    for call in observation.calls:
        assert repr(eval(call.call, namespace)) == call.answer


def test_traces_hold_calls_changes_and_results(executor: Executor, sample_of: Sampler) -> None:
    source = "def g(a):\n    return a + 1\n\n\ndef f(n: int):\n    m = g(n)\n    m = g(m)\n    return m\n"
    (observation,) = observe(executor, [sample_of(source)], SETTINGS)
    call = observation.calls[0]
    n = ast.literal_eval(call.call[2:-1])
    assert call.events == [
        ["call", 1, 5, "f", {"n": str(n)}],
        ["line", 1, 6, {"m": str(n + 1)}],
        ["call", 2, 1, "g", {"a": str(n)}],
        ["line", 2, 2, {}],
        ["return", 2, 2, str(n + 1)],
        ["line", 1, 7, {"m": str(n + 2)}],
        ["call", 2, 1, "g", {"a": str(n + 1)}],
        ["line", 2, 2, {}],
        ["return", 2, 2, str(n + 2)],
        ["line", 1, 8, {}],
        ["return", 1, 8, str(n + 2)],
    ]


def test_long_calls_have_no_trace(executor: Executor, sample_of: Sampler) -> None:
    source = "def f(n: int):\n    for i in range(400):\n        n += i\n    return n\n"
    (observation,) = observe(executor, [sample_of(source)], SETTINGS)
    assert observation.calls and all(call.events is None for call in observation.calls)


def test_examples_of_docstrings_are_run(executor: Executor, sample_of: Sampler) -> None:
    texts = {"passed": ">>> f(1)\n    2", "failed": ">>> f(1)\n    3", "": "no example"}
    source = 'def f(n: int):\n    """Say more.\n\n    {}\n    """\n    return n + 1\n'
    samples = [sample_of(source.format(text)) for text in texts.values()]
    assert [found.doctests for found in observe(executor, samples, SETTINGS)] == list(texts)


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


def test_faults_that_hang_on_earlier_calls_are_left_out(executor: Executor, sample_of: Sampler) -> None:
    source = (
        "KNOWN = [1]\n\ndef f(n: int):\n    if n >= len(KNOWN):\n        for i in range(len(KNOWN), int(n + 1)):\n"
        "            KNOWN.append(KNOWN[i - 1] * i)\n    return KNOWN[:max(int(n), 0) + 1]\n"
    )
    sample = sample_of(source)
    (observation,) = observe(executor, [sample], SETTINGS)
    assert observation.calls and not observation.impurity
    for failing in observation.mutants:
        for calls in (observation.calls, observation.calls[::-1]):
            namespace: dict[str, object] = {}
            exec(with_function(sample, failing.mutant.function), namespace)
            told = []
            for call in calls:
                try:
                    told.append(repr(eval(call.call, namespace)))
                except Exception:
                    told.append("")
            values = failing.values if calls is observation.calls else failing.values[::-1]
            assert told == list(values), failing.mutant.function


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("    while True:\n        n += 1", "too_many_lines"),
        ("    x = 'a' * 40 + 'b'\n    import re\n    return re.match('(a*)*c', x)", "too_slow"),
        ("    import time\n    time.sleep(60)\n    return n", "sleeps"),
        ("    import time\n    time.sleep(0.01)\n    return n", "ok"),
        ("    print(n)\n    return n", "prints"),
        ("    raise ValueError(n)\n    return 1", "raised"),
        ("    x = object()\n    return x", "not_literal"),
        ("    x = 'a'\n    return x * 1000", "too_long"),
        ("    x = float('nan')\n    return x", "not_literal"),
        ("    x = set()\n    return x", "not_literal"),
        ("    x = {'a', 'b'}\n    return x", "not_literal"),
        ("    x = {3, 4}\n    return x", "ok"),
        ("    import os\n    os._exit(0)", None),
    ],
)
def test_calls_without_a_usable_answer_are_told_apart(executor: Executor, body: str, status: str | None) -> None:
    (result,) = run_jobs(executor, [Job([f"def f(n):\n{body}\n"], ["f(1)"])], SETTINGS)
    assert result.finished
    assert (result.calls[0, 0].status if result.calls else None) == status


class StandsStill:
    """An executor whose machine stands still while its first programs run: no function has time left."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.num_programs = 0

    def run_batch(self, programs: list[Program], limits: Limits) -> list[ExecutionResult]:
        if not self.num_programs:
            for program in programs:
                jobs = json.loads(program.files["jobs.json"])
                jobs["jobs"] = [job | {"seconds": 0.0} for job in jobs["jobs"]]
                program.files["jobs.json"] = json.dumps(jobs).encode()
        self.num_programs += len(programs)
        return self.executor.run_batch(programs, limits)


def test_functions_that_the_machine_gave_no_time_are_run_again(executor: Executor) -> None:
    jobs = [Job([f"def f(n):\n    return n + {number}\n"], ["f(1)"]) for number in range(3)]
    still = StandsStill(executor)
    results = run_jobs(still, jobs, SETTINGS)
    assert [result.calls[0, 0].value for result in results] == ["1", "2", "3"]
    assert still.num_programs == 1 + len(jobs)


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


def test_each_of_two_faults_fails_the_asserts_by_itself(executor: Executor, sample_of: Sampler) -> None:
    """Else nobody who is shown the asserts can know that there is a second one."""
    source = (
        "import re\n\n\ndef slug(title: str):\n    text = re.sub(r'[^a-z -]', '', title.lower())\n"
        "    text = re.sub(r'[ -]+', '-', text)\n    if len(text) > 40:\n        text = text[:40]\n"
        "    return text.strip('-')\n"
    )
    num_combined = 0
    for seed in range(6):
        settings = replace(SETTINGS, seed=seed, num_mutants=30)
        sample = sample_of(source, "slug")
        (observation,) = observe(executor, [sample], settings)
        halves = {mutant.function: mutant.halves for mutant in mutate(sample.function, 30, seed)}
        for failing in observation.mutants:
            programs = [with_function(sample, half) for half in halves[failing.mutant.function]]
            runs = executor.run_batch([Program(f"{program}\n{observation.check}\n") for program in programs])
            assert all(run.verdict is Verdict.FAIL for run in runs), failing.mutant.function
            num_combined += len(programs) == 2
    assert num_combined
