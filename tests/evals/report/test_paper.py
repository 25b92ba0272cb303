"""The paper's tables with runs below, and the paired tests between runs."""

import json
from pathlib import Path

import pytest

from evals.errors import UsageError
from evals.report.overview import overview, wins
from evals.report.paper import Cell, best_cells, filled_table, latex_table, paper_tables, write_report
from evals.report.runs import paired_tests, read_run, read_runs, spreads_over_seeds
from evals.report.statistics import holm_adjust, mcnemar_exact, wilson_interval


def write_run(folder: Path, model: str, right: dict[str, str], base: bool = False) -> Path:
    """Write a run's folder: by task a text of 1 (right), 0 (wrong) and x (infra error), a sample each."""
    tasks = {"mbppplus": {"value": None, "reason": "no data"}}
    (folder / "samples").mkdir(parents=True)
    for task, marks in right.items():
        scored = marks.replace("x", "")
        interval = list(wilson_interval(scored.count("1"), len(scored)))
        tasks[task] = {
            "metric": "pass@1",
            "value": scored.count("1") / len(scored),
            "n": len(scored),
            "interval": interval,
            "isolation": "bubblewrap",
        }
        verdicts = {"1": "pass", "0": "fail", "x": "infra_error"}
        lines = [{"id": f"{task}/{i}", "verdict": verdicts[mark], "prediction": ""} for i, mark in enumerate(marks)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "samples" / f"{task}.jsonl").write_text(text)
    results = {"model": model, "preset": "standard", "base": base, "tasks": tasks}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.fixture
def runs(tmp_path):
    first = write_run(tmp_path / "a", "org/first", {"humaneval": "1" * 123 + "0" * 41, "cruxeval_output": "10" * 400})
    second = write_run(tmp_path / "b", "org/second", {"humaneval": "1" * 100 + "0" * 63 + "x"})
    third = write_run(tmp_path / "c", "/models/run/third", {"cruxeval_input": "1110", "cruxeval_output": "1100"}, True)
    return [read_run(folder) for folder in (first, second, third)]


def table(number: str, part: str = "") -> dict:
    return next(table for table in paper_tables() if table["number"] == number and part in table["caption"])


def test_the_papers_numbers_stand_with_the_intervals_that_their_sizes_imply():
    cells = filled_table(table("5"), [])["Ling-Coder-Lite"]
    low, high = wilson_interval(145, 164)
    assert cells[0].value == 88.41 and (cells[0].low, cells[0].high) == (100 * low, 100 * high)
    assert cells[0].text(164) == "88.4 (82.6 to 92.5)"
    assert cells[4].text(None) == "79.0", "an average has no size of its own"


def test_every_score_of_ling_coder_lite_is_a_fraction_of_the_stated_size():
    """A wrong size would show: the paper prints two digits. Table 8 is a mean of several runs, as its note says."""
    for entry in paper_tables():
        if entry["models"] == "base" or entry["number"] in ("8", "10", "11"):
            continue
        for value, column in zip(entry["rows"]["Ling-Coder-Lite"], entry["columns"], strict=True):
            if column["n"]:
                nearest = round(value * column["n"] / 100) / column["n"] * 100
                assert abs(nearest - value) < 0.01, (entry["caption"], column["title"])


def test_all_ten_tables_are_there_with_a_row_per_model_and_a_cell_per_column():
    entries = paper_tables()
    assert [entry["number"] for entry in entries] == ["2", "3", "4", "5", "6", "7", "7", "7", "7", "8", "9", "10", "11"]
    for entry in entries:
        assert all(len(values) == len(entry["columns"]) for values in entry["rows"].values())
        assert any(name.startswith("Ling-Coder-Lite") for name in entry["rows"])


def test_runs_stand_below_the_paper_in_tables_of_their_kind(runs):
    instruct = filled_table(table("5"), runs)
    assert list(instruct)[-2:] == ["ours: org/first", "ours: org/second"]
    assert instruct["ours: org/first"][0].text(164) == "75.0 (67.9 to 81.0)"
    assert instruct["ours: org/second"][0].text(164).endswith(", n=163)"), "the infra error is left out, and it shows"
    assert instruct["ours: org/first"][1:] == [None] * 4
    base = filled_table(table("3"), runs)
    assert [cell.value for cell in base["ours: run/third (base)"]] == [75.0, 50.0, 62.5]
    assert "ours: org/first" not in base


def test_averages_over_languages_have_intervals_that_know_the_shared_problems(tmp_path):
    tasks = [column["task"] for column in table("9")["columns"][:-1]]
    folder = write_run(tmp_path / "a", "org/first", dict.fromkeys(tasks, "10" * 82))
    alone = filled_table(table("9"), [read_run(folder)])["ours: org/first"][-1]
    for path in (folder / "samples").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [{**line, "cluster": line["id"].split("/")[1]} for line in lines]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shared = filled_table(table("9"), [read_run(folder)])["ours: org/first"][-1]
    assert alone.value == shared.value == 50
    assert shared.high - shared.low > 2 * (alone.high - alone.low), "six times the same answers are not six answers"


def test_ling_coder_lite_leads_on_the_seven_of_twelve_benchmarks_that_the_paper_counts():
    scores = overview([(entry, filled_table(entry, [])) for entry in paper_tables()])
    assert len(scores) == 12 and wins(scores)["Ling-Coder-Lite"] == 7
    assert "CodeQwen1.5" not in scores["DS-1000"], "the paper did not score it there"
    assert wins({"a": {"x": 1.0, "y": 1.0}, "b": {"y": 2.0}}) == {"x": 1, "y": 2}


def test_columns_of_subsets_are_filled(tmp_path):
    folder = write_run(tmp_path / "a", "org/first", {"livecodebench": "1" * 101})
    results = json.loads((folder / "results.json").read_text())
    part = {"value": 0.5, "n": 22, "interval": [0.3, 0.7]}
    results["tasks"]["livecodebench"]["subsets"] = {"difficulty/easy": part}
    (folder / "results.json").write_text(json.dumps(results))
    row = filled_table(table("6"), [read_run(folder)])["ours: org/first"]
    assert (row[0].value, row[0].n, row[1], row[3].value) == (50, 22, None, 100)


def test_runs_are_compared_on_shared_samples_and_p_values_adjusted_for_all(runs):
    tests = paired_tests(runs)
    assert [(test.task, test.first, test.second) for test in tests] == [
        ("cruxeval_output", "org/first", "run/third (base)"),
        ("humaneval", "org/first", "org/second"),
    ]
    crux, humaneval = tests
    assert (crux.n, crux.num_only_first, crux.num_only_second, crux.p) == (4, 1, 1, 1.0)
    assert (humaneval.n, humaneval.num_only_first, humaneval.num_only_second) == (163, 23, 0)
    assert humaneval.p == mcnemar_exact(23, 0) and humaneval.adjusted_p == 2 * humaneval.p
    assert humaneval.difference == 23 / 163


def test_holm_keeps_order_and_never_falls():
    assert holm_adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjust([0.9, 0.8]) == [1.0, 1.0]
    assert holm_adjust([]) == []
    with pytest.raises(ValueError, match="within 0 and 1"):
        holm_adjust([1.5])


def test_holm_raises_false_alarms_no_more_often_than_it_says():
    import numpy as np

    generator = np.random.default_rng(0)
    alarms = sum(min(holm_adjust(list(generator.random(12)))) < 0.05 for _ in range(4000))
    assert 0.035 < alarms / 4000 < 0.06


def test_the_report_is_written_in_four_forms(runs, tmp_path):
    html, markdown, latex, data = write_report(runs, tmp_path / "report")
    text = markdown.read_text()
    assert "Table 11: Spider" in text and "Note: " in text
    assert "| mbppplus | unscorable | no data |" in text
    assert "| humaneval | org/first | org/second | +14.1 points | +9.2 to +19.6 | 163 | 23 | 0 | McNemar |" in text
    assert "<table>" in html.read_text()
    assert latex.read_text().count(r"\begin{table}") == len(paper_tables())
    content = json.loads(data.read_text())
    assert len(content["tables"]) == len(paper_tables()) and len(content["paired_tests"]) == 2


def test_latex_escapes_what_it_must(runs):
    text = latex_table(table("7", "MultiPL-E HumanEval"), {"a_b & c%": [None] * 11})
    assert r"a\_b \& c\%" in text and r"C\#" in text


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no results\.json there"):
        read_run(tmp_path)


def test_several_answers_and_shared_problems_are_tested_by_cluster(tmp_path):
    first = write_run(tmp_path / "a", "org/first", {"humaneval": "1" * 40 + "0" * 10})
    second = write_run(tmp_path / "b", "org/second", {"humaneval": "0" * 40 + "1" * 10})
    for folder in (first, second):  # fifty answers to five problems
        path = folder / "samples" / "humaneval.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({**line, "id": f"p{i % 5}"}) + "\n" for i, line in enumerate(lines)))
    [test] = paired_tests([read_run(first), read_run(second)])
    assert test.n == 5 and test.difference == pytest.approx(0.6) and test.method == "sign flips of clusters"
    assert test.p == pytest.approx(2 / 32, abs=0.01), "five problems cannot say more"


def test_runs_with_several_seeds_show_their_spread(tmp_path):
    folders = []
    for seed, right in ((0, "1100"), (1, "1110"), (2, "1000")):
        folder = write_run(tmp_path / str(seed), "org/model", {"humaneval": right})
        results = json.loads((folder / "results.json").read_text())
        (folder / "results.json").write_text(json.dumps({**results, "sampling": {"seed": seed}}))
        folders.append(folder)
    runs = read_runs(folders)
    assert [run.label for run in runs] == [f"org/model (seed {seed})" for seed in range(3)]
    [spread] = spreads_over_seeds(runs)
    assert spread.scores == [50, 75, 25] and spread.standard_deviation == 25
    text = write_report(runs, tmp_path / "report")[1].read_text()
    assert "| org/model | humaneval | 3 | 50.0 | 25.00 | 25.0 | 75.0 |" in text
    assert [run.label for run in read_runs([folders[0]] * 2)] == ["org/model (seed 0) #1", "org/model (seed 0) #2"]


def test_the_best_value_of_a_column_and_our_rows_are_marked(tmp_path):
    folder = write_run(tmp_path / "a", "org/first", {"humaneval": "1" * 160 + "0" * 4})
    run = read_run(folder)
    html, markdown, latex, _ = write_report([run], tmp_path / "report")
    assert "| ours: org/first | **97.6 (93.9 to 99.0)** |" in markdown.read_text()
    assert '<tr class="own"><td>ours: org/first</td><td class="best">97.6' in html.read_text()
    assert r"ours: org/first & \textbf{97.6 " in latex.read_text()
    assert best_cells([[Cell(1.0), Cell(3.0), None], [Cell(1.0), Cell(2.0), Cell(9.0)]]) == {(0, 0), (1, 0), (0, 1)}


def test_the_report_shows_settings_versions_and_how_answers_were_found(tmp_path):
    folders = []
    for number, limit in enumerate((6, None)):
        folder = write_run(tmp_path / str(number), "org/first", {"humaneval": "10"})
        results = json.loads((folder / "results.json").read_text())
        results |= {"limit": limit, "backend": "endpoint", "versions": {"torch": "2.13"}, "sampling": {"top_p": 0.9}}
        counts = {"verdicts": {"pass": 1, "fail": 1}, "extraction": {"no_fence": 2}, "finish_reasons": {"length": 1}}
        results["tasks"]["humaneval"] |= counts
        (folder / "results.json").write_text(json.dumps(results))
        folders.append(folder)
    text = write_report(read_runs(folders), tmp_path / "report")[1].read_text()
    assert "| task | pass | fail | cut at the limit | no fence |\n" in text
    assert "| humaneval | 1 | 1 | 1 | 2 |\n" in text
    assert "| setting | org/first (6 rows) | org/first |" in text
    assert "| version of torch | 2.13 | 2.13 |" in text and "| top p | 0.9 | 0.9 |" in text
    assert "The runs differ in more than the model: limit on rows." in text


def test_the_report_has_pass_at_k_and_exact_matches(tmp_path):
    folder = write_run(tmp_path / "a", "org/first", {"humaneval": "10"})
    results = json.loads((folder / "results.json").read_text())
    results["tasks"]["humaneval"] |= {"pass_at_k": {"1": 0.5, "10": 0.75}, "exact_match": 0.25}
    (folder / "results.json").write_text(json.dumps(results))
    text = write_report([read_run(folder)], tmp_path / "report")[1].read_text()
    assert "| humaneval | pass@10 | 75.0 % | 2 | - | - |" in text and "| humaneval | exact match | 25.0 % |" in text
    assert text.count("| humaneval | pass@1 |") == 1
