"""Pages of records: what hostile texts come to, what is bounded, colors, and what a reader does with keys."""

import json
import re
import signal
import time

import pytest

from evals.report.colors import COMMENT, KEYWORD, MAX_SECONDS, NAME, NUMBER, PLAIN, STRING, colored
from evals.report.documents import TEMPLATES
from evals.report.records import Block, Record, parts_of, records_page, title_of
from tests.evals.report.browser import needs_browser, opened
from tests.evals.report.pages import blocks_of, elements, options_of, records_in

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]></textarea></style>",
    '"><img src=x onerror=alert(1)>',
    "nul \x00 escape \x1b[31m bell \x07",
    "direction \u202egnp.exe\u2066",
    "line \u2028 paragraph \u2029 next \x85",
    "half a pair \ud800",
    "NaN Infinity {{ 7 * 7 }} ${7*7}",
    "emoji \U0001f600 def f(): return '\U0001f600'",
    "javascript:alert(1)",
)
OURS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "details", "summary", "noscript", "p", "div"),
    *("form", "label", "select", "option", "input", "output", "nav", "ol", "article", "kbd", "script"),
}


def page_of(*records: Record, **more) -> str:
    return records_page(next(parts_of(records)), title="A page", filters={"kind": "kind"}, **more)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_record_says_stays_text_wherever_it_stands(text):
    record = Record(text, text, text, [Block(text, text, "python", note=text)], [text], {text: text}, {"kind": [text]})
    page = page_of(record, Record("1", "1", groups={"kind": ["other"]}))
    [found, _] = records_in(page)
    shown = found["blocks"][0]["text"]
    assert {found["key"], found["title"], found["line"], found["marks"][0][0], *found["facts"][0]} == {shown}
    assert not re.search("[\x00\x07\x1b\u202e\u2066\ud800]", page)
    assert sorted(filter(None, options_of(page, "kind"))) == sorted([shown, "other"])
    assert {tag for tag, _ in elements(page)} <= OURS
    page.encode("utf-8")


def test_a_page_is_bounded_and_the_rest_goes_on():
    records = [Record(str(number), "x", blocks=[Block("t", "y" * 50_000)]) for number in range(10)]
    parts = list(parts_of(records, max_bytes=100_000))
    assert [len(part.encoded) for part in parts] == [4, 4, 2]
    [block] = json.loads(parts[0].encoded[0])["blocks"]
    assert block["text"].count("y") == 20_000 and block["note"] == "30,000 characters in the middle are not shown."
    assert [len(part.encoded) for part in parts_of([])] == [0], "a page that says there is nothing"


# github.com/galaxyproject/galaxy/issues/5176: whether a text is whole is seen at its end
def test_a_long_text_shows_how_it_ends_and_its_colors_stay_in_place():
    code = "x = 1\n" * 5_000 + "print('😀')  # the end"
    [block] = json.loads(next(parts_of([Record("k", "t", blocks=[Block("t", code, "python")])])).encoded[0])["blocks"]
    assert block["text"].startswith("x = 1\n") and block["text"].endswith("# the end")
    assert sum(block["runs"][::2]) == len(block["text"].encode("utf-16-le")) // 2
    assert block["runs"][-2:] == [len("# the end"), COMMENT]


COLORED = [
    (
        "def f(): # no\n    return 'a' + 1",
        "Python",
        {"def": KEYWORD, "f": NAME, "# no": COMMENT, "'a'": STRING, "1": NUMBER},
    ),
    ("int x = 3; // y", "C++", {"int": KEYWORD, "3": NUMBER, "// y": COMMENT}),
    ("using A; class B {}", "C#", {"using": KEYWORD, "B": NAME}),
    ("if true; then echo 'x'; fi", "Shell", {"if": KEYWORD, "'x'": STRING}),
    ("Text.\n```js\nreturn 1\n```\nreturn", "", {"return": KEYWORD, "1": NUMBER, "Text.\n```js\n": PLAIN}),
    ("~~~~go\nfunc f() {}\n~~~\n~~~~\n", "", {"func": KEYWORD}),
]


@pytest.mark.parametrize(("text", "language", "wanted"), COLORED)
def test_code_is_colored_by_its_language_and_in_fences_by_theirs(text, language, wanted):
    runs = colored(text, language)
    spans, start = [], 0
    for length, kind in zip(runs[::2], runs[1::2], strict=True):
        spans.append((text[start : start + length], kind))
        start += length
    assert start == len(text)
    for piece, kind in wanted.items():
        assert any(piece in found and kind == of for found, of in spans), (piece, spans)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("plain prose", ""),
        ("x = 1", "No Such Language"),
        ("x = 1", "../../etc/passwd"),
        ("```no-such\nx = 1\n```", ""),
        ("```\nx = 1\n```", ""),
        ("x = '" + "a" * 3000 + "'", "python"),
        ("x = 1\n" * 5000, "python"),
        ("", "python"),
    ],
)
def test_what_is_not_read_stays_plain(text, language):
    assert colored(text, language) == []


def test_lengths_are_those_that_a_browser_counts():
    text = "x = '\U0001f600'  # \U0001f600\ny = 2"
    runs = colored(text, "python")
    assert sum(runs[::2]) == len(text.encode("utf-16-le")) // 2 > len(text)


@pytest.mark.parametrize(("text", "language"), [("\n" * 16_000, "c"), ("\n \t" * 5_000, "java")])
def test_a_text_that_a_lexer_chokes_on_stays_plain(text, language):
    started = time.process_time()
    assert colored(f"int x;{text}", language) == []
    assert time.process_time() - started < 10 * MAX_SECONDS
    assert signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
    assert colored("int x;", language), "the next one has its colors"


def luminance(color: str) -> float:
    shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("is_dark", [False, True])
def test_colors_can_be_read_in_the_light_and_in_the_dark(is_dark):
    """WCAG 2, level AA: 4.5; github.com/pradyunsg/furo/issues/82 and others found what is below it in their colors."""
    light, dark, *_ = (TEMPLATES / "style.css").read_text().split("@media (prefers-color-scheme: dark)")
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light + dark.partition("figure svg")[0] * is_dark))
    for name in ("text", "quiet", "good", "bad", "doubt", "keyword", "string", "comment", "number", "name"):
        for ground in ("page", "box", "found"):
            if ground != "found" or name not in ("good", "bad", "doubt", "quiet"):
                assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)


# github.com/HumanSignal/label-studio/issues/5338 and huggingface/dataset-viewer/issues/3137: blanks and lines were lost
def test_blanks_and_lines_are_kept_wherever_values_stand():
    page = page_of(Record("k", "t", blocks=[Block("text", "4   cm\n\tx")], facts={"size": "4   cm"}))
    [record] = records_in(page)
    assert record["facts"] == [["size", "4   cm"]] and blocks_of(record)["text"] == "4   cm\n\tx"
    assert re.search(r"\.facts dd \{[^}]*white-space: pre-wrap", page)


@pytest.fixture
def page(tmp_path):
    records = [
        Record(str(number), f"title {number}", blocks=[Block("text", f"def f{number}(): pass", "python")],
               groups={"kind": ["even", "odd"][number % 2 : number % 2 + 1]})
        for number in range(12)
    ]  # fmt: skip
    path = tmp_path / "page.html"
    path.write_text(page_of(*records), encoding="utf-8")
    return path


def seen(document: str) -> tuple[str, str, list[str]]:
    """Return the count, the heading of the record and the titles in the list."""
    count = re.search(r"<output[^>]*>([^<]*)</output>", document)
    heading = re.search(r"<article.*?<h2[^>]*>(.*?)</h2>", document, re.DOTALL)
    listed = re.findall(r"<li><a [^>]*><b>(.*?)</b>", document)
    return count[1] if count else "", heading[1] if heading else "", listed


@needs_browser
@pytest.mark.slow
def test_keys_an_address_and_a_search_lead_to_a_record(page):
    assert seen(opened(page, keys="jjk"))[:2] == ("12 of 12", "title 1")
    count, heading, listed = seen(opened(page, "#kind=odd", ["j"]))
    assert (count, heading, listed) == ("6 of 12", "title 3", [f"title {number}" for number in (1, 3, 5, 7, 9, 11)])
    document = opened(page, keys=["type:DEF F11", "w"])
    assert seen(document)[:2] == ("1 of 12", "title 11") and "text=DEF+F11&amp;row=11" in document
    assert 'class="t1">def</span>' in document
    marked = opened(page, keys=["type:DEF F11", "b"])
    assert re.search(r'<span class="blank" data-mark="·+"> +</span>', marked), "the text under the mark stays"
    assert 'data-mark="' not in opened(page, keys=["type:DEF F11", "b", "b"])


# github.com/huggingface/dataset-viewer/issues/2794: columns with odd names broke the filter
# github.com/IGS/gEAR/issues/489: letters with accents were not found
@needs_browser
@pytest.mark.slow
def test_columns_may_have_any_name(tmp_path):
    names = ("text", "row", "elements", "constructor", "__proto__", "id", "a b=c&d", "querySelector")
    records = [
        Record(str(number), f"title {number} A\u00f1o", groups={name: [f"{name} {number % 2}"] for name in names})
        for number in range(3)
    ]
    page = records_page(
        next(parts_of([*records, Record("3", "bare")])), title="t", filters={name: name for name in names}
    )
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    # The letter in the search is written as two characters.
    address = "#constructor=constructor+1&__proto__=__proto__+1&column+text=text+1&row=1&text=an%CC%83o"
    title = "title 1 A\u00f1o"
    assert seen(opened(path, address)) == ("1 of 4", title, [title])


@needs_browser
@pytest.mark.slow
def test_nothing_of_a_hostile_record_runs_and_no_page_is_wider_than_a_telephone(tmp_path):
    path = tmp_path / "page.html"
    long = Block("t", "x" * 3000 + "\n" + "\n".join(HOSTILE))
    records = [Record(f"k{n}", text * 9, text, [long], [text], {text: text * 40}) for n, text in enumerate(HOSTILE)]
    path.write_text(page_of(*records), encoding="utf-8")
    document = opened(path, "#row=k3", width=500)
    assert "alert(1)" in document and "<img" not in document and document.count("<script") == 3
    assert 'data-overflow="0"' in document


@pytest.mark.parametrize(
    ("identifier", "question", "title"),
    [
        ("HumanEval/0", "Complete it.", "HumanEval/0"),
        ("fbc2bb7e9fbfd49ccd20c1cc4a4c0548", "", "fbc2bb7e9fbfd49ccd20c1cc4a4c0548"),
        ("fbc2bb7e9fbfd49ccd20c1cc4a4c0548", "What does\n`f(1)` return?", "What does `f(1)` return?"),
        ("held_out/fbc2bb7e9fbfd49c#1", "Read it.\n```\nx = 1\n```\nWhat is `x`?", "Read it. … What is `x`?"),
        ("fbc2bb7e9fbfd49c", "a " * 40, f"{'a ' * 29}a …"),
    ],
)
def test_a_hash_is_no_title(identifier, question, title):
    assert title_of(identifier, question) == title
