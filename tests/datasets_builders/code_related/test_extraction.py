# ruff: noqa: E501  (pages as they are written)
"""Web pages to Markdown: what stays, what goes, and what hostile pages must not do."""

import pytest

from datasets_builders.code_related.web_pages.extraction import MAX_DEPTH, PageError, extract_page, nesting_depth

PROSE = "<p>This paragraph explains in a few words what is shown below, so that the page has some text of its own.</p>"


def text_of(body: str) -> str:
    return extract_page(
        f"<html><head><title> A\n title </title></head><body><main>{PROSE}{body}</main></body></html>"
    ).text


def test_title_headings_lists_and_inline_code() -> None:
    page = extract_page(
        f"<html><head><title> A\n title </title></head><body><main><h1>How <code>x</code> works</h1>{PROSE}"
        "<h3 id=a></h3><h2>Then</h2><ul><li>first point of it</li><li>second point of it</li></ul></main></body></html>"
    )
    assert page.title == "A title"
    assert page.text.startswith("# How `x` works\n\nThis paragraph")
    assert "\n## Then\n" in page.text and "- first point of it\n- second point of it\n" in page.text
    assert "###" not in page.text


@pytest.mark.parametrize(
    ("element", "formula"),
    [
        ('<math alttext="a+b"><mi>a</mi></math>', "$a+b$"),
        ('<math display="block"><semantics><annotation encoding="application/x-tex">a^2</annotation></semantics></math>', "$$a^2$$"),
        ('<span class="katex"><math><annotation encoding="application/x-tex">x</annotation></math><span>x</span></span>', "$x$"),
        ('<script type="math/tex">y &lt; 1</script>', "$y &lt; 1$"),
        ('<script type="math/tex; mode=display">y</script>', "$$y$$"),
        ('<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle x_{1}}">', "$x_{1}$"),
        ('<img class="latex" alt="n!">', "$n!$"),
        (r"\(a_1\) and $b$", r"\(a_1\) and $b$"),
    ],
)  # fmt: skip
def test_formulas_are_tex(element: str, formula: str) -> None:
    assert f"It is {formula} here." in text_of(f"<p>It is {element} here.</p>")


def test_tables_of_data_are_markdown_and_layout_is_text() -> None:
    table = "<table><tr><th>name</th><th>cost | <code>ns</code></th></tr><tr><td>a</td><td>1\n2</td></tr><tr><td>b</td></tr></table>"
    assert "| name | cost \\| `ns` |\n| --- | --- |\n| a | 1 2 |\n| b |  |\n" in text_of(table)
    assert "|" not in text_of(
        "<table><tr><td>" + "long text " * 100 + "</td><td>b</td></tr><tr><td>c</td></tr></table>"
    )
    assert "|" not in text_of("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>")


def test_lists_nest_and_menus_go() -> None:
    items = "<li>one <b>bold</b> <a href=x>link</a><ol><li>a</li><li>b<ul><li>deep</li></ul></li></ol></li><li><p>two</p><p>more</p></li>"
    assert "- one bold link\n  1. a\n  2. b\n     - deep\n- two more\n" in text_of(f"<ul>{items}</ul>")
    menu = "<li><a href=/>Start page</a></li><li><a href=/b>Blog</a></li>"
    assert "Start page" not in text_of(f"<ul>{menu}</ul>{PROSE}")
    assert "words of it" not in text_of(f"<ul class='nav-menu'><li>words of it</li></ul>{PROSE}")
    assert text_of("<ul><li>Run <pre>a\n  b</pre> then stop</li></ul>").endswith("- Run\n```\na\n  b\n```\nthen stop\n")


def test_code_in_words_stays_apart_from_parts_beside_it() -> None:
    """Marks of code in words are paired before lists and code are put back, whatever a page leaves open."""
    text = text_of(
        "<ul><li>a point with <code>first</code></li></ul><p><code>second</code> follows it in the text.</p>"
    )
    assert "- a point with `first`\n\n`second` follows it in the text." in text
    code = "  # indented\nx = 1 \n"
    for before, after in (("<code>open", ""), ("", "shut</code>"), ("<code>a <code>b</code></code>", "")):
        assert f"```\n{code}```" in text_of(f"<p>Words {before}.</p><pre>{code}</pre><p>More {after} words.</p>")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "<div class='w3-code notranslate'>i = 1<br>if i:<br>&nbsp; print(i)</div>",
            "```\ni = 1\nif i:\n  print(i)\n```",
        ),
        ("<p>Words.</p><p>```</p><pre>x = 1\n  y</pre>", "Words.\n\n\\```\n\n```\nx = 1\n  y\n```"),
        ("<H3>Use</H3><P>Of <CODE>x</CODE> and <TT>y</TT></P>", "### Use\n\nOf `x` and `y`"),
        ("<pre>a</pre><div><clipboard-copy value=a>copy</clipboard-copy></div>", "```\na\n```"),
        ("<pre><span>a</span><clipboard-copy>copy</clipboard-copy>\n  b</pre>", "```\na\n  b\n```"),
        (
            "<table><caption>Costs of\n calls</caption><tr><th>n</th><th>ns</th></tr><tr><td>a</td><td>1</td></tr></table>",
            "Costs of calls\n\n| n | ns |\n| --- | --- |\n| a | 1 |",
        ),
    ],
)
def test_what_users_of_other_extractors_reported(body: str, text: str) -> None:
    assert text_of(body).partition("of its own.")[2].strip("\n") == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p># of items</p>", "\\# of items"),
        ("<p>###<br>#include &lt;a&gt; and #1</p>", "\\###\n#include \\<a> and #1"),
        ("<p>&gt; said he</p>", "\\> said he"),
        ("<p>&gt;&gt;&gt; f(1)</p>", "\\>>> f(1)"),
        ("<p>- a<br>+ b<br>* c<br>-5 and *d*</p>", "\\- a\n\\+ b\n\\* c\n-5 and *d*"),
        ("<p>1. May<br>2) June<br>3.5 more<br>1234567890. no</p>", "1\\. May\n2\\) June\n3.5 more\n1234567890. no"),
        ("<p>Title<br>=====<br>of<br>--</p>", "Title\n\\=====\nof\n\\--"),
        ("<p>***</p><p>_ _ _</p><p>* * *</p>", "\\***\n\n\\_ _ _\n\n\\* * *"),
        ("<p>~~~ x</p><p>```</p>", "\\~~~ x\n\n\\```"),
        ("<p>a | b<br>--|--<br>1 | 2</p>", "a | b\n\\--|--\n1 | 2"),
        ("<p>Use &lt;div class=x&gt;, vector&lt;int&gt; and &lt;!-- x.</p>", "Use \\<div class=x>, vector\\<int> and \\<!-- x."),
        ("<p>a &lt; b &amp;&amp; c &gt; d, &lt;https://a.org&gt;</p>", "a < b && c > d, <https://a.org>"),
        ("<p>Write &amp;lt; or &amp;#60; for it, R&amp;D</p>", "Write \\&lt; or \\&#60; for it, R&D"),
        ("<p><code>&lt;b&gt; &amp;amp;</code> is &lt;b&gt;</p>", "`<b> &amp;` is \\<b>"),
        ("<p><code># no</code> heading</p>", "`# no` heading"),
        ("<p>C:\\<br>D:\\\\<br>x</p>", "C:\\\\\nD:\\\\\nx"),
        ("<p>[1]: https://a.org<br>[2] is it</p>", "\\[1]: https://a.org\n[2] is it"),
        ("<h2>Sharp #</h2><h3># first</h3>", "## Sharp \\#\n\n### # first"),
        ("<ul><li># a</li><li>- b</li><li>1. c</li><li>&lt;i&gt;</li></ul>", "- \\# a\n- \\- b\n- 1\\. c\n- \\<i>"),
        ("<ol><li># a</li><li>b<ol><li>- c</li></ol></li></ol>", "1. \\# a\n2. b\n   1. \\- c"),
        ("<ol><li><p>a</p><p>b</p></li></ol>", "1. a\n\n   b"),
        ("<table><tr><th>&lt;b&gt;</th><th>&amp;amp;</th></tr><tr><td># a</td><td>- b</td></tr></table>", "| \\<b> | \\&amp; |\n| --- | --- |\n| # a | - b |"),
        ("<ul><li>a <pre># b\n1. c &lt;d&gt;\\\n> e</pre> # f</li></ul>", "- a\n```\n# b\n1. c <d>\\\n> e\n```\n\\# f"),
        ("<menu><li>a</li></menu>", "- a"),
        ("<table><tr><td></td><td># Home</td><td>News</td></tr></table>", "\\# Home\t\tNews"),
    ],
)  # fmt: skip
def test_text_is_read_as_nothing_else(body: str, text: str) -> None:
    """Signs that begin something in Markdown are escaped in text, and not in code."""
    assert text_of(body).partition("of its own.")[2].strip("\n") == text


def test_signs_take_no_time_with_the_square_of_their_number() -> None:
    for signs in (
        "-" * 200_000 + "x",
        "&lt;a " * 60_000,
        "_ " * 100_000 + "x",
        "\\" * 200_000 + "<br>x",
        "[" * 200_000,
    ):
        assert text_of(f"<p>{signs}</p>")


def test_items_of_words_and_links_are_no_menu_and_cells_and_ticks_stay_apart() -> None:
    items = "<li>Azure, <a href=x>use a vector index and retrieval</a>.</li><li>OpenAI, <a href=y>use a search index</a>.</li>"
    assert "- OpenAI, use a search index.\n" in text_of(f"<ul>{items}</ul>")
    cell = "<table><tr><th>a</th><th>b</th></tr><tr><td>left:<ul><li>foo</li><li>bar</li></ul></td><td>x<br>y</td></tr></table>"
    assert "| left: foo bar | x y |" in text_of(cell)
    assert "Use `` s.replace('`', '') `` and `f`." in text_of(
        "<p>Use <code>s.replace('`', '')</code> and <code>f</code>.</p>"
    )


def test_lists_keep_what_is_nested_in_blocks_and_layout_is_no_list() -> None:
    nested = "<ul><li><p>Fruit:</p><div><ul><li>apple</li></ul></div><p>and so on</p></li><li><dl><dt>a</dt><dd>b</dd></dl></li></ul>"
    assert "- Fruit: and so on\n  - apple\n- a b\n" in text_of(nested)
    javadoc = "<ul class=summary><li><section><h2>Methods</h2><div>int size()</div><div>Returns it &amp; more.</div></section></li></ul>"
    assert "\n## Methods\nint size()\nReturns it & more.\n" in text_of(javadoc)


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ('<a title="a > b" class=x>x</a> &lt;b&gt;<br>  y', "x <b>\n  y"),
        ("<script>if (a<b) { document.write('</div>') }</script>x = 1<br>y", "x = 1\ny"),
        ("<!-- <br> -->x<br>&amp;lt; y", "x\n&lt; y"),
        ("<svg><path d='M0'/><text>icon</text></svg>x<br>y", "x\ny"),
        ("x<span hidden>no</span><br><button>Copy <b>it</b></button>y<img src=a><wbr>z", "x\nyz"),
        ("<ol><li>a</li><li></li><li>  b</li></ol>", "a\n\n  b"),
    ],
)
def test_code_with_other_elements_in_it(inside: str, code: str) -> None:
    assert f"```\n{code}\n```" in text_of(f"<pre>{inside}</pre>")


def test_code_in_a_table_of_data_and_in_a_list_stays_code() -> None:
    text = text_of(
        "<ol><li>Do this:<pre>a\n  b</pre></li></ol><table><tr><td>x</td><td><pre>c\n  d</pre></td></tr><tr><td>y</td><td>z</td></tr></table>"
    )
    assert "```\na\n  b\n```" in text and "```\nc\n  d\n```" in text


def test_code_stays_wherever_it_stands_and_sections_whatever_their_name() -> None:
    around = (
        "<aside class=sidebar>{}</aside>",
        "<section id=related-posts><div class=share>{}</div></section>",
        "<div id=comments>{}</div>",
    )
    for place in around:
        assert "```\na\n  b\n```" in text_of(place.format("<pre>a\n  b</pre>")), place
    assert "what stands there" in text_of(
        "<section id='select-related'><h2>Related</h2><p>what stands there</p></section>"
    )


def test_what_the_page_writes_is_no_mark_of_ours() -> None:
    text = text_of("<pre>code of it</pre><p>" + "&#1;0&#2;" * 50 + "&#1;7&#2; \x010\x02 \x03 end of it</p>")
    assert text.count("code of it") == 1
    assert not set(text) & {"\x01", "\x02", "\x03"}


def test_nesting_beyond_any_page_is_refused_in_no_time() -> None:
    for tag in ("div", "b", "table><tr><td", "font"):
        with pytest.raises(PageError) as error:
            extract_page(f"<html><body>{f'<{tag}>' * 100_000}x")
        assert error.value.reason == "too_deep"


@pytest.mark.parametrize(
    "html",
    [
        "<p>x" * 20_000,
        "<li>x" * 20_000,
        "<br>x" * 20_000,
        "<div>x</div>" * 20_000,
        "<tr><td>x" * 20_000,
        "<img src=a>" * 20_000,
        "<div>" * 100 + "</div>" * 100,
    ],
)
def test_long_pages_are_not_deep(html: str) -> None:
    assert nesting_depth(html) <= MAX_DEPTH


@pytest.mark.parametrize(
    "html", ["", "   ", "<html>", "plain text", "\ufffd\ufffd", "<svg/>", "<frameset><frame></frameset>"]
)
def test_pages_without_text_give_none_and_no_error(html: str) -> None:
    page = extract_page(html)
    assert page.num_code_blocks == 0
    assert page.text in ("", "plain text\n", "\ufffd\ufffd\n")
