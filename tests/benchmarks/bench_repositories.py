"""Import graphs of real repositories and of a large one: megabytes per second and peak memory.

make corpus && python tests/benchmarks/bench_repositories.py

Timed is everything from texts in memory to their order: parsing in a child process, resolution, ordering. On a machine
that is shared the processor time of both processes tells more than the clock; it does not hold the reading of archives.
The large repository is made of copies of the standard library's modules, each in a package of its own.
"""

import argparse
import os
import resource
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.curation.syntax.parser_process import ParserProcess
from datasets_builders.repositories.files import RepositoryFiles, read_repository
from datasets_builders.repositories.graph import PARSE, build_graph, parse_imports
from datasets_builders.repositories.imports import has_query
from datasets_builders.sources.folder_config import ALWAYS_EXCLUDED
from datasets_builders.sources.opening import open_sources

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
MAX_COPIED_BYTES = 16_000


def timed(repository: RepositoryFiles, parser: ParserProcess) -> tuple[int, int, int, float, float]:
    """Return files and bytes whose imports are found, edges, seconds, and those of this process' processor."""
    known = [path for path, language in repository.languages.items() if has_query(language)]
    size = sum(len(repository.contents[path].encode("utf-8", "replace")) for path in known)
    start, used = time.perf_counter(), processor_seconds(resource.RUSAGE_SELF)
    graph = build_graph(repository, parse_imports(repository, parser))
    graph.order()
    seconds, own = time.perf_counter() - start, processor_seconds(resource.RUSAGE_SELF) - used
    return len(known), size, len(graph.edges), seconds, own


def processor_seconds(who: int) -> float:
    """Return the processor time of this process or of its children that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def large(num_files: int) -> RepositoryFiles:
    """Return a repository of copies of the standard library's modules."""

    def contents() -> Iterator[tuple[str, str]]:
        texts = {
            path.name: path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
            if path.stat().st_size < MAX_COPIED_BYTES
        }
        number = 0
        while True:
            for name, text in texts.items():
                yield f"copy{number:04d}/{name}", f"{text}# {number}\n"  # a text of its own, in memory too
            number += 1

    pairs = contents()
    return RepositoryFiles("large", dict(next(pairs) for _ in range(num_files)))


def main() -> None:
    """Print a line per repository."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=ROOT / "outputs" / "corpus")
    parser.add_argument("--files", type=int, default=50_000, help="of the large repository; 0 leaves it out")
    options = parser.parse_args()
    patterns = [str(options.corpus / pattern) for pattern in ("*.tar.gz", "*.tgz", "*.deb")]
    words = [pattern for pattern in patterns if list(Path(options.corpus).glob(Path(pattern).name))]
    total = [0, 0, 0, 0.0, 0.0]
    print(f"load {os.getloadavg()[0]:.1f}\n| repository | files | MB | edges | s | MB/s |\n| --- |" + " ---: |" * 5)
    with ParserProcess(PARSE) as parser:
        for source in open_sources(words, ALWAYS_EXCLUDED, MIB) if words else ():
            found = timed(read_repository(source, source.repository), parser)
            total = [so_far + more for so_far, more in zip(total, found, strict=True)]
            print(_line(source.repository, *found[:4]), flush=True)
    if words:
        used = total[4] + processor_seconds(resource.RUSAGE_CHILDREN)
        print(_line("all", *total[:4]))  # type: ignore[arg-type]
        print(f"processor time of both processes {used:.2f} s, {total[1] / 1e6 / used:.1f} MB/s")
    else:
        print(f"nothing lies in {options.corpus}; make corpus fetches it")
    if options.files:
        with ParserProcess(PARSE) as parser:
            print(_line(f"{options.files:,} files", *timed(large(options.files), parser)[:4]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"peak memory {peak:.0f} MiB, texts included; of the parser's process {child:.0f} MiB")


def _line(name: str, files: int, size: int, edges: int, seconds: float) -> str:
    speed = f"{size / 1e6 / seconds:.1f}" if size else ""
    return f"| {name} | {files:,} | {size / 1e6:.1f} | {edges:,} | {seconds:.2f} | {speed} |"


if __name__ == "__main__":
    main()
