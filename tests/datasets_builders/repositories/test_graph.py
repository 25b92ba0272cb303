"""Labelled mini repositories: every rule of resolution, per language, and what must not be taken for an import."""

import json

import pytest

from datasets_builders.__main__ import BUILDERS, COMMANDS
from datasets_builders.building.command_line import run_command
from datasets_builders.repositories.files import RepositoryFiles, within
from datasets_builders.repositories.graph import build_graph


def graph_of(contents):
    return build_graph(RepositoryFiles("mini", contents))


def edges(graph):
    return {(edge.importing, edge.imported, edge.rule) for edge in graph.edges}


def unresolved(graph):
    return {(one.path, one.target, one.reason) for one in graph.unresolved}


def test_python():
    graph = graph_of(
        {
            "pyproject.toml": "",
            "src/pkg/__init__.py": "from .core import run\n",
            "src/pkg/core.py": "import os, json\nfrom . import text\nfrom .deep.more import value as v\nimport numpy\n",
            "src/pkg/text.py": "# import pkg.core\n'''import pkg.core'''\nif 1:\n    import pkg.deep.more\n",
            "src/pkg/deep/__init__.py": "",
            "src/pkg/deep/more.py": "from ..text import x\nfrom ...... import y\nfrom pkg import name\nimport pkg.no\n",
            "tests/test_core.py": "import pkg.core, importlib\nimportlib.import_module('pkg.text')\n__import__(name)\n",
            "broken.py": "import pkg.core\ndef f(:\n",
        }
    )
    assert edges(graph) == {
        ("src/pkg/__init__.py", "src/pkg/core.py", "python_relative"),
        ("src/pkg/core.py", "src/pkg/text.py", "python_relative"),
        ("src/pkg/core.py", "src/pkg/deep/more.py", "python_relative"),
        ("src/pkg/text.py", "src/pkg/deep/more.py", "python_root"),
        ("src/pkg/deep/more.py", "src/pkg/text.py", "python_relative"),
        ("src/pkg/deep/more.py", "src/pkg/__init__.py", "python_root"),
        ("tests/test_core.py", "src/pkg/core.py", "python_root"),
        ("tests/test_core.py", "src/pkg/text.py", "python_root"),
        ("broken.py", "src/pkg/core.py", "python_root"),
    }
    assert unresolved(graph) == {
        ("src/pkg/core.py", "os", "external"),
        ("src/pkg/core.py", "json", "external"),
        ("src/pkg/core.py", "numpy", "external"),
        ("src/pkg/deep/more.py", "......", "missing"),
        ("src/pkg/deep/more.py", "pkg.no", "missing"),
        ("tests/test_core.py", "importlib", "external"),
        ("tests/test_core.py", "", "dynamic"),
    }


def test_javascript_and_typescript():
    graph = graph_of(
        {
            "packages/ui/package.json": '{"name": "@acme/ui"}',
            "packages/ui/src/index.ts": "export * from './button.js'\nimport type { T } from './types'\n",
            "packages/ui/src/button.tsx": "import data from './data.json'\nimport React from 'react'\n",
            "packages/ui/src/types.d.ts": "export type T = 1\n",
            "packages/ui/src/data.json": "{}",
            "app/main.js": "const ui = require('@acme/ui')\nimport('../packages/ui/src/types')\nrequire(name)\n",
            "app/util/index.mjs": "import x from '../main'\nimport y from '../../../out'\nimport z from './gone'\n",
        }
    )
    assert edges(graph) == {
        ("packages/ui/src/index.ts", "packages/ui/src/button.tsx", "js_relative"),
        ("packages/ui/src/index.ts", "packages/ui/src/types.d.ts", "js_relative"),
        ("app/main.js", "packages/ui/src/index.ts", "js_package"),
        ("app/main.js", "packages/ui/src/types.d.ts", "js_relative"),
        ("app/util/index.mjs", "app/main.js", "js_relative"),
    }
    assert unresolved(graph) == {
        ("packages/ui/src/button.tsx", "react", "external"),
        ("app/main.js", "", "dynamic"),
        ("app/util/index.mjs", "../../../out", "missing"),
        ("app/util/index.mjs", "./gone", "missing"),
    }


def test_c_and_cpp():
    graph = graph_of(
        {
            "src/main.c": '#include "local.h"\n#include <lib/api.h>\n#include <stdio.h>\n#include "no.h"\n#include M\n',
            "src/local.h": '#include "deep/only.h"\n',
            "include/lib/api.h": "int api(void);\n",
            "third/deep/only.h": "",
            "a/same.h": "",
            "b/same.h": "",
            "src/two.cpp": '#include "same.h"\n',
        }
    )
    assert edges(graph) == {
        ("src/main.c", "src/local.h", "c_folder"),
        ("src/main.c", "include/lib/api.h", "c_include_root"),
        ("src/local.h", "third/deep/only.h", "c_suffix"),
    }
    assert {("src/main.c", "stdio.h", "external"), ("src/main.c", "no.h", "missing")} <= unresolved(graph)
    assert ("src/two.cpp", "same.h", "ambiguous") in unresolved(graph)


def test_java():
    graph = graph_of(
        {
            "a/src/com/acme/A.java": "package com.acme;\nimport com.acme.util.*;\nimport static com.acme.B.f;\n",
            "b/src/com/acme/B.java": "package com.acme;\nimport java.util.List;\nimport com.acme.util.U.In;\n",
            "b/src/com/acme/util/U.java": "package com.acme.util;\nimport com.acme.Gone;\nclass U { class Inner {} }\n",
            "b/src/com/acme/util/V.java": "package com.acme.util;\nclass V {}\n",
        }
    )
    assert edges(graph) == {
        ("a/src/com/acme/A.java", "b/src/com/acme/util/U.java", "java_package"),
        ("a/src/com/acme/A.java", "b/src/com/acme/util/V.java", "java_package"),
        ("a/src/com/acme/A.java", "b/src/com/acme/B.java", "java_class"),
        ("b/src/com/acme/B.java", "b/src/com/acme/util/U.java", "java_class"),
    }
    assert unresolved(graph) == {
        ("b/src/com/acme/B.java", "java.util.List", "external"),
        ("b/src/com/acme/util/U.java", "com.acme.Gone", "missing"),
    }


def test_go():
    graph = graph_of(
        {
            "go.mod": "module example.com/acme/tool\n\ngo 1.21\n",
            "main.go": 'package main\nimport (\n\t"fmt"\nx "example.com/acme/tool/inner"\n\t"github.com/other/lib"\n)',
            "inner/a.go": "package inner\n",
            "inner/b.go": "package inner\n",
            "inner/a_test.go": 'package inner\n\nimport "example.com/acme/tool/gone"\n',
        }
    )
    assert edges(graph) == {("main.go", "inner/a.go", "go_module"), ("main.go", "inner/b.go", "go_module")}
    assert unresolved(graph) == {
        ("main.go", "fmt", "external"),
        ("main.go", "github.com/other/lib", "external"),
        ("inner/a_test.go", "example.com/acme/tool/gone", "missing"),
    }


def test_ruby_lua_and_shell():
    graph = graph_of(
        {
            "lib/acme.rb": "require 'acme/core'\nrequire_relative 'acme/extra'\nrequire 'json'\nrequire name\n",
            "lib/acme/core.rb": "",
            "lib/acme/extra.rb": "",
            "lua/pl/init.lua": "local list = require 'pl.list'\nlocal x = require('socket')\n",
            "lua/pl/list.lua": "require('pl')\n",
            "bin/run.sh": 'source "$(dirname "$0")/common.sh"\n. ./near.sh\n. "$ROOT/lib/far.sh"\nsource $FILE\n',
            "bin/common.sh": "echo 1\n",
            "bin/near.sh": "echo 1\n",
            "lib/far.sh": "echo 1\n",
        }
    )
    assert edges(graph) == {
        ("lib/acme.rb", "lib/acme/core.rb", "ruby_root"),
        ("lib/acme.rb", "lib/acme/extra.rb", "ruby_relative"),
        ("lua/pl/init.lua", "lua/pl/list.lua", "lua_root"),
        ("lua/pl/list.lua", "lua/pl/init.lua", "lua_root"),
        ("bin/run.sh", "bin/common.sh", "shell_folder"),
        ("bin/run.sh", "bin/near.sh", "shell_folder"),
        ("bin/run.sh", "lib/far.sh", "shell_folder"),
    }
    assert {reason for _, _, reason in unresolved(graph)} == {"external", "dynamic"}


def test_what_a_file_needs_comes_before_it_and_a_file_never_needs_itself():
    graph = graph_of({"a.py": "import b\nimport a\n", "b.py": "import c\n", "c.py": "x = 1\n", "z.py": "x = 1\n"})
    assert graph.order().paths == ["c.py", "b.py", "a.py", "z.py"]
    assert [(edge.importing, edge.imported) for edge in graph.edges] == [("a.py", "b.py"), ("b.py", "c.py")]


@pytest.mark.parametrize(
    ("folder", "relative", "expected"),
    [("a/b", "../c", "a/c"), ("a", "../..", None), ("", "./x", "x"), ("a", "..", ""), ("a", "../../../etc", None)],
)
def test_paths_never_lead_out_of_the_repository(folder, relative, expected):
    assert within(folder, relative) == expected


def test_a_file_made_to_keep_the_parser_busy_is_left_out():
    graph = graph_of({"a.cpp": "a<" * 100_000, "b.cpp": '#include "a.cpp"\n'})
    assert graph.left_out == {"a.cpp": "parse_too_costly"} and graph.order().paths == ["a.cpp", "b.cpp"]


def test_the_command_shows_the_order_with_its_evidence(tmp_path, capsys):
    (tmp_path / "a.py").write_text("import b\nimport missing_b\n")
    (tmp_path / "b.py").write_text("from a import x\n")
    assert run_command(["repositories", "inspect", str(tmp_path)], BUILDERS, COMMANDS) == 0
    shown = capsys.readouterr().out
    assert "2 files, 2 edges" in shown and "breaks a cycle" in shown
    assert "needs b.py (line 1, python_root)" in shown
    assert run_command(["repositories", "inspect", str(tmp_path), "--json"], BUILDERS, COMMANDS) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["order"] == ["a.py", "b.py"] and found["broken_edges"] == [["b.py", "a.py"]]
    assert run_command(["repositories", "inspect", str(tmp_path / "none")], BUILDERS, COMMANDS) == 2
    assert "nothing lies at" in capsys.readouterr().err
