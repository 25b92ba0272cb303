"""Section 2.1, quality assessment: full rule verification, sample scores of an LLM and of people, one score of 100.

The paper gives the three parts and a threshold (85) and no formula. Ours: each part is a mean between 0 and 100, and
the score is the weighted mean of the parts that there are, by default rules 0.4, LLM 0.3, people 0.3. A part that is
missing is named in the verdict, never counted as good.
"""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.verdicts import INSPECTION_FILE
from datasets_builders.code_related.code_comment_pairs.rules import first_broken_pair_rule
from datasets_builders.curation.row_text import ID_COLUMNS, KNOWN, text_columns, text_of
from datasets_builders.curation.rules.code_rules import first_broken_rule
from datasets_builders.curation.rules.document_view import DocumentView
from datasets_builders.curation.rules.text_rules import first_broken_text_rule
from datasets_builders.curation.sanitization.personal_data import find_personal_data
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly, max_error_fraction
from evals.report.statistics import rate_interval

THRESHOLD = 85.0
WEIGHTS = {"rules": 0.4, "llm": 0.3, "human": 0.3}
MAX_EXAMPLES = 5
# Kinds of rows, by their columns: a file of code, a script in a row of text, a code-comment pair, any other text.
CODE, SCRIPT, PAIR, TEXT = "code", "script", "pair", "text"


@dataclass(frozen=True)
class Part:
    """One of the three parts of the score.

    Args:
        score (`float`): mean, 0 to 100.
        low, high (`float`): 95 % interval of the mean; equal to it where all rows were seen.
        n (`int`): rows that were scored.
    """

    score: float
    low: float
    high: float
    n: int


@dataclass
class Verdict:
    """What an inspection gave; `inspection.json` holds it."""

    dataset: str
    score: float
    threshold: float
    passed: bool
    formula: str
    parts: dict[str, Part] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    worst: list[list[Any]] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)


def read_rows(dataset: DatasetFolder) -> Iterator[dict[str, Any]]:
    """Give each row as {id, text, kind, language, path, repository, code, comment}; what it does not have is None.

    Raises:
        ConfigError: there is no shard, or the dataset has no id or no text.
    """
    names = dataset.columns
    identifier = next((name for name in ID_COLUMNS if name in names), None)
    texts = text_columns(names)
    if identifier is None or texts is None:
        raise ConfigError(
            f"{dataset.path} needs a column {' or '.join(ID_COLUMNS)} and one of {KNOWN}; it has {', '.join(names)}"
        )
    known = [name for name in ("language", "path", "repository", "form", "code", "comment") if name in names]
    nothing = {"language": None, "path": "", "repository": "", "code": None, "comment": None}
    for row in dataset.rows([identifier, *texts, *known]):
        found = nothing | {name: row[name] for name in known}
        kind = _kind_of(texts, found.pop("form", None), found)
        yield found | {"id": row[identifier], "text": text_of(row, texts), "kind": kind}


def _kind_of(texts: Sequence[str], form: str | None, row: Mapping[str, Any]) -> str:
    if tuple(texts) == ("content",):
        return CODE if row["language"] else TEXT
    if row["code"] is not None and row["comment"] is not None:
        return PAIR
    return SCRIPT if form == SCRIPT and row["language"] else TEXT


class Verification:
    """Full rule verification: every row is held against every rule, whatever the builder was told to skip.

    A context manager, since the parsers run in a process of their own.
    """

    def __init__(self) -> None:
        self.num_rows = 0
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self._parser = ParserProcess("datasets_builders.curation.syntax.metrics:measure")
        self._seen: set[bytes] = set()

    def check(self, row: Mapping[str, Any]) -> str | None:
        """Count a row; return the reason for which it is bad, or None."""
        self.num_rows += 1
        reason = self._reason(row)
        if reason:
            self.reasons[reason] += 1
            examples = self.examples.setdefault(reason, [])
            if len(examples) < MAX_EXAMPLES:
                examples.append(f"{row['repository']} {row['path'] or row['id']}".strip())
        return reason

    def _reason(self, row: Mapping[str, Any]) -> str | None:
        text = row["text"]
        if not isinstance(text, str) or not text.strip():
            return "empty"
        key = hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]
        if key in self._seen:
            return "same_content"
        self._seen.add(key)
        broken = self._broken_rule(row)
        if broken:
            return broken[0]
        if any(True for _ in find_personal_data(text)):
            return "personal_data_or_secret"
        is_whole = row["kind"] in (CODE, SCRIPT)  # the code of a pair is a part of its file
        return "syntax_error" if is_whole and self._is_broken(row["language"], text) else None

    def _broken_rule(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        if row["kind"] == PAIR:
            return first_broken_pair_rule(row["code"], row["comment"], row["comment"])
        is_code = row["kind"] == CODE
        document = DocumentView(row["text"], row["language"] if is_code else "", row["path"])
        return first_broken_rule(document) if is_code else first_broken_text_rule(document)

    def _is_broken(self, language: str, text: str) -> bool:
        try:
            metrics = self._parser.read(language, text)
        except (ParseTooCostly, ParserLost):
            return True
        return metrics is not None and metrics["error_fraction"] > max_error_fraction(language)

    def __enter__(self) -> "Verification":
        return self

    def __exit__(self, *error: object) -> None:
        """End the parsers' process."""
        self._parser.close()

    def part(self) -> Part:
        """Return the share of rows without fault as a part of the score."""
        score = 100 * (1 - sum(self.reasons.values()) / max(self.num_rows, 1))
        return Part(score, score, score, self.num_rows)


class Sample:
    """A fixed random sample of rows: those whose hash with the seed is smallest."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self._heap: list[tuple[int, str, dict[str, Any]]] = []

    def offer(self, row: dict[str, Any]) -> None:
        """Take a row into the sample if it belongs there."""
        key = -int.from_bytes(hashlib.sha256(f"{self.seed}\0{row['id']}".encode()).digest()[:12], "big")
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, (key, row["id"], row))
        elif self.size and key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (key, row["id"], row))

    def rows(self) -> list[dict[str, Any]]:
        """Return the sample in a fixed order."""
        return [row for _, _, row in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))]


def part_of_scores(scores: Sequence[float]) -> Part:
    """Return the mean of sample scores (0 to 100) with its 95 % interval.

    It is the bootstrap's. Where all scores are equal that has no width: then it is Wilson's of the same share.
    """
    low, high = rate_interval([score / 100 for score in scores], [str(number) for number in range(len(scores))])
    return Part(sum(scores) / len(scores), 100 * low, 100 * high, len(scores))


def composite(parts: Mapping[str, Part], weights: Mapping[str, float]) -> tuple[float, str]:
    """Return the weighted mean of the parts, and the formula in words.

    Raises:
        ConfigError: the weights of the parts that there are do not have a positive sum.
    """
    total = sum(weights.get(name, 0.0) for name in parts)
    if total <= 0:
        raise ConfigError(f"the weights of {', '.join(parts)} sum to {total}; give one of them a positive weight")
    score = sum(weights.get(name, 0.0) * part.score for name, part in parts.items()) / total
    terms = " + ".join(f"{weights.get(name, 0.0):g} x {name} ({part.score:.1f})" for name, part in parts.items())
    return score, f"({terms}) / {total:g}"


def judge(
    dataset: str,
    parts: Mapping[str, Part],
    verification: Verification,
    weights: Mapping[str, float] | None = None,
    threshold: float = THRESHOLD,
) -> Verdict:
    """Return the verdict on a dataset.

    Source: paper 2.1 (parts, 85 out of 100); the formula is ours.
    """
    score, formula = composite(parts, weights or WEIGHTS)
    return Verdict(
        dataset=dataset,
        score=score,
        threshold=threshold,
        passed=score >= threshold,
        formula=formula,
        parts=dict(parts),
        missing=[name for name in WEIGHTS if name not in parts],
        worst=[[reason, count] for reason, count in verification.reasons.most_common()],
        examples=verification.examples,
    )


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Write inspection.json, which publishing reads."""
    (folder / INSPECTION_FILE).write_text(json.dumps(asdict(verdict), indent=2) + "\n", encoding="utf-8")
