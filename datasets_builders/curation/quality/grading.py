"""Sections 2.1 and 2.2.1: an LLM grades files, for the quality model to learn from and for quality inspection.

The paper says that a teacher LLM labels code and scores samples, and not how. Ours: four respects of 1 to 5, as section
2.3.1 has relevance, educational value and cleanliness of web pages. `grade` is the smallest of the four, a file being
as good as its worst side; `score`, for inspection, is their mean on a scale of 0 to 100.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from datatrove.data import Document

from datasets_builders.asking import (
    Answer,
    Ask,
    Asking,
    Request,
    Teacher,
    encodable,
    parse_integers,
    schema_of_integers,
)
from datasets_builders.building.atomic import written_whole
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.curation.quality.agreement import FASTTEXT_COLUMN, SCORE_PREFIX, score_columns

PROMPT_FILE = Path(__file__).with_name("prompts") / "grade_file.txt"
RESPECTS = ("readability", "educational_value", "correctness", "cleanliness")
COLUMNS = ("id", "content", "path", "language", "grade", "score", "graded_by")  # of graded rows, beside the respects
MIN_GRADE, MAX_GRADE = 1, 5
MAX_NAME_CHARACTERS = 200  # of path and language
MAX_CHARACTERS = 16_000  # of a longer file the beginning is graded: some 4,000 tokens
CHARACTERS_PER_TOKEN = 3.5  # rough, of code under tokenizers of today
ATTEMPTS = 3


@dataclass(frozen=True)
class Rubric:
    """What is asked about a file.

    Args:
        prompt (`str`): text with $path and $language, which are JSON strings, $content, and $boundary, a line that
            none of the three can hold.
        respects (sequence of `str`): names of the grades in the answer.
        max_characters (`int`): of the file that are shown.
        attempts (`int`): answers that are asked for before a file is given up.
        enforce_form (`bool`): ask the server to let the model answer in this form only (`response_format`).

    Raises:
        ConfigError: the prompt does not show the file, or does not name a respect; or a respect's name is taken.

    Source: paper 2.1 and 2.2.1; all the rest is ours.
    """

    prompt: str
    respects: Sequence[str] = RESPECTS
    max_characters: int = MAX_CHARACTERS
    attempts: int = ATTEMPTS
    enforce_form: bool = False

    def __post_init__(self) -> None:
        template = Template(self.prompt)
        if not template.is_valid() or "content" not in template.get_identifiers():
            raise ConfigError("--prompt: write $content where the file stands, and $$ for a dollar sign")
        unknown = set(template.get_identifiers()) - {"path", "language", "content", "boundary"}
        if unknown:
            raise ConfigError(f"--prompt: ${min(unknown)} is not known; known: $path, $language, $content, $boundary")
        taken = set(self.respects) & set(COLUMNS) or score_columns(self.respects)
        if not self.respects or taken or len(set(self.respects)) < len(self.respects):
            raise ConfigError(
                f"--respects: give at least one name, none twice, and none of {', '.join(COLUMNS)}, or of a column of "
                f"scores ({FASTTEXT_COLUMN}, {SCORE_PREFIX}...)"
            )
        missing = [name for name in self.respects if name not in self.prompt]
        if missing:
            raise ConfigError(f"--prompt: it does not name {', '.join(missing)}, which --respects has")

    def question(self, doc: Document) -> str:
        """Return the prompt about a file; nothing of the file, its path included, can end the frame around it."""
        shown = {
            name: json.dumps(str(doc.metadata.get(name) or "unknown")[:MAX_NAME_CHARACTERS])
            for name in ("path", "language")
        } | {"content": doc.text[: self.max_characters]}
        digest = hashlib.sha256("\n".join(shown.values()).encode()).hexdigest()
        return Template(self.prompt).substitute(shown, boundary=f"---- {digest[:16]} ----")


def as_document(row: dict[str, Any]) -> Document:
    """Return a row of {id, text, path, language} as a document; what UTF-8 cannot hold is a question mark."""
    names = {name: str(row.get(name) or "") for name in ("path", "language")}
    return Document(encodable(row["text"]), str(row["id"]), metadata=encodable(names))


class GradeFiles(Ask):
    """Let a teacher grade files."""

    name = "grade"

    def __init__(self, asking: Asking, rubric: Rubric) -> None:
        super().__init__(asking)
        self.rubric = rubric

    def request(self, doc: Document) -> Request:
        """Return the question about a file."""
        form = schema_of_integers(self.rubric.respects, MIN_GRADE, MAX_GRADE) if self.rubric.enforce_form else None
        return Request.of_user(self.rubric.question(doc), response_format=form)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Take the grades."""
        doc.metadata["grades"] = parse_integers(answer.text, self.rubric.respects, MIN_GRADE, MAX_GRADE)
        yield doc


def grade_files(
    rows: Iterable[dict[str, Any]], rubric: Rubric, teacher: Teacher, folder: Path
) -> tuple[dict[str, dict[str, int]], dict[str, tuple[str, str]]]:
    """Grade files; asked again with the same rows and folder, nothing that was answered is asked.

    Args:
        rows: {id, text, path, language}, with ids of their own.
        rubric (`Rubric`): what is asked.
        teacher (`Teacher`): who is asked.
        folder (`Path`): keeps the answers.

    Returns:
        tuple: id to grades, and id to (reason, detail) of files without.

    Raises:
        AskingError: the server does not answer.
        BuildError: no file got a grade, or another process keeps its answers in the folder just now.

    Source: paper 2.2.1 (a teacher LLM labels).
    """
    from tqdm import tqdm

    documents = [as_document(row) for row in rows]
    step = GradeFiles(Asking([teacher], str(folder), attempts=rubric.attempts), rubric)
    grades, removed = {}, {}
    for outcome in tqdm(step.outcomes_of(documents), f"asking {teacher.model}", len(documents), unit="", disable=None):
        if isinstance(outcome, Removed):
            removed[outcome.doc.id] = (outcome.reason, outcome.detail)
        elif isinstance(outcome, Document):
            grades[outcome.id] = outcome.metadata["grades"]
    if documents and not grades:
        reason, detail = next(iter(removed.values()))
        raise BuildError(
            f"{teacher.model}: no usable answer on any of {len(documents)} files ({reason}: {detail}); "
            f"ask another model or otherwise, or remove {folder} to ask the same again"
        )
    return grades, removed


def graded_rows(rows: Iterable[dict[str, Any]], grades: dict[str, dict[str, int]], model: str) -> list[dict[str, Any]]:
    """Return the rows that have grades, by id, with their text as `content`: what `train-quality-model` learns from.

    Beside the grades a row has `grade`, `score` and `graded_by`.
    """
    graded = []
    for row in sorted(rows, key=lambda row: str(row["id"])):
        given = grades.get(str(row["id"]))
        if given:
            kept = {name: value for name, value in row.items() if name != "text"}
            score = 100 * (sum(given.values()) / len(given) - MIN_GRADE) / (MAX_GRADE - MIN_GRADE)
            known = {"content": row["text"], **given}
            graded.append(kept | known | {"grade": min(given.values()), "score": score, "graded_by": model})
    return graded


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as Parquet or JSON Lines, by the file's name; no rows leave no file."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with written_whole(path) as temporary:
        if path.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.Table.from_pylist(rows), temporary)
        else:
            temporary.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
