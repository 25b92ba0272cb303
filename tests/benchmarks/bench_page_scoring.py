"""Scoring of pages: a quality model as the builder uses it and a page at a time; of fastText on BPE tokens its parts.

    python tests/benchmarks/bench_page_scoring.py MODEL PAGES

MODEL is a folder of `train-quality-model --tokenizer` or `--kind linear`, PAGES one of `web_pages`.
Megabytes of text that is looked at (of a page its beginning) per second of processor time of all threads.
"""

import argparse
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.curation.quality.quality_model import MAX_CHARACTERS, FastTextModel, QualityModel, model_text

BATCH_PAGES = 256


def main() -> int:
    """Print a line per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a quality model")
    parser.add_argument("pages", type=Path, help="dataset folder with a column `text`")
    parser.add_argument("--max-pages", type=int, default=1000, help="number of pages")
    options = parser.parse_args()
    model = QualityModel(options.model)
    pages = [row["text"] for row in islice(DatasetFolder(options.pages).rows(["text"]), options.max_pages)]
    shown = [page[:MAX_CHARACTERS] for page in pages]
    batches = [pages[at : at + BATCH_PAGES] for at in range(0, len(pages), BATCH_PAGES)]
    ways: dict[str, Callable[[], object]] = {
        "as the builder does it": lambda: [model.scores(batch) for batch in batches],
        "a page at a time": lambda: [model.scores([page]) for page in pages],
    }
    if isinstance(model.classifier, FastTextModel):
        words, predict = model.classifier.words, model.classifier.predict
        lines = words.texts(shown)
        ways |= {
            "BPE alone": lambda: [words.texts(batch) for batch in batches],
            "fastText alone, of tokens": lambda: predict(lines),
            "fastText with names and signs": lambda: [predict([model_text(page)]) for page in pages],
        }
    megabytes = sum(len(text.encode()) for text in shown) / 1e6
    print(f"{len(pages):,} pages, {megabytes:.1f} MB are looked at")
    seconds = {}
    for name, way in ways.items():
        start = time.process_time()
        way()
        seconds[name] = time.process_time() - start
    for name, taken in seconds.items():
        print(
            f"{name:32s} {megabytes / taken:6.1f} MB/s, {taken / seconds['as the builder does it']:.2f} times the time"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
