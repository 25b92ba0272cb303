"""A crawl: WARC files as tools write and damage them, to rows."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.code_related.web_pages import steps
from datasets_builders.code_related.web_pages.addresses import site_of
from datasets_builders.code_related.web_pages.archives import decoded, records_of
from datasets_builders.code_related.web_pages.builder import WebPagesBuilder, WebPagesConfig
from datasets_builders.code_related.web_pages.steps import CrawlReader, ExtractPages
from datasets_builders.code_related.web_pages.table_pages import check_table, table_records

MAX_BYTES = 100_000
CODE = "def total(values):\n    if not values:\n        return 0\n\n    return sum(values)"
PAGE = (
    "<html><head><title>{title}</title></head><body><main><h1>{title}</h1><p>What follows explains {title} in a few "
    "words, with a function that was written for this page and its readers, who want to know how it is done.</p>"
    f"<pre>{CODE}</pre></main></body></html>"
)

PAGE_GZIP = gzip.compress(PAGE.encode())
CHUNKED_GZIP = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE_GZIP), PAGE_GZIP)
CHUNKED_GZIP_HEADERS = "Content-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"


def record(
    url: str,
    body: bytes,
    *,
    kind: str = "response",
    headers: str = "Content-Type: text/html\r\n",
    status: str = "200 OK",
    content_type: str = "application/http; msgtype=response",
) -> bytes:
    block = body
    if kind == "response":
        block = f"HTTP/1.1 {status}\r\n{headers}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-08-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{url}>\r\nContent-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def page_record(number: int, **more: str) -> bytes:
    return record(f"https://www.site{number}.org/p", PAGE.replace("{title}", f"Sums {number}").encode(), **more)


def read(path: Path, content: bytes) -> list[tuple[str, str]]:
    path.write_bytes(content)
    return [(found.url.removeprefix("https://www."), found.problem) for found in records_of(path, MAX_BYTES)]


def test_whole_files_are_read_compressed_or_not(tmp_path: Path) -> None:
    records = [record("info", b"", kind="warcinfo"), page_record(1), page_record(2)]
    expected = [("site1.org/p", ""), ("site2.org/p", "")]
    assert read(tmp_path / "a.warc", b"".join(records)) == expected
    assert read(tmp_path / "a.warc.gz", b"".join(map(gzip.compress, records))) == expected
    assert read(tmp_path / "b.warc", b"") == []
    assert read(tmp_path / "c.warc.gz", gzip.compress(records[0])) == []


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_a_file_that_was_cut_says_so(tmp_path: Path, compress: type) -> None:
    first, second = compress(page_record(1)), compress(page_record(2))
    assert [problem for _, problem in read(tmp_path / "a.warc", first[:15])] == ["damaged_archive"]
    for kept in (20, len(second) // 2, len(second) - 30):
        found = read(tmp_path / "a.warc", first + second[:kept])
        assert found[0] == ("site1.org/p", "")
        assert len(found) == 2 and found[1][1] in ("truncated_record", "damaged_archive"), kept


def test_behind_damage_the_next_record_is_read(tmp_path: Path) -> None:
    members = [gzip.compress(page_record(number)) for number in range(6)]
    damaged = bytearray(members[2])
    damaged[len(damaged) // 2] ^= 0xFF
    content = b"".join([*members[:2], bytes(damaged), *members[3:4], b"\0" * 5000, *members[4:]])
    found = read(tmp_path / "a.warc.gz", content)
    assert [url for url, problem in found if not problem] == [f"site{number}.org/p" for number in (0, 1, 3, 4, 5)]
    assert all(problem in ("damaged_archive", "truncated_record", "damaged_body") for _, problem in found if problem)
    assert sum(bool(problem) for _, problem in found) >= 2
    assert read(tmp_path / "b.warc.gz", b"no archive at all" * 1000) == [("b.warc.gz@0", "damaged_archive")]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (page_record(1, status="404 Not Found"), "http_status"),
        (page_record(1, headers="Content-Type: application/pdf\r\n"), "not_html"),
        (page_record(1, headers="Content-Type: application/xhtml+xml; charset=utf-8\r\n"), ""),
        (page_record(1, headers=""), ""),
        (record("u", b"not gz", headers="Content-Encoding: gzip\r\n"), "damaged_body"),
        (record("u", gzip.compress(b"<html>"), headers="Content-Encoding: gzip\r\n"), ""),
        (record("u", gzip.compress(b"<html>" * 99)[:-9], headers="Content-Encoding: gzip\r\n"), "truncated_body"),
        (record("u", zlib.compress(b"<html>" * 99)[:-6], headers="Content-Encoding: deflate\r\n"), "truncated_body"),
        (record("u", zlib.compress(b"<html>", wbits=-15), headers="Content-Encoding: deflate\r\n"), ""),
        (record("u", gzip.compress(b"<html>"), headers="Content-Encoding: x-gzip\r\n"), ""),
        (record("u", b"5\r\nhello\r\n9\r\nhel", headers="Transfer-Encoding: chunked\r\n"), "truncated_body"),
        (record("u", b"5\r\nhello\r\n0\r\n\r\n", headers="Transfer-Encoding: chunked\r\n"), ""),
        (record("u", b"text of a page", kind="conversion", content_type="text/plain"), ""),
        (record("dns:a.org", b"a.org. 300 IN A", content_type="text/dns"), "not_http"),
        (record("u", b"<html>", kind="resource", content_type="text/html"), ""),
        (record("u", b"\x89PNG", kind="resource", content_type="image/png"), "not_html"),
        (record("u", b"?", kind="resource", content_type=""), "not_html"),
    ],
)
def test_each_record_has_a_body_or_a_reason(tmp_path: Path, given: bytes, problem: str) -> None:
    assert [found for _, found in read(tmp_path / "a.warc", given)] == [problem]


def test_a_page_without_an_answer_around_it_is_read_by_its_own_type(tmp_path: Path) -> None:
    content_type = "Text/HTML; charset=windows-1251"
    (tmp_path / "a.warc").write_bytes(record("u", PAGE.encode(), kind="resource", content_type=content_type))
    (found,) = records_of(tmp_path / "a.warc", MAX_BYTES)
    assert (found.charset, found.is_text, found.body) == ("windows-1251", False, PAGE.encode())


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (page_record(2).replace(b"WARC/1.0", b"WORC/1.0"), [("a.warc@0", "damaged_archive")]),
        (page_record(2).replace(b"\r\nWARC-Date", b"\r\nno colon here\r\n\xff: x\r\nWARC-Date"), [("site2.org/p", "")]),
        # A length that is too large would take in all that follows.
        (re.sub(rb"(Length:) \d+", rb"\1 1900", page_record(2)), [("site2.org/p", "truncated_record")]),
        (re.sub(rb"(Length:) \d+", rb"\1 -5", page_record(2)), [("site2.org/p", "truncated_record")]),
        # Crawlers decode bodies and leave the header that speaks of the coding.
        (page_record(2, headers="Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n"), [("site2.org/p", "")]),
        (page_record(2, headers="Content-Type: text/html\r\nContent-Encoding: gzip\r\n"), [("site2.org/p", "")]),
        # The library takes what follows such a body for part of it.
        (record("https://www.site2.org/p", CHUNKED_GZIP, headers=CHUNKED_GZIP_HEADERS), [("site2.org/p", "")]),
    ],
)  # fmt: skip
def test_what_follows_a_wrong_record_is_read(
    tmp_path: Path, compress: Callable[[bytes], bytes], damaged: bytes, told: list[tuple[str, str]]
) -> None:
    around = [page_record(number) for number in (1, 3, 4)]
    content = b"".join(map(compress, [around[0], damaged, *around[1:]]))
    assert read(tmp_path / "a.warc", content) == [("site1.org/p", ""), *told, ("site3.org/p", ""), ("site4.org/p", "")]


def test_a_bomb_is_not_unpacked_beyond_the_limit(tmp_path: Path) -> None:
    bomb = gzip.compress(b"<p>" + bytes(5_000_000))
    (tmp_path / "a.warc").write_bytes(record("u", bomb, headers="Content-Encoding: gzip\r\n"))
    (found,) = records_of(tmp_path / "a.warc", MAX_BYTES)
    assert len(found.body) == MAX_BYTES + 1


@pytest.mark.parametrize(
    ("text", "encoding", "header", "prefix"),
    [
        ("Größe", "utf-8", "", ""),
        ("Größe", "latin-1", "iso-8859-1", ""),
        ("Größe", "latin-1", "utf-8", '<meta charset="latin1">'),
        ("代码", "gbk", "", '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">'),
        ("コード", "shift_jis", "shift_jis", ""),
        ("Größe", "utf-8", "no-such-charset", ""),
        ("Größe", "utf-16", "", ""),
        ("Größe", "utf-8-sig", "iso-8859-1", ""),
        ("привет, как дела, мир", "windows-1251", "windows-1251", ""),
        ("간단한 예제입니다", "euc-kr", "", "<title>"),
        ("下载代码", "gbk", "", ""),
    ],
)
def test_bytes_are_decoded_by_what_is_stated_or_seen(text: str, encoding: str, header: str, prefix: str) -> None:
    assert decoded((prefix + text).encode(encoding), header) == prefix + text


@pytest.mark.parametrize(
    ("body", "charset", "word"),
    [
        ("Größe und Maß".encode() + b" \xff", "", "Größe und Maß \ufffd"),
        (b"\xc3\xa4\xc3\xa4 cut at \xc3", "utf-8", "ää cut at \ufffd"),
        ("привет ".encode("windows-1251") * 9 + b"\x98", "windows-1251", "привет "),
        ("代码".encode("gbk") * 9 + b"\xff", "gbk", "代码"),
        ("Größe, Maß und Öl".encode("latin-1"), "utf-8", "Größe, Maß und Öl"),
    ],
)
def test_a_few_wrong_bytes_do_not_change_the_encoding(body: bytes, charset: str, word: str) -> None:
    assert word in decoded(body, charset)


@pytest.mark.parametrize(
    ("url", "site"),
    [("https://www.a.org/x", "a.org"), ("http://b.c.de:80", "b.c.de"), ("", ""), ("http://[bad", ""), ("no url", "")],
)
def test_the_site_is_the_host(url: str, site: str) -> None:
    assert site_of(url) == site


def test_a_crawl_becomes_rows_and_every_other_page_has_its_reason(tmp_path: Path) -> None:
    prose = "Words about other things than code, which go on for a while and say nothing of it. " * 4
    near = " ".join(f"word{number}" for number in range(200))
    records = [
        page_record(1),
        record("https://b.org/copy", PAGE.replace("{title}", "Sums 1").encode()),
        record("https://c.org/", f"<html><body><p>{prose}</p></body></html>".encode()),
        record("https://d.org/", b"<html><body>short</body></html>"),
        record("https://e.org/", b"%PDF-1.4 ..."),
        record("https://f.org/", b""),
        record("https://g.org/", b"x" * 200_000),
        record("https://h.org/", f"<html><body>{'<div>' * 5000}x".encode()),
        *(record(f"https://near{n}.org/", f"<p>{near} {n}</p><pre>x = 1</pre>".encode()) for n in (1, 2)),
    ]
    path = tmp_path / "crawl" / "a.warc.gz"
    path.parent.mkdir()
    path.write_bytes(b"".join(map(gzip.compress, records)))
    config = WebPagesConfig(
        output_dir=str(tmp_path / "out"),
        crawl=[str(tmp_path / "crawl" / "*.gz")],
        select="with",
        max_bytes=MAX_BYTES,
        decontaminate=[],
    )
    result = WebPagesBuilder(config).run()
    rows = {row["url"]: row for row in load_dataset(str(result.output_dir), split="train")}
    row = rows.pop("https://b.org/copy")
    assert list(rows) == ["https://near1.org/"]
    assert "| 2 | near1.org | `https://near1.org/` |" in (result.output_dir / "README.md").read_text()
    assert (row["url"], row["site"], row["title"]) == ("https://b.org/copy", "b.org", "Sums 1")
    assert f"```\n{CODE}\n```" in row["text"] and row["num_code_blocks"] == 1
    assert 0.2 < row["code_fraction"] < 0.8
    reasons: Counter[str] = sum((Counter(step.reasons) for step in result.ledger.steps), Counter())
    assert reasons == {
        "same_content": 1,
        "near_duplicate": 1,
        "no_code": 1,
        "short": 1,
        "not_html": 1,
        "empty": 1,
        "too_large": 1,
        "too_deep": 1,
    }


HTML = PAGE.replace("{title}", "Größe")


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"html": HTML, "url": "https://a.org/"}, {}, ("https://a.org/", "page", "Größe")),
        ({"html": HTML.encode("latin-1"), "charset": "latin-1"}, {}, ("t.parquet:0", "page", "Größe")),
        ({"html": f"<meta charset=utf-8>{HTML}".encode(), "charset": None}, {}, ("t.parquet:0", "page", "Größe")),
        # Decoded by whoever wrote the table, whatever the page says of itself.
        ({"html": f"<meta charset=latin1>{HTML}"}, {}, ("t.parquet:0", "page", "Größe")),
        ({"body": HTML, "address": "a.org"}, {"html": "body", "url": "address"}, ("a.org", "page", "Größe")),
        ({"article_body": {"html": HTML}, "url": "u"}, {}, ("u", "page", "Größe")),
        ({"text": "Größe", "url": "u", "date": "2024-01-01"}, {}, ("u", "text", "Größe")),
        ({"html": HTML, "text": "Größe", "url": "u"}, {"text": "text"}, ("u", "text", "Größe")),
        ({"html": "", "text": None, "url": "u"}, {}, ("u", "empty", "")),
        ({"html": 3, "url": "u"}, {}, ("u", "bad_row", "")),
    ],
)  # fmt: skip
def test_rows_of_tables_are_pages(
    tmp_path: Path, row: dict[str, Any], columns: dict[str, str], expected: tuple[str, str, str]
) -> None:
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "t.parquet")
    check_table(tmp_path / "t.parquet", columns)
    reader = CrawlReader([tmp_path / "t.parquet"], MAX_BYTES, columns)
    (found,) = [out for rank in (0, 1) for doc in reader.list_documents(rank, 2) for out in reader.process(doc)]
    url, kind, word = expected
    if isinstance(found, Removed):
        assert (found.doc.metadata["url"], found.reason) == (url, kind)
    else:
        assert (found.metadata["url"], found.metadata["kind"]) == (url, kind)
        assert word in found.text


def test_damaged_tables_cost_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"html": "<p>a", "url": "a"}\n{"html": \n[1]\n{"html": "<p>b", "url": "b"}\n')
    found = [(record.url, record.problem) for record in table_records(path, {}, 0, 1)]
    assert found == [("a", ""), ("t.jsonl:1", "bad_json"), ("t.jsonl:2", "bad_row"), ("b", "")]
    pq.write_table(pa.table({"html": ["<p>a"] * 100}), tmp_path / "t.parquet")
    damaged = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(damaged[:-20])
    (record,) = table_records(tmp_path / "t.parquet", {}, 0, 1)
    assert record.problem == "damaged_table"


def test_a_table_without_pages_is_refused_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["<p>a"]}), tmp_path / "t.parquet")
    for columns, words in (({}, "no column of pages; it has body"), ({"html": "page"}, "no column 'page'")):
        with pytest.raises(ConfigError, match=words):
            check_table(tmp_path / "t.parquet", columns)


FORMULA_PAGE = (
    "<html><body><main><h1>Circles</h1><p>What follows says how large a circle is, for readers who forgot it; it "
    "was written for this page alone, at some length.</p>{formula}<p>So much for circles, of which there are many, and "
    "of which some are larger than others, as anybody can see.</p></main></body></html>"
)


def test_math_is_recalled_by_formulas_and_named_addresses(tmp_path: Path) -> None:
    formulas = {
        "https://math.org/wiki/tex": '<p><script type="math/tex">A = \\pi r^2</script></p>',
        "https://math.org/wiki/mathml": '<math><annotation encoding="application/x-tex">A = \\pi d</annotation></math>',
        "https://math.org/wiki/none": "<p>A is three times r squared, and a little more.</p>",
        "https://math.org/shop/1": '<p><script type="math/tex">B = 2</script></p>',
    }
    rows = [{"url": url, "html": FORMULA_PAGE.replace("{formula}", text)} for url, text in formulas.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    (tmp_path / "addresses.txt").write_text("math.org/wiki/*  # all of it\n")
    config = WebPagesConfig(
        output_dir=str(tmp_path / "out"),
        crawl=[str(tmp_path / "t.parquet")],
        topic="math",
        select="with",
        address_file=str(tmp_path / "addresses.txt"),
        category_limits={"documentation": {"num_formulas": [1, 9]}, "shop": {"num_formulas": [2, 9]}},
        near_dedup_threshold=1.0,
        decontaminate=[],
    )
    result = WebPagesBuilder(config).run()
    rows = load_dataset(str(result.output_dir), split="train").to_list()
    assert {row["url"].rpartition("/")[2] for row in rows} == {"tex", "mathml"}
    assert all(row["num_formulas"] == 1 and "$A = \\pi " in row["text"] for row in rows)
    assert {row["site_category"] for row in rows} == {"documentation"}
    reasons: Counter[str] = sum((Counter(step.reasons) for step in result.ledger.steps), Counter())
    assert reasons == {"other_address": 1, "no_math": 1}


GZIP = {"headers": "Content-Type: text/html\r\nContent-Encoding: gzip\r\n"}
GOOD = HTML.encode()
LATIN = f"<head><meta charset=utf-8></head>{HTML}".encode("latin-1")
CHARSET = "Content-Type: text/html; charset="
# name: the record, and the reason for which it is removed, or what its text holds.
BAD_RECORDS: dict[str, tuple[bytes, str]] = {
    "gzip bomb": (record("https://a.org/1", gzip.compress(b"<p>" + bytes(50_000_000)), **GZIP), "too_large"),
    "bomb of a bomb": (record("https://a.org/2", gzip.compress(gzip.compress(bytes(9_000_000))), **GZIP), "not_html"),
    "page of 50 MB": (record("https://a.org/3", b"<p>" + b"word " * 10_000_000), "too_large"),
    "no gzip, as is said": (record("https://a.org/4", b"{}" + GOOD, **GZIP), "damaged_body"),
    "gzip cut": (record("https://a.org/5", gzip.compress(GOOD)[:-30], **GZIP), "truncated_body"),
    "unknown coding": (record("https://a.org/6", b"\x83\x84", headers="Content-Encoding: zstd\r\n"), "damaged_body"),
    "latin-1 that says utf-8": (record("https://a.org/7", LATIN), "Größe"),
    "charset of nowhere": (record("https://a.org/8", GOOD, headers=f"{CHARSET}x-no\r\n"), "Größe"),
    "charset that is no text": (record("https://a.org/9", GOOD, headers=f"{CHARSET}zip\r\n"), "Größe"),
    "charset utf-7": (record("https://a.org/10", b"<p>+ADw-b+AD4-" + GOOD, headers=f"{CHARSET}utf-7\r\n"), ""),
    "100,000 nested tags": (record("https://a.org/11", b"<div>" * 100_000 + GOOD), "too_deep"),
    "lists that nest": (record("https://a.org/12", GOOD + b"<ul><li><a>x</a>" * 2900), "Größe"),
    "tags that never end": (record("https://a.org/13", GOOD + b'<a "' * 100_000), "Größe"),
    "headings that never end": (record("https://a.org/14", GOOD + b"<h1 <code " * 40_000), "Größe"),
    "cells that nest": (record("https://a.org/15", GOOD + b'<table><tr><td class="lntd">x' * 900), "Größe"),
    "comment without an end": (record("https://a.org/16", GOOD + b"<!-- " * 50_000), "Größe"),
    "zeros in it": (record("https://a.org/17", GOOD.replace(b" ", b"\x00 ")), "Größe"),
    "behind much damage": (record("https://a.org/23", GOOD), "Größe"),
    "a picture": (record("https://a.org/18", b"\x89PNG\r\n" + bytes(999)), "not_html"),
    "an archive": (record("https://a.org/19", b"PK\x03\x04" + bytes(999)), "not_html"),
    "a redirection": (record("https://a.org/20", GOOD, status="301 Moved"), "http_status"),
    "no status": (record("https://a.org/21", GOOD, status=""), "truncated_record"),
    "no address": (record("", GOOD), "Größe"),
    "an address that is none": (record("http://[bad", GOOD), "Größe"),
    "a lone surrogate": (record("https://a.org/22", GOOD + b"\xed\xa0\x80"), "Größe"),
}  # fmt: skip


def test_each_bad_record_has_its_text_or_its_reason(tmp_path: Path) -> None:
    """All through the real reader and extraction; what a record does, it does to no other."""
    extract = ExtractPages(main_content=True, min_chars=100)
    (tmp_path / "a.warc.gz").write_bytes(b"".join(gzip.compress(given, 1) for given, _ in BAD_RECORDS.values()))
    reader = CrawlReader([tmp_path / "a.warc.gz"], 5_000_000, {})
    found: list[str] = []
    for doc in reader.list_documents(0, 1):
        (read,) = reader.process(doc)
        (outcome,) = [read] if isinstance(read, Removed) else extract.process(read)
        found.append(outcome.reason if isinstance(outcome, Removed) else outcome.text)
    assert len(found) == len(BAD_RECORDS)
    for (name, (_, expected)), outcome in zip(BAD_RECORDS.items(), found, strict=True):
        assert expected in outcome, (name, outcome[:200])
        assert "\x00" not in outcome


def test_ranks_share_a_large_crawl_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(b"".join(gzip.compress(page_record(number)) for number in range(30)))
    monkeypatch.setattr(steps, "BYTES_PER_RANK", path.stat().st_size // 3 + 1)
    reader = CrawlReader([path], MAX_BYTES, {})
    shares = [[doc.id for doc in reader.list_documents(rank, 8)] for rank in range(8)]
    assert sorted(map(len, shares)) == [0] * 5 + [10] * 3
    assert len({url for share in shares for url in share}) == 30
    assert [reader.weight(rank, 8) > 0 for rank in range(8)] == [bool(share) for share in shares]


def test_without_a_crawl_the_error_names_the_key(tmp_path: Path) -> None:
    for crawl, words in (([], "crawl=\\[crawl"), ([str(tmp_path / "*.gz")], "no file matches")):
        builder = WebPagesBuilder(WebPagesConfig(output_dir=str(tmp_path / "out"), crawl=crawl, decontaminate=[]))
        with pytest.raises(ConfigError, match=words):
            builder.run()
    with pytest.raises(ConfigError, match="all, with, without"):
        WebPagesConfig(select="some")
