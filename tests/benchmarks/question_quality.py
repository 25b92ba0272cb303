"""How good questions computed from code are, as a table, a column a dataset.

`python tests/benchmarks/question_quality.py BEFORE AFTER` reads folders of `synthetic_qa` datasets.
"""

import argparse
import ast
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = dict[str, Any]
TOKEN = re.compile(r"\w+|[^\w\s]")
BUG_KINDS = ("code_repair", "docstring_to_code", "code_to_docstring")


def read_rows(folder: str) -> list[Row]:
    """Return the rows of a dataset folder."""
    return [row for path in sorted(Path(folder, "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent."""
    return f"{part / whole:.1%}" if whole else "none"


def copied_tokens(rows: list[Row]) -> str:
    """Return the share of the answers' tokens in lines that stand in the question, letter for letter."""
    num_copied = num_all = 0
    for row in rows:
        question, answer = (message["content"] for message in row["messages"])
        shown = {line.strip() for line in question.splitlines()}
        for line in answer.splitlines():
            num_tokens = len(TOKEN.findall(line))
            num_all += num_tokens
            num_copied += num_tokens * (line.strip() in shown)
    return share(num_copied, num_all)


def runs(rows: list[Row]) -> list[Row]:
    """Return the questions about what a call returns."""
    return [row for row in rows if row["kind"] == "execution_prediction"]


def is_one_statement(row: Row) -> bool:
    """Return whether the function or method that is called has one statement beside its docstring."""
    name = re.findall(r"(\w+)(?:\(|$)", row["call"].removeprefix("list("))
    tree = ast.parse(row["code"])
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    called = [functions[each] for each in name if each in functions]
    if not called:
        return False
    function = called[-1] if "." in row["call"].split("(")[0] or f".{called[-1].name}(" in row["call"] else called[0]
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return sum(isinstance(node, ast.stmt) for part in body for node in ast.walk(part)) <= 1


def constant_functions(rows: list[Row]) -> str:
    """Return the share of rows about functions all of whose rows (two at least) have one and the same answer."""
    answers: dict[tuple[str, str], list[str]] = {}
    for row in runs(rows):
        answers.setdefault((row["path"], row["function"]), []).append(row["answer"])
    constant = [each for each in answers.values() if len(each) > 1 and len(set(each)) == 1]
    return share(sum(map(len, constant)), len(runs(rows)))


def shares_of(rows: list[Row], column: str) -> str:
    """Return the shares of a column's values."""
    counts = Counter(row[column] for row in rows if row.get(column))
    total = sum(counts.values())
    return ", ".join(f"{value} {count / total:.0%}" for value, count in counts.most_common()) or "not recorded"


MEASURES: dict[str, Callable[[list[Row]], str]] = {
    "rows": lambda rows: f"{len(rows):,}",
    "kinds": lambda rows: str(len({row["kind"] for row in rows})),
    "functions and classes": lambda rows: f"{len({(row['path'], row['function']) for row in rows}):,}",
    "target tokens copied from the question": copied_tokens,
    "the same without repairs and docstrings": lambda rows: copied_tokens(
        [row for row in rows if row["kind"] not in BUG_KINDS]
    ),
    "rows with a step-by-step rationale": lambda rows: share(
        sum(row["kind"] == "execution_rationale" for row in rows), len(rows)
    ),
    "execution questions on functions of one statement": lambda rows: share(
        sum(map(is_one_statement, runs(rows))), len(runs(rows))
    ),
    "execution questions whose answer stands in the call": lambda rows: share(
        sum(len(row["answer"]) > 2 and row["answer"] in row["call"] for row in runs(rows)), len(runs(rows))
    ),
    "execution questions on constant functions": constant_functions,
    "answers None, True, False, '', [], 0, 1": lambda rows: share(
        sum(row["answer"] in ("None", "True", "False", "''", "[]", "0", "1") for row in runs(rows)), len(runs(rows))
    ),
    "verified by": lambda rows: shares_of(rows, "verified_by"),
    "arguments from": lambda rows: shares_of(rows, "call_from"),
}


def main() -> None:
    """Print a row a measure, then the kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", help="folders of synthetic_qa datasets")
    folders = parser.parse_args().folders
    datasets = [read_rows(folder) for folder in folders]
    names = [Path(folder).name for folder in folders]
    print(f"| | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}")
    for name, measure in MEASURES.items():
        print(f"| {name} | {' | '.join(measure(rows) for rows in datasets)} |")
    for kind in sorted({row["kind"] for rows in datasets for row in rows}):
        counts = (f"{sum(row['kind'] == kind for row in rows):,}" for rows in datasets)
        print(f"| rows: {kind} | {' | '.join(counts)} |")


if __name__ == "__main__":
    main()
