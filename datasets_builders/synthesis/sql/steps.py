"""Section 2.4: the steps of the SQL builder, from worlds to questions whose answers were run on two databases."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from datatrove.data import Document

from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Generator, Outcome, Removed
from datasets_builders.synthesis.sql.domains import domains, shapes
from datasets_builders.synthesis.sql.execution import SqlJob, SqlResult, run_queries
from datasets_builders.synthesis.sql.questions import KIND, SqlQuestion, draw_question, split_of


class DrawQuestions(Generator):
    """Draw questions: every world and every shape in turn.

    Args:
        num_questions (`int`): how many.
        seed (`int`): decides databases, wordings and values.
        validation_fraction (`float`): part of the pairs of world and shape that is held out.
    """

    name = "draw_questions"

    def __init__(self, num_questions: int, seed: int, validation_fraction: float) -> None:
        super().__init__()
        self.num_questions, self.seed, self.validation_fraction = num_questions, seed, validation_fraction

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give every question number `rank` modulo `world_size`."""
        pairs = [(domain, shape) for shape in shapes() for domain in domains()]
        for number in range(rank, self.num_questions, world_size):
            # A stride prime to the number of pairs goes through all of them, however few are wanted.
            domain, shape = pairs[number * 17 % len(pairs)]
            question = draw_question(domain, shape, f"{self.seed}/{number}")
            split = split_of(question.cluster, self.validation_fraction, self.seed)
            yield Document(
                f"{question.prompt}\n\n{question.content}", question.mid, metadata=question_row(question, split)
            )


def question_row(question: SqlQuestion, split: str) -> dict[str, Any]:
    """Return the columns of a question's row, results aside, and what running it needs."""
    return {
        "mid": question.mid,
        "messages": [
            {"role": "user", "content": question.prompt},
            {"role": "assistant", "content": question.content},
        ],
        "tags": [KIND, "sql"],
        "languages": ["SQL"],
        "kind": KIND,
        "domain": question.domain,
        "shape": question.shape.name,
        "difficulty": question.shape.difficulty,
        "schema": question.schema,
        "setup": question.setup,
        "second_setup": question.second_setup,
        "query": question.query,
        "ordered": question.shape.ordered,
        "same": question.same,
        "wrong_answers": list(question.wrong),
        "cluster": question.cluster,
        "split": split,
    }


class RunQueries(SandboxStep):
    """Run the answer, the same query written otherwise, and the mistakes on both databases.

    A question stays if both ways of writing it agree and give rows; a mistake if it differs on both databases.

    Args:
        isolation (`str`): as `Executor` takes it.
        max_rows (`int`): most rows of an answer.
    """

    name = "run_queries"
    batch_size = 128

    def __init__(self, isolation: str = "auto", max_rows: int = 100) -> None:
        super().__init__(isolation)
        self.max_rows = max_rows

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run the queries of all questions of a batch at once."""
        jobs = [
            SqlJob((row["setup"], row["second_setup"]), (row["query"], row["same"], *row["wrong_answers"]))
            for row in (doc.metadata for doc in docs)
        ]
        return [[self._judge(doc, results)] for doc, results in zip(docs, run_queries(self.sandbox, jobs), strict=True)]

    def _judge(self, doc: Document, results: list[list[SqlResult]]) -> Outcome:
        row = doc.metadata
        ordered = row["ordered"]
        rights = [found[0] for found in results]
        for (right, same, *_), which in zip(results, ("first", "second"), strict=True):
            if right.rows is None or same.rows is None:
                return Removed(doc, "query_fails", f"{which} database: {right.error or same.error}")
            if not right.is_settled(ordered):
                return Removed(doc, "order_not_settled", f"{which} database")
            if not right.equals(same, ordered):
                return Removed(doc, "ways_of_writing_disagree", f"{which} database")
            if not right.rows:
                return Removed(doc, "no_rows", f"{which} database")
            if len(right.rows) > self.max_rows:
                return Removed(doc, "too_many_rows", str(len(right.rows)))
        if rights[0].equals(rights[1], ordered):
            return Removed(doc, "same_answer_on_both_databases")
        wrong = [
            query
            for number, query in enumerate(row["wrong_answers"], start=2)
            # A query that does not run is no plausible mistake.
            if all(found[number].rows is not None and not found[number].equals(found[0], ordered) for found in results)
        ]
        row.pop("same")
        row["wrong_answers"] = wrong
        row["result"], row["second_result"] = (json.dumps(right.rows, ensure_ascii=False) for right in rights)
        row["verified_by"] = "execution"
        return doc
