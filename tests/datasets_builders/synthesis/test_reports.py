"""What people reported of tracers, test generators and mutation tools, made small: each is asked about rightly."""

import pytest

from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.observation import Observation, observe
from datasets_builders.synthesis.program_analysis.questions import Question, questions_about
from evals.execution import Executor
from tests.benchmarks.verify_questions import Judge
from tests.datasets_builders.synthesis.conftest import sample_from

# Name, what it is about, and the text of a function f.
REPORTS = {
    "hypothesis 4113: changes its argument and returns it": """
def f(items: list):
    for i in range(len(items)):
        items[i] = [items[i]] * 2
    return items
""",
    "snoop 75: a generator expression over a parameter": """
def f(text: str):
    parts = list(text * i for i in [1, 2, 3])
    return parts[-1] + parts[0]
""",
    "ironpython2 94: lines of a generator after its yield": """
def f(n: int):
    a = n
    yield a
    a += 1
    yield a
""",
    "pysnooper 107: recursion": """
def f(n: int):
    if n <= 1:
        return 1
    smaller = f(n - 1) % 1000
    return n * smaller
""",
    "pysnooper 242: an exception raised again on its way": """
def g(n):
    try:
        return 12 // n
    except ZeroDivisionError:
        raise


def f(n: int):
    try:
        m = g(n)
    except ZeroDivisionError:
        m = -1
    return m * 2
""",
    "brython 1841: comprehensions inside one another": """
def f(n: int):
    rows = [[i * j for j in range(i)] for i in range(n % 5)]
    flat = {k: len(row) for k, row in enumerate(rows)}
    return rows, flat
""",
    "mutmut 29: a loop that a mutant never leaves": """
def f(n: int):
    r = 0
    while n > 0:
        r += 2 * n
        n -= 1
    return r
""",
    "mutmut 285: an iterator that a mutant asks for ever": """
def f(items: list):
    found = []
    iterator = iter(items)
    while True:
        value = next(iterator, None)
        if value is None:
            break
        found.append(value)
    return found[::-1]
""",
    "numbers with more digits than can be shown": """
def f(n: int):
    big = 10 ** 5000 + n
    small = big % 97
    return small + n
""",
    "objects that do not like to be looked at": """
class Shy:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")


def f(n: int):
    shy = Shy()
    kept = [shy, n]
    return kept[1] * 3
""",
    "exceptions that cannot be shown": """
class Odd(Exception):
    def __str__(self):
        raise ValueError("no")


def f(n: int):
    m = n * 2
    if m > 6:
        raise Odd(m)
    return m
""",
    "a value bound inside a condition": """
def f(text: str):
    n = 0
    while (k := len(text)) > n:
        if (half := k // 2) > n:
            n += half
        elif k % 2:
            n += 2
        else:
            break
    else:
        n = -n
    return n
""",
    "return inside finally": """
def f(n: int):
    try:
        if n > 3:
            return 1
        n += 1
    finally:
        n *= 2
    return n
""",
    "match statement": """
def f(value):
    match value:
        case [first, *rest]:
            answer = len(rest)
        case {"a": x}:
            answer = x
        case int(n) if n > 2:
            answer = n
        case _:
            answer = None
    return answer
""",
    "several statements on a line": """
def f(n: int):
    a = n; b = a + 1
    if n > 2: b += 1; a = 0
    for i in range(n % 4): b += i
    return a, b
""",
    "statements of several lines with calls inside": """
def g(a):
    return a + 1


def f(n: int):
    total = sum([
        g(n),
        g(
            n + 1
        ),
    ])
    return (
        total
        + g(total)
    )
""",
    "texts with quotes, line ends, tabs and letters of all kinds": '''
def f(n: int):
    a = "it's `so` \\t" * (n % 3)
    b = 'é\\n"' + a  # é, a = 'no'
    c = """x
  y"""
    return b + c
''',
    "functions inside functions": """
def f(n: int):
    total = 0

    def add(k):
        nonlocal total
        total += k
        return total

    for i in range(n % 4):
        add(i)
    return total, (lambda x: x + n)(1)
""",
    "a decorator": """
from functools import wraps


def twice(function):
    @wraps(function)
    def inner(*args):
        first = function(*args)
        return [first, function(*args)]

    return inner


@twice
def f(n: int):
    m = n - 1
    return m * m
""",
    "a variable that is deleted, and one that is global": """
LIMIT = 3


def f(items: list):
    kept = [item for item in items if item is not None]
    n = len(kept)
    del kept
    return min(n, LIMIT)
""",
    "sets": """
def f(words: list):
    seen = set(map(str, words))
    seen.add("x")
    longest = max(seen, key=lambda word: (len(word), word))
    return longest, len(seen)
""",
    "a class that changes its parts": """
class f:
    limit = 3

    def __init__(self, items: list):
        self.items = list(items)

    def take(self, n: int):
        taken = self.items[:n]
        del self.items[:n]
        if len(taken) > self.limit:
            return self.items
        return taken
""",
}


@pytest.fixture(scope="module")
def observed(executor: Executor) -> dict[str, tuple[Observation, list[Question]]]:
    samples = [sample_from(source, "f") for source in REPORTS.values()]
    observations = observe(executor, samples, ObservationSettings(num_candidates=20, num_mutants=6))
    return {
        name: (observation, list(questions_about(sample, observation)))
        for name, sample, observation in zip(REPORTS, samples, observations, strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORTS)
def test_what_was_reported_is_asked_about_rightly(
    observed: dict[str, tuple[Observation, list[Question]]], name: str, executor: Executor
) -> None:
    observation, questions = observed[name]
    assert not observation.impurity and observation.calls
    kinds = {question.kind for question in questions}
    assert {"execution_prediction", "execution_rationale"} <= kinds
    judge = Judge(executor)
    judged: dict[str, int] = {}
    for question in questions:
        judged[question.kind] = judged.get(question.kind, 0) + 1
        if judged[question.kind] <= 2:
            row = vars(question) | {
                "messages": [{"content": question.prompt}, {"content": question.content}],
                "languages": ["Python"],
            }
            assert judge.fault(row) == "", (question.kind, question.prompt, question.content)
