"""Files to judge by eye, of what a build removed and of what it kept, and the table of what was judged.

    python -m datasets_builders source_code 'sources=[FRESH/*]' output_dir=outputs/fresh decontaminate=[]
    python tests/benchmarks/bench_errors.py draw outputs/fresh --output judged.jsonl
    (fill in `verdict`, right or wrong, and `why`, a few words, line by line)
    python tests/benchmarks/bench_errors.py count judged.jsonl

Drawn are 100 files that rules and syntax removed, at most 5 of a repository, and 100 rows, at most 3; by hash, so that
the same build gives the same files. `draw` also prints how many files each reason removed.
"""

import argparse
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from evals.report.statistics import wilson_interval

SHOWN_CHARACTERS = 6_000
VERDICTS = ("right", "wrong")


def removed_files(folder: Path, steps: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Give what steps removed."""
    for step in steps:
        for path in sorted((folder / "removed" / step).glob("*.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in map(json.loads, lines):
                    known = line["metadata"]
                    yield {
                        "was": "removed",
                        "step": step,
                        "reason": line["reason"],
                        "detail": line["detail"],
                        "repository": known.get("repository", ""),
                        "path": known.get("path", ""),
                        "language": known.get("language", ""),
                        "text": line["text"],
                    }


def kept_files(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the rows."""
    for row in DatasetFolder(folder).rows(["content", "repository", "path", "language"]):
        text = row.pop("content")
        yield {"was": "kept", "step": "", "reason": "", "detail": "", **row, "text": text}


def drawn(files: Iterable[dict[str, Any]], number: int, per_repository: int, seed: int) -> list[dict[str, Any]]:
    """Return some files, drawn by hash, no more of a repository than allowed."""

    def rank(file: dict[str, Any]) -> str:
        return hashlib.sha256(f"{seed}\0{file['repository']}\0{file['path']}".encode()).hexdigest()

    taken: list[dict[str, Any]] = []
    of_repository: Counter[str] = Counter()
    for file in sorted(files, key=rank):
        if len(taken) < number and of_repository[file["repository"]] < per_repository:
            of_repository[file["repository"]] += 1
            taken.append(file | {"text": file["text"][:SHOWN_CHARACTERS], "verdict": "", "why": ""})
    return taken


def draw(options: argparse.Namespace) -> None:
    """Write the files to judge."""
    removed = list(removed_files(options.folder, options.steps))
    for (step, reason), count in Counter((file["step"], file["reason"]) for file in removed).most_common():
        print(f"{count:7,} {step}: {reason}")
    lines = drawn(removed, options.removed, 5, options.seed)
    lines += drawn(kept_files(options.folder), options.kept, 3, options.seed)
    options.output.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")
    print(f"{options.output}: {len(lines)} files to judge")


def count(options: argparse.Namespace) -> None:
    """Print the table of the verdicts."""
    lines = [json.loads(line) for line in options.judged.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, 1):
        if line["verdict"] not in VERDICTS:
            raise SystemExit(f"{options.judged}, line {number}: verdict is {line['verdict']!r}, not right or wrong")
    for was in ("removed", "kept"):
        of_kind = [line for line in lines if line["was"] == was]
        wrong = Counter(line["why"] or line["reason"] for line in of_kind if line["verdict"] == "wrong")
        print(f"| {was}, and should not have been | of {len(of_kind)} |\n| --- | ---: |")
        for why, number in wrong.most_common():
            print(f"| {why} | {number} |")
        low, high = wilson_interval(wrong.total(), len(of_kind))
        print(f"| all | {wrong.total()} ({low:.1%} to {high:.1%}) |\n")


def main() -> None:
    """Draw or count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    drawing = commands.add_parser("draw", help="write files to judge")
    drawing.add_argument("folder", type=Path, help="what source_code built")
    drawing.add_argument("--output", type=Path, required=True)
    drawing.add_argument("--steps", nargs="+", default=["rules", "syntax"])
    drawing.add_argument("--removed", type=int, default=100)
    drawing.add_argument("--kept", type=int, default=100)
    drawing.add_argument("--seed", type=int, default=0)
    drawing.set_defaults(run=draw)
    counting = commands.add_parser("count", help="print the table of what was judged")
    counting.add_argument("judged", type=Path)
    counting.set_defaults(run=count)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
