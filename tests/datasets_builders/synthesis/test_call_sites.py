import ast

import pytest

from datasets_builders.synthesis.program_analysis.argument_values import literal_text
from datasets_builders.synthesis.program_analysis.arguments import candidate_calls, known_calls
from datasets_builders.synthesis.program_analysis.call_sites import MAX_CALLS_PER_NAME, doctest_calls, literal_calls
from tests.datasets_builders.synthesis.conftest import sample_from


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("f(1, key='a')", {"f": ["f(1, key='a')"]}),
        ("module.f([1, -2])", {"f": ["f([1, -2])"]}),
        ("Stack([1]).push(2)", {"Stack": ["Stack([1]).push(2)", "Stack([1])"]}),
        ("f(x)", {}),
        ("f(*[1])", {}),
        ("f(**{'a': 1})", {}),
        ("X = 3\n\ndef test():\n    assert f(X) == 4", {"f": ["f(3)"]}),
        ("def test():\n    text = 'a b'\n    assert f(text)", {"f": ["f('a b')"]}),
        ("def test():\n    n = 1\n    n = 2\n    f(n)", {}),
        ("def test():\n    for n in (1, 2):\n        f(n)", {}),
        ("X = 3\n\ndef test(X):\n    f(X)", {}),
        (
            "@pytest.mark.parametrize('a, b', [(1, 'x'), (2, 'y')])\ndef test(a, b):\n    assert f(b, a)",
            {"f": ["f('x', 1)", "f('y', 2)"]},
        ),
        ("@parametrize(['n'], [[4], [5]])\ndef test(n):\n    f(n)", {"f": ["f(4)", "f(5)"]}),
        ("@parametrize('n', [[4], [5]])\ndef test(n):\n    f(n)", {"f": ["f([4])", "f([5])"]}),
        ("class Test:\n    def test(self):\n        self.assertEqual(f('a'), 1)", {"f": ["f('a')"]}),
    ],
)
def test_calls_with_known_arguments_are_found(source: str, calls: dict[str, list[str]]) -> None:
    found = literal_calls(ast.parse(source))
    assert {name: sorted(texts) for name, texts in found.items() if name in ("f", "Stack")} == {
        name: sorted(texts) for name, texts in calls.items()
    }


def test_of_one_name_so_many_calls_are_kept() -> None:
    source = "\n".join(f"f({number})" for number in range(50))
    assert len(literal_calls(ast.parse(source))["f"]) == MAX_CALLS_PER_NAME


def test_examples_of_docstrings_are_calls_too() -> None:
    assert doctest_calls("Say.\n\n>>> f(1)\n2\n>>> g(f(2))\n3\n") == {"f": ["f(1)", "f(2)"]}
    assert doctest_calls("No examples.") == {} and doctest_calls(">>> f(1\n2") == {}


def test_what_people_wrote_comes_first_and_others_are_like_it() -> None:
    sample = sample_from("def f(code, n=1):\n    part = code[:n]\n    return part + part\n")
    known = (("call_site", "f('AB-12')"), ("test", "f('CD-34', n=2)"), ("test", "f('CD-34', n=2).upper()"))
    sample = type(sample)(**{**vars(sample), "known_calls": known})
    assert known_calls(sample) == {"f('CD-34', n=2)": "test", "f('AB-12')": "call_site"}
    calls = candidate_calls(sample, num_calls=40)
    assert calls[:2] == ["f('CD-34', n=2)", "f('AB-12')"]
    assert sum("AB-" in call or "CD-" in call for call in calls) > 5


def test_methods_are_called_on_objects_that_people_made() -> None:
    source = (
        "class Pot:\n    def __init__(self, size):\n        self.size = size\n\n"
        "    def half(self):\n        return self.size\n"
    )
    sample = sample_from(source)
    known = (("test", "Pot(4)"), ("test", "Pot(4).half()"))
    sample = type(sample)(**{**vars(sample), "known_calls": known})
    assert known_calls(sample) == {"Pot(4).half()": "test"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b", "a"}, "{'a', 'b'}"),
        ([({2, 1},), {"k": {"z", "y"}}], "[({1, 2},), {'k': {'y', 'z'}}]"),
        (set(), "set()"),
        ((1,), "(1,)"),
    ],
)
def test_values_are_written_the_same_under_every_hash_seed(value: object, text: str) -> None:
    assert literal_text(value) == text and ast.literal_eval(text.replace("set()", "()")) is not None
