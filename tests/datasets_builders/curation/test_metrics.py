"""Metrics of code, by hand: a small file per language with known counts."""

import pytest

from datasets_builders.curation.syntax.metrics import Meter
from datasets_builders.languages.grammars import GRAMMARS

# language: (text, comment bytes, effective lines, functions, nesting)
FILES = {
    "Python": ('"""Doc."""\n\n# note\ndef f(x):\n    if x:\n        return 1  # end\n    return "text"\n', 21, 4, 1, 2),
    "JavaScript": ("// note\nfunction f() { if (a) { return () => 1; } }\n\n/* b\n */\n", 15, 1, 2, 2),
    "TypeScript": ("// note\nconst f = (x: number) => {\n  return x;\n};\n", 7, 3, 1, 1),
    "TSX": ("// note\nconst F = () => <p>text</p>;\n", 7, 1, 1, 0),
    "Java": ("/** Doc. */\nclass A {\n  int f() {\n    return 1; // one\n  }\n}\n", 17, 5, 1, 1),
    "C": ("/* a\n * b */\nint f(void) {\n  while (1) { g(); }\n}\n", 12, 3, 1, 2),
    "C++": ("// note\nint f() { auto g = [] { return 1; }; return g(); }\n", 7, 1, 2, 2),
    "C#": ("// note\nclass A { int F() { return 1; } }\n", 7, 1, 1, 1),
    "Go": ("// note\npackage a\n\nfunc f() {\n\tgo func() {}()\n}\n", 7, 4, 2, 2),
    "Rust": ("// note\nfn f() -> i32 { let g = |x: i32| { x }; g(1) }\n", 7, 1, 2, 2),
    "Ruby": ("# note\ndef f\n  [1].each do |x|\n    puts x\n  end\nend\n", 6, 5, 1, 2),
    "PHP": ("<?php\n// note\nfunction f() { if (1) { return 2; } }\n", 7, 2, 1, 2),
    "Shell": ("# note\nf() {\n  if true; then\n    echo 1\n  fi\n}\n", 6, 5, 1, 2),
    "Lua": ("-- note\nfunction f()\n  return 1\nend\n", 7, 3, 1, 1),
    "Kotlin": ("// note\nfun f(): Int {\n  val g = { x: Int -> x }\n  return g(1)\n}\n", 7, 4, 2, 1),
    "Scala": ("// note\nobject A {\n  def f: Int = { val g = (x: Int) => x; g(1) }\n}\n", 7, 3, 2, 1),
    "Dart": ("/// note\nint f() {\n  final g = (int x) { return x; };\n  return g(1);\n}\n", 8, 4, 2, 2),
    "Swift": ("// note\nfunc f() -> Int {\n  let g = { (x: Int) in x }\n  return g(1)\n}\n", 7, 4, 2, 2),
}


def test_every_grammar_has_its_query():
    assert set(GRAMMARS) == set(FILES)


@pytest.mark.parametrize("language", FILES)
def test_counts_are_those_of_a_person(language):
    text, comment_bytes, effective_lines, num_functions, max_nesting = FILES[language]
    metrics = Meter.of(language).measure(text)
    assert metrics.error_fraction == 0
    assert round(metrics.comment_fraction * len(text)) == comment_bytes
    assert (metrics.effective_lines, metrics.num_functions) == (effective_lines, num_functions)
    assert metrics.max_nesting == max_nesting


def test_a_comment_within_a_line_leaves_the_line_and_one_over_lines_parts_them():
    meter = Meter.of("C")
    assert meter.measure("int a; /* x */ int b;\n").effective_lines == 1
    assert meter.measure("int a; /* x\n */ int b;\n").effective_lines == 2
    assert meter.measure("").effective_lines == 0


def test_files_with_errors_are_measured_too():
    metrics = Meter.of("Python").measure("def f(:\n    return 1\n\n\ndef g():\n    return 2\n")
    assert 0 < metrics.error_fraction < 1 and metrics.num_functions >= 1


def test_deep_nesting_is_no_recursion():
    assert Meter.of("C").measure("int f() " + "{" * 3_000 + "}" * 3_000).max_nesting == 3_000


def test_a_language_without_a_grammar_has_no_meter():
    assert Meter.of("Brainfuck") is None
