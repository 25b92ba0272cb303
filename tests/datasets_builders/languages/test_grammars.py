"""A language is a row of one table: nothing else is told language by language."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import datasets_builders
from datasets_builders.curation.syntax.metrics import measure, measure_with_prose
from datasets_builders.languages.comments import comment_line
from datasets_builders.languages.grammars import GRAMMARS
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.graph import build_graph
from datasets_builders.repositories.imports import find_imports
from datasets_builders.repositories.resolution.resolver import rules_of
from datasets_builders.repositories.resolution.rules import Rules
from datasets_builders.repositories.separators import SEPARATORS

ROOT = Path(datasets_builders.__file__).parent
# Linguist's own rules know languages by hundreds, whether they have a grammar or not.
RULES_OF_LINGUIST = {"languages/ambiguous.py", "languages/detection.py", "languages/tie_break.py"}
# How often each is asked for, which says nothing of the language.
WEIGHTS = {"synthesis/magpie/scenarios.py"}


@pytest.mark.parametrize("language", GRAMMARS)
def test_a_row_is_complete(language):
    assert "@comment" in GRAMMARS[language].metrics and "@string" in GRAMMARS[language].strings
    assert measure(language, "")["num_functions"] == 0
    assert find_imports(language, "").imports == ()
    assert issubclass(rules_of(language), Rules)


def test_one_row_makes_a_language_known_everywhere(monkeypatch):
    monkeypatch.setitem(GRAMMARS, "Luau", replace(GRAMMARS["Lua"], comment="--!{}"))
    text = 'local a = require("pkg.a")\n-- Says hello.\nlocal function hello() return "how are you" end\n'
    assert measure("Luau", text)["num_functions"] == 1
    assert measure_with_prose("Luau", text)["prose"][1:] == ["-- Says hello.", '"how are you"']
    contents = {"main.luau": text, "pkg/a.lua": "return 1\n"}
    files = RepositoryFiles("mine", contents, dict.fromkeys(contents, "Luau"))
    imports = {path: find_imports("Luau", content) for path, content in contents.items()}
    (edge,) = build_graph(files, imports).edges
    assert (edge.importing, edge.imported, edge.rule) == ("main.luau", "pkg/a.lua", "lua_root")
    assert SEPARATORS["comment"].file("main.luau", "Luau") == comment_line("Luau", "main.luau") == "--!main.luau\n"


@pytest.mark.parametrize(
    ("language", "name", "comment"),
    [
        ("Python", "a\nimport os\n.py", "# a\\nimport os\\n.py\n"),
        ("C", "a\r\u2028b.c", "// a\\r\\u2028b.c\n"),
        ("CSS", "a*/b{}.css", "/* a* /b{}.css */\n"),
        ("HTML", "a-->b.html", "<!-- a- - >b.html -->\n"),
        ("Go", "größe.go", "// größe.go\n"),
    ],
)
def test_the_name_of_a_file_ends_no_comment(language, name, comment):
    assert comment_line(language, name) == comment


def test_no_other_module_has_a_table_of_the_languages():
    tables = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name == "languages/grammars.py" or name in RULES_OF_LINGUIST | WEIGHTS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            elements = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
            values = [element.value for element in elements if isinstance(element, ast.Constant)]
            if sum(value in GRAMMARS for value in values if isinstance(value, str)) > 3:
                tables.append(f"{name}:{node.lineno}")
    assert tables == [], "what differs by language belongs into its row in languages/grammars.py"
