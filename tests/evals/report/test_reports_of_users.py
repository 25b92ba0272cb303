"""What users of other harnesses reported of result pages and comparisons, each as a small run of our own."""

import json
from pathlib import Path

import pytest

from evals.__main__ import main
from tests.evals.report.pages import blocks_of, options_of, records_in

PASS, FAIL = "pass", "fail"


def line(number: int, verdict: str = PASS, prediction: str = "ok", **more: object) -> dict:
    return {"id": f"p/{number}", "prediction": prediction, "verdict": verdict, "message": "", **more}


def stored(
    folder: Path, lines: list[dict], task: str = "humaneval", model: str = "org/model", **settings: object
) -> Path:
    """Write a run's folder with answers to one task; `settings` go into results.json."""
    (folder / "samples").mkdir(parents=True)
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in lines)
    (folder / "samples" / f"{task}.jsonl").write_text(text, encoding="utf-8")
    judged = [entry["verdict"] == PASS for entry in lines if entry["verdict"] != "infra_error"]
    value = sum(judged) / len(judged) if judged else None
    entry = {"metric": "pass@1", "value": value, "n": len(judged), "interval": [0.0, 1.0], "isolation": None}
    results = {"model": model, "preset": "standard", "base": False, "tasks": {task: entry}, **settings}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def pages_of(folder: Path, lines: list[dict], *arguments: str, **more: object) -> str:
    """Return the page of a task's answers as `python -m evals samples` writes it."""
    assert main(["samples", str(stored(folder / "run", lines, **more)), *arguments]) == 0
    return (folder / "run" / "pages" / "answers.html").read_text(encoding="utf-8")


# github.com/UKGovernmentBEIS/inspect_ai/issues/49: tags in an answer were not shown
def test_tags_of_an_answer_are_shown_and_not_interpreted(tmp_path):
    page = pages_of(tmp_path, [line(0, prediction="<scratchpad>plan</scratchpad><script>alert(1)</script>")])
    [record] = records_in(page)
    assert blocks_of(record)["Answer"] == "<scratchpad>plan</scratchpad><script>alert(1)</script>"
    assert page.count("<script>") == 1, "ours"


# .../inspect_ai/issues/1377: an answer is looked for by what it says
def test_the_text_of_questions_and_answers_is_what_is_searched(tmp_path):
    lines = [line(0, prediction="uses numpy", prompt="Sort a list."), line(1, FAIL, "no")]
    page = pages_of(tmp_path, lines)
    records = records_in(page)
    assert [blocks_of(record)["Answer"] for record in records] == ["uses numpy", "no"]
    assert blocks_of(records[0])["Question"] == "Sort a list." and 'type="search"' in page


# .../inspect_ai/issues/1375 and 2249: a viewer that chokes on large logs
def test_many_and_endless_answers_give_pages_that_a_browser_opens(tmp_path):
    lines = [line(number, prediction="x" * 3000) for number in range(2500)] + [line(2500, prediction="y" * 5_000_000)]
    pages_of(tmp_path, lines)
    sizes = [path.stat().st_size for path in (tmp_path / "run" / "pages").glob("answers*.html")]
    assert len(sizes) == 2 and max(sizes) < 13_000_000
    last = (tmp_path / "run" / "pages" / "answers_2.html").read_text()
    assert "4,980,000 characters in the middle" in last and 'href="answers.html"' in last


# .../inspect_ai/issues/175: a score that is not one of the known letters ended the viewer
def test_a_verdict_that_is_not_known_is_shown_like_the_others(tmp_path):
    page = pages_of(tmp_path, [line(0, 'odd "one"'), line(1)])
    assert options_of(page, "verdict") == ['odd "one"', PASS]
    assert records_in(page)[0]["marks"] == [['odd "one"', "doubt"]]


# .../inspect_ai/issues/3163: answers that failed for another reason than the model's are not shown
def test_an_answer_that_never_came_is_there_with_its_reason(tmp_path):
    lines = [line(0), line(1, "infra_error", "", message="the server refuses", fault="the server refuses")]
    page = pages_of(tmp_path, lines)
    lost = records_in(page)[1]
    assert lost["line"] == "no answer came: the server refuses"
    assert blocks_of(lost)["Judged"] == "Nothing: there is no answer."


# github.com/evalplus/evalplus/issues/95: the solution that was run, and its status, side by side
def test_the_code_that_was_found_stands_beside_the_answer(tmp_path):
    found = line(0, FAIL, "Sure:\n```python\nx = 1\n```", found="x = 1\n", extraction="fenced", reference="x = 2")
    page = pages_of(tmp_path, [{**found, "message": "AssertionError"}, line(1, found="", extraction="nothing")])
    first, second = records_in(page)
    assert blocks_of(first)["Found in it, and judged"] == "x = 1\n" and blocks_of(first)["A right answer"] == "x = 2"
    assert [block.get("side", 0) for block in first["blocks"]] == [0, 1, 2, 2]
    assert first["line"] == "fenced: AssertionError"
    assert blocks_of(second)["Found in it, and judged"] == "Nothing was found."


# .../evalplus/issues/24: answers to some problems alone were refused
def test_a_part_of_a_benchmark_is_shown_and_compared(tmp_path):
    first = stored(tmp_path / "a", [line(number % 19) for number in range(38)])
    second = stored(tmp_path / "b", [line(number, FAIL if number < 3 else PASS) for number in range(30)])
    assert main(["report", str(first), "--output", str(tmp_path / "report")]) == 0
    assert main(["compare", str(first), str(second), "--output", str(tmp_path / "c")]) == 0
    task = json.loads((tmp_path / "c" / "comparison.json").read_text())["tasks"]["humaneval"]
    assert task["changes"]["lost"] == ["p/0", "p/1", "p/2"] and len(task["only_second"]) == 11


# github.com/EleutherAI/lm-evaluation-harness/issues/2025: entries of one question cannot be told apart
def test_several_answers_to_a_problem_are_numbered(tmp_path):
    page = pages_of(tmp_path, [line(0, sample=0, prompt="Q"), line(0, FAIL, sample=1)])
    records = records_in(page)
    assert [record["line"] for record in records] == ["answer 1 of 2", "answer 2 of 2"]
    assert [blocks_of(record)["Question"] for record in records] == ["Q", "Q"], "which is written down once"
    assert len({record["key"] for record in records}) == 2


# .../lm-evaluation-harness/issues/3831, inspect_ai/issues/2176: two runs over the same problems, tested in pairs
def test_two_runs_are_tested_in_pairs(tmp_path, capsys):
    first = stored(tmp_path / "a", [line(number, PASS if number < 50 else FAIL) for number in range(100)])
    second = stored(tmp_path / "b", [line(number, PASS if 1 <= number < 60 else FAIL) for number in range(100)])
    assert main(["compare", str(first), str(second), "--output", str(tmp_path / "c")]) == 0
    said = capsys.readouterr().out
    assert "humaneval: 10 won and 1 lost of 100 problems, +9.0 points" in said and "McNemar p=0.0117" in said


# .../inspect_ai/pull/1870: nothing matches, and nobody says so
def test_runs_without_a_problem_in_common_are_refused(tmp_path, capsys):
    first, second = stored(tmp_path / "a", [line(0)]), stored(tmp_path / "b", [line(1)])
    assert main(["compare", str(first), str(second), "--output", str(tmp_path / "c")]) == 2
    assert "no problem in common" in capsys.readouterr().err and not (tmp_path / "c").exists()


# github.com/apple/turicreate/issues/1955: the number of errors was that of their kinds
def test_counts_are_of_answers(tmp_path):
    pages_of(tmp_path, [line(0, FAIL), line(1, FAIL), line(2, FAIL), line(3, "timeout"), line(4)])
    index = (tmp_path / "run" / "pages" / "index.html").read_text()
    for verdict, count in ((FAIL, 3), ("timeout", 1), (PASS, 1)):
        assert f'<a href="answers.html#task=humaneval&amp;verdict={verdict}">{count}</a>' in index


# github.com/stanford-crfm/helm/issues/1236: the answer to a multiple-choice question was not shown
def test_the_letter_that_was_chosen_is_shown(tmp_path):
    page = pages_of(tmp_path, [line(0, FAIL, "B", found="B", reference="C", prompt="A. a\nB. b\nAnswer:")])
    blocks = blocks_of(records_in(page)[0])
    assert (blocks["Answer"], blocks["A right answer"]) == ("B", "C")


# .../helm/issues/2320: an empty page where there is nothing to show
def test_a_run_without_answers_is_said_to_have_none(tmp_path, capsys):
    run = stored(tmp_path / "run", [line(0)])
    (run / "samples" / "humaneval.jsonl").unlink()
    assert main(["samples", str(run)]) == 2
    assert "no answers to any task are kept there" in capsys.readouterr().err and not (run / "pages").exists()


# github.com/Cloud-CV/EvalAI/issues/1798 and 1843: a wide table that cannot be scrolled on a telephone
def test_wide_tables_scroll_in_a_box_of_their_own_with_an_edge_that_says_so(tmp_path):
    run = stored(tmp_path / "run", [line(0)])
    assert main(["report", str(run), "--output", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count('<div class="scroll" tabindex="0"><table>') == page.count("<table>")
    assert "overflow-x: auto" in page and "no-repeat local" in page and "position: sticky" in page


# github.com/open-compass/opencompass/issues/67: the mean over a benchmark's parts is missing
def test_averages_are_in_the_tables(tmp_path):
    run = stored(tmp_path / "run", [line(0)])
    assert main(["report", str(run), "--output", str(tmp_path / "report")]) == 0
    assert "average" in (tmp_path / "report" / "report.md").read_text()


# github.com/anton-abyzov/vskill/issues/31: problems of one run alone shall be counted apart, not as lost
def test_problems_that_one_run_lacks_are_neither_won_nor_lost(tmp_path):
    first, second = stored(tmp_path / "a", [line(0), line(1)]), stored(tmp_path / "b", [line(1), line(2)])
    assert main(["compare", str(first), str(second), "--output", str(tmp_path / "c")]) == 0
    task = json.loads((tmp_path / "c" / "comparison.json").read_text())["tasks"]["humaneval"]
    assert task["changes"] == {"both right": ["p/1"]} and (task["only_first"], task["only_second"]) == (
        ["p/0"],
        ["p/2"],
    )
    page = (tmp_path / "c" / "humaneval.html").read_text()
    assert "answered by the first alone: 1; answered by the second alone: 1" in page


# github.com/vibrantlabsai/ragas/pull/2990: a mean over a part of the answers, and nothing says so
def test_answers_that_were_left_out_of_the_score_are_counted_beside_it(tmp_path):
    run = stored(tmp_path / "run", [line(0), line(1, "infra_error", ""), line(2, "infra_error", "")])
    results = json.loads((run / "results.json").read_text())
    results["tasks"]["humaneval"] |= {"verdicts": {"pass": 1, "infra_error": 2}, "faults": {"the server refuses": 2}}
    (run / "results.json").write_text(json.dumps(results))
    assert main(["report", str(run), "--output", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| task | pass | infra error | did not come |" in text and "| humaneval | 1 | 2 | 2 |" in text


# lm-evaluation-harness/issues/2598: a limit takes the first rows, and its score is no estimate of the whole
@pytest.mark.parametrize(
    ("other", "spread"),
    [
        ({}, True),
        ({"limit": 6}, False),
        ({"revision": "b"}, False),
        ({"preset": "paper"}, False),
        ({"backend": "endpoint"}, False),
        ({"model": "org/other"}, False),
        ({"versions": {"torch": "3"}}, False),
        ({"sampling": {"seed": 1, "temperature": 0.2}}, False),
        ({"sampling": {"seed": 0, "temperature": 0.8}}, False),
        ({"sampling": {"seed": None, "temperature": 0.8}}, False),
    ],
)
def test_the_spread_over_seeds_is_of_runs_that_differ_in_the_seed_alone(other, spread, tmp_path):
    settings = {"limit": None, "revision": "a", "backend": "accelerate", "versions": {"torch": "2"}}
    first = stored(tmp_path / "a", [line(0), line(1)], **settings, sampling={"seed": 0, "temperature": 0.8})
    changed = {**settings, "sampling": {"seed": 1, "temperature": 0.8}, **other}
    second = stored(tmp_path / "b", [line(0), line(1, FAIL)], **changed)
    assert main(["report", str(first), str(second), "--output", str(tmp_path / "report")]) == 0
    assert ("Variance over seeds" in (tmp_path / "report" / "report.md").read_text()) is spread


def test_runs_over_other_rows_have_no_spread(tmp_path):
    folders = []
    for seed, rows in enumerate((6, 164)):
        folder = stored(tmp_path / str(seed), [line(number) for number in range(rows)], sampling={"seed": seed})
        results = json.loads((folder / "results.json").read_text())
        results["tasks"]["humaneval"]["data"] = {"rows": rows, "sha256": str(rows)}
        (folder / "results.json").write_text(json.dumps(results))
        folders.append(str(folder))
    assert main(["report", *folders, "--output", str(tmp_path / "report")]) == 0
    assert "Variance over seeds" not in (tmp_path / "report" / "report.md").read_text()
