"""Notebooks to scripts: ours beside Jupytext's, over the same files in one run.

    pip install jupytext
    python tests/benchmarks/bench_notebooks.py FOLDER [--pictures-kb 100]

FOLDER holds `.ipynb` files at any depth, such as an unpacked source distribution of nbconvert, nbformat and papermill.
With --pictures-kb each gets a picture of that size among its outputs, as real notebooks have. Processor time.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from datasets_builders.code_related.notebooks.languages import language_of_notebook
from datasets_builders.code_related.notebooks.notebook import read_notebook
from datasets_builders.code_related.notebooks.rendering import RenderingLimits, render_script


def ours(text: str) -> str:
    """Return the script by our reader."""
    notebook = read_notebook(text)
    return render_script(notebook, language_of_notebook(notebook) or "Python", RenderingLimits())


def jupytexts(text: str) -> str:
    """Return the script by Jupytext."""
    import jupytext

    script: str = jupytext.writes(jupytext.reads(text, fmt="ipynb"), fmt="py:light")
    return script


def with_picture(text: str, num_bytes: int) -> str:
    """Return a notebook with a picture among its outputs, or as it is where it has no code."""
    found = json.loads(text)
    for cell in found.get("cells", ()):
        if num_bytes and isinstance(cell, dict) and cell.get("cell_type") == "code":
            data = {"image/png": "iVBO" * (num_bytes // 4)}
            cell["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
            break
    return json.dumps(found)


def measure(render: Callable[[str], str], texts: list[str]) -> tuple[float, int]:
    """Return seconds of processor time, and how many notebooks gave a script."""
    done, start = 0, time.process_time()
    for text in texts:
        try:
            render(text)
            done += 1
        except Exception:  # whatever a reader says to a damaged file
            continue
    return time.process_time() - start, done


def main() -> int:
    """Print both speeds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with .ipynb files")
    parser.add_argument("--pictures-kb", type=int, default=0, help="size of a picture put into each, in kB")
    parser.add_argument("--rounds", type=int, default=5, help="how often all are read; the fastest counts")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    texts = []
    for path in sorted(options.folder.rglob("*.ipynb")):
        try:
            texts.append(with_picture(path.read_text(encoding="utf-8"), options.pictures_kb * 1000))
        except ValueError:
            continue
    size = sum(len(text.encode()) for text in texts) / 1e6
    speeds = {}
    for render in (ours, jupytexts):
        seconds, done = min(measure(render, texts) for _ in range(options.rounds))
        speeds[render.__name__] = size / seconds
        print(f"{render.__name__}: {size / seconds:.1f} MB/s, {done} of {len(texts)} notebooks")
    print(f"ratio: {speeds['ours'] / speeds['jupytexts']:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
