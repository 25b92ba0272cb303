"""Section 4.2: Spider: questions over databases of many domains; the test split, and the development split."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.benchmarks.source import BenchmarkSource, data_folder

SPIDER = BenchmarkSource(
    "spider",
    ("test.json", "test.json.gz", "test.jsonl"),
    "Mogine/SpiderTest",
    ("db_id", "query", "question"),
    2147,
    "CC-BY-SA-4.0",
)
SPIDER_DEV = BenchmarkSource(
    "spider",
    ("dev.json", "dev.json.gz", "dev.jsonl"),
    "xlangai/spider",
    ("db_id", "query", "question"),
    1034,
    "CC-BY-SA-4.0",
    split="validation",
)
LIKE = 9  # its place among Spider's operators of conditions


def load_spider(source: BenchmarkSource, data_dir: Path | None) -> tuple[list[Row], str]:
    """Load the questions, each with the schema and the file of its database.

    Raises:
        BenchmarkDataError: no questions, or a database is not there: `DIR/spider/database/DB_ID/DB_ID.sqlite`.
    """
    rows, where = source.load(data_dir)
    folder = data_folder(data_dir)
    base = folder / "spider" / "database" if folder else None
    if base and source is SPIDER and base.with_name("test_database").is_dir():
        base = base.with_name("test_database")
    schemas: dict[str, tuple[str, str]] = {}
    answer = []
    for number, row in enumerate(rows):
        name = row["db_id"]
        if name not in schemas:
            path = base / name / f"{name}.sqlite" if base else None
            if path is None or not path.is_file():
                raise BenchmarkDataError(
                    f"{where}: the database {name} is not there; put Spider's databases into DIR/spider/database/"
                    f"{name}/{name}.sqlite (they are not on the Hub beside the questions) and give --data-dir DIR"
                )
            schemas[name] = (schema_of(path), str(path.resolve()))
        kept = {key: row[key] for key in ("db_id", "query", "question")}
        hardness = hardness_of(row["sql"]) if isinstance(row.get("sql"), Mapping) else row.get("hardness", "")
        schema, database = schemas[name]
        answer.append(
            {**kept, "task_id": f"spider/{number}", "schema": schema, "database": database, "hardness": hardness}
        )
    return answer, where


def schema_of(path: Path) -> str:
    """Return the CREATE TABLE statements of a database, which is opened read-only.

    Raises:
        BenchmarkDataError: it is not a database.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        try:
            lines = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
            return "\n".join(line[0].strip() + ";" for line in lines)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BenchmarkDataError(f"{path} cannot be read as an SQLite database: {error}") from error


def hardness_of(sql: Mapping[str, Any]) -> str:
    """Return easy, medium, hard or extra for a query in Spider's parsed form.

    Source: the levels of Spider's evaluation (Yu et al. 2018).
    """
    clauses, others, nested = _num_clauses(sql), _num_others(sql), _num_nested(sql)
    if clauses <= 1 and others == 0 and nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and clauses <= 1) or (clauses <= 2 and others < 2)):
        return "medium"
    if nested == 0 and ((others > 2 and clauses <= 2) or (2 < clauses <= 3 and others <= 2)):
        return "hard"
    if clauses <= 1 and others == 0 and nested <= 1:
        return "hard"
    return "extra"


def _conditions(sql: Mapping[str, Any]) -> list[Any]:
    return [unit for part in (sql["from"]["conds"], sql["where"], sql["having"]) for unit in part[::2]]


def _num_clauses(sql: Mapping[str, Any]) -> int:
    count = sum(bool(sql[name]) for name in ("where", "groupBy", "orderBy")) + (sql["limit"] is not None)
    count += max(len(sql["from"]["table_units"]) - 1, 0)
    joins = [word for part in (sql["from"]["conds"], sql["where"], sql["having"]) for word in part[1::2]]
    return count + joins.count("or") + sum(unit[1] == LIKE for unit in _conditions(sql))


def _num_nested(sql: Mapping[str, Any]) -> int:
    inside = sum(isinstance(value, Mapping) for unit in _conditions(sql) for value in (unit[3], unit[4]))
    return inside + sum(sql[name] is not None for name in ("intersect", "except", "union"))


def _num_others(sql: Mapping[str, Any]) -> int:
    selected = sql["select"][1]
    aggregates = sum(
        unit[0] != 0
        for part in (selected, sql["where"][::2], sql["groupBy"], sql["having"])
        for unit in part
        if not isinstance(unit, str)
    )
    if sql["orderBy"]:
        aggregates += sum(side[0] != 0 for unit in sql["orderBy"][1] for side in (unit[1], unit[2]) if side)
    return sum((aggregates > 1, len(selected) > 1, len(sql["where"]) > 1, len(sql["groupBy"]) > 1))
