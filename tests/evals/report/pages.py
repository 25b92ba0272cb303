"""Reads pages as a browser does: their elements, and the records that lie in them."""

import json
from html.parser import HTMLParser
from pathlib import Path


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, text):
        if self._in_script:
            self.scripts[-1] += text


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return the start tags of a page with their attributes."""
    parser = _Elements()
    parser.feed(page)
    return parser.tags


def records_in(page: str | Path) -> list[dict]:
    """Return the records of a page, and check that it holds no other script than ours and fetches nothing."""
    text = page.read_text(encoding="utf-8") if isinstance(page, Path) else page
    parser = _Elements()
    parser.feed(text)
    data, script = parser.scripts
    assert script.count('"use strict"') == 1
    fetched = [value for _, attributes in parser.tags for name, value in attributes.items() if name == "src"]
    assert not fetched and not any(name.startswith("on") for _, attributes in parser.tags for name in attributes)
    return json.loads(data)


def blocks_of(record: dict) -> dict[str, str]:
    """Return the texts of a record by their titles."""
    return {block["title"]: block["text"] for block in record["blocks"]}


def options_of(page: str, name: str) -> list[str | None]:
    """Return the values of a filter."""
    inside, values = False, []
    for tag, attributes in elements(page):
        if tag == "select":
            inside = attributes.get("data-filter") == name
        elif inside and tag == "option":
            values.append(attributes.get("value"))
    return values[1:]
