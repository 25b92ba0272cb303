"""Linguist's rules on names, first lines and contents."""

import pytest

from datasets_builders.source_code.ambiguous import HEURISTICS
from datasets_builders.source_code.languages import (
    _table,
    candidates_of_name,
    extension_of,
    is_wanted,
    language_of,
    language_of_shebang,
    type_of_language,
)


@pytest.mark.parametrize(
    ("path", "languages"),
    [
        ("a/b.py", ("Python",)),
        ("A.PY", ("Python",)),
        ("x.hpp", ("C++",)),
        ("Makefile", ("Makefile",)),
        ("docker/Dockerfile", ("Dockerfile",)),
        ("CMakeLists.txt", ("CMake",)),
        ("view.html.erb", ("HTML+ERB",)),
        ("x.h", ("C", "C++", "Objective-C")),
        ("py", ()),
        (".py", ()),
        ("x.unheard", ()),
    ],
)
def test_names_tell_the_candidates(path, languages):
    assert candidates_of_name(path) == languages


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("#!/usr/bin/env python3\n", "Python"),
        ("#! /bin/sh\n", "Shell"),
        ("#!/usr/bin/env -S node --flag\n", "JavaScript"),
        ("#!/usr/bin/env VARIABLE=1 ruby\n", "Ruby"),
        ("#!/usr/local/bin/perl5.36 -w\n", "Perl"),
        ("#!/opt/unknown\n", None),
        ("#!\n", None),
        ("python\n", None),
        ("\ufffd\ufffd", None),
    ],
)
def test_the_first_line_tells_the_language_of_a_script(line, language):
    assert language_of_shebang(line) == language


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("a.h", "namespace a {\n}\n", "C++"),
        ("a.h", "#include <stdio.h>\nint add(int a, int b);\n", "C"),
        ("a.h", "#import <Foundation/Foundation.h>\n@interface A : NSObject\n@end\n", "Objective-C"),
        ("a.h", "- (NSString *)name;\n", "Objective-C"),
        ("a.h", 'template <class T> auto f(T a) {\n    return a\n        + (a ? "x" : "y");\n}\n', "C++"),
        ("a.c", "namespace a {\n}\n", "C"),
        ("a.m", "@implementation A\n@end\n", "Objective-C"),
        ("a.m", "% area\nfunction y = area(r)\n  y = pi * r ^ 2;\nend\n", "MATLAB"),
        ("a.m", "(* squares *)\nf[x_] := x^2\n", "Wolfram Language"),
        ("a.pl", "use strict;\nmy $x = 1;\n", "Perl"),
        ("a.pl", ":- module(a, [b/1]).\nb(X) :- c(X).\n", "Prolog"),
        ("a.t", "use Test::More;\n", "Perl"),
        ("a.v", "module counter(input clk);\nendmodule\n", "Verilog"),
        ("a.v", "Theorem a : True.\nProof. exact I. Qed.\n", "Rocq Prover"),
        ("a.ts", "export const a: number = 1;\n", "TypeScript"),
        ("de.ts", '<?xml version="1.0"?>\n<TS version="2.1">\n', "XML"),
        ("a.r", "x <- c(1, 2)\n", "R"),
        ("a.fs", "#version 330\nvoid main() {}\n", "GLSL"),
        ("a.fs", "module A\nlet x = 1\n", "F#"),
        ("a.inc", "<?php echo 1;", "PHP"),
        ("a.sql", "SELECT 1;\n", "SQL"),
        ("a.sql", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN END $$ LANGUAGE plpgsql;\n", "PLpgSQL"),
        ("a.cls", "\\NeedsTeXFormat{LaTeX2e}\n", "TeX"),
        ("a.cls", "public with sharing class A {\n}\n", "Apex"),
        ("ls.1", ".TH LS 1\n.SH NAME\n", "Roff Manpage"),
        ("a.cgi", "#!/usr/bin/python3\nprint(1)\n", "Python"),
        ("run", "#!/usr/bin/env bash\necho\n", "Shell"),
        ("a.py", "#!/bin/sh\n", "Python"),
        ("a.lp", "?\n", None),
        ("notes", "hello\n", None),
    ],
)
def test_contents_decide_between_candidates(path, content, language):
    assert language_of(path, content) == language


def test_every_heuristic_decides_between_languages_that_share_the_extension():
    for extension, lines in HEURISTICS.items():
        candidates = _table().extensions[extension]
        assert len(candidates) > 1 and {language for language, _ in lines} <= set(candidates), extension
        assert all(pattern for _, pattern in lines[:-1]), f"{extension}: a default hides what follows"


def test_types_say_what_belongs_into_a_corpus():
    assert type_of_language("Python") == "programming" and type_of_language("JSON") == "data"
    assert type_of_language("No such language") is None
    assert is_wanted("SQL", ["programming"], []) and not is_wanted("JSON", ["programming"], [])
    assert is_wanted("JSON", [], ["JSON"]) and not is_wanted("Python", ["programming"], ["JSON"])


def test_the_longest_known_extension_counts():
    assert extension_of("a/b.more.rest.txt") == ".rest.txt"
    assert extension_of("archive.tar.unknown") == ".unknown"
    assert extension_of("Makefile") == extension_of(".profile") == ""
