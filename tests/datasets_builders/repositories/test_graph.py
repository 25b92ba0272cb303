"""Labelled mini repositories: every rule of resolution, per language, and what must not be taken for an import."""

import json
import re
import sys
from pathlib import Path

import pytest

from datasets_builders.__main__ import main
from datasets_builders.repositories.files import RepositoryFiles, within
from datasets_builders.repositories.graph import build_graph
from datasets_builders.repositories.imports import may_import
from tests.datasets_builders.repositories.graphs import graph_of


def mini(name):
    """Return a repository that lies in one text file: `==> path <==`, then the file."""
    text = (Path(__file__).parent / "mini" / f"{name}.txt").read_text()
    parts = re.split(r"^==> (.+) <==\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def edges(graph):
    return {(edge.importing, edge.imported, edge.rule) for edge in graph.edges}


def unresolved(graph):
    return {(lost.path, lost.target, lost.reason) for lost in graph.unresolved}


def test_python():
    graph = graph_of(mini("python"))
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


def test_the_standard_library_of_python_imports_itself_wherever_it_lies():
    names = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))[:30]
    files = {f"Lib/{name}.py": "" for name in names} | {f"Lib/{names[0]}.py": f"import {names[1]}\n"}
    assert edges(graph_of(files)) == {(f"Lib/{names[0]}.py", f"Lib/{names[1]}.py", "python_root")}
    few = dict(list(files.items())[:10])
    assert edges(graph_of(few)) == set()


def test_javascript_and_typescript():
    graph = graph_of(mini("javascript_and_typescript"))
    assert edges(graph) == {
        ("packages/ui/src/index.ts", "packages/ui/src/button.tsx", "js_relative"),
        ("packages/ui/src/index.ts", "packages/ui/src/types.d.ts", "js_relative"),
        ("app/main.js", "packages/ui/src/index.ts", "js_package"),
        ("app/main.js", "packages/ui/src/types.d.ts", "js_relative"),
        ("app/util/index.mjs", "app/main.js", "js_relative"),
        ("both/a.d.ts", "both/b.d.ts", "js_relative"),
        ("both/a.js", "both/b.js", "js_relative"),
    }
    assert unresolved(graph) == {
        ("packages/ui/src/button.tsx", "react", "external"),
        ("app/main.js", "", "dynamic"),
        ("app/util/index.mjs", "../../../out", "missing"),
        ("app/util/index.mjs", "./gone", "missing"),
    }


def test_c_and_cpp():
    graph = graph_of(mini("c_and_cpp"))
    assert edges(graph) == {
        ("src/main.c", "src/local.h", "c_folder"),
        ("src/main.c", "include/lib/api.h", "c_include_root"),
        ("src/local.h", "third/deep/only.h", "c_suffix"),
    }
    assert {("src/main.c", "stdio.h", "external"), ("src/main.c", "no.h", "missing")} <= unresolved(graph)
    assert ("src/two.cpp", "same.h", "ambiguous") in unresolved(graph)


def test_headers_without_an_extension_names_in_another_case_and_backslashes():
    graph = graph_of(mini("headers"))
    assert edges(graph) == {
        ("Eigen/Core", "Eigen/src/Core/Matrix.h", "c_folder"),
        ("Eigen/Dense", "Eigen/Core", "c_folder"),
        ("Qt/QString", "Qt/qstring.h", "c_folder"),
        ("std/bare", "std/deeper/bare", "c_suffix"),
        ("src/main.cpp", "Eigen/Dense", "c_include_root"),
        ("src/main.cpp", "Qt/QString", "c_suffix"),
        ("src/main.cpp", "std/bare", "c_folder"),
        ("src/main.cpp", "src/Parts/Wheel.h", "c_folder"),
        ("src/main.cpp", "src/Parts/Axle.h", "c_case"),
        ("src/main.cpp", "parts/far.h", "c_case"),
    }
    assert unresolved(graph) == {
        ("src/main.cpp", "iostream", "external"),
        ("src/main.cpp", "list", "external"),
        ("src/main.cpp", "vector", "external"),
        ("src/main.cpp", "Twice.h", "ambiguous"),
        ("src/main.cpp", "windows.h", "external"),
        ("src/main.cpp", "Parts/wheel.h", "external"),
    }
    assert {graph.languages[path] for path in ("Eigen/Core", "Qt/QString", "std/bare", "std/deeper/bare")} == {"C++"}
    assert not {"AUTHORS", "debian/list"} & set(graph.files)
    order = graph.order().paths
    assert order.index("Eigen/Core") < order.index("Eigen/Dense") < order.index("src/main.cpp")


def test_java():
    graph = graph_of(mini("java"))
    assert edges(graph) == {
        ("a/src/com/acme/A.java", "b/src/com/acme/util/U.java", "jvm_package"),
        ("a/src/com/acme/A.java", "a/src/com/acme/Near.java", "same_package"),
        ("a/src/com/acme/Near.java", "a/src/com/acme/A.java", "same_package"),
        ("a/src/com/acme/Near.java", "b/src/com/acme/util/U.java", "full_name"),
        ("a/src/com/acme/A.java", "b/src/com/acme/B.java", "jvm_name"),
        ("b/src/com/acme/B.java", "b/src/com/acme/util/U.java", "jvm_name"),
        ("c/src/com/acme/C.java", "c/src/com/acme/util/V.java", "jvm_name"),
    }
    assert unresolved(graph) == {
        ("a/src/com/acme/Near.java", "com.acme.util", "unused"),
        ("b/src/com/acme/B.java", "java.util.List", "external"),
        ("b/src/com/acme/util/U.java", "com.acme.Gone", "missing"),
        ("d/src/com/acme/D.java", "com.acme.util.V", "ambiguous"),
    }


def test_kotlin_sees_java_and_functions():
    graph = graph_of(mini("kotlin"))
    assert edges(graph) == {
        ("src/Main.kt", "lib/Functions.kt", "jvm_name"),
        ("src/Main.kt", "lib/Tool.java", "jvm_name"),
        ("src/Main.kt", "base/Base.kt", "jvm_package"),
        ("src/Main.kt", "src/Beside.kt", "same_package"),
        ("lib/Tool.java", "lib/Functions.kt", "jvm_name"),
    }
    assert ("src/Main.kt", "kotlin.io", "external") in unresolved(graph)


def test_scala():
    graph = graph_of(mini("scala"))
    assert edges(graph) == {
        ("src/App.scala", "src/util.scala", "jvm_name"),
        ("src/App.scala", "src/model.scala", "jvm_package"),
        ("src/App.scala", "src/Start.scala", "same_package"),
    }
    assert unresolved(graph) == {
        ("src/App.scala", "com.acme.util.Gone", "missing"),
        ("src/App.scala", "scala.collection.mutable", "external"),
    }


def test_csharp():
    graph = graph_of(mini("csharp"))
    assert edges(graph) == {
        ("App/Program.cs", "Core/Engine.cs", "csharp_using"),
        ("App/Program.cs", "Core/Engine.More.cs", "csharp_using"),
        ("App/Program.cs", "Every.cs", "csharp_using"),
        ("App/Program.cs", "Text.cs", "csharp_type"),
        ("App/Program.cs", "Json.cs", "csharp_type"),
        ("App/Program.cs", "Base.cs", "same_namespace"),
        ("App/Program.cs", "App/Beside.cs", "same_namespace"),
    }
    assert unresolved(graph) == {
        ("App/Program.cs", "System", "external"),
        ("App/Program.cs", "System.Text", "external"),
        ("App/Program.cs", "Acme.Quiet", "unused"),
        ("App/Program.cs", "Acme.Gone", "missing"),
        ("Globals.cs", "Acme.Everywhere", "unused"),
    }


def test_rust():
    graph = graph_of(mini("rust"))
    assert edges(graph) == {
        ("a/src/lib.rs", "a/src/error.rs", "rust_mod"),
        ("a/src/lib.rs", "a/src/net/mod.rs", "rust_mod"),
        ("a/src/lib.rs", "a/src/odd/place.rs", "rust_mod"),
        ("a/src/lib.rs", "a/src/error.rs", "rust_path"),
        ("a/src/lib.rs", "a/src/inline/deep.rs", "rust_mod"),
        ("a/src/lib.rs", "a/src/net/mod.rs", "rust_path"),
        ("a/src/net/mod.rs", "a/src/net/tcp.rs", "rust_mod"),
        ("a/src/net/mod.rs", "a/src/net/tcp.rs", "rust_path"),
        ("a/src/net/mod.rs", "a/src/error.rs", "rust_reexport"),
        ("a/src/net/tcp.rs", "a/src/error.rs", "rust_path"),
        ("a/src/net/tcp.rs", "a/src/net/mod.rs", "rust_path"),
        ("a/tests/it.rs", "a/src/net/tcp.rs", "rust_path"),
        ("a/tests/it.rs", "a/tests/common/mod.rs", "rust_mod"),
        ("b/src/main.rs", "a/src/error.rs", "rust_reexport"),
        ("b/src/main.rs", "a/src/net/mod.rs", "rust_path"),
        ("b/src/main.rs", "b/src/cli.rs", "rust_mod"),
        ("b/src/cli.rs", "b/src/cli/args.rs", "rust_mod"),
        ("b/src/cli.rs", "b/src/cli/args.rs", "rust_path"),
        ("b/src/cli.rs", "b/src/table.rs", "rust_include"),
    }
    assert unresolved(graph) == {
        ("a/src/lib.rs", "std::io", "external"),
        ("a/src/lib.rs", "gone", "missing"),
        ("b/src/main.rs", "serde::Serialize", "external"),
    }


def test_rust_modules_inside_macros_and_paths_inside_inline_modules():
    graph = graph_of(
        {
            "Cargo.toml": "",
            "src/lib.rs": 'on! {\n  mod a;\n  unix! { mod b; }\n}\nmod gen { #[path = "../made.rs"] mod made; }\n',
            "src/a.rs": "table! { set, /// use crate::b;\n mod b; }\nfn f() { quote! { mod b; } }\n",
            "src/b.rs": "on! { use crate::a; }\n",
            "made.rs": "",
            "src/made.rs": "",
        }
    )
    assert edges(graph) == {
        ("src/lib.rs", "src/a.rs", "rust_mod"),
        ("src/lib.rs", "src/b.rs", "rust_mod"),
        ("src/lib.rs", "src/made.rs", "rust_mod"),
        ("src/b.rs", "src/a.rs", "rust_path"),
    }
    assert unresolved(graph) == set()
    assert [edge.line for edge in graph.edges if edge.imported == "src/b.rs"] == [3]


def test_php():
    graph = graph_of(mini("php"))
    assert edges(graph) == {
        ("public/index.php", "boot.php", "php_file"),
        ("public/index.php", "conf.php", "php_file"),
        ("public/index.php", "public/near.php", "php_file"),
        ("public/index.php", "src/App.php", "php_class"),
        ("public/index.php", "src/Deep/Thing.php", "php_class"),
        ("public/index.php", "src/functions.php", "php_class"),
        ("public/index.php", "src/Full.php", "same_namespace"),
        ("src/App.php", "src/Base.php", "same_namespace"),
        ("src/App.php", "src/Deep/Thing.php", "same_namespace"),
    }
    assert unresolved(graph) == {
        ("public/index.php", "", "dynamic"),
        ("public/index.php", "Acme\\Gone", "missing"),
        ("public/index.php", "Other\\Lib", "external"),
    }


def test_php_in_another_case_and_with_backslashes():
    graph = graph_of(mini("php_case"))
    assert edges(graph) == {
        ("index.php", "deep/Thing.php", "php_case"),
        ("index.php", "inc/Boot.php", "php_case"),
        ("index.php", "lib/near.php", "php_case"),
    }
    assert unresolved(graph) == {("index.php", "Acme\\Twice", "missing"), ("index.php", "Boot.php", "missing")}


def test_php_without_declarations_goes_by_composer():
    files = {"composer.json": '{"autoload": {"psr-4": {"Acme\\\\": ["lib"]}}}', "lib/Tool.php": "<?php\n"}
    graph = graph_of(files | {"a.php": "<?php\nuse Acme\\Tool;\n"})
    assert edges(graph) == {("a.php", "lib/Tool.php", "php_psr4")}


def test_dart():
    graph = graph_of(mini("dart"))
    assert edges(graph) == {
        ("lib/acme.dart", "lib/src/core.dart", "dart_relative"),
        ("lib/acme.dart", "lib/src/io.dart", "dart_relative"),
        ("lib/acme.dart", "lib/src/part.dart", "dart_relative"),
        ("test/acme_test.dart", "lib/acme.dart", "dart_package"),
    }
    assert unresolved(graph) == {
        ("lib/acme.dart", "dart:io", "external"),
        ("lib/acme.dart", "package:http/http.dart", "external"),
        ("lib/acme.dart", "gone.dart", "missing"),
        ("lib/src/io.dart", "../../../out.dart", "missing"),
    }


def test_aliases_of_tsconfig_and_entry_points_of_packages():
    graph = graph_of(mini("tsconfig"))
    assert edges(graph) == {
        ("app/src/main.ts", "app/src/one.ts", "js_alias"),
        ("app/src/main.ts", "app/src/deeper/two.ts", "js_alias"),
        ("app/src/main.ts", "tools/x.ts", "js_alias"),
        ("app/src/main.ts", "app/src/one.ts", "js_import_map"),
        ("app/src/main.ts", "kit/code/entry.ts", "js_package"),
        ("app/src/main.ts", "kit/code/sub.ts", "js_package"),
        ("app/src/main.ts", "kit/hidden/part.ts", "js_package"),
    }
    assert unresolved(graph) == {("app/src/main.ts", "@/gone", "missing"), ("app/src/main.ts", "react", "external")}


def test_go():
    graph = graph_of(mini("go"))
    assert edges(graph) == {
        ("main.go", "inner/a.go", "go_module"),
        ("main.go", "inner/b.go", "go_module"),
        ("inner/a.go", "inner/b.go", "same_package"),
    }
    assert unresolved(graph) == {
        ("main.go", "fmt", "external"),
        ("main.go", "github.com/other/lib", "external"),
        ("inner/a_test.go", "example.com/acme/tool/gone", "missing"),
    }


def test_a_go_module_is_told_by_the_name_of_its_repository():
    files = {"mux.go": "package mux\nfunc New() {}\n", "mux_test.go": 'package mux_test\nimport "github.com/g/mux"\n'}
    for name, expected in (("g/mux", {("mux_test.go", "mux.go", "go_inferred")}), ("h/other", set())):
        assert edges(graph_of(files, name)) == expected


def test_ruby_lua_and_shell():
    graph = graph_of(mini("ruby_lua_and_shell"))
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


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.js", "export*from'./b.js'"),
        ("a.js", 'export {x} from/*c*/"./b.js"'),
        ("a.js", "export {x} from\u00a0'./b.js'"),
        ("a.ts", "export type {x} from\t'./b.js'"),
        ("a.ts", "import b=require('./b.js')"),
        ("a.js", "const b = await import(`./b.js`)"),
        ("a.py", "__import__('b')"),
        ("a.py", "from b import\\\n c"),
        ("a.py", "importlib.import_module('b')"),
        ("a.c", '#\t include"b.h"'),
        ("a.rb", "load('b.rb')"),
        ("a.lua", "require'b'"),
        ("a.dart", "part'b.dart';"),
    ],
)
def test_a_lone_import_is_found_however_it_is_written(path, text):
    others = dict.fromkeys(("b.js", "b.py", "b.h", "b.rb", "b.lua", "b.dart"), "")
    assert [(edge.importing, edge.line) for edge in graph_of({path: text, **others}).edges] == [(path, 1)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Python", "important = 1  # imported"),
        ("JavaScript", "Array.from(required)  // from the imports"),
        ("C", "/* \\include b.h, included */"),
        ("Ruby", "loaded = required"),
    ],
)
def test_a_file_without_an_import_need_not_be_parsed(language, text):
    assert not may_import(language, text.encode())


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
    repository = RepositoryFiles("mini", {"a.sh": "a@" * 50_000, "b.sh": ". ./a.sh\n", "C.java": "a<" * 50_000})
    graph = build_graph(repository)
    assert repository.left_out == {"a.sh": "parse_too_costly", "C.java": "parser_lost"}
    assert graph.order().paths == ["C.java", "a.sh", "b.sh"]


def test_includes_are_told_from_comments_and_strings_and_macros_do_not_matter():
    text = """/* #include "no.h"
    #include "no.h" */ // #include "no.h"
const char *a = "\\
#include \\"no.h\\"", b = '"'; // don't
const char *c = R"x(
#include "no.h"
)x";
class A : public B<A> {
#define MACRO(x
  #  include /* why */ "yes.h" // because
};
#include M
#error it isn't
#include <sys.h>
"""
    graph = graph_of({"a.cpp": text, "no.h": "", "yes.h": "", "sys.h": ""})
    assert [(edge.imported, edge.line) for edge in graph.edges] == [("sys.h", 14), ("yes.h", 10)]
    assert unresolved(graph) == {("a.cpp", "", "dynamic")}


def test_imports_for_type_checkers_give_way_in_cycles():
    files = {
        "app.py": "from ctx import C\n",
        "ctx.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app import App\nelse:\n    import z\n",
        "z.py": "",
        "a.py": "import typing as t\nif t.TYPE_CHECKING:\n    pass\nif TYPE_CHECKING:\n    import z\n",
    }
    graph = graph_of(files)
    assert {(edge.importing, edge.imported) for edge in graph.edges if edge.is_weak} == {
        ("ctx.py", "app.py"),
        ("a.py", "z.py"),
    }
    types = graph_of({"a.ts": "import type { B } from './b'\n", "b.ts": "import { a } from './a'\n"})
    lazy = graph_of({"a.py": "def f():\n    import b\n", "b.py": "import a\n"})
    assert types.order().paths == ["a.ts", "b.ts"] and lazy.order().paths == ["a.py", "b.py"]
    # Where nothing stands against it, a weak import comes first like any other.
    assert graph.order().paths == ["z.py", "a.py", "ctx.py", "app.py"]
    assert graph.order("paper").paths == ["z.py", "a.py", "app.py", "ctx.py"]


@pytest.mark.parametrize(
    "manifest", ['{"name": "kit", "exports": 1}', '{"name": 2}', "[1]", "{", "[" * 100_000, "null"]
)
def test_manifests_that_are_none_are_as_good_as_missing(manifest):
    files = {"kit/package.json": manifest, "tsconfig.json": manifest, "composer.json": manifest, "kit/index.js": ""}
    graph = graph_of(files | {"a.ts": "import 'kit'\nimport './kit'\n", "b.php": "<?php\nuse A\\B;\n"})
    assert ("a.ts", "kit/index.js", "js_relative") in edges(graph)


def test_files_that_all_import_each_other_are_ordered():
    names = [f"m{number:03d}" for number in range(200)]
    text = "".join(f"import {name}\n" for name in names)
    graph = graph_of({f"{name}.py": text for name in names})
    assert len(graph.edges) == 200 * 199 and graph.order().paths == [f"{name}.py" for name in names]


def test_exports_that_go_round_in_circles_end():
    barrel = {"index.ts": "export * from './a'\n", "a.ts": "export * from './index'\n"}
    rust = {
        "Cargo.toml": "[package]\nname = 'x'\n",
        "src/lib.rs": "mod a;\nmod b;\npub use a::T;\n",
        "src/a.rs": "pub use crate::b::T;\n",
        "src/b.rs": "pub use crate::T;\n",
    }
    graph = graph_of(barrel | rust)
    assert {(edge.importing, edge.imported) for edge in graph.edges} >= {
        ("index.ts", "a.ts"),
        ("a.ts", "index.ts"),
        ("src/lib.rs", "src/a.rs"),
    }


def test_the_command_shows_the_order_with_its_evidence(tmp_path, capsys):
    (tmp_path / "a.py").write_text("import b\nimport missing_b\n")
    (tmp_path / "b.py").write_text("from a import x\n")
    assert main(["repositories", "inspect", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "2 files, 2 edges" in shown and "breaks a cycle" in shown
    assert "needs b.py (line 1, python_root)" in shown
    page = tmp_path / "page.html"
    assert main(["repositories", "inspect", str(tmp_path), "--html", str(page)]) == 0
    text = page.read_text().replace("<wbr>", "")  # where a long name may be broken
    assert "<title>b.py needs a.py</title>" in text and "b.py (line 1, python_root)" in text
    capsys.readouterr()
    assert main(["repositories", "inspect", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["order"] == ["a.py", "b.py"] and found["broken_edges"] == [["b.py", "a.py"]]
    assert main(["repositories", "inspect", str(tmp_path / "none")]) == 2
    assert "nothing lies at" in capsys.readouterr().err


def test_the_command_says_when_there_is_nothing_to_order(tmp_path, capsys):
    (tmp_path / "broken.tar.gz").write_text("no archive")
    assert main(["repositories", "inspect", str(tmp_path / "broken.tar.gz")]) == 1
    assert "no file to order; left out: broken.tar.gz (damaged_archive)" in capsys.readouterr().err
