"""How fast instructions and answers of teachers are judged by rules, parsed, and compared with each other.

    python tests/benchmarks/bench_instructions.py [--texts 5000] [--neighbors 2000 10000 20000]

Texts are sentences of a few words with 25 lines of the standard library in a fenced block; processor time of this
process and its children.
"""

import argparse
import os
import random
import resource
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

from datatrove.data import Document

from datasets_builders.synthesis.instructions.neighbors import nearest
from datasets_builders.synthesis.instructions.rows import ANSWER
from datasets_builders.synthesis.instructions.steps import CheckAnswerSyntax, FilterAnswers, FilterInstructions
from datasets_builders.synthesis.magpie.instructions import parse_instruction

WORDS = "write a function that returns the largest number of list and explains why it is so when given empty input"


def processor_seconds() -> float:
    """Return the processor time of this process and of the children that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor time that work takes."""
    start = processor_seconds()
    work()
    return processor_seconds() - start


def write_texts(count: int) -> list[str]:
    """Return texts, the same in every run."""
    chance = random.Random(0)
    files = [path.read_text("utf-8") for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:60]]
    texts = []
    for _ in range(count):
        lines = chance.choice(files).splitlines()
        start = chance.randrange(len(lines))
        code = "\n".join(lines[start : start + 25])
        texts.append(
            f"{' '.join(chance.choices(WORDS.split(), k=40))}.\n\n```python\n{code}\n```\n\nPlease explain it."
        )
    return texts


def write_sentences(count: int) -> list[str]:
    """Return texts of 20 to 120 words of a vocabulary of 20,000, the frequent ones often."""
    chance = random.Random(0)
    words = [f"word{number}" for number in range(20_000)]
    weights = [1 / (number + 1) for number in range(len(words))]
    return [" ".join(chance.choices(words, weights, k=chance.randint(20, 120))) for _ in range(count)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line per step and per number of neighbors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=5000, help="number of texts")
    parser.add_argument("--neighbors", type=int, nargs="*", default=[2000, 10_000, 20_000], help="sizes of groups")
    options = parser.parse_args(arguments)
    texts = write_texts(options.texts)
    documents = [
        Document(text, str(number), metadata={"natural_language": "en", ANSWER: f"{text} So it is."})
        for number, text in enumerate(texts)
    ]
    works = {
        "parse_instruction": lambda: [parse_instruction(text, ["<|im_end|>"]) for text in texts],
        "filter_answers": lambda: list(FilterAnswers(20, 20_000).run(documents)),
        "answer_syntax": lambda: list(CheckAnswerSyntax(removes_invalid=False).run(documents)),
        "filter_instructions": lambda: list(FilterInstructions(8000).run(documents)),
    }
    for name, work in works.items():
        print(f"{name:20} {options.texts / seconds_of(work):8,.0f} texts/s")
    for count in options.neighbors:
        sentences = write_sentences(count)
        seconds = seconds_of(lambda sentences=sentences: nearest(sentences, 0.1))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"neighbors of {count:7,} {seconds:8.1f} s, {memory:,} MiB")


if __name__ == "__main__":
    main()
