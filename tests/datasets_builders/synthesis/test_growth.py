import pytest

from datasets_builders.synthesis.program_analysis.growth import growing_calls, growth_of
from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.observation import observe
from datasets_builders.synthesis.program_analysis.questions import questions_about
from evals.execution import Executor
from tests.datasets_builders.synthesis.conftest import sample_from

FUNCTIONS = {
    "O(n)": "def f(n: int):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n",
    "O(n^2)": "def f(x: list):\n    k = 0\n    for a in x:\n        for b in x:\n            k += a\n    return k\n",
    "O(log n)": "def f(n: int):\n    k = 0\n    while n > 1:\n        n //= 2\n        k += 1\n    return k\n",
    "": "def f(x: list):\n    for y in x:\n        if y == 5:\n            return y\n    return len(x)\n",
}


@pytest.mark.parametrize(
    ("numbers", "growth"),
    [
        ([5, 5, 5, 5], ""),
        ([9, 12, 15, 18], "O(log n)"),
        ([18, 34, 66, 130], "O(n)"),
        ([130, 500, 2000, 8000], "O(n^2)"),
        ([30, 80, 200, 480], ""),
        ([9, 7, 12, 8], ""),
    ],
)
def test_growth_is_told_from_counts(numbers: list[int], growth: str) -> None:
    assert growth_of([numbers, numbers]) == growth
    assert growth_of([numbers, [3, 9, 90, 95]]) == ""


def test_measured_growth_is_asked_for(executor: Executor) -> None:
    samples = [sample_from(source) for source in FUNCTIONS.values()]
    observations = observe(executor, samples, ObservationSettings(num_candidates=12, num_mutants=2))
    for growth, sample, observation in zip(FUNCTIONS, samples, observations, strict=True):
        assert observation.growth == growth
        asked = [question for question in questions_about(sample, observation) if question.kind == "complexity"]
        assert [question.answer for question in asked] == [growth] * bool(growth)
        assert all(growth not in question.wrong_answers for question in asked)


@pytest.mark.parametrize(
    "source",
    [
        "def f(n: int, m: int):\n    for i in range(n):\n        m += i\n    return m\n",
        "def f(n: int):\n    m = n * 2\n    return m\n",
        "def f(text: str):\n    for sign in text:\n        text += sign\n    return text\n",
    ],
)
def test_where_it_is_not_plain_what_grows_nothing_is_measured(source: str) -> None:
    assert growing_calls(sample_from(source)) == []
