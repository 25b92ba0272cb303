"""What tagging costs: processor time of a build that filters, of one that tags, and of selections from that one.

    python tests/benchmarks/bench_tagging.py [FOLDER]

FOLDER is code; without it, the standard library of the interpreter. Each build is run twice, in turns, and the second
turn counts: the first one loads grammars and tables.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Build in turns and print a table."""
    source: dict[str, Any] = {"input_dir": sys.argv[1] if len(sys.argv) > 1 else "", "decontaminate": []}
    with tempfile.TemporaryDirectory() as folder:
        builds: list[tuple[str, dict[str, Any]]] = [
            ("filter", {}),
            ("tag", {"mode": "tag"}),
            ("select, same limits", {"tagged": f"{folder}/0/tag"}),
            ("select, others", {"tagged": f"{folder}/0/tag", "rule_limits": {"max_line_length": 120}}),
        ]
        print("| build | rows | processor time | of filtering |\n| --- | ---: | ---: | ---: |")
        for turn in range(2):
            first = 0.0
            for name, fields in builds:
                started = processor_seconds()
                config = SourceCodeConfig(output_dir=f"{folder}/{turn}/{name}", **source, **fields)
                result = SourceCodeBuilder(config).run()
                seconds = processor_seconds() - started
                first = first or seconds
                if turn:
                    rows = result.num_rows["train"]
                    print(f"| {name} | {rows:,} | {seconds:.1f} s | {seconds / first:.2f} |")
        megabytes = sum(path.stat().st_size for path in Path(folder, "1/tag/data").iterdir()) / 1e6
        plain = sum(path.stat().st_size for path in Path(folder, "1/filter/data").iterdir()) / 1e6
        print(f"\nshards: {plain:.1f} MB filtered, {megabytes:.1f} MB tagged")


if __name__ == "__main__":
    main()
