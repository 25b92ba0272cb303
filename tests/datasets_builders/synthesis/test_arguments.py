import ast
from collections.abc import Callable

from datasets_builders.synthesis.program_analysis.arguments import candidate_calls, guess_types, known_calls
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

Sampler = Callable[..., FunctionSample]


def test_types_come_from_annotations_defaults_names_and_use(sample_of: Sampler) -> None:
    sample = sample_of(
        "def f(a: bytes, width=70, text=None, rows=(), key='', *, strict=False):\n"
        "    for row in rows:\n        key.strip()\n    return [width + 1, text.lower()]\n"
    )
    ranked, constants = guess_types(ast.parse(sample.function).body[0])
    assert ranked["a"][0] == "bytes" and ranked["width"][0] == "int" and ranked["text"][0] == "str"
    assert ranked["key"][0] == "str" and ranked["strict"][0] == "bool"
    assert 1 in constants


def test_calls_are_distinct_literal_and_a_function_of_the_seed(sample_of: Sampler) -> None:
    sample = sample_of("def f(s, n=2):\n    t = s * n\n    return t.upper()\n")
    calls = candidate_calls(sample, seed=3, num_calls=30)
    assert calls == candidate_calls(sample, seed=3, num_calls=30)
    assert calls != candidate_calls(sample, seed=4, num_calls=30)
    assert len(set(calls)) == len(calls) == 30
    for call in calls:
        node = ast.parse(call, mode="eval").body
        assert isinstance(node, ast.Call)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            ast.literal_eval(argument)


def test_doctest_calls_come_first(sample_of: Sampler) -> None:
    sample = sample_of(
        'def twice(x):\n    """Double.\n\n    >>> twice(21)\n    42\n    >>> twice(y)\n    2\n    >>> y = 3\n    """\n'
        "    y = x + x\n    return y\n"
    )
    assert known_calls(sample) == {"twice(21)": "doctest", "twice(3)": "doctest"}
    assert candidate_calls(sample)[0] == "twice(21)"


def test_keyword_only_arguments_are_named(sample_of: Sampler) -> None:
    sample = sample_of("def f(a, *, b):\n    c = a\n    return c + b\n")
    assert all("b=" in call for call in candidate_calls(sample))


def test_generators_are_called_inside_a_list(sample_of: Sampler) -> None:
    sample = sample_of("def f(n):\n    for i in range(n):\n        yield i\n")
    assert all(call.startswith("list(f(") for call in candidate_calls(sample))
    inner = sample_of("def g(n):\n    parts = (i for i in range(n))\n    return sum(parts)\n")
    assert all(call.startswith("g(") for call in candidate_calls(inner))


def test_a_function_without_parameters_is_called_once(sample_of: Sampler) -> None:
    assert candidate_calls(sample_of("def f():\n    x = 1\n    return x\n")) == ["f()"]
