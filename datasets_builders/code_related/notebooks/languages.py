"""Section 2.3.3: the programming language of a notebook, from what its metadata say or else from its code."""

from __future__ import annotations

import ast
import re
import warnings

from datasets_builders.code_related.notebooks.notebook import Notebook
from datasets_builders.languages.detection import candidates_of_name, language_named

# Names of kernels that are no names of languages; the version behind them is cut off first.
_KERNELS = {
    "python": "Python", "ipython": "Python", "pyspark": "Python", "pyspark-kernel": "Python", "conda": "Python",
    "sagemath": "Python", "sage": "Python", "xpython": "Python", "ir": "R", "irkernel": "R", "xr": "R",
    "xcpp": "C++", "cling": "C++", "xeus-cling": "C++", "ijulia": "Julia", "bash": "Shell", "sh": "Shell",
    "calysto_bash": "Shell", "zsh": "Shell", "apache_toree_scala": "Scala", "spark": "Scala", "almond": "Scala",
    "spylon-kernel": "Scala", "ijavascript": "JavaScript", "jslab": "JavaScript", "node_nteract": "JavaScript",
    "deno": "TypeScript", "tslab": "TypeScript", "ijava": "Java", "rapaio-jupyter-kernel": "Java", "iruby": "Ruby",
    "evcxr": "Rust", "gophernotes": "Go", "igo": "Go", "gonb": "Go", ".net-csharp": "C#", "csharp": "C#",
    ".net-fsharp": "F#", "fsharp": "F#", "ifsharp": "F#", ".net-powershell": "PowerShell", "pwsh": "PowerShell",
    "ihaskell": "Haskell", "octave": "MATLAB", "imatlab": "MATLAB", "xsql": "SQL", "sos": "Python", "c++": "C++",
}  # fmt: skip
_VERSION = re.compile(r"(?:[\s_-]*v?\d[\d.]*)+$")


def language_of_notebook(notebook: Notebook) -> str | None:
    """Return Linguist's name of a notebook's language, or None where neither metadata nor code tell it.

    Args:
        notebook (`Notebook`): what was read.
    """
    for name in notebook.language_names:
        language = _language_of_name(name)
        if language:
            return language
    return "Python" if _is_python(notebook) else None


def _language_of_name(name: str) -> str | None:
    lowered = name.strip().lower()
    if lowered.startswith("."):
        known = _KERNELS.get(lowered)
        candidates = candidates_of_name(f"cell{lowered}")
        return known or (candidates[0] if len(candidates) == 1 else None)
    bare = _VERSION.sub("", lowered)
    for spelled in (lowered, bare):
        language = _KERNELS.get(spelled) or language_named(spelled)
        if language:
            return language
    # Kernels of an environment are named after it: "conda-env-py39-py", "Python [conda env:base]".
    return "Python" if re.search(r"\bpy(?:thon)?\d*\b|python", lowered) else None


def _is_python(notebook: Notebook) -> bool:
    """Return whether there is code, all of which is Python that imports, defines or calls something."""
    sources = [
        "\n".join(line for line in cell.source.split("\n") if not line.lstrip().startswith(("%", "!", "?")))
        for cell in notebook.code_cells
        if not cell.source.startswith("%%")
    ]
    telling = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Call, ast.For, ast.With)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old code
            trees = [ast.parse(source) for source in sources]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, telling) for tree in trees for node in ast.walk(tree))
