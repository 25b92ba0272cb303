"""Random numbers of a program: the same in every run with a seed, and others in each run without."""

import pytest

from evals.execution import Executor, Limits, Program
from tests.evals.toolchain import needs

PROGRAMS = {
    "python": "import random\nprint(random.random(), random.randint(0, 10**9))",
    "javascript": "console.log(Math.random(), Math.random());",
    "typescript": "console.log(Math.random(), Math.random());",
    "go": 'package main\nimport ("fmt"; "math/rand"; "testing")\nfunc TestX(t *testing.T) { fmt.Println(rand.Int()) }',
    "rust": 'fn main() { println!("{}", rand::random::<u32>()); }',
}
UNSEEDED = ("python", "javascript", "typescript", "go")
NUMPY = "import numpy\nprint(numpy.random.rand(), numpy.random.randint(10**9))"


def drawn(program: Program) -> set[str]:
    """Return what three runs printed, the times that Go prints left out."""
    with Executor() as executor:
        results = [executor.run(program, Limits(wall_seconds=20, compile_seconds=120)) for _ in range(3)]
    assert all(result.exit_code == 0 for result in results), results[0]
    return {result.stdout.splitlines()[0] for result in results}


@pytest.mark.parametrize("language", PROGRAMS)
def test_with_a_seed_every_run_draws_the_same(language):
    needs(language)
    assert len(drawn(Program(PROGRAMS[language], language, random_seed=0))) == 1


@pytest.mark.parametrize("language", UNSEEDED)
def test_without_a_seed_each_run_draws_others(language):
    needs(language)
    assert len(drawn(Program(PROGRAMS[language], language))) == 3


def test_another_seed_gives_other_numbers():
    assert not drawn(Program(PROGRAMS["python"], random_seed=0)) & drawn(Program(PROGRAMS["python"], random_seed=1))


@pytest.mark.parametrize("where", ["source", "tests"])
def test_numpy_draws_the_same_too_in_a_fork_and_in_tests(where):
    text = {"source": NUMPY} if where == "source" else {"source": "import numpy", "tests": NUMPY}
    assert len(drawn(Program(**text, packages=("numpy",), random_seed=0))) == 1
    assert len(drawn(Program(**text, packages=("numpy",)))) == 3


def test_what_a_program_seeds_itself_stays_its_own():
    source = "import random\nrandom.seed(1)\nprint(random.random())"
    assert drawn(Program(source, random_seed=0)) == drawn(Program(source)) == {"0.13436424411240122"}
