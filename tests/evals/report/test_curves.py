"""Curves and colored cells: every number is drawn where it belongs, at any size, and nothing is imported to do it."""

import base64
import io
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from evals.report.curves import HEIGHT, WIDTH, heat_map, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def lines(svg):
    """Return the points in pixels of each drawn line."""
    shapes = re.findall(r'<path class="line" d="M([^"]+)"', svg)
    return [[tuple(map(float, point.split())) for point in shape.removesuffix("h0.01").split("L")] for shape in shapes]


@pytest.mark.parametrize(
    ("ys", "ticks"),
    [
        ([0.0, 10.0], ["0", "2", "4", "6", "8", "10"]),
        ([0.0, 3e-4], ["0", "5e-05", "0.0001", "0.00015", "0.0002", "0.00025", "0.0003"]),
        ([-1.0, 1.0], ["-1", "-0.5", "0", "0.5", "1"]),
        ([0.0, 2.5e9], ["0", "500M", "1G", "1.5G", "2G", "2.5G"]),
        ([8.31841, 8.31843], ["8.31841", "8.318415", "8.31842", "8.318425", "8.31843"]),
        ([123456.7, 123456.8], ["123456.7", "123456.72", "123456.74", "123456.76", "123456.78", "123456.8"]),
        ([2.0, 2.0], ["1.9", "1.95", "2", "2.05", "2.1"]),
        ([0.0, 0.0], ["-0.04", "-0.02", "0", "0.02", "0.04"]),
        ([1e-300, 2e-300], ["1e-300", "1.2e-300", "1.4e-300", "1.6e-300", "1.8e-300", "2e-300"]),
        ([math.nan, 1.0, math.inf, 2.0], ["1", "1.2", "1.4", "1.6", "1.8", "2"]),
        ([math.nan], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_numbers_of_any_size_have_round_ticks(ys, ticks):
    svg = line_chart({"y": list(enumerate(ys))}, "x", "unit", {})
    assert texts(svg)[: len(ticks) + 1] == [*ticks, "unit"]


def test_points_lie_where_their_numbers_are():
    (line,) = lines(line_chart({"y": [(0, 1.0), (5, 3.0), (10, 2.0)]}, "x", "y", {}))
    (left, low), (middle, high), (right, between) = line
    assert 0 < left < middle < right < WIDTH and middle - left == pytest.approx(right - middle, abs=0.2)
    assert HEIGHT > low > between > high > 0 and low - between == pytest.approx(between - high, abs=0.2)


def test_a_number_that_is_not_finite_breaks_its_line_and_a_lone_one_is_a_dot():
    drawn = lines(line_chart({"y": [(0, 1.0), (1, 2.0), (2, math.nan), (3, 4.0), (4, math.inf)]}, "x", "y", {}))
    assert [len(points) for points in drawn] == [2, 1]


def test_labels_are_shown_and_not_interpreted():
    labels = {"<script>a</script>": [(0, 1.0)], "b\x00&\u202e": [(1, 2.0)], "empty": []}
    svg = line_chart(labels, "<x>", "<y>", {"<boundary>": 0.5})
    assert {"<script>a</script>", "b\\x00&\\u202e", "<x>", "<y>", "<boundary>"} <= {*texts(svg)}
    assert "<script" not in svg and "empty" not in svg


def test_a_legend_that_is_too_wide_goes_on_in_the_next_row():
    labels = [f"a rather long name of model {number}" for number in range(9)]
    root = ElementTree.fromstring(line_chart({label: [(0, 1.0), (1, 2.0)] for label in labels}, "x", "y", {}))
    places = [(float(text.get("x", 0)), text.get("y")) for text in root.iter(f"{SVG}text") if text.text in labels]
    assert len(places) == len(labels) == len({*places})
    assert max(x for x, _ in places) < WIDTH - 200
    assert float(root.get("height", 0)) > HEIGHT


def test_a_single_line_needs_no_legend_and_bands_only_their_lines():
    svg = line_chart({"y": [(0, 1.0), (1, 2.0)]}, "x", "unit", {}, {"y": [(0, 0.0, 9.0)], "other": [(0, 0.0, 99.0)]})
    assert "y" not in texts(svg) and svg.count('class="band"') == 1
    assert "9" not in texts(svg)[-1] and "80" not in texts(svg)


def test_cells_have_the_colors_of_their_values():
    svg = heat_map([[0.0, 1.0], [None, 0.5]], [10, 2000], "step", "layer", "<unit>")
    cells, scale = (
        Image.open(io.BytesIO(base64.b64decode(raw))).convert("RGB")
        for raw in re.findall(r'href="data:image/png;base64,([^"]+)"', svg)
    )
    assert [cells.getpixel(place) for place in ((0, 0), (1, 0), (0, 1))] == [(0, 34, 77), (253, 231, 55), (255,) * 3]
    assert (scale.getpixel((0, 0)), scale.getpixel((0, scale.height - 1))) == ((253, 231, 55), (0, 34, 77))
    shown = texts(svg)
    assert shown[:4] == ["10", "2k", "0", "1"] and shown[-3:] == ["step", "layer", "<unit>"]
    ElementTree.fromstring(heat_map([[None, None]], [1, 2], "x", "y", "unit"))
    ElementTree.fromstring(heat_map([[math.inf, 1.0, 1.0]], [1, 2, 3], "x", "y", "unit"))


def test_nothing_is_imported_to_draw():
    code = (
        "import sys; from evals.report.page import Page; page = Page('a'); "
        "page.line_chart('a', {'b': [(0, 1.0)]}, caption='c', x_label='x', y_label='y'); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
