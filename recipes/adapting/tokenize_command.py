"""Section 3.2: tokenize what `recipes adapt` trains on, by the builder's own command."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HELP = "tokenize the code of an adaptation: repositories, and files of those without an order"
EXAMPLE = "python -m recipes adapt-tokenize --to outputs/adapted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="take this adaptation's folder")


def run(options: argparse.Namespace) -> int:
    """Run the builder, and return its exit code."""
    from recipes.adapting.story import tokenize_inputs

    inputs = tokenize_inputs(options.to)
    command = [
        *(sys.executable, "-m", "datasets_builders", "tokenized", f"inputs={json.dumps(inputs)}"),
        *(f"tokenizer={options.to / 'tokenizer'}", f"output_dir={options.to / 'datasets' / 'tokenized'}"),
    ]
    return subprocess.run(command, check=False).returncode
