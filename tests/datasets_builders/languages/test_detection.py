"""Linguist's rules on names, first lines and contents."""

import sys
import time

import pyarrow.parquet as pq
import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.languages.ambiguous import COMMENTS, HEURISTICS, decide
from datasets_builders.languages.detection import (
    WantedLanguages,
    _table,
    candidates_of_name,
    extension_of,
    language_of,
    language_of_head,
    language_of_shebang,
    type_of_language,
)
from datasets_builders.languages.tie_break import LINGUIST_NAMES, language_by_magika
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


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
        ("book.toc", "\\contentsline {chapter}{\\numberline {1}A}{1}{}\n", "TeX"),
        ("addon.toc", "Addon.lua\n", None),
        ("a.lp", "?\n", None),
        ("notes", "hello\n", None),
    ],
)
def test_contents_decide_between_candidates(path, content, language):
    assert language_of(path, content) == language


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("a.h", "/* the class of it, using a table;\n   public: fields\n   @end, @property */\nint f(int a);\n", "C"),
        ("a.h", "/**\n * @class Block\n * @interface Block\n */\nstruct block { int size; };\n", "C"),
        ("a.h", "// class Block holds\n//   namespace a\nstruct block { int size; };\n", "C"),
        ("a.h", "struct Engine {\n    std::string name() const;\n};\n", "C++"),
        ("a.h", "#include <utility>\nint f();\n", "C++"),
        ("a.h", "#include <linux/types.h>\n#include <errno.h>\nint f();\n", "C"),
        ("a.h", "/* never closed\nclass A;\n", "C"),
        (
            "a.v",
            "// Definition\n/* Require\nTheorem */\nmodule p (input a);\n always @(*) b = a;\nendmodule\n",
            "Verilog",
        ),
        ("a.v", '(* keep = "true" *)\nprimitive m(o, a);\nendprimitive\n', "Verilog"),
        ("a.v", "// Definition of headers\nmodule main\n\nfn main() {\n}\n", "V"),
        ("a.v", "(** module a in a comment *)\nFrom Coq Require Import List.\n", "Rocq Prover"),
        ("a.m", "1;\nprintf ('%d', 3)\nplot (x, y)\n", "MATLAB"),
        ("a.m", "function x = newton (f)\n  # start\n  x += 1;\nendfunction\n", "MATLAB"),
        ("a.m", "A ; say hello\n W !\n", "M"),
        ("a.ml", "(* structure: val x = fn *)\nmodule type S = sig\n val mem : int\nend\n", "OCaml"),
        ("a.ml", "structure Stack = struct\n val empty = []\nend\n", "Standard ML"),
        ("a.fs", "module A\n/// uniform cost\ntype T =\n    : int\n", "F#"),
        ("a.fs", "let size\n    : Tree -> int = f\n", "F#"),
        ("a.fs", "\\ words\n: square dup * ;\n", "Forth"),
        ("a.fs", "// light\nprecision mediump float;\nuniform vec3 x;\n", "GLSL"),
        ("a.cl", ";;; kernel void\n(defmethod area ((p point)) 0)\n", "Common Lisp"),
        ("a.cl", "__kernel void sum(__global float *a) {}\n", "OpenCL"),
        ("a.lsp", "(in-package :a)\n(define-condition oops () ())\n(define x)\n", "Common Lisp"),
        ("a.lsp", "(context 'WEB)\n(define (fetch url) 1)\n", "NewLisp"),
        ("a.inc", "/* sines */\n0x0000, 0x0324,\n0x0c8c, 0x0fab,\n", "C++"),
        ("a.inc", '{ 1, "one", kOne },\n{ 2, "two", kTwo },\n', "C++"),
        ("a.inc", "HANDLE(Add, 1)\nHANDLE(Sub, 2)\n", "C++"),
        ("a.inc", "{ switches }\n{$mode objfpc}\n", "Pascal"),
        ("a.inc", "\n\n<?php\n$x = 1;\n", "PHP"),
        ("a.d", "unittest { assert(1 == 1); }\n", "D"),
        ("a.d", "a.o: a.c a.h\n", "Makefile"),
        ("a.r", "# see Rebol [not this]\nf <- function(x) x\n", "R"),
        ("a.m4", "AC_DEFUN([A], [b])\n", "M4Sugar"),
        ("a.lean", "import Mathlib.Data\n", "Lean 4"),
        ("a.shader", 'Shader "a" {\n}\n', "ShaderLab"),
        ("a.sch", "(define (f x) x)\n", "Scheme"),
        ("a.cue", "REM DATE 1999\n", "Cue Sheet"),
    ],
)
def test_comments_decide_nothing(path, content, language):
    assert language_of(path, content) == language


def test_every_heuristic_decides_between_languages_that_share_the_extension():
    for extension, lines in HEURISTICS.items():
        candidates = _table().extensions[extension]
        assert len(candidates) > 1 and {language for language, _ in lines} <= set(candidates), extension
        assert all(pattern for _, pattern in lines[:-1]), f"{extension}: a default hides what follows"


def test_comments_are_known_of_extensions_that_are_told_apart():
    assert set(COMMENTS) <= set(HEURISTICS)


def test_types_say_what_belongs_into_a_corpus():
    assert type_of_language("Python") == "programming" and type_of_language("JSON") == "data"
    assert type_of_language("No such language") is None
    programming, json = WantedLanguages(("programming",)), WantedLanguages(names=("JSON",))
    assert "SQL" in programming and "JSON" not in programming and None not in programming
    assert "JSON" in json and "Python" not in json


def test_the_longest_known_extension_counts():
    assert extension_of("a/b.more.rest.txt") == ".rest.txt"
    assert extension_of("archive.tar.unknown") == ".unknown"
    assert extension_of("Makefile") == extension_of(".profile") == ""


@pytest.mark.parametrize(
    ("path", "content", "language"),
    [
        ("include/vector", "// <vector> -*- C++ -*-\n", "C++"),
        ("Eigen/Core", "/* a */ // b\n\n#ifndef CORE_H\n", "C++"),
        ("QString", '#include "qstring.h"\n', "C++"),
        ("once", "#pragma once\n", "C++"),
        ("completions/7z", "# 7z completion   -*- shell-script -*-\n", "Shell"),
        ("bin/tool", "# vim: set ts=4 ft=python :\n", "Python"),
        ("bin/tool", "; -*- mode: Scheme; tab-width: 4 -*-\n", "Scheme"),
        ("a.h", "/* -*- C++ -*- */\nint x;\n", "C++"),
        ("a.h", "/* -*- python -*- */\nint x;\n", "C"),
        ("notes", "# include the milk\n", None),
        ("notes", "text\n#include <a>\n", None),
        ("notes", "/* never closed " + "/* a */" * 500, None),
        ("notes", "\n" * 9 + "# -*- python -*-\n", None),
        ("notes.unheard", "#pragma once\n", None),
    ],
)
def test_first_lines_tell_languages_of_files_without_an_extension(path, content, language):
    assert language_of(path, content) == language


PERL_TEST = """print "1..3\\n";
$x = 5;
foreach $i (0..3) { print "ok $i\\n" if $x =~ /^\\d+$/; }
@list = map { $_ * 2 } grep { $_ > 1 } @values;
print join(", ", @list), "\\n";
"""


def test_magika_chooses_among_what_linguist_leaves_and_nothing_else():
    candidates = candidates_of_name("basic.t")
    assert language_of("basic.t", PERL_TEST) is None and {"Perl", "Raku"} <= set(candidates)
    assert {language_by_magika(PERL_TEST, candidates) for _ in range(3)} == {"Perl"}
    assert language_by_magika(PERL_TEST, ("Raku", "Terra")) is None
    assert language_by_magika(PERL_TEST, ()) is None
    assert language_by_magika("zzz qqq\n", candidates) is None, "not sure"


def test_what_magika_calls_a_language_has_a_name_in_linguist():
    named = {name for names in LINGUIST_NAMES.values() for name in names}
    assert all(type_of_language(name) for name in named)


def test_an_undecided_file_is_kept_when_magika_is_asked(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "basic.t").write_text(PERL_TEST)
    (tmp_path / "project" / "a.py").write_text("def add(first, second):\n    return first + second\n")
    config = SourceCodeConfig(
        output_dir=str(tmp_path / "out"),
        input_dir=str(tmp_path / "project"),
        decontaminate=[],
        language_tie_break="magika",
    )
    result = SourceCodeBuilder(config).run()
    rows = pq.read_table(tmp_path / "out/data").to_pylist()
    assert {row["path"]: row["language"] for row in rows} == {"a.py": "Python", "basic.t": "Perl"}
    assert result.ledger.step("read_code").reasons == {} and language_of("basic.t", PERL_TEST) is None


def test_without_its_package_the_config_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "magika", None)
    with pytest.raises(ConfigError, match=r"needs the package magika\. .*(\.\[magika\]|bin/activate)"):
        SourceCodeConfig(output_dir="x", language_tie_break="magika")
    with pytest.raises(ConfigError, match="language_tie_break is 'guesslang'; known: magika"):
        SourceCodeConfig(output_dir="x", language_tie_break="guesslang")


LONG = 20_000
SLOW_TEXTS = {
    "blank lines": "x\n" + "\n" * LONG + "y\n",
    "spaces": "x" + " " * LONG + "y",
    "lines of spaces": ("  \n" * LONG)[:LONG],
    "one word": "a" * LONG,
    "backslash": "\\" + "\n" * LONG + "x",
    "words": "describe vim: class a( " * (LONG // 23),
    "lines of words": "a(\n" * (LONG // 3),
    "tag": "<" + "a" * LONG,
    "move": "move" + " " * LONG,
    "BEGIN": "BEGIN" + " " * LONG + "x",
    "import": "import " + "a" * LONG,
    "objects": "x: " * (LONG // 3),
    "methods": "-(a\n" * (LONG // 4),
    "brackets": "a[" + "]" * LONG,
    "comments": "/*" * (LONG // 2),
    "stars": "/*" + "* " * (LONG // 2),
    "comments of ML": "(*" * (LONG // 2),
    "comments of Lisp": "#|" + "| " * (LONG // 2),
    "calls": "a(" + ")" * LONG,
    "names": "a.b " * (LONG // 4),
}


@pytest.mark.parametrize("text", SLOW_TEXTS.values(), ids=SLOW_TEXTS)
def test_no_pattern_takes_more_than_a_moment(text):
    for extension in HEURISTICS:
        start = time.process_time()
        decide(extension, (), text)
        assert time.process_time() - start < 0.25, extension
    for line in ("-*-mode:;" * 500, "vi: " * 1000, "-*- " * 1000, "vim: " + "a" * 4000, "#!" + "/a" * 2000):
        start = time.process_time()
        language_of_head("Core", line)
        assert time.process_time() - start < 0.2, line[:9]
