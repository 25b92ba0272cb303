"""Word problems: every equation in every worked answer holds, and the seed decides all."""

import re
from fractions import Fraction
from random import Random

import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig, write_problem
from datasets_builders.stand_ins.problems import PROBLEMS

EQUATION = re.compile(r"((?:-?\d+ [*/+-] )+-?\d+) = (-?\d+(?:/\d+)?)")
OPERATIONS = {"*": lambda a, b: a * b, "/": lambda a, b: a / b, "+": lambda a, b: a + b, "-": lambda a, b: a - b}


def value_of(chain):
    """Compute a chain such as `80 * 25 / 100` from left to right."""
    first, *rest = chain.split()
    value = Fraction(first)
    for sign, number in zip(rest[::2], rest[1::2], strict=True):
        value = OPERATIONS[sign](value, int(number))
    return value


@pytest.mark.parametrize("make", PROBLEMS)
def test_every_equation_of_the_worked_answer_holds(make):
    num_equations = 0
    for number in range(300):
        _, work, answer = make(Random(number))
        for chain, result in EQUATION.findall(work):
            num_equations += 1
            assert value_of(chain) == Fraction(result), work
        assert set(re.findall(r"\d+", answer)) <= set(re.findall(r"\d+", work))
    assert num_equations >= 300


def test_answers_solve_the_questions():
    for number in range(300):
        question, _, answer = PROBLEMS[3](Random(number))
        factor, shift, right = map(int, re.findall(r"-?\d+", question))
        assert factor * int(answer.removeprefix("x = ")) + shift == right
        question, _, answer = PROBLEMS[5](Random(number))
        base, exponent, modulus = map(int, re.findall(r"\d+", question))
        assert pow(base, exponent, modulus) == int(answer)
        question, _, answer = PROBLEMS[2](Random(number))
        total, people = map(int, re.findall(r"\d+", question))
        assert answer == "{} each, {} left over".format(*divmod(total, people))


def test_the_seed_decides_the_text_and_each_problem_stands_alone():
    assert write_problem(0, 7) == write_problem(0, 7)
    assert write_problem(0, 7) != write_problem(1, 7)


def test_the_dataset_counts_what_it_created_and_merged(tmp_path):
    result = ArithmeticBuilder(ArithmeticConfig(output_dir=str(tmp_path / "out"), num_documents=3_000)).run()
    assert result.ledger.step("compute").created == 3_000
    merged = result.ledger.step("exact_dedup").merged
    assert result.num_rows == {"train": 3_000 - merged}
    assert 0 < merged < 300


def test_no_problems_at_all_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="num_documents is 0"):
        ArithmeticConfig(output_dir=str(tmp_path), num_documents=0)
