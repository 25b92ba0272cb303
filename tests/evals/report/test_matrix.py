"""A square of dots is readable at any size: counted from 1, no dot too small to see, names under the pointer."""

import re

import pytest

from evals.report.matrix import MIN_DOT, matrix


@pytest.mark.parametrize("size", [1, 2, 40, 41, 2_000, 30_000])
def test_dots_are_seen_and_numbers_start_at_one(size):
    names = [f"<{number}>.py" for number in range(size)]
    dots = [(place, min(place + 1, size - 1)) for place in range(0, size, 3)]
    svg = matrix({"before": dots, "later": []}, size, ("needed", "needs"), names, "needs")
    squares = re.findall(r'<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="[\d.]+"><title>([^<]+)</title>', svg)
    assert squares and all(float(width) >= MIN_DOT for width, _ in squares)
    assert squares[0][1].startswith(f"&lt;{min(1, size - 1)}&gt;.py needs &lt;0&gt;.py")
    shown = re.findall(r"<text [^>]*>([\d,]+)<title>", svg)
    numbers = [int(number.replace(",", "")) for number in shown]
    assert numbers[0] == 1 and max(numbers) <= size and len(numbers) <= 2 * 41
    assert ("1 &lt;0&gt;.py" in svg) == (size <= 40)
    assert len(svg) < 3_000_000 and "before (" in svg and "later (" not in svg
