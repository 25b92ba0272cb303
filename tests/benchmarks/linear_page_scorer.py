"""Recall of pages by words and counts of code in a logistic regression, beside fastText on the same held-out pages.

    python tests/benchmarks/linear_page_scorer.py outputs/web_rounds

The folder is one that web_rounds.py has filled. The regression learns from all training pages, of which the rule that
stands for a teacher (web_rounds.py) grades each; words are weighted by how rare they are. `pip install scikit-learn`.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.curation.quality.quality_model import MAX_CHARACTERS
from tests.benchmarks.page_truth import is_about_programming
from tests.benchmarks.web_rounds import (
    LABELS,
    Scored,
    counts_at,
    grades_of,
    limit_at,
    over_sites,
    precision_at_recall,
    scores_of,
    wilson,
)

COLUMNS = ["url", "text", "num_code_blocks", "code_fraction"]
RECALLS = (0.9, 0.95, 0.99)
_SIGN = re.compile(r"[{}();=<>\[\]_]")
_KEYWORD = re.compile(
    r"\b(?:function|class|return|int|void|import|def|const|string|API|method|argument|parameter|library|pointer|"
    r"compile|object|array)\b"
)
_CALL = re.compile(r"\w\(\)")
_NAME = re.compile(r"[a-z]_[a-z]|[a-z][A-Z]|\w::\w")

Row = dict[str, Any]


def counts_of(row: Row) -> list[float]:
    """Return how much of a page looks like code, by what is counted; each about 0 to 1."""
    text = row["text"][:MAX_CHARACTERS]
    chars, words = max(len(text), 1), max(len(text.split()), 1)
    return [
        np.log1p(row["num_code_blocks"]),
        row["code_fraction"],
        20 * len(_SIGN.findall(text)) / chars,
        10 * len(_KEYWORD.findall(text)) / words,
        20 * text.count("`") / chars,
        20 * len(_CALL.findall(text)) / words,
        5 * len(_NAME.findall(text)) / words,
        np.log(chars) / 10,
    ]


def scores_by_regression(train: Sequence[Row], wanted: Sequence[bool], judged: Sequence[Row]) -> dict[str, float]:
    """Return the scores of pages by address."""
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, max_features=60_000, token_pattern=r"\w+|[^\w\s]")
    known = words.fit_transform([row["text"][:MAX_CHARACTERS] for row in train])
    asked = words.transform([row["text"][:MAX_CHARACTERS] for row in judged])
    model = LogisticRegression(max_iter=300, class_weight="balanced")
    model.fit(hstack([known, csr_matrix([counts_of(row) for row in train])]), list(wanted))
    found = model.decision_function(hstack([asked, csr_matrix([counts_of(row) for row in judged])]))
    return {row["url"]: float(score) for row, score in zip(judged, found, strict=True)}


def line_of(name: str, scores: dict[str, float], urls: Sequence[str], truth: str) -> str:
    """Return a line of the table: precision of the pages that were judged where each share of the wanted is kept."""
    labels = [json.loads(line) for line in LABELS.read_text().splitlines()]
    pages = [Scored(row["url"], scores.get(row["url"], -1e9), row[truth]) for row in labels]
    cells = [name, truth.replace("_", " ")]
    for recall in RECALLS:
        kept, right, _ = counts_at(pages, limit_at(pages, recall))
        cells.append(wilson(right, kept))
    by_table = [Scored(url, scores.get(url, -1e9), is_about_programming(url)) for url in urls]
    cells.append(over_sites(by_table, lambda drawn: precision_at_recall(drawn, 0.99)))
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=Path, help="output folder of web_rounds.py")
    options = parser.parse_args()
    train = list(DatasetFolder(options.rounds / "pages").rows(COLUMNS))
    judged = list(DatasetFolder(options.rounds / "held_out").rows(COLUMNS))
    urls = [row["url"] for row in judged]
    grades = [grades_of(row["url"], row["text"]) for row in train]
    scorers = {
        "fastText of round 2": scores_of(options.rounds / "scored_2", "quality"),
        "counts and words, relevance": scores_by_regression(train, [of_page[0] >= 3 for of_page in grades], judged),
        "counts and words, lowest grade": scores_by_regression(
            train, [min(of_page) >= 3 for of_page in grades], judged
        ),
    }
    print("| scorer | truth | precision at recall .9 | .95 | .99 | .99, by table |\n|" + " --- |" * 6)
    for name, scores in scorers.items():
        for truth in ("about_programming", "worth_keeping"):
            print(line_of(name, scores, urls, truth), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
