"""What stands in names and texts of a build stays where the card shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard

from datasets_builders.building import ledger
from datasets_builders.building.card import _count_table, _ledger_tables, _license_link
from datasets_builders.building.ledger import Ledger, StepCounts
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig


@pytest.mark.parametrize(
    "breaking", ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "`", "|", "\\|", "\\\\|", "\\`|"]
)
def test_no_text_breaks_out_of_its_cell_and_code_span(breaking):
    text = f"a.py{breaking}<img src=x>{breaking}"
    step = StepCounts("rules", "1:1", reasons={"long_lines": 1}, examples={"long_lines": [text]})
    step.show_change("email", text, text)
    lines = _ledger_tables(Ledger([step]), {}).split("\n")
    rows = [line for line in lines if "<img" in line]
    assert [row.count("`") for row in rows] == [2, 4]
    for row in rows:
        assert len(row.splitlines()) == 1
        cells = row.replace("\\\\", "").replace("\\|", "").split("|")
        assert len(cells) == 6 and all(cell.count("`") in (0, 2) for cell in cells)


def test_languages_beyond_the_table_are_summed_up_and_numbers_stand_to_the_right(tmp_path):
    builder = SourceCodeBuilder(SourceCodeConfig(output_dir=str(tmp_path)))
    rows = _count_table(builder, {f"language {number}": (50 - number, 2_000) for number in range(42)}).splitlines()
    assert rows[2:5] == ["| language | rows | bytes |", "| --- | ---: | ---: |", "| language 0 | 50 | 2,000 |"]
    assert rows[-2:] == ["| language 39 | 11 | 2,000 |", "| 2 more | 19 | 4,000 |"]


@pytest.mark.parametrize(
    ("licenses", "license", "name"),
    [
        (["MIT", "MIT"], "mit", None),
        (["MIT", "Apache-2.0"], "other", "several"),
        (["(MIT OR CC0-1.0)"] * 2, "other", "mit-or-cc0-1.0"),
    ],
)
def test_the_license_of_the_card_is_one_that_the_hub_takes(licenses, license, name, tmp_path):
    rows = [{"content": f"value = {n}", "path": f"{n}.py", "license": license} for n, license in enumerate(licenses)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metadata = yaml.safe_load(built(tmp_path, sources=[str(tmp_path / "rows.jsonl")]).split("---\n")[1])
    assert (metadata["license"], metadata.get("license_name")) == (license, name)
    assert metadata.get("license_link") == ("README.md" if name else None)


def test_what_is_built_from_several_licenses_links_no_license_of_that_name():
    assert _license_link("several") == _license_link("other") == _license_link("MIT OR CC0-1.0") == "README.md"
    assert _license_link("PSF-2.0") == "https://spdx.org/licenses/PSF-2.0.html"


def built(folder: Path, **fields: Any) -> str:
    """Build source code and return its card."""
    config = SourceCodeConfig(output_dir=str(folder / "out"), decontaminate=[], near_dedup_threshold=1.0, **fields)
    SourceCodeBuilder(config).run()
    return (folder / "out/README.md").read_text()


def test_groups_of_each_step_are_summed_up_beyond_the_most_frequent(monkeypatch):
    monkeypatch.setattr(ledger, "MAX_GROUPS", 2)
    steps = [StepCounts("list", "1:1", output=9), StepCounts("read", "1:1", output=6, groups={"C": 1, "D": 2, "Go": 3})]
    same, fewer = StepCounts("look", "1:1", output=6, groups=steps[1].groups), StepCounts("rules", "1:1", output=3)
    fewer.groups = {"Go": 2, "C": 1}
    told = Ledger([*steps, same, fewer]).by_group()
    assert told == (["read", "rules"], [("Go", [3, 2]), ("D", [2, 0]), ("1 more", [1, 1])])
    assert Ledger([]).by_group() == ([], [])


def test_a_card_names_neither_the_working_folder_nor_the_home(tmp_path, monkeypatch):
    for folder in ("home/one", "work/two"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text(f"NAME = {folder!r}\nprint(NAME)\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    config = SourceCodeConfig(output_dir="out", sources=["two", "~/one"], decontaminate=[])
    SourceCodeBuilder(config).run()
    card = Path("out/README.md").read_text()
    assert str(tmp_path) not in card
    assert "| input | two: two " in card and "| input | one: ~/one " in card


def test_the_card_is_read_by_the_hubs_classes_and_its_lines_run(tmp_path, recwarn):
    python = (
        "def shout(text):\n    return '```' + text.upper()\n\n\nfor word in ['one', 'two']:\n    print(shout(word))\n"
    )
    sources = {"main.py": python, "lib.go": "package lib\n\nfunc Two() int {\n\treturn 2 // ```\n}\n"}
    rows = [
        {"content": content, "path": path, "license": "MIT", "repo_name": "acme/app"}
        for path, content in sources.items()
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = built(tmp_path, sources=[str(tmp_path / "rows.jsonl")])
    card = DatasetCard(text)
    assert not [warning for warning in recwarn if "card" in str(warning.message).lower()]
    assert card.data.pretty_name and "arxiv:2503.17793" in card.data.tags
    infos = {info["config_name"]: info for info in card.data.to_dict()["dataset_info"]}
    assert {name: info["splits"][0]["num_examples"] for name, info in infos.items()} == {
        "default": 2,
        "Go": 1,
        "Python": 1,
    }
    assert all(info["download_size"] > 0 for info in infos.values())
    fenced = text.split("## A row\n\n````json\n")[1].split("\n````\n")[0]
    assert json.loads(fenced)["path"] in sources
    usage = text.split("```python\n")[1].split("```")[0].replace("path/or/org/name", str(tmp_path / "out"))
    names: dict[str, Any] = {}
    exec(usage, names)
    assert names["dataset"]["train"].num_rows == 2
    assert names["one_language"]["train"].num_rows == 1
