"""The report page: what is escaped, what is drawn, and what is refused."""

import xml.etree.ElementTree as ElementTree

import pytest

from evals.report.page import Page


def test_a_page_is_one_file_that_fetches_nothing(tmp_path):
    page = Page("A run", "2 cores")
    page.heading("Loss")
    page.line_chart(
        "loss", {"stage1": [(0, 8.3), (1, 7.0)], "empty": []}, caption="Loss", x_label="tokens", y_label="nats"
    )
    html_path, markdown_path = page.save(tmp_path / "report.html")
    text = html_path.read_text()
    assert "<svg" in text
    assert "<script" not in text
    assert "<img" not in text and "<link" not in text
    assert "report_pictures/loss.svg" in markdown_path.read_text()
    ElementTree.parse(tmp_path / "report_pictures" / "loss.svg")


def test_hostile_text_is_shown_and_not_interpreted():
    page = Page("<b>title</b>")
    page.paragraph("<script>alert(1)</script> and `x < y`")
    page.code("```\n<img src=x>\n```")
    page.table(["a|b"], [["<i>1</i>"]])
    text = page.to_html()
    assert "<script>" not in text and "<img" not in text and "<i>" not in text and "<b>" not in text
    assert "<code>x &lt; y</code>" in text


def test_markdown_survives_pipes_fences_and_line_breaks(tmp_path):
    page = Page("Title")
    page.code("```python\nx\n```")
    page.table(["answer"], [["a|b\nc"]])
    markdown = page.save(tmp_path / "report.html")[1].read_text()
    assert "````text" in markdown
    assert r"| a\|b c |" in markdown


def test_a_row_that_does_not_fit_its_header_is_refused():
    with pytest.raises(ValueError, match="2 cells, the header 1"):
        Page("Title").table(["only"], [[1, 2]])


def test_large_numbers_are_written_out():
    page = Page("Title")
    page.table(["bytes"], [[544_098.0], [999.96], [0.19882], [2e15]])
    shown = [cell.partition("<")[0] for cell in page.to_html().split('<td class="number">')[1:]]
    assert shown == ["544,098", "1000", "0.1988", "2e+15"]


def test_what_no_one_would_see_is_written_out(tmp_path):
    page = Page("Title")
    page.code("a\x00b\x1b[31m\u202ec\ud800\r\nd\re")
    html_path, markdown_path = page.save(tmp_path / "report.html")
    for path in (html_path, markdown_path):
        assert "a\\x00b\\x1b[31m\\u202ec\\ud800\nd\\re" in path.read_text(encoding="utf-8")


def test_own_rows_and_best_cells_are_marked(tmp_path):
    page = Page("Title")
    page.table(["model", "score"], [["theirs", "1.0"], ["ours", "2.0"]], own_rows=[1], best_cells={(1, 1)})
    assert '<tr class="own"><td>ours</td><td class="number best">2.0</td>' in page.to_html()
    assert "| ours | **2.0** |" in page.save(tmp_path / "report.html")[1].read_text()


def test_code_in_cells_is_code_as_in_paragraphs():
    page = Page("Title")
    page.table(["examples"], [["`a<b>.py`, `c.py`"]])
    assert "<td><code>a&lt;b&gt;.py</code>, <code>c.py</code></td>" in page.to_html()


def test_lines_of_cells_end_where_they_may():
    page = Page("Title")
    page.table(["task", "score"], [["multipl_e_<b>", "3.0 (1.0 to 9.0)"]])
    assert "<td>multipl_<wbr>e_<wbr>&lt;b&gt;</td><td>3.0 (1.0\u00a0to\u00a09.0)</td>" in page.to_html()


def test_a_page_runs_no_script_and_fetches_nothing_by_its_own_policy():
    text = Page("Title").to_html()
    assert "default-src 'none'" in text and "script-src" not in text
    assert "prefers-color-scheme: dark" in text and "color-scheme: light dark" in text
