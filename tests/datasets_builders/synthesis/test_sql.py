"""Databases, questions and queries: all is run for real, in the sandbox."""

import json
import sqlite3
from pathlib import Path
from random import Random
from string import Template

import pytest

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.synthesis.sql.builder import SqlQABuilder, SqlQAConfig
from datasets_builders.synthesis.sql.database import make_database
from datasets_builders.synthesis.sql.domains import domains, shapes
from datasets_builders.synthesis.sql.execution import SqlJob, SqlResult, run_queries
from datasets_builders.synthesis.sql.questions import draw_parameters, draw_question, in_lines
from evals.execution import Executor

SETUP = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, 'X ');"


def rows(executor: Executor, *queries: str) -> list[SqlResult]:
    return run_queries(executor, [SqlJob((SETUP,), queries)])[0][0]


@pytest.mark.parametrize("domain", domains(), ids=lambda domain: domain.name)
def test_every_question_of_every_world_has_words_and_queries(domain):
    values = domain.words | draw_parameters(domain, Random(1))
    for shape in shapes():
        texts = [Template(text).substitute(values) for text in (*shape.questions, shape.sql, shape.same, *shape.wrong)]
        assert not any("$" in text for text in texts)
        assert len(shape.wrong) >= 2 and 1 <= shape.difficulty <= 5


def test_databases_are_untidy_and_follow_from_the_seed():
    domain = domains()[0]
    first, again = (make_database(domain, Random(8), Random(5)) for _ in range(2))
    other = make_database(domain, Random(4), Random(5))
    assert first.setup == again.setup and first.setup != other.setup and first.schema == other.schema
    connection = sqlite3.connect(":memory:")
    connection.executescript(first.setup)

    def one(query):
        return connection.execute(query).fetchone()[0]

    assert len(first.tables) > 4
    assert one("SELECT count(*) FROM loans WHERE fee_cents IS NULL") > 0
    assert one("SELECT count(*) FROM loans WHERE member_id IS NULL") > 0
    assert one("SELECT count(*) FROM members WHERE membership <> lower(trim(membership))") > 0
    assert one("SELECT count(*) - count(DISTINCT full_name) FROM members") > 0
    assert (
        one("SELECT count(*) FROM members WHERE member_id NOT IN (SELECT member_id FROM loans WHERE member_id > 0)") > 0
    )


def test_queries_see_the_rows_and_can_do_nothing_else(executor):
    counted, text, *refused = rows(
        executor,
        "SELECT count(*), count(b), avg(a) FROM t",
        "SELECT b FROM t WHERE lower(trim(b)) = 'x' ORDER BY a",
        "DELETE FROM t",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA query_only = OFF",
        "SELECT random()",
        "SELECT current_timestamp",
        "SELECT 1; SELECT 2",
        "SELECT missing FROM t",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 999) SELECT i FROM n",
    )
    assert counted.rows == [[3, 2, 2]]
    assert text.rows == [["x"], ["X "]]
    assert all(result.rows is None and result.error for result in refused), refused


def test_results_are_compared_as_the_question_asks(executor):
    up, down, numbers, floats = rows(
        executor,
        "SELECT a FROM t ORDER BY a",
        "SELECT a FROM t ORDER BY a DESC",
        "SELECT 1, 0.1 + 0.2",
        "SELECT 1.0, 0.3",
    )
    assert up.equals(down, ordered=False) and not up.equals(down, ordered=True)
    assert numbers.equals(floats, ordered=True)
    assert not SqlResult(None, "x").equals(SqlResult(None, "x"), ordered=False)


@pytest.mark.parametrize(
    ("answer", "ordered", "is_right"),
    [
        ("SELECT b FROM u ORDER BY a, b", True, True),
        ("SELECT b FROM u ORDER BY b", True, False),  # the same rows in another order
        ("SELECT b FROM u ORDER BY b", False, True),
        ("SELECT DISTINCT b FROM u ORDER BY a, b", True, False),  # sets of rows would be equal
        ("SELECT DISTINCT b FROM u", False, False),
        ("SELECT b FROM u", True, False),  # right by the luck of how rows are stored
        ("SELECT b, b FROM u ORDER BY a, b", True, False),
        ("SELECT b * 1.0 FROM u ORDER BY a, b", True, True),
        ("SELECT CAST(b AS TEXT) FROM u ORDER BY a, b", True, False),
        ("SELECT b FROM u ORDER BY count(*)", True, False),
        ("SELECT b FROM u ORDER BY a UNION SELECT b FROM u", True, False),  # does not run
    ],
)
def test_answers_are_judged_by_their_rows(executor: Executor, answer: str, ordered: bool, is_right: bool) -> None:
    """Cases that evaluations of others got wrong: sets for bags, order by chance, columns that look alike."""
    setup = "CREATE TABLE u (a INTEGER, b INTEGER); INSERT INTO u VALUES (1, 7), (1, 9), (2, 7), (3, 2);"
    ((right, given),) = run_queries(executor, [SqlJob((setup,), ("SELECT b FROM u ORDER BY a, b", answer))])[0]
    assert right.equals(given, ordered) == is_right


def test_a_limit_that_cuts_through_a_tie_settles_nothing(executor: Executor) -> None:
    setup = "CREATE TABLE u (a INTEGER, b INTEGER); INSERT INTO u VALUES (1, 7), (1, 9), (2, 7), (3, NULL);"
    queries = ("SELECT a FROM u LIMIT 2", "SELECT a, b FROM u ORDER BY a, b LIMIT 2", "SELECT max(b) FROM u")
    (found,) = run_queries(executor, [SqlJob((setup,), queries)])[0]
    assert [result.is_settled(ordered=True) for result in found] == [False, True, True]


def test_clauses_stand_on_lines_of_their_own():
    assert in_lines("SELECT a FROM t WHERE a IN (SELECT b FROM u) ORDER BY a") == (
        "SELECT a\nFROM t\nWHERE a IN (SELECT b FROM u)\nORDER BY a"
    )
    assert in_lines("WITH x AS (SELECT a FROM t LEFT JOIN u), y AS (SELECT 1) SELECT a FROM x") == (
        "WITH x AS (\n    SELECT a\n    FROM t\n    LEFT JOIN u\n),\ny AS (\n    SELECT 1\n)\nSELECT a\nFROM x"
    )


def test_short_names_come_from_the_tables():
    shape = next(shape for shape in shapes() if shape.name == "join_above")
    question = draw_question(domains()[0], shape, "0")
    assert "FROM loans AS l" in question.query and "JOIN members AS m" in question.query.replace("AS me", "AS m")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sql") / "out"
    SqlQABuilder(SqlQAConfig(output_dir=str(folder), num_questions=100, decontaminate=[], num_tasks=1)).run()
    return folder


def test_answers_of_the_dataset_hold_and_mistakes_do_not(dataset):
    """Checked by a program of its own: plain sqlite3 on the scripts of the rows."""
    found = [row for split in ("train", "validation") for row in DatasetFolder(dataset).rows(None, split)]
    assert len(found) > 80 and {row["shape"] for row in found} == {shape.name for shape in shapes()}
    assert {row["difficulty"] for row in found} == {1, 2, 3, 4, 5}

    def normal(rows, ordered):
        rows = [[round(value, 6) if isinstance(value, float) else value for value in row] for row in rows]
        return rows if ordered else sorted(rows, key=repr)

    num_wrong = 0
    for row in found:
        results = []
        for setup, told in ((row["setup"], row["result"]), (row["second_setup"], row["second_result"])):
            connection = sqlite3.connect(":memory:")
            connection.executescript(setup)
            right = normal(connection.execute(row["query"]).fetchall(), row["ordered"])
            assert right == normal(json.loads(told), row["ordered"]) and right
            assert row["messages"][1]["content"] == f"```sql\n{row['query']};\n```"
            for query in row["wrong_answers"]:
                assert normal(connection.execute(query).fetchall(), row["ordered"]) != right
                num_wrong += 1
            results.append(right)
        assert results[0] != results[1]
    assert num_wrong > 2 * len(found)


def test_alike_questions_are_in_one_split(dataset):
    clusters = {
        split: {row["cluster"] for row in DatasetFolder(dataset).rows(["cluster"], split)}
        for split in ("train", "validation")
    }
    assert clusters["validation"] and not clusters["train"] & clusters["validation"]
