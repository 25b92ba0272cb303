import ast
import difflib

import pytest

from datasets_builders.synthesis.program_analysis.mutation import mutate

FUNCTION = '''\
def clip(values, low, high=10):
    """Clip values, not text: 1 + 1 stays as it is here."""
    out = []  # keeps the order
    for value in values:
        if value is None or not (low <= value):
            value = low
        elif value > high and high != 0:
            value = min(high, 99)
            break
        out.append(value if value else 0)
    total = len(out) - 1
    total += 2
    return out[:total], "\u00e4" + "x" * 3
'''


def test_each_mutant_changes_one_line_and_keeps_comments_and_docstring() -> None:
    mutants = mutate(FUNCTION, num_mutants=100)
    assert len(mutants) > 15
    for mutant in mutants:
        changed = [
            line for line in difflib.ndiff(FUNCTION.splitlines(), mutant.function.splitlines()) if line.startswith("- ")
        ]
        assert len(changed) == 1
        assert "# keeps the order" in mutant.function and "1 + 1 stays as it is" in mutant.function
        assert changed[0][2:] == FUNCTION.splitlines()[mutant.line - 1]


def test_mutants_differ_from_the_original_and_from_each_other_as_syntax() -> None:
    trees = [ast.dump(ast.parse(text)) for text in [FUNCTION, *(m.function for m in mutate(FUNCTION, 100))]]
    assert len(set(trees)) == len(trees)


def test_few_mutants_still_take_turns_over_the_operators() -> None:
    operators = {mutant.operator for mutant in mutate(FUNCTION, num_mutants=8)}
    assert len(operators) == 8


def test_the_seed_decides() -> None:
    assert mutate(FUNCTION, 8, seed=1) == mutate(FUNCTION, 8, seed=1)
    assert mutate(FUNCTION, 8, seed=1) != mutate(FUNCTION, 8, seed=2)


@pytest.mark.parametrize(
    ("expression", "faulty"),
    [
        ("a < b", "a <= b"),
        ("a not in b", "a in b"),
        ("(a) // (b)", "(a) * (b)"),
        ("not a", "a"),
        ("a if b else c", "c if b else a"),
        ("f(a, b)", "f(b, a)"),
        ("a.lower()", "a.upper()"),
        ("a[0]", "a[1]"),
        ("a and b", "a or b"),
    ],
)
def test_operators_do_what_their_names_say(expression: str, faulty: str) -> None:
    texts = [mutant.function for mutant in mutate(f"def g(a, b, c, f):\n    return {expression}\n", 50)]
    assert f"def g(a, b, c, f):\n    return {faulty}\n" in texts


def test_only_functions_are_mutated() -> None:
    with pytest.raises(ValueError, match="text of one function"):
        mutate("x = 1\n")
