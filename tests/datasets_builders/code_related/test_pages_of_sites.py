"""Code as highlighters, forums, wikis and generators of sites write it: what a page's text has of it, and has not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets_builders.code_related.web_pages.extraction import extract_page

PROSE = f"<p>{'This page explains how the program is used, step by step, in words that a reader needs. ' * 6}</p>"
PART = re.compile(r"^==> (has|lacks|once)\n", re.MULTILINE)


def cases() -> Iterator[pytest.param]:
    """Give the cases of the file: `===== title`, HTML, and behind `==>` lines what the text has, lacks or has once."""
    for case in Path(__file__).with_name("pages_of_sites.txt").read_text().split("===== ")[1:]:
        title, _, rest = case.partition("\n")
        html, *parts = PART.split(rest)
        yield pytest.param(html, list(zip(parts[::2], parts[1::2], strict=True)), id=title)


@pytest.mark.parametrize(("html", "expected"), list(cases()))
def test_code_of_a_site(html: str, expected: list[tuple[str, str]]) -> None:
    page = f"<title>T</title><body><main><article><h1>Title</h1>{PROSE}{html}{PROSE}</article></main></body>"
    text = extract_page(page).text
    assert expected
    for kind, part in expected:
        part = part.removesuffix("\n")
        if kind == "once":
            assert text.count(part) == 1
        elif kind == "has":
            assert part in text
        else:
            assert f"\n{part}\n" not in text if len(part) < 4 else part not in text
