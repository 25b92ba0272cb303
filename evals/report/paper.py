"""Sections 4.3 and 4.4: tables 2 to 11 of the paper with our runs below, every number with n and a 95 % interval.

The paper's numbers lie in paper_tables.json, as printed, with notes where the paper contradicts itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from evals.report.overview import OURS, add_overview
from evals.report.page import Page
from evals.report.runs import PairedTest, Run, paired_tests, spreads_over_seeds
from evals.report.settings import differing, settings_table
from evals.report.statistics import bootstrap_interval, rate_interval, wilson_interval

TABLES = Path(__file__).with_name("paper_tables.json")
LEVEL = 0.05
# Kinds of answers in the order of the tables that count them; others follow by name.
COUNTS = ("pass", "fail", "compile error", "timeout", "oom", "infra error", "fenced")


@dataclass(frozen=True)
class Cell:
    """A score in percent, with the number of samples and the interval where they are known."""

    value: float
    n: int | None = None
    low: float | None = None
    high: float | None = None

    def text(self, column_n: int | None = None) -> str:
        """Return "65.9 (58.3 to 72.7)", with n where it is not the column's."""
        if self.low is None:
            return f"{self.value:.1f}"
        size = f", n={self.n:,}" if self.n is not None and self.n != column_n else ""
        return f"{self.value:.1f} ({self.low:.1f} to {self.high:.1f}{size})"


def paper_tables() -> list[dict[str, Any]]:
    """Return the paper's tables: number, caption, columns, rows, notes."""
    return json.loads(TABLES.read_text(encoding="utf-8"))


def filled_table(table: dict[str, Any], runs: Sequence[Run]) -> dict[str, list[Cell | None]]:
    """Return a table's rows by model: the paper's, then those of our runs of its kind that have any of its tasks.

    Args:
        table: one of `paper_tables()`.
        runs: of any kind; base models stand in tables of base models only.
    """
    rows = {}
    for model, values in table["rows"].items():
        rows[model] = [_paper_cell(value, column["n"]) for value, column in zip(values, table["columns"], strict=True)]
    for run in runs:
        cells = [_run_cell(run, column) for column in table["columns"]]
        if run.kind == table["models"] and any(cells):
            rows[f"{OURS}{run.label}"] = _with_means(run, cells, table["columns"])
    return rows


def _paper_cell(value: float | None, n: int | None) -> Cell | None:
    if value is None:
        return None
    if n is None:
        return Cell(value)
    low, high = wilson_interval(round(value * n / 100), n)
    return Cell(value, n, 100 * low, 100 * high)


def _run_cell(run: Run, column: dict[str, Any]) -> Cell | None:
    name, _, subset = (column["task"] or "").partition("/")
    task = run.results["tasks"].get(name)
    if task and subset:
        task = task.get("subsets", {}).get(subset)
    if not task or task["value"] is None:
        return None
    low, high = task["interval"]
    return Cell(100 * task["value"], task["n"], 100 * low, 100 * high)


def _with_means(run: Run, cells: list[Cell | None], columns: Sequence[dict[str, Any]]) -> list[Cell | None]:
    """Fill in the averages: of columns that are all there, with an interval that knows which problems they share."""
    by_title = {column["title"]: (column, cell) for column, cell in zip(columns, cells, strict=True)}
    filled = []
    for column, cell in zip(columns, cells, strict=True):
        parts = [by_title[title] for title in column["mean_of"] or ()]
        values = [part_cell.value for _, part_cell in parts if part_cell]
        if parts and len(values) == len(parts):
            value = sum(values) / len(values)
            cell = Cell(value, None, *_mean_interval(run, [part["task"] for part, _ in parts]))
        filled.append(cell)
    return filled


def _mean_interval(run: Run, tasks: Sequence[str]) -> tuple[float | None, float | None]:
    """Return the interval of a mean of task scores in percent; (None, None) where single answers are not known.

    Every answer weighs what its task's share of the mean gives it; clusters are drawn across tasks.
    """
    if not all(run.answers.get(task) for task in tasks):
        return None, None
    num_answers = sum(len(run.answers[task]) for task in tasks)
    values, clusters = [], []
    for task in tasks:
        weight = num_answers / (len(tasks) * len(run.answers[task]))
        values += [weight * right for _, _, right in run.answers[task]]
        clusters += [cluster for _, cluster, _ in run.answers[task]]
    rights = [right for task in tasks for _, _, right in run.answers[task]]
    is_mixed = any(rights) and not all(rights)
    low, high = bootstrap_interval(values, clusters) if is_mixed else rate_interval(list(map(float, rights)), clusters)
    return 100 * low, 100 * high


def write_report(runs: Sequence[Run], output: Path) -> list[Path]:
    """Write report.html, report.md, report.tex and report.json into a folder, and return their paths."""
    tests = paired_tests(runs)
    tables = [(table, filled_table(table, runs)) for table in paper_tables()]
    page = Page("Scores beside the paper's", "95 % intervals by Wilson's score; differences are tested")
    page.heading("Runs")
    for run in runs:
        page.heading(run.label, level=3)
        page.table(["task", "metric", "score", "n", "95 % interval", "isolation"], _score_rows(run))
        _add_counts(page, run)
    _add_settings(page, runs)
    _add_paired_tests(page, runs, tests)
    _add_spreads(page, runs)
    add_overview(page, tables)
    page.heading("The paper's tables")
    page.paragraph(
        "Scores in percent. The paper gives single numbers; the interval beside each follows from its value and the "
        "size of the benchmark; averages, whose parts share problems, have none. Intervals of two models overlap far "
        "more often than their answers would: where both models were run here, the paired tests above are the ones to "
        "read. The best value of a column is bold, rows of runs here are shaded."
    )
    for table, rows in tables:
        page.heading(f"Table {table['number']}: {table['caption']}", level=3)
        headers = ["model", *(_header(column) for column in table["columns"])]
        page.table(
            headers,
            [[model, *_texts(cells, table["columns"])] for model, cells in rows.items()],
            own_rows=[number for number, model in enumerate(rows) if model.startswith(OURS)],
            best_cells={(row, column + 1) for row, column in best_cells(list(rows.values()))},
        )
        for note in table["notes"]:
            page.paragraph(f"Note: {note}")
    html, markdown = page.save(output / "report.html")
    latex, data = output / "report.tex", output / "report.json"
    latex.write_text("\n\n".join(latex_table(table, rows) for table, rows in tables) + "\n", encoding="utf-8")
    content = {
        "tables": [
            {**{key: table[key] for key in ("number", "caption", "models", "columns", "notes")}, "rows": _plain(rows)}
            for table, rows in tables
        ],
        "paired_tests": [asdict(test) for test in tests],
    }
    data.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [html, markdown, latex, data]


def best_cells(rows: Sequence[Sequence[Cell | None]]) -> set[tuple[int, int]]:
    """Return (row, column) of the highest value of each column, of all that share it; one value alone is no best."""
    best = set()
    for column, cells in enumerate(zip(*rows, strict=True)):
        values = [cell.value for cell in cells if cell]
        if len(values) > 1:
            best |= {(row, column) for row, cell in enumerate(cells) if cell and cell.value == max(values)}
    return best


def latex_table(table: dict[str, Any], rows: dict[str, list[Cell | None]]) -> str:
    """Return a table for a LaTeX document (booktabs), intervals as small print."""
    lines = [
        r"\begin{table}\centering",
        rf"\caption{{{_latex(table['caption'])} (the paper's Table {table['number']})}}",
        r"\begin{tabular}{l" + "r" * len(table["columns"]) + r"}\toprule",
        " & ".join(["model", *(_latex(_header(column)) for column in table["columns"])]) + r" \\ \midrule",
    ]
    best = best_cells(list(rows.values()))
    for row, (model, cells) in enumerate(rows.items()):
        texts = [_latex(text) for text in _texts(cells, table["columns"])]
        texts = [text.replace(" (", r" {\scriptsize(") + "}" if " (" in text else text for text in texts]
        texts = [rf"\textbf{{{text}}}" if (row, column) in best else text for column, text in enumerate(texts)]
        lines.append(" & ".join([_latex(model), *texts]) + r" \\")
    return "\n".join([*lines, r"\bottomrule\end{tabular}", r"\end{table}"])


def _latex(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text


def _header(column: dict[str, Any]) -> str:
    return column["title"] + (f", n={column['n']:,}" if column["n"] else "")


def _texts(cells: Sequence[Cell | None], columns: Sequence[dict[str, Any]]) -> list[str]:
    return ["-" if cell is None else cell.text(column["n"]) for cell, column in zip(cells, columns, strict=True)]


def _plain(rows: dict[str, list[Cell | None]]) -> dict[str, list[dict[str, Any] | None]]:
    return {model: [None if cell is None else asdict(cell) for cell in cells] for model, cells in rows.items()}


def _score_rows(run: Run) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, task in run.results["tasks"].items():
        if task["value"] is None:
            rows.append([name, "unscorable", task.get("reason", "infra errors"), None, None, None])
            continue
        low, high = (100 * end for end in task["interval"])
        score = f"{100 * task['value']:.1f} %"
        rows.append([name, task["metric"], score, task["n"], f"{low:.1f} to {high:.1f} %", task["isolation"]])
        others = {f"pass@{k}": value for k, value in task.get("pass_at_k", {}).items() if f"pass@{k}" != task["metric"]}
        others |= {"exact match": task["exact_match"]} if "exact_match" in task else {}
        rows += [[name, other, f"{100 * value:.1f} %", task["n"], None, None] for other, value in others.items()]
    return rows


def _add_counts(page: Page, run: Run) -> None:
    """Add what became of each task's answers, and how their code was found: to be read before the score."""
    counts: dict[str, dict[str, int]] = {}
    for name, task in run.results["tasks"].items():
        of_task = {**task.get("verdicts", {}), **task.get("extraction", {})}
        of_task["cut at the limit"] = task.get("finish_reasons", {}).get("length", 0)
        of_task["did not come"] = sum(task.get("faults", {}).values())
        counts[name] = {kind.replace("_", " "): number for kind, number in of_task.items() if number}
    kinds = sorted({kind for of_task in counts.values() for kind in of_task}, key=_place_of_count)
    if kinds:
        page.table(
            ["task", *kinds],
            [[name, *(of_task.get(kind) for kind in kinds)] for name, of_task in counts.items() if of_task],
            "Answers by verdict, by how their code was found, and by how they ended",
        )
        page.paragraph(f"Each answer, with its question: `python -m evals samples {run.folder}`")


def _place_of_count(kind: str) -> tuple[int, str]:
    return (COUNTS.index(kind) if kind in COUNTS else len(COUNTS), kind)


def _add_settings(page: Page, runs: Sequence[Run]) -> None:
    rows = settings_table([run.results for run in runs])
    others = [number for number, (name, *_) in enumerate(rows) if number in differing(rows) and name != "model"]
    page.heading("Settings and versions", level=3)
    if others:
        names = ", ".join(rows[number][0] for number in others)
        page.paragraph(f"The runs differ in more than the model: {names}. Those rows are shaded.")
    page.table(["setting", *(run.label for run in runs)], rows, own_rows=others, aligned=False)


def _add_paired_tests(page: Page, runs: Sequence[Run], tests: Sequence[PairedTest]) -> None:
    if len(runs) < 2:
        return
    page.heading("Differences between the runs")
    if not tests:
        page.paragraph("The runs share no samples.")
        return
    page.paragraph(
        "McNemar's exact test on shared problems; where a problem has several answers, or problems belong together, a "
        "randomisation test that flips the signs of clusters. Intervals by the paired bootstrap. p-values "
        f"are adjusted for {len(tests)} comparisons (Holm); a difference counts as found when that is below {LEVEL}."
    )
    headers = ["task", "first", "second", "difference", "95 % interval", "n", "first better", "second better"]
    headers += ["test", "p", "adjusted p", "found"]
    page.table(
        headers,
        [
            [
                test.task,
                test.first,
                test.second,
                f"{100 * test.difference:+.1f} points",
                f"{100 * test.interval[0]:+.1f} to {100 * test.interval[1]:+.1f}",
                test.n,
                test.num_only_first,
                test.num_only_second,
                test.method,
                f"{test.p:.3g}",
                f"{test.adjusted_p:.3g}",
                "yes" if test.adjusted_p < LEVEL else "no",
            ]
            for test in tests
        ],
    )


def _add_spreads(page: Page, runs: Sequence[Run]) -> None:
    spreads = spreads_over_seeds(runs)
    if not spreads:
        return
    page.heading("Variance over seeds")
    page.paragraph("Scores in percent of runs that differ in the seed alone, and in no other setting, row or version.")
    page.table(
        ["model", "task", "runs", "mean", "standard deviation", "lowest", "highest"],
        [
            [
                spread.label,
                spread.task,
                len(spread.scores),
                f"{mean(spread.scores):.1f}",
                f"{spread.standard_deviation:.2f}",
                f"{min(spread.scores):.1f}",
                f"{max(spread.scores):.1f}",
            ]
            for spread in spreads
        ],
    )
