"""Notebooks: what people put into cells, and what comes out of the builder."""

import ast
import json
from collections import Counter
from pathlib import Path

import pytest
from datasets import load_dataset

from datasets_builders.building import load_config
from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.notebooks.builder import NotebooksBuilder
from datasets_builders.code_related.notebooks.config import NotebooksConfig
from datasets_builders.code_related.notebooks.languages import language_of_notebook
from datasets_builders.code_related.notebooks.notebook import Cell, Notebook, NotebookError, read_notebook
from datasets_builders.code_related.notebooks.rendering import RenderingLimits, render_script, render_structured
from datasets_builders.code_related.notebooks.rules import PRESETS


def script_of(*cells: str, language: str = "Python", preset: str = "starcoder2") -> str:
    notebook = Notebook(tuple(Cell("code", cell) for cell in cells), ())
    return render_script(notebook, language, PRESETS[preset].rendering)


# What users of jupytext, nbconvert, nbQA and nbautoexport report to go wrong.
@pytest.mark.parametrize(
    ("cell", "script"),
    [
        ("%matplotlib inline\nx = 1", "# %matplotlib inline\nx = 1\n"),
        ("if 1:\n    !ls", "if 1:\n    pass  # !ls\n"),
        ("version = !flake8 --version\nversion", "# version = !flake8 --version\nversion\n"),
        ("time = %time 2+2", "# time = %time 2+2\n"),
        ("%%bash\na=${HOME}\n\necho $a", "# %%bash\n# a=${HOME}\n#\n# echo $a\n"),
        ("%%time\nx = 1\nprint(x)", "# %%time\nx = 1\nprint(x)\n"),
        ("%%writefile a.py\nimport os", "# %%writefile a.py\n# import os\n"),
        ("cat = parameter(name='CAT0')", "cat = parameter(name='CAT0')\n"),
        ("?next", "# ?next\n"),
        ("len??\nx.y?", "# len??\n# x.y?\n"),
        ("foo = !whoami \\\n  && ls\nbar = 1", "# foo = !whoami \\\n#   && ls\nbar = 1\n"),
        ("x = ('%s'\n    %y)\n%cd ..", "x = ('%s'\n    %y)\n# %cd ..\n"),
        ('s = """\n%matplotlib inline\n!ls\n"""\n!ls', 's = """\n%matplotlib inline\n!ls\n"""\n# !ls\n'),
        ("x = a \\\n  %b", "x = a \\\n  %b\n"),
        ("print('(')  # [\n!ls", "print('(')  # [\n# !ls\n"),
        ("a = 'it\\'s'\n!ls", "a = 'it\\'s'\n# !ls\n"),
        ("  %matplotlib inline\n  x = 1\n", "# %matplotlib inline\nx = 1\n"),
        ("    if x:\n        y = 1\nz = 2", "if x:\n    y = 1\nz = 2\n"),
        ("cd ..\npip install -q x", "# cd ..\n# pip install -q x\n"),
        ("git clone https://a.org/b\nmkdir -p c/d", "# git clone https://a.org/b\n# mkdir -p c/d\n"),
        ("cd in x or cd is None", "cd in x or cd is None\n"),
        ("%%python3\na = 1", "# %%python3\na = 1\n"),
        ('%%configure -f\n{"cores": 4}', '# %%configure -f\n# {"cores": 4}\n'),
        ("def f():\n    %timeit g()\n    return 1", "def f():\n    pass  # %timeit g()\n    return 1\n"),
    ],
)
def test_lines_for_the_notebook_are_comments_and_the_script_is_python(cell: str, script: str) -> None:
    assert script_of(cell) == script
    ast.parse(script)


@pytest.mark.parametrize(
    ("language", "cell", "script"),
    [
        ("MATLAB", "% a comment\nx = 1", "% a comment\nx = 1\n"),
        ("Julia", ";ls\n]add X\n?sin\nx = 1", "# ;ls\n# ]add X\n# ?sin\nx = 1\n"),
        ("JavaScript", "!function () {}()\nx?\n1:2", "!function () {}()\nx?\n1:2\n"),
        ("C++", "%%file a.h\nint a;", "// %%file a.h\n// int a;\n"),
        ("R", "x %in% y\n5 %% 2", "x %in% y\n5 %% 2\n"),
        ("Shell", "! grep x y", "! grep x y\n"),
    ],
)
def test_magics_of_other_kernels(language: str, cell: str, script: str) -> None:
    assert script_of(cell, language=language) == script


def test_kaggle_leaves_out_magics_installs_and_long_lines_and_shows_outputs() -> None:
    cells = (
        Cell("code", "# This Python 3 environment comes with many helpful analytics libraries installed"),
        Cell("markdown", "# Title"),
        Cell("code", "!pip install x\npip install y\nif x:\n    %time f()\nimport pandas\ny = '" + "a" * 700 + "'"),
        Cell("code", "df.head()", ("\n".join(map(str, range(9))),)),
        Cell("markdown", "Thanks for reading, please upvote"),
    )
    rules = PRESETS["kaggle"]
    script = render_script(rules.without_templates(Notebook(cells, ())), "Python", rules.rendering)
    assert script == (
        '# # Title\n\nif x:\n    pass\nimport pandas\n\ndf.head()\n\n"""Output:\n0\n1\n2\n3\n4\n[...]\n"""\n'
    )


def test_structured_notebooks_pair_text_code_and_last_output() -> None:
    notebook = Notebook(
        (
            Cell("code", "leading = 1"),
            Cell("markdown", "One"),
            Cell("markdown", "two"),
            Cell("code", "a = 1", ("first",)),
            Cell("code", "print('```')", ("```", "a\n```\nb")),
            Cell("raw", "---"),
            Cell("markdown", "trailing"),
        ),
        (),
    )
    limits = RenderingLimits()
    assert render_structured(notebook, "Python", limits, "markdown") == (
        "One\n\ntwo\n\n```python\na = 1\n\nprint('```')\n```\n\n````output\na\n```\nb\n````\n"
    )
    assert render_structured(notebook, "Python", limits, "starcoder") == (
        "<jupyter_start><jupyter_text>One\n\ntwo<jupyter_code>a = 1\n\nprint('```')<jupyter_output>a\n```\nb"
    )


def stream(text: object, **more: object) -> dict[str, object]:
    return {"output_type": "stream", "text": text, **more}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (stream(["a\n", "b"]), "a\nb"),
        (stream("warning", name="stderr"), None),
        (stream("warning", stream="stderr"), None),
        (stream("\x1b[31mred\x1b[0m"), "red"),
        (stream("0%\r50%\r100%\n"), "100%"),
        ({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["..."]}, "ValueError: no"),
        ({"output_type": "pyerr", "ename": "E", "evalue": ""}, "E"),
        ({"output_type": "pyout", "text": ["3"]}, "3"),
        ({"output_type": "display_data", "data": {"image/png": "iVBO", "text/plain": "<Figure size 1x1>"}}, None),
        ({"output_type": "display_data", "data": {"text/plain": ["[<matplotlib.Line2D at 0x7f>]"]}}, None),
        ({"output_type": "execute_result", "data": {"text/html": "<b>x</b>", "text/plain": "x"}}, "x"),
        ({"output_type": "execute_result", "data": {"text/latex": "$x$"}}, "$x$"),
        ({"output_type": "execute_result", "data": None}, None),
        ("damaged", None),
    ],
)
def test_outputs_are_what_a_terminal_shows_without_pictures(output: object, text: str | None) -> None:
    cells = [{"cell_type": "code", "source": "f()", "outputs": [output]}]
    assert read_notebook(json.dumps({"cells": cells})).cells[0].outputs == (() if text is None else (text,))


# nbformat 1 to 4, and what tools write that no version allows.
@pytest.mark.parametrize(
    "found",
    [
        {"nbformat": 1, "cells": [{"cell_type": "code", "code": "f()"}]},
        {"nbformat": 2, "worksheets": [{"cells": [{"cell_type": "code", "input": "f()", "language": "python"}]}]},
        {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["f()"], "metadata": []}]}]},
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": ["f", "()"]}], "metadata": {}},
        {"cells": [{"cell_type": "code", "source": "f()", "outputs": {}}, "damaged", {"cell_type": "code"}]},
        {"metadata": [], "cells": [{"cell_type": "code", "source": ["f()", None, 3]}]},
        {"nbformat": "4", "nbformat_minor": None, "cells": [{"cell_type": "code", "source": "f()", "id": 3}]},
        {"nbformat": 5, "cells": [{"cell_type": "code", "source": "f()", "outputs": [{"metadata": []}]}]},
        {"nbformat": 4, "cells": [], "worksheets": [{"cells": [{"cell_type": "code", "input": "f()"}]}]},
    ],
)
def test_cells_are_read_from_every_version_and_from_none(found: dict[str, object]) -> None:
    notebook = read_notebook("\ufeff" + json.dumps(found))
    assert notebook.cells[0] == Cell("code", "f()")
    assert language_of_notebook(notebook) == "Python"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not_json"),
        ('{"cells": [', "not_json"),
        ('{"cells": [\n<<<<<<< HEAD\n1', "not_json"),
        ("[" * 100_000, "not_json"),
        ("[1]", "not_a_notebook"),
        ('{"cells": []}', "not_a_notebook"),
        ('{"worksheets": [{"cells": 3}, 4]}', "not_a_notebook"),
        ('{"paragraphs": [{"text": "%python"}]}', "not_a_notebook"),
        ('{"cells": {"0": {"cell_type": "code"}}}', "not_a_notebook"),
    ],
)
def test_what_is_no_notebook_has_a_reason(text: str, reason: str) -> None:
    with pytest.raises(NotebookError) as error:
        read_notebook(text)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("version", "lines", "text"),
    [
        (2, ["a = 1", "b = 2"], "a = 1\nb = 2"),
        (3, ["a = 1\n", "b = 2"], "a = 1\nb = 2"),
        (3, ["a = 1"], "a = 1"),
        (4, ["a = ", "1\n", "b = 2"], "a = 1\nb = 2"),
    ],
)
def test_lines_of_old_notebooks_may_lack_their_ends(version: int, lines: list[str], text: str) -> None:
    cell = {"cell_type": "code", "source" if version > 3 else "input": lines, "outputs": [stream(lines)]}
    holder: dict[str, object] = {"cells": [cell]} if version > 3 else {"worksheets": [{"cells": [cell]}]}
    assert read_notebook(json.dumps({"nbformat": version} | holder)).cells == (Cell("code", text, (text,)),)


def test_values_that_strict_json_refuses_are_read() -> None:
    text = '{"cells": [{"cell_type": "markdown", "source": "\\ud83d x", "metadata": {"score": NaN}}]}'
    assert read_notebook(text).cells[0].source == "\ufffd x"


def test_embedded_pictures_leave_their_description() -> None:
    source = "a ![plot](attachment:a.png) b ![](data:image/png;base64,iVBO) <img src='data:image/png;base64,i'> c"
    cells = [{"cell_type": "markdown", "source": source}, {"cell_type": "heading", "level": 2, "source": "h"}]
    notebook = read_notebook(json.dumps({"cells": cells}))
    assert [cell.source for cell in notebook.cells] == ["a plot b   c", "## h"]


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"language_info": {"name": "python"}}, "Python"),
        ({"language_info": {"name": "R"}}, "R"),
        ({"language_info": {"pygments_lexer": "ipython3"}}, "Python"),
        ({"kernelspec": {"name": "python3"}}, "Python"),
        ({"kernelspec": {"name": "conda-env-py39-py"}}, "Python"),
        ({"kernelspec": {"display_name": "Python [conda env:base]"}}, "Python"),
        ({"kernelspec": {"name": "julia-1.9"}}, "Julia"),
        ({"kernelspec": {"name": "ir"}}, "R"),
        ({"kernelspec": {"name": "xcpp17"}}, "C++"),
        ({"language_info": {"name": "C++17"}}, "C++"),
        ({"kernelspec": {"name": ".net-csharp", "language": "C#"}}, "C#"),
        ({"language_info": {"file_extension": ".jl"}}, "Julia"),
        ({"language_info": {"name": ""}, "kernelspec": {"language": "scala"}}, "Scala"),
        ({"language_info": {"name": "plaintext"}}, None),
        ({"kernelspec": 3, "language_info": []}, None),
        ({}, None),
    ],
)
def test_language_from_metadata(metadata: dict[str, object], language: str | None) -> None:
    cells = [{"cell_type": "code", "source": "x <- 1"}]
    assert language_of_notebook(read_notebook(json.dumps({"cells": cells, "metadata": metadata}))) == language


def write_notebook(path: Path, *cells: tuple[str, str], **metadata: object) -> None:
    raw = [{"cell_type": kind, "source": source, "outputs": [], "metadata": {}} for kind, source in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"nbformat": 4, "cells": raw, "metadata": {"language_info": {"name": "python"}} | metadata})
    )


def test_the_builder_gives_scripts_and_accounts_for_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    body = "\n".join(f"total_{number} = sum(range({number}))" for number in range(20))
    write_notebook(folder / "a.ipynb", ("markdown", "How sums are made."), ("code", body))
    write_notebook(folder / "copy.ipynb", ("markdown", "How sums are made."), ("code", body))
    write_notebook(folder / ".ipynb_checkpoints" / "a-checkpoint.ipynb", ("code", body))
    write_notebook(folder / "broken.ipynb", ("code", "def f(:\n    return ]"))
    write_notebook(folder / "text.ipynb", ("markdown", "words"))
    (folder / "damaged.ipynb").write_text('{"cells": [')
    config = NotebooksConfig(output_dir=str(tmp_path / "out"), input_dir=str(folder), decontaminate=[])
    result = NotebooksBuilder(config).run()
    rows = load_dataset(str(result.output_dir), split="train")
    assert [(row["path"], row["language"], row["num_code_cells"]) for row in rows] == [("a.ipynb", "Python", 1)]
    assert rows[0]["text"] == f"# How sums are made.\n\n{body}\n"
    reasons = sum((Counter(counts.reasons) for counts in result.ledger.steps), Counter())
    assert reasons == {"no_code": 1, "not_json": 1, "syntax_error": 1, "same_content": 1, "excluded": 1}


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("form=scripts", "script, structured"),
        ("preset=starcoder", "starcoder2, kaggle"),
        ("structured_style=md", "markdown, starcoder"),
        ("languages=[python]", "did you mean 'Python'"),
        ("max_output_chars=-1", "at least 0"),
    ],
)
def test_a_wrong_value_names_the_right_ones(override: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        load_config(NotebooksConfig, overrides=[override])
