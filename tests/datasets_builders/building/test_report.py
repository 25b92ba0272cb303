"""The report shows what became of the input and what the rows are like, and stays at home."""

import re

from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from modeling_ling.publishing import DEFAULT_IGNORE, files_to_publish


def test_a_report_has_the_ledger_examples_histograms_and_clusters(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    functions = [f"def function_{n}(first, second):\n    return first * {n} + second\n" for n in range(30)]
    (folder / "a.py").write_text("\n".join(functions))
    (folder / "b.py").write_text("\n".join([*functions, "LAST = 1\n"]))
    (folder / "c.py").write_text("# one line of comment\nprint('another file, with `ticks` and <b>tags</b>')\n")
    (folder / "broken.py").write_text("def broken(:\n" + "".join(functions) + "</pre><script>alert(1)</script>")
    SourceCodeBuilder(SourceCodeConfig(output_dir=str(tmp_path / "out"), input_dir=str(folder), decontaminate=[])).run()
    page = (tmp_path / "out/report.html").read_text()
    for heading in ("What became of the input", "Why documents ended", "What the rows are like", "Largest clusters"):
        assert heading in page
    assert "syntax: syntax_error" in page and "project broken.py" in page and "near_dedup: near_duplicate" in page
    assert re.search(r"project [ab]\.py\. Kept: project/[ab]\.py", page), "the place of the copy that stays"
    assert re.search(r'"[ab]\.py \(kept: project/[ab]\.py\)"', (tmp_path / "out/ledger.json").read_text())
    assert ("train 2" in page and "<h3>a.py</h3>" in page) or "<h3>b.py</h3>" in page
    assert "What each step passed on, by language" in page
    assert "<script>" not in page and page.count("<svg") == page.count('<img src="data:image/png') == 1
    published = {
        path.relative_to(tmp_path / "out").parts[0] for path in files_to_publish(tmp_path / "out", DEFAULT_IGNORE)
    }
    assert published == {"README.md", "data", "ledger.json", "pictures"}
    card = (tmp_path / "out/README.md").read_text()
    table = "| language | read_code | syntax | near_dedup |\n| --- | ---: | ---: | ---: |\n| Python | 4 | 3 | 2 |\n"
    assert f"## What each step passed on, by language\n\n{table}" in card
    assert "| `num_lines` | 2 | " in card and "](pictures/columns.png)" in card
    assert (tmp_path / "out/pictures/columns.png").read_bytes().startswith(b"\x89PNG")
    assert "](report_pictures/columns.png)" in (tmp_path / "out/report.md").read_text()
    assert "| files | repository | the copy that stays |\n| ---: | --- | --- |\n| 2 | project | `" in card
