"""Pages cleaned by a model behind a real server: what it may take away, and what it must not write."""

import gzip
from pathlib import Path

import pytest
from datasets import load_dataset

from datasets_builders.code_related.web_pages.builder import WebPagesBuilder, WebPagesConfig
from datasets_builders.code_related.web_pages.cleaning import (
    CleanPagesBuilder,
    CleanPagesConfig,
    code_lines,
    fault_of,
    parts_of,
)
from tests.datasets_builders.code_related.test_web_pages import record
from tests.openai_server import MODEL, RuleServer

CODE = "```python\ndef f():\n\n    return 1\n```"


def test_parts_are_whole_paragraphs_and_code_is_never_torn() -> None:
    text = f"one\n\ntwo\n\n{CODE}\n\nthree"
    assert parts_of(text, 1000) == [text]
    assert parts_of(text, 5) == ["one", "two", CODE, "three"]
    assert parts_of("````\n```\n\n```\n````", 5) == ["````\n```\n\n```\n````"]
    assert code_lines(text) == ["def f():", "    return 1"]


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        (f"Text.\n\n{CODE}", ""),
        (f"{CODE}", ""),
        ("```python\ndef f():\n    return 1\n```", ""),
        ("```python\ndef f():\n    return 2\n```", "code that is not in the page: return 2"),
        ("Text.", "all code is gone"),
        ("", ""),
        (f"Text.\n\n{CODE}\n\n" + "more and more " * 9, "longer than the page"),
    ],
)
def test_an_answer_with_code_of_its_own_is_not_taken(after: str, fault: str) -> None:
    assert fault_of(f"Menu\n\nText.\n\n{CODE}", after) == fault


def test_pages_are_cleaned_or_stay_as_they_were(tmp_path: Path) -> None:
    def page(title: str) -> bytes:
        prose = f"What follows shows {title} in a few words and some code that was written for it. " * 3
        body = f"<p>Log in to vote {title}</p><p>{prose}</p><pre>x = '{title}'</pre>"
        return f"<html><body><main>{body}</main></body></html>".encode()

    def clean(messages: list[dict[str, str]]) -> str:
        text = messages[0]["content"].split(" ----\n")[1].split("\n----")[0]
        if "nothing" in text:
            return "EMPTY"
        kept = "\n\n".join(part for part in text.split("\n\n") if "Log in" not in part)
        return kept.replace("x = 'lies'", "x = 'truth'")

    names = ("sums", "lies", "nothing")
    crawl = tmp_path / "a.warc.gz"
    crawl.write_bytes(b"".join(gzip.compress(record(f"https://{name}.org/", page(name))) for name in names))
    pages = WebPagesConfig(
        output_dir=str(tmp_path / "pages"), crawl=[str(crawl)], decontaminate=[], near_dedup_threshold=1.0
    )
    WebPagesBuilder(pages).run()
    with RuleServer(clean) as server:
        config = CleanPagesConfig(
            output_dir=str(tmp_path / "clean"),
            input=str(tmp_path / "pages"),
            teachers=[{"model": MODEL, "base_url": server.url}],
        )
        result = CleanPagesBuilder(config).run()
    rows = {row["site"]: row for row in load_dataset(str(result.output_dir), split="train")}
    assert {site: row["cleaned"] for site, row in rows.items()} == {"sums.org": True, "lies.org": False}
    assert "Log in" not in rows["sums.org"]["text"] and "```\nx = 'sums'\n```" in rows["sums.org"]["text"]
    assert "Log in" in rows["lies.org"]["text"] and "x = 'lies'" in rows["lies.org"]["text"]
    assert result.ledger.step("clean_pages").reasons == {"no_content": 1}
