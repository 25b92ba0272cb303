"""Section 2.1, manual sample scoring: a page that a person fills in, and the file that it saves, read back."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError

MAX_CHARACTERS = 20_000
GRADES = {5: "exemplary", 4: "good", 3: "usable", 2: "poor", 1: "should not be here"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 6rem; color: #1c2330 }
pre { background: #f5f7fa; border: 1px solid #e6eaf0; padding: .75rem 1rem; overflow: auto; max-height: 40rem;
      font: .85rem/1.45 ui-monospace, monospace }
section { border-top: 1px solid #dde2ea; padding-top: 1rem; margin-top: 2rem }
label { margin-right: 1.2rem } input[type=text] { width: 60% }
footer { position: fixed; bottom: 0; left: 0; right: 0; background: #1c2330; color: #fff; padding: .6rem 1rem }
"""
# The page fetches nothing and sends nothing: the button saves a file.
_SCRIPT = """
const key = "review-" + document.body.dataset.dataset;
const read = () => [...document.querySelectorAll("section")].map(section => ({
  id: section.dataset.id,
  score: Number((section.querySelector("input[type=radio]:checked") || {}).value || 0),
  comment: section.querySelector("input[type=text]").value,
})).filter(row => row.score);
const show = () => {
  const rows = read();
  document.querySelector("output").textContent = rows.length + " of " + document.querySelectorAll("section").length;
  try { localStorage.setItem(key, JSON.stringify(rows)); } catch (error) { /* a browser without storage */ }
};
try {
  for (const row of JSON.parse(localStorage.getItem(key) || "[]")) {
    const section = [...document.querySelectorAll("section")].find(section => section.dataset.id === row.id);
    if (!section) continue;
    section.querySelector(`input[value="${row.score}"]`).checked = true;
    section.querySelector("input[type=text]").value = row.comment;
  }
} catch (error) { /* nothing was kept */ }
document.addEventListener("input", show);
document.querySelector("button").addEventListener("click", () => {
  const text = JSON.stringify({ dataset: document.body.dataset.dataset, scores: read() }, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "review.json";
  link.click();
});
show();
"""


def review_page(name: str, dataset: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page: a sample per section with five grades and a comment; a button saves `review.json`.

    Args:
        name (`str`): of the dataset.
        dataset (`str`): its digest, so that a review is never read back for other rows.
        rows: the sample, see `inspection.read_rows`.

    Source: paper 2.1; the five grades are ours.
    """
    sections = "\n".join(_section(number, row, len(rows)) for number, row in enumerate(rows, 1))
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Review of {html.escape(name)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{_STYLE}</style></head>'
        f'<body data-dataset="{html.escape(dataset)}"><h1>Review of {html.escape(name)}</h1>'
        "<p>Grade each sample as training data: is it correct, readable, complete and worth learning from? What you "
        "enter is kept in this browser. Save the file at the end and give it to <code>inspect --review</code>.</p>"
        f"{sections}<footer><button>Save review.json</button> <output></output> graded</footer>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _section(number: int, row: Mapping[str, Any], total: int) -> str:
    text = row["text"] if len(row["text"]) <= MAX_CHARACTERS else row["text"][:MAX_CHARACTERS] + "\n[cut here]"
    grades = "".join(
        f'<label><input type="radio" name="grade-{number}" value="{grade}"> {grade} {word}</label>'
        for grade, word in GRADES.items()
    )
    place = " ".join(str(row.get(name) or "") for name in ("repository", "path", "language")).strip()
    return (
        f'<section data-id="{html.escape(str(row["id"]))}"><h2>{number} of {total}</h2><p>{html.escape(place)}</p>'
        f'<pre>{html.escape(text)}</pre><p>{grades}</p><p><input type="text" placeholder="comment"></p></section>'
    )


def read_review(path: Path, dataset: str, ids: Sequence[str]) -> list[float]:
    """Return the scores of a review, 0 to 100.

    Args:
        path (`Path`): `review.json` as the page saves it.
        dataset (`str`): digest of the dataset that is inspected.
        ids (sequence of `str`): of the sample.

    Raises:
        ConfigError: no such file, a review of other rows, a grade that is none, or no grade at all.

    Source: ours; grade g counts (g - 1) / 4.
    """
    try:
        review = json.loads(path.read_text(encoding="utf-8"))
        scores = {str(given["id"]): given["score"] for given in review["scores"]}
        of_dataset = review["dataset"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"--review {path} cannot be read: {type(error).__name__}: {error}") from None
    if of_dataset != dataset:
        raise ConfigError(f"--review {path} is of other rows ({of_dataset} and not {dataset}); grade the new sample")
    if foreign := set(scores) - set(ids):
        raise ConfigError(
            f"--review {path}: {sorted(foreign)[0]} is not in the sample; use the same --sample and --seed"
        )
    for name, score in scores.items():
        if score not in GRADES:
            raise ConfigError(f"--review {path}: {name} has the grade {score!r}; grades are 1 to 5")
    if not scores:
        raise ConfigError(f"--review {path} has no grades yet")
    return [25.0 * (score - 1) for score in scores.values()]


def read_llm_scores(path: Path, ids: Sequence[str]) -> list[float]:
    """Return an LLM's scores of the sample, 0 to 100, from JSON Lines or Parquet with `id` and `score`.

    Raises:
        ConfigError: the file cannot be read, or has no valid score of a row of the sample.

    Source: paper 2.1; the format is ours.
    """
    wanted, found = set(ids), {}
    try:
        for row in _rows_of_scores(path):
            score = row["score"]
            if str(row["id"]) in wanted and isinstance(score, int | float) and 0 <= score <= 100:
                found[str(row["id"])] = float(score)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"--llm-scores {path} cannot be read: {type(error).__name__}: {error}") from None
    if not found:
        raise ConfigError(f"--llm-scores {path} has no score between 0 and 100 of a row of the sample")
    return list(found.values())


def _rows_of_scores(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path, columns=["id", "score"]).to_pylist()
    with path.open(encoding="utf-8") as lines:  # not splitlines(): a text in JSON may hold U+2028
        return [json.loads(line) for line in lines]
