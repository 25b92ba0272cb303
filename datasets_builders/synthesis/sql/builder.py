"""Section 2.4 (SQL): questions to generated databases, answered by queries that were run on two of them.

Read top to bottom: questions are drawn, equal ones merged, their queries run in the sandbox; what holds a benchmark's
texts goes (section 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.builder import Builder
from datasets_builders.curation.config import DecontaminationFields
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.pipeline import Curation
from datasets_builders.synthesis.sql.domains import DOMAINS_FILE, SHAPES_FILE
from datasets_builders.synthesis.sql.execution import DRIVER
from datasets_builders.synthesis.sql.questions import PROMPT_FILE
from datasets_builders.synthesis.sql.steps import DrawQuestions, RunQueries

if TYPE_CHECKING:
    from datasets import Features

DEFAULT_LICENSE = "cc0-1.0"

COLUMNS = {
    "mid": "content hash of the question, 32 hex digits",
    "messages": "one user turn (tables and question) and one assistant turn (the query)",
    "tags": "the kind of question and sql",
    "languages": "SQL",
    "kind": "sql_query",
    "domain": "what the database is about",
    "shape": "what is asked",
    "difficulty": "1 (filter, count) to 5 (several steps): joins from 2, outer joins and HAVING from 3, windows from 4",
    "schema": "the CREATE TABLE statements",
    "setup": "script that makes and fills the database of the question (SQLite)",
    "second_setup": "script of a database with the same tables and other rows",
    "query": "the query that answers the question",
    "ordered": "whether the order of the rows is part of the answer",
    "result": "rows of the query on the first database, JSON",
    "second_result": "rows of the query on the second database, JSON",
    "wrong_answers": "queries that run and give other rows on both databases",
    "verified_by": "execution",
    "cluster": "domain and shape; a cluster is in one split alone",
}


@dataclass
class SqlQAConfig(DecontaminationFields):
    """Fields of `sql_qa`."""

    num_questions: int = field(
        default=5_000, metadata={"help": "number of questions drawn; those whose queries do not hold are removed"}
    )
    max_result_rows: int = field(default=100, metadata={"help": "most rows that an answer may have"})
    validation_fraction: float = field(
        default=0.1, metadata={"help": "part of the pairs of database and kind of question that is held out"}
    )
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("num_questions", "max_result_rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not 0 <= self.validation_fraction <= 0.5:
            raise ConfigError(f"validation_fraction is {self.validation_fraction}, but must be from 0 to 0.5")


class SqlQABuilder(Builder[SqlQAConfig]):
    """Questions to generated databases, with queries that were run.

    Source: paper 2.4 names SQL among the domains of evolved questions; generating the databases is ours.
    """

    name: ClassVar[str] = "sql_qa"
    summary: ClassVar[str] = "questions to generated SQLite databases, answers executed"
    config_class: ClassVar[type[BuilderConfig]] = SqlQAConfig
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "shape"

    def __init__(self, config: SqlQAConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        columns: dict[str, Any] = dict.fromkeys(COLUMNS, text)
        columns |= {name: List(text) for name in ("tags", "languages", "wrong_answers")}
        columns |= {"difficulty": Value("int32"), "ordered": Value("bool")}
        columns["messages"] = List({"role": text, "content": text})
        return Features(columns)

    def stages(self) -> list[Stage]:
        """Draw questions, keep one of equal ones, run their queries, drop what a benchmark asks."""
        config = self.config
        return [
            Stage(
                "draw",
                [DrawQuestions(config.num_questions, config.seed, config.validation_fraction)],
                tasks=config.num_tasks,
            ),
            Stage(
                "run",
                [
                    ExactDedup(),
                    RunQueries(config.isolation, config.max_result_rows),
                    *self.curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=self.curation.index_benchmarks,
            ),
        ]

    def check(self) -> None:
        """Raise `ConfigError` when a benchmark cannot be read."""
        super().check()
        self.curation.inputs.check()

    def inputs(self) -> list[str]:
        """Return a line on what is kept out."""
        return [*super().inputs(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of worlds, questions, wordings, the sandbox's program and the benchmarks' texts."""
        files = [path.read_text(encoding="utf-8") for path in (DOMAINS_FILE, SHAPES_FILE, PROMPT_FILE)]
        texts = hashlib.sha256("\0".join([*files, DRIVER]).encode()).hexdigest()
        return super().input_fingerprint() | self.curation.inputs.fingerprint() | {"texts": texts}

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="SQL questions to generated databases",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.config.license or DEFAULT_LICENSE,
            columns=COLUMNS,
            tags=["code", "sql", "text-to-sql", "synthetic"],
        )


_DESCRIPTION = """
Questions to small SQLite databases, with the query that answers them. No language model was asked. The databases are
generated: tables and columns that are not needed, missing values, untidy spelling, namesakes, rows entered twice.

- The answer was run in a sandbox on two databases with the same tables and other rows. A second way of writing the
  query had to give the same rows on both, and the two databases had to give different ones.
- `wrong_answers` are mistakes that people make (a missing DISTINCT, an inner join for an outer one, NULL compared by
  `=`); each runs, and gives other rows on both databases.
- Compare results, not texts: `ordered` says whether the order of the rows counts. Nothing depends on the clock.

The `validation` split holds out pairs of database and kind of question.
"""
