"""Section 2.3.2: code-comment pairs out of files, beside parsing alone and Pygments' comments alone, in one run.

    python tests/benchmarks/bench_pairs.py [DATASET] [--megabytes 4]

DATASET is a folder of source_code's, such as that of source_code/configs/corpus.yaml; without one, the standard library
of the running interpreter is read. Of each language so many megabytes at random, and a tenth of them for Pygments,
which gives comments without the code that they belong to. Processor time of this process, which parses itself.
"""

import argparse
import random
import sys
import sysconfig
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, String
from pygments.util import ClassNotFound

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.code_related.code_comment_pairs.extraction import pairs
from datasets_builders.curation.syntax.parsing import load_parser
from datasets_builders.languages.grammars import GRAMMARS


def files(dataset: Path | None, num_bytes: int) -> dict[str, list[str]]:
    """Return texts of each language with a grammar, chosen at random, about so many bytes of each."""
    found: dict[str, list[str]] = defaultdict(list)
    if dataset is None:
        library = Path(sysconfig.get_path("stdlib"))
        found["Python"] = [
            path.read_text(encoding="utf-8", errors="replace") for path in sorted(library.glob("*/*.py"))
        ]
    else:
        for row in DatasetFolder(dataset).rows(["language", "content"]):
            if row["language"] in GRAMMARS:
                found[row["language"]].append(row["content"])
    chosen = {}
    for language, texts in sorted(found.items()):
        random.Random(0).shuffle(texts)
        taken, size = [], 0
        while texts and size < num_bytes:
            taken.append(texts.pop())
            size += len(taken[-1].encode())
        chosen[language] = taken
    return chosen


def speed(work: Callable[[str], object], texts: list[str], rounds: int) -> float:
    """Return megabytes a second of processor time, the best of the rounds."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    best = 0.0
    for _ in range(rounds):
        start = time.process_time()
        for text in texts:
            work(text)
        best = max(best, size / (time.process_time() - start))
    return best


def comments_by_pygments(language: str) -> Callable[[str], object] | None:
    """Return what gives a file's comments and docstrings by Pygments, or None where it has no lexer."""
    try:
        lexer = get_lexer_by_name(language.lower())
    except ClassNotFound:
        return None
    wanted = (Comment, String.Doc)
    return lambda text: [value for kind, value in lexer.get_tokens(text) if any(kind in each for each in wanted)]


def main() -> int:
    """Print a row per language and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?", help="folder of a dataset of source_code's")
    parser.add_argument("--megabytes", type=float, default=4, help="size of what is read of each language")
    parser.add_argument("--rounds", type=int, default=3, help="how often all are read; the fastest counts")
    options = parser.parse_args()
    total_size, total_seconds = 0.0, 0.0
    print("| language | MB | pairs | ours, MB/s | parsing alone | Pygments | ours / Pygments |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for language, texts in files(options.dataset, int(options.megabytes * 1e6)).items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        num_pairs = sum(len(pairs(language, text).get("pairs", ())) for text in texts)
        ours = speed(lambda text, name=language: pairs(name, text), texts, options.rounds)  # type: ignore[misc]
        grammar = load_parser(language)
        assert grammar is not None
        alone = speed(lambda text, grammar=grammar: grammar.parse(text.encode()), texts, options.rounds)  # type: ignore[misc]
        lexing = comments_by_pygments(language)
        few = texts[: max(1, len(texts) // 10)]
        peer = f"{(lexed := speed(lexing, few, 1)):.2f} | {ours / lexed:.1f}" if lexing else " | "
        print(f"| {language} | {size:.1f} | {num_pairs:,} | {ours:.1f} | {alone:.1f} | {peer} |", flush=True)
        total_size, total_seconds = total_size + size, total_seconds + size / ours
    print(f"| all | {total_size:.1f} | | {total_size / total_seconds:.1f} | | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
