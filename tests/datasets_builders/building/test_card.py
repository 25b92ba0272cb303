"""What stands in names and texts of a build stays where the card shows it."""

import pytest

from datasets_builders.building.card import _ledger_tables
from datasets_builders.building.ledger import Ledger, StepCounts


@pytest.mark.parametrize(
    "breaking", ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "`", "|", "\\|", "\\\\|", "\\`|"]
)
def test_no_text_breaks_out_of_its_cell_and_code_span(breaking):
    text = f"a.py{breaking}<img src=x>{breaking}"
    step = StepCounts("rules", "1:1", reasons={"long_lines": 1}, examples={"long_lines": [text]})
    step.show_change("email", text, text)
    lines = _ledger_tables(Ledger([step])).split("\n")
    rows = [line for line in lines if "<img" in line]
    assert [row.count("`") for row in rows] == [2, 4]
    for row in rows:
        assert len(row.splitlines()) == 1
        cells = row.replace("\\\\", "").replace("\\|", "").split("|")
        assert len(cells) == 6 and all(cell.count("`") in (0, 2) for cell in cells)
