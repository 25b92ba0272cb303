"""Recall of pages by the linear quality model, with limits and the share of sites chosen on training sites alone.

    python tests/benchmarks/linear_page_scorer.py outputs/web_rounds

The folder is one of which web_rounds.py has built `pages` and `held_out`, no more. Each training page is graded by the
rule that stands for a teacher (web_rounds.py), and scored by a model of five sixths of the sites, its own not among
them; from these scores come the limits that keep 95 and 99 % of the wanted pages, and the precision there. The model of
all training pages then scores the held-out pages, which are judged at these limits (Wilson's intervals), and, as
precision_at_recall of web_rounds.py does, at the limit that finds 99 % of themselves. A site's share draws the score of
a page to the mean of its site.
"""

import argparse
import functools
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.curation.quality import linear_model
from datasets_builders.curation.quality.quality_model import MAX_CHARACTERS, logit
from tests.benchmarks.page_truth import is_about_programming
from tests.benchmarks.web_rounds import (
    LABELS,
    Scored,
    counts_at,
    grades_of,
    limit_at,
    over_sites,
    precision_at_recall,
    wilson,
)

NUM_FOLDS = 6
SITE_SHARES = (0.0, 0.5, 0.7, 0.9)
LEARNED = {"a block of code": "about_programming", "relevance": "about_programming", "lowest grade": "worth_keeping"}

Row = dict[str, Any]


def model_of(rows: Sequence[Row], wanted: Sequence[bool]) -> linear_model.LinearModel:
    """Return what pages teach."""
    training = linear_model.LinearTraining()
    for row, answer in zip(rows, wanted, strict=True):
        training.add(row["text"], answer, row["site"])
    return training.model()


def logits_of(model: linear_model.LinearModel, rows: Sequence[Row]) -> dict[str, float]:
    """Return scores of pages by address."""
    return {row["url"]: logit(score) for row, score in zip(rows, model.probabilities(texts_of(rows)), strict=True)}


def texts_of(rows: Sequence[Row]) -> list[str]:
    """Return what is looked at of pages."""
    return [row["text"] for row in rows]


def logits_of_unseen(rows: Sequence[Row], wanted: Sequence[bool]) -> dict[str, float]:
    """Return scores of pages by models that have not seen their sites."""
    folds = [int(hashlib.sha256(row["site"].encode()).hexdigest(), 16) % NUM_FOLDS for row in rows]
    scores: dict[str, float] = {}
    for fold in range(NUM_FOLDS):
        known = [number for number, own in enumerate(folds) if own != fold]
        model = model_of([rows[number] for number in known], [wanted[number] for number in known])
        scores |= logits_of(model, [row for row, own in zip(rows, folds, strict=True) if own == fold])
    return scores


def drawn_to_sites(scores: dict[str, float], share: float) -> dict[str, float]:
    """Return scores of pages, a share of each the mean of its site."""
    of_site: dict[str, list[float]] = defaultdict(list)
    for url, score in scores.items():
        of_site[url.split("/")[2]].append(score)
    means = {site: float(np.mean(values)) for site, values in of_site.items()}
    return {url: (1 - share) * score + share * means[url.split("/")[2]] for url, score in scores.items()}


def line_of(name: str, development: list[Scored], scores: dict[str, float], truth: str) -> str:
    """Return a line of the table."""
    labels = [json.loads(line) for line in LABELS.read_text().splitlines()]
    judged = [Scored(row["url"], scores.get(row["url"], -1e9), row[truth]) for row in labels]
    cells = [name, truth.replace("_", " "), f"{precision_at_recall(development, 0.99):.3f}"]
    for recall in (0.95, 0.99):
        kept, right, wanted = counts_at(judged, limit_at(development, recall))
        cells += [wilson(right, kept), wilson(right, wanted)]
    kept, right, _ = counts_at(judged, limit_at(judged, 0.99))
    by_table = [Scored(url, score, is_about_programming(url)) for url, score in scores.items()]
    cells += [wilson(right, kept), over_sites(by_table, lambda pages: precision_at_recall(pages, 0.99))]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=Path, help="output folder of web_rounds.py")
    options = parser.parse_args()
    # The models of six folds read the same pages.
    linear_model.words_and_counts = functools.lru_cache(maxsize=None)(linear_model.words_and_counts)
    columns = ["url", "site", "text", "num_code_blocks"]
    train, judged = (
        [
            row | {"text": row["text"][:MAX_CHARACTERS], "grades": grades_of(row["url"], row["text"])}
            for row in DatasetFolder(options.rounds / name).rows(columns)
        ]
        for name in ("pages", "held_out")
    )
    print(f"{len(train):,} pages to learn from, {len(judged):,} held out")
    print("| learned | truth | precision at .99, training sites | at their limit for .95: precision | recall "
          "| for .99: precision | recall | at own .99 | .99, by table |\n|" + " --- |" * 9)  # fmt: skip
    wanted_by: dict[str, Callable[[Row], bool]] = {
        "a block of code": lambda row: row["num_code_blocks"] > 0,
        "relevance": lambda row: row["grades"][0] >= 3,
        "lowest grade": lambda row: min(row["grades"]) >= 3,
    }
    for name, truth in LEARNED.items():
        wanted = [wanted_by[name](row) for row in train]
        unseen, scores = logits_of_unseen(train, wanted), logits_of(model_of(train, wanted), judged)
        answers = {row["url"]: answer for row, answer in zip(train, wanted, strict=True)}
        for share in SITE_SHARES:
            development = [Scored(url, score, answers[url]) for url, score in drawn_to_sites(unseen, share).items()]
            print(
                line_of(f"{name}, {share:g} of the site", development, drawn_to_sites(scores, share), truth), flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
