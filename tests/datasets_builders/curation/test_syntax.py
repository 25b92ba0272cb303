"""Every grammar takes a valid file of its language and finds the mistake in a broken one."""

import pytest

from datasets_builders.curation.metrics import Meter
from datasets_builders.curation.syntax import GRAMMARS, load_parser, max_error_fraction

VALID = {
    "Python": "def add(a, b):\n    return a + b\n",
    "JavaScript": "class A { #x = 1; get x() { return this.#x ?? 0; } }\n",
    "TypeScript": "interface A { x: number }\nconst a: A = { x: 1 };\n",
    "TSX": "const A = (p: { x: number }) => <b>{p.x}</b>;\n",
    "Java": "record Point(int x, int y) { int sum() { return x + y; } }\n",
    "C": "int add(int a, int b) { return a + b; }\n",
    "C++": "template <class T> T add(T a, T b) { return a + b; }\n",
    "C#": "class A { int Add(int a, int b) => a + b; }\n",
    "Go": "package a\n\nfunc Add(a, b int) int { return a + b }\n",
    "Rust": "fn add(a: i32, b: i32) -> i32 { a + b }\n",
    "Ruby": "def add(a, b)\n  a + b\nend\n",
    "PHP": "<?php\nfunction add(int $a, int $b): int { return $a + $b; }\n",
    "Shell": 'add() {\n  echo "$(($1 + $2))"\n}\n',
    "Lua": "local function add(a, b)\n  return a + b\nend\n",
    "Kotlin": "class Point(val x: Int) {\n  fun sum(y: Int): Int = x + y\n}\n",
    "Scala": "case class Point(x: Int) { def sum(y: Int): Int = x + y }\n",
    "Dart": "class Point { final int x; Point(this.x); int sum(int y) => x + y; }\n",
}


def error_fraction(language: str, text: str) -> float:
    return Meter.of(language).measure(text).error_fraction


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_a_valid_file_parses_and_one_with_stray_brackets_does_not(language):
    text = VALID[language]
    assert error_fraction(language, text) == 0.0
    assert error_fraction(language, text + ")}])}])}])}])\n") > max_error_fraction(language)


def test_a_language_without_a_grammar_has_no_parser():
    assert load_parser("Batchfile") is None


def test_one_mistake_in_a_long_python_file_is_found_and_one_macro_in_a_long_c_file_is_forgiven():
    python = VALID["Python"] * 200 + "def broken(:\n    pass\n"
    assert error_fraction("Python", python) > max_error_fraction("Python")
    c = VALID["C"] * 200 + "DECLARE_THING(int x; y) int z\n"
    assert 0 < error_fraction("C", c) <= max_error_fraction("C")
