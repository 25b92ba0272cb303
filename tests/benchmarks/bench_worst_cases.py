"""Megabytes per second of each step on the files that make it slow, through the real steps; a row below 1 is marked.

python tests/benchmarks/bench_worst_cases.py [--size 500000] [--only NAME]

Processor time of this process, and for the syntax check, which parses in another one, of both. A step that removes the
file ends its row's work as it would in a build, but each step sees each file as it was. The last column says why the
syntax check removes a file.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from datatrove.data import Document

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.building.steps import Removed, Step
from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex, Decontamination
from datasets_builders.curation.deduplication.near import SignatureWriter
from datasets_builders.curation.rules.code_rules import RuleLimits
from datasets_builders.curation.rules.steps import CodeRules, TextRules
from datasets_builders.curation.rules.text_rules import TextLimits
from datasets_builders.curation.sanitization.personal_data import Sanitization
from datasets_builders.curation.sanitization.toxicity import Toxicity, ToxicityLimits
from datasets_builders.languages.detection import languages_of_type
from datasets_builders.repositories.steps import SyntaxAndImports
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources.code_reader import CodeReader
from datasets_builders.sources.configured import ConfiguredSources
from datasets_builders.sources.entry import Content, Entry
from evals.benchmarks.protected import ProtectedText
from tests.benchmarks.worst_cases import CASES

MIN_MEGABYTES_PER_SECOND = 1.0
MIN_SECONDS = 0.1


def main() -> int:
    """Print the table; return 1 where a step is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=500_000, help="bytes of a file")
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        steps = steps_in(Path(folder))
        read("a.py", "a = 1\n"), [speed_of(step, "a.py", "Python", "a = 1  # b\n" * 9) for step in steps.values()]
        print(f"{'case':28s} {'kB':>6s} " + " ".join(f"{name[:12]:>12s}" for name in ["read", *steps]), flush=True)
        for name, (path, language, make) in CASES.items():
            if options.only in name:
                text = make(options.size)
                speeds = [speed(read, path, text), *(speed_of(step, path, language, text) for step in steps.values())]
                slow += sum(found < MIN_MEGABYTES_PER_SECOND for found in speeds)
                shown = " ".join(
                    f"{found:>11.1f}{'!' if found < MIN_MEGABYTES_PER_SECOND else ' '}" for found in speeds
                )
                reason = reason_of(steps[SyntaxAndImports.name], path, language, text)
                print(f"{name:28s} {len(text.encode()) / 1e3:>6.0f} {shown} {reason}", flush=True)
        for step in steps.values():
            step.end()
    print(f"{slow} below {MIN_MEGABYTES_PER_SECOND} MB/s")
    return int(slow > 0)


def steps_in(folder: Path) -> dict[str, Step]:
    """Return the steps, begun."""
    (folder / "words.txt").write_text("idiot\nstupid fool\n", encoding="utf-8")
    index = folder / "index.npz"
    protected = "a quick brown fox jumps over the lazy dog that never saw it come"
    BenchmarkIndex.build({"bench": [ProtectedText("row", protected, False)]}).save(index)
    steps: Sequence[Step] = (
        CodeRules(RuleLimits(**boundless(RuleLimits))),
        TextRules(TextLimits(**boundless(TextLimits))),
        Sanitization(),
        SyntaxAndImports(True),
        Toxicity([folder / "words.txt"], None, [], ToxicityLimits(), languages_of_type("prose") | {"Python"}),
        Decontamination(index),
        SignatureWriter(folder / "signatures"),
    )
    for step in steps:
        step.begin(0, 1)
    return {step.name: step for step in steps}


def boundless(limits: type[RuleLimits]) -> dict[str, float]:
    """Return limits that no file breaks, so that every rule looks at every file."""
    return {name: 10**12 if name.startswith("max_") else 0 for name in (limit.name for limit in fields(limits))}


def read(path: str, text: str) -> None:
    """Read a file and tell its language."""
    config = SourceCodeConfig(output_dir="unused", input_dir=str(Path(__file__).parent), license="MIT")
    reader = CodeReader(ConfiguredSources(config, Path("unused")), config.wanted_languages())
    entry = Entry(path, size=1, read=Content(text.encode()))
    list(reader.process(Document("", path, metadata={"path": path, "repository": "", "entry": entry})))


def speed(work: Callable[[str, str], None], path: str, text: str) -> float:
    """Return megabytes per second of processor time."""
    return per_second(lambda: work(path, text), text, time.process_time)


def speed_of(step: Step, path: str, language: str, text: str) -> float:
    """Return megabytes per second of a step on a file."""

    def work() -> None:
        known = {"path": path, "language": language, "license": "MIT", "repository": "r", "kind": "code"}
        for outcome in step.process_batch([Document(text, "0" * 32, metadata=known)]):
            list(outcome)

    return per_second(work, text, partial(seconds_with_child, step))


def seconds_with_child(step: Step) -> float:
    """Return the processor time of this process and of the parsers' processes, those that ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    parser = step._parser if isinstance(step, SyntaxAndImports) else None
    child = parser._child if parser else None
    alive = int(Path(f"/proc/{child.pid}/schedstat").read_text().split()[0]) / 1e9 if child else 0.0
    return time.process_time() + ended.ru_utime + ended.ru_stime + alive


def reason_of(step: Step, path: str, language: str, text: str) -> str:
    """Return why a step removes a file, or an empty string."""
    known = {"path": path, "language": language, "license": "MIT", "repository": "r", "kind": "code"}
    (outcomes,) = step.process_batch([Document(text, "0" * 32, metadata=known)])
    return next((outcome.reason for outcome in outcomes if isinstance(outcome, Removed)), "")


def per_second(work: Callable[[], None], text: str, clock: Callable[[], float]) -> float:
    """Return megabytes per second, over as many rounds as the clock needs: it goes by steps of some milliseconds."""
    start, rounds = clock(), 0
    while not rounds or clock() - start < MIN_SECONDS:
        work()
        rounds += 1
    return rounds * len(text.encode()) / 1e6 / (clock() - start)


if __name__ == "__main__":
    sys.exit(main())
