import ast
import sysconfig
from pathlib import Path

import pytest

from datasets_builders.synthesis.program_analysis.extraction import (
    ExtractionLimits,
    FunctionSample,
    Refusal,
    extract_functions,
    module_name,
)

SOURCE = '''\
import os, re
from math import pi, tau

SCALE = 3  # chosen by hand
_pattern = re.compile("a+")


class BadValue(ValueError):
    pass


def _half(x):
    return x / 2


def area(r):
    """Area of a circle."""
    if r < 0:
        raise BadValue(r)
    # scaled, on purpose
    return _half(pi * r * r) * SCALE


def count(text):
    n = len(_pattern.findall(text))
    return n


class Thing:
    def method(self):
        return 1


if __name__ == "__main__":
    main()
'''


def found(
    source: str, path: str = "m.py", limits: ExtractionLimits | None = None
) -> dict[str, FunctionSample | Refusal]:
    return {item.name: item for item in extract_functions(source, path, limits)}


def test_a_function_takes_along_what_it_needs_and_nothing_else() -> None:
    sample = found(SOURCE)["area"]
    assert isinstance(sample, FunctionSample)
    assert "from math import pi\n" in sample.code and "tau" not in sample.code
    assert "SCALE = 3" in sample.context and "class BadValue" in sample.context and "def _half" in sample.context
    assert "re" not in [alias.name for node in ast.walk(ast.parse(sample.code)) if isinstance(node, ast.Import)
                        for alias in node.names]  # fmt: skip
    assert sample.helpers == ("BadValue", "_half")
    assert sample.docstring == "Area of a circle."
    assert "# scaled, on purpose" in sample.function


def test_every_sample_of_real_modules_runs_on_its_own() -> None:
    stdlib = Path(sysconfig.get_path("stdlib"))
    num_samples = 0
    for name in (
        "bisect.py",
        "colorsys.py",
        "posixpath.py",
        "statistics.py",
        "html/__init__.py",
        "keyword.py",
        "ast.py",
    ):
        for item in extract_functions((stdlib / name).read_text("utf-8"), name):
            if isinstance(item, FunctionSample):
                namespace: dict[str, object] = {"__name__": "program"}
                exec(compile(item.code, name, "exec"), namespace)
                assert callable(namespace[item.name])
                num_samples += 1
    assert num_samples > 30


def test_nested_functions_and_main_guards_are_left_alone() -> None:
    assert set(found(SOURCE)) == {"_half", "area", "count", "BadValue", "Thing"}


def test_classes_with_public_methods_are_taken_whole() -> None:
    items = found(SOURCE)
    thing, bad_value = items["Thing"], items["BadValue"]
    assert isinstance(thing, FunctionSample) and thing.is_class
    assert thing.code == "class Thing:\n    def method(self):\n        return 1"
    assert isinstance(bad_value, Refusal) and bad_value.reason == "no_methods"


@pytest.mark.parametrize("sign", ["\f", "\x1c", "\u2028", "\r"])
def test_lines_are_those_of_the_compiler(sign: str) -> None:
    end = "\r" if sign == "\r" else "\n"
    source = f"x = '{'' if sign == end else sign}'{end}def f(a):{end}    b = a{end}    return b + 1{end}"
    sample = found(source)["f"]
    assert isinstance(sample, FunctionSample)
    assert sample.function == "def f(a):\n    b = a\n    return b + 1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    with open(p) as f:\n        return f.read()", "impure_builtin"),
        ("    global counter\n    counter = 1", "global_statement"),
        ("    import socket\n    return socket", "import_not_pure"),
        ("    from .near import thing\n    return thing", "relative_import"),
        ("    import os\n    return os.listdir(p)", "impure_module"),
        ("    import os\n    return os.path.exists(p)", "asks_the_file_system"),
        ("    from posixpath import isfile\n    return isfile(p)", "asks_the_file_system"),
        ("    return p + __name__ + \\\n        p", "unresolved_name"),
        ("    if __debug__:\n        return p", "impure_builtin"),
        ("    code = f.__code__\n    return code.co_filename", "looks_at_itself"),
        ("    kind = type(p)\n    return kind.__module__", "looks_at_itself"),
        ("    import sys\n    return sys.hash_info.width", "impure_module"),
        ("    import array\n    return array.array('l', [p]).tobytes()", "import_not_pure"),
        ("    return missing(p) + \\\n        1", "unresolved_name"),
        ("    return [\n        " + "1,\n        " * 80 + "]", "too_long"),
    ],
)
def test_what_cannot_stand_alone_is_refused_with_its_reason(body: str, reason: str) -> None:
    refusal = found(f"def f(p):\n{body}\n")["f"]
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def test_a_function_bound_twice_is_refused() -> None:
    refusal = found("def f():\n    return 1\n\nif x:\n    def f():\n        return 2\n")["f"]
    assert isinstance(refusal, Refusal) and refusal.reason == "bound_more_than_once"


def test_an_impure_helper_makes_its_caller_unusable() -> None:
    source = "def load(p):\n    return open(p)\n\ndef size(p):\n    text = load(p)\n    return len(text)\n"
    refusal = found(source)["size"]
    assert isinstance(refusal, Refusal) and refusal.reason == "impure_builtin"


def test_a_closure_above_the_limit_is_refused() -> None:
    source = "TABLE = [\n" + "    1,\n" * 200 + "]\n\ndef f(i):\n    return TABLE[i]\n"
    refusal = found(source, limits=ExtractionLimits(max_code_chars=500))["f"]
    assert isinstance(refusal, Refusal) and refusal.reason == "closure_too_large"


def test_postponed_annotations_stay_postponed() -> None:
    source = "from __future__ import annotations\n\ndef f(x: int) -> int:\n    return x + 1\n"
    sample = found(source)["f"]
    assert isinstance(sample, FunctionSample) and sample.code.startswith("from __future__ import annotations")


def test_a_file_that_does_not_parse_says_which() -> None:
    with pytest.raises(ValueError, match=r"pkg/broken\.py does not parse"):
        list(extract_functions("def f(:\n", "pkg/broken.py"))


def test_module_names_follow_the_path() -> None:
    assert module_name("json/decoder.py") == "json.decoder"
    assert module_name("json/__init__.py") == "json"
    assert module_name("__init__.py") == "__init__"
    assert module_name("./a/b.py") == "a.b"
