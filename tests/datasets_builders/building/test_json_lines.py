import json
import math

import pytest

from datasets_builders.building.json_lines import of_line, to_line

VALUES = [
    ["id", "text\nof two lines", {"path": "a/b.py", "stars": None, "quality": 0.1}],
    "half a pair: \ud83d",
    {"largest": 1 << 80, "smallest": -(1 << 80)},
    "\u2028 and \x00 and \x7f",
]


@pytest.mark.parametrize("value", VALUES, ids=["document", "surrogate", "large number", "line separators"])
def test_every_value_comes_back_from_one_line_that_the_standard_library_can_read(value):
    line = to_line(value)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert of_line(line) == value == json.loads(line)


def test_tuples_become_lists_and_what_is_no_number_becomes_null():
    assert of_line(to_line((1, math.nan, math.inf))) == [1, None, None]


def test_what_json_cannot_hold_is_an_error_unless_it_is_said_what_becomes_of_it():
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_line({"entry": object})
    assert of_line(to_line({"entry": int}, default=str)) == {"entry": "<class 'int'>"}
