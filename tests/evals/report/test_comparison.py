"""Two runs problem by problem: what counts as won, what is shown of it, and what is said to differ."""

import json

import pytest

from evals.__main__ import main
from evals.report.comparison import compare
from tests.evals.report.pages import blocks_of, records_in
from tests.evals.report.test_reports_of_users import FAIL, PASS, line, stored


def compared(tmp_path, first, second, *arguments, other=None):
    """Return the pages of a comparison as text by name."""
    folders = [stored(tmp_path / "a", first), stored(tmp_path / "b", second, **(other or {}))]
    output = tmp_path / "comparison"
    assert main(["compare", *map(str, folders), "--output", str(output), *arguments]) == 0
    return {path.name: path.read_text(encoding="utf-8") for path in output.iterdir()}


CHANGES = [
    (PASS, PASS, "both right"),
    (FAIL, FAIL, "both wrong"),
    (FAIL, PASS, "won"),
    ("timeout", PASS, "won"),
    (PASS, "compile_error", "lost"),
    (PASS, "infra_error", "not judged"),
    ("infra_error", PASS, "not judged"),
]


@pytest.mark.parametrize(("first", "second", "change"), CHANGES)
def test_a_problem_is_won_or_lost_by_its_verdicts(first, second, change, tmp_path):
    folders = [stored(tmp_path / name, [line(0, verdict)]) for name, verdict in (("a", first), ("b", second))]
    [comparison] = compare(*folders)[1]
    assert [pair.change for pair in comparison.pairs] == [change]
    assert (comparison.test.n if comparison.test else 0) == (change != "not judged")


def test_of_several_answers_the_rates_are_compared(tmp_path):
    first = [line(0, verdict) for verdict in (PASS, FAIL, FAIL)] + [line(1, verdict) for verdict in (PASS, FAIL)]
    second = [line(0, verdict) for verdict in (PASS, PASS, FAIL)] + [line(1, verdict) for verdict in (FAIL, PASS)]
    pages = compared(tmp_path, first, second, "--all")
    assert "1 of 3 right, then 2 of 3 right" in pages["humaneval.html"]
    changes = json.loads(pages["comparison.json"])["tasks"]["humaneval"]["changes"]
    assert changes == {"won": ["p/0"], "as often": ["p/1"]}


def test_both_answers_stand_side_by_side_and_nothing_of_them_is_interpreted(tmp_path):
    first = [line(0, FAIL, "<img src=x onerror=alert(1)>", prompt="<b>Q</b>"), line(1, prediction="kept")]
    second = [line(0, PASS, "right</pre></details>", prompt="asked otherwise"), line(1, prediction="kept")]
    page = compared(tmp_path, first, second)["humaneval.html"]
    [record] = records_in(page)
    assert [block["text"] for block in record["blocks"] if block.get("side")] == [
        "<img src=x onerror=alert(1)>",
        "right</pre></details>",
    ]
    assert "<img" not in page and "<b>Q" not in page
    assert blocks_of(record)["Question, as the second was asked"] == "asked otherwise"
    assert "both right: 1; --all shows these problems too" in page


def test_many_problems_stand_on_several_pages(tmp_path):
    lines = [[line(number, verdict) for number in range(2001)] for verdict in (FAIL, PASS)]
    pages = compared(tmp_path, *lines)
    found = [len(records_in(page)) for name, page in sorted(pages.items()) if "humaneval" in name]
    assert found == [2000, 1]
    assert 'pages: <b>1</b> <a href="humaneval_2.html">2</a>' in pages["humaneval.html"]


def test_what_else_differs_is_said(tmp_path):
    other = {"model": "org/other", "sampling": {"max_new_tokens": 64}, "limit": 1}
    index = compared(tmp_path, [line(0, FAIL)], [line(0)], other=other)["index.html"]
    for name, *values in (
        ("model", "org/model", "org/other"),
        ("limit on rows", "-", "1"),
        ("max new tokens", "-", "64"),
    ):
        assert f"<tr><td>{name}</td><td>{values[0]}</td><td>{values[1]}</td></tr>" in index
    assert "<td>prompts</td>" not in index
    same = compared(tmp_path / "same", [line(0, FAIL)], [line(0)])["index.html"]
    assert "Nothing that was written down" in same


def test_a_task_with_a_name_that_is_a_path_is_refused(tmp_path, capsys):
    run = stored(tmp_path / "a", [line(0)])
    results = json.loads((run / "results.json").read_text())
    results["tasks"]["../../elsewhere"] = results["tasks"]["humaneval"]
    (run / "results.json").write_text(json.dumps(results))
    assert main(["samples", str(run)]) == 2 and "is no name of a task" in capsys.readouterr().err
