# ruff: noqa: E501  (pages as they are written)
"""Code in web pages: each form that highlighters, editors and blogs write, made from known lines."""

from html import escape

import pytest

from datasets_builders.code_related.web_pages.code_elements import without_numbers
from datasets_builders.code_related.web_pages.extraction import extract_page

LINES = [
    "def first(values: list[int]) -> dict[str, int]:",
    '    """Return a & b < c."""',
    "",
    "    if values and  values[0] > 1:  # two spaces",
    "\tx = {'a': 1}",
    "        return x",
    "    `quoted`",
    ")",
]
NO_TABS = [line.replace("\t", "    ") for line in LINES]
ESCAPED = [escape(line, quote=False) for line in LINES]


def hard_spaces(line: str) -> str:
    """Return a line in which spaces are as editors of blogs write them."""
    return escape(line, quote=False).replace("  ", "&nbsp; ").replace("\t", "&nbsp;" * 4)


def joined(pattern: str, lines: list[str] = ESCAPED, between: str = "") -> str:
    return between.join(pattern.format(line=line, number=number) for number, line in enumerate(lines, 1))


NUMBERS = "\n".join(str(number) for number in range(1, len(LINES) + 1))
CODE = "\n".join(ESCAPED)
HARD = [hard_spaces(line) for line in LINES]
FORMS: dict[str, str] = {
    "pre": f"<pre>{CODE}</pre>",
    "pre and code": f'<pre><code class="language-python">\n{CODE}\n</code></pre>',
    "windows line ends": f"<pre>{CODE.replace(chr(10), '&#13;&#10;')}</pre>",
    "textarea": f"<textarea rows=9>{CODE}</textarea>",
    "xmp": f"<xmp>{chr(10).join(LINES)}</xmp>",
    "spans of a highlighter": "<pre><code>" + joined('<span class="line"><span>{line}</span></span>', between="\n") + "</code></pre>",
    "numbers in spans": "<pre>" + joined('<span class="linenos">{number}</span>{line}\n') + "</pre>",
    "numbers in links": "<pre>" + joined('<a class="lineno" href="#{number}">{number} </a>{line}\n') + "</pre>",
    "numbers as text": "<pre>" + joined("{number}  {line}\n").replace("  \n", "\n") + "</pre>",
    "numbers glued to text": "<pre>" + joined("<span>{number}</span>{line}\n") + "</pre>",
    "table of Pygments": f'<table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre>{NUMBERS}</pre></div></td><td class="code"><div class="highlight"><pre><span></span>{CODE}\n</pre></div></td></tr></table>',
    "table of Rouge": f'<table class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">{NUMBERS}</pre></td><td class="rouge-code"><pre>{CODE}\n</pre></td></tr></tbody></table>',
    "table of Chroma": '<div class="highlight"><table class="lntable"><tr><td class="lntd"><pre class="chroma"><code>' + joined('<span class="lnt">{number}\n</span>') + f'</code></pre></td><td class="lntd"><pre class="chroma"><code class="language-python" data-lang="python">{CODE}</code></pre></td></tr></table></div>',
    "row per line, GitHub": "<table>" + joined('<tr><td id="L{number}" class="blob-num" data-line-number="{number}"></td><td class="blob-code blob-code-inner">{line}</td></tr>') + "</table>",
    "row per line, highlightjs-line-numbers": '<pre><code><table class="hljs-ln"><tbody>' + joined('<tr><td class="hljs-ln-line hljs-ln-numbers"><div class="hljs-ln-n" data-line-number="{number}"></div></td><td class="hljs-ln-line hljs-ln-code">{line}</td></tr>') + "</tbody></table></code></pre>",
    "SyntaxHighlighter": f'<div class="syntaxhighlighter python"><table><tr><td class="gutter">{joined("<div class=line>{number}</div>")}</td><td class="code"><div class="container">' + joined('<div class="line number{number}">{line}</div>', HARD) + "</div></td></tr></table></div>",
    "doxygen": '<div class="fragment">' + joined('<div class="line"><a name="l{number}"></a><span class="lineno">    {number}</span>{line}</div>\n', [escape(line, quote=False).replace("    ", "&#160;" * 4).replace("\t", "&#160;" * 4) for line in LINES]) + "</div><!-- fragment -->",
    "list of prettify": '<pre class="prettyprint linenums"><ol class="linenums">' + joined('<li class="L0">{line}</li>') + "</ol></pre>",
    "list of dp.SyntaxHighlighter": '<div class="dp-highlighter"><div class="bar"></div><ol class="dp-py">' + joined('<li class="alt"><span>{line}</span></li>\n', HARD) + "</ol></div>",
    "CodeMirror": '<div class="CodeMirror-code">' + joined('<div style="position: relative"><div class="CodeMirror-gutter-wrapper"><div class="CodeMirror-linenumber">{number}</div></div><pre class="CodeMirror-line"><span>{line}</span></pre></div>') + "</div>",
    "Ace": '<div class="ace_layer ace_text-layer">' + joined('<div class="ace_line">{line}</div>', HARD) + "</div>",
    "div per line": "<pre>" + joined("<div>{line}</div>") + "</pre>",
    "div per line and line ends": "<pre>" + joined("<div>{line}</div>", between="\n") + "</pre>",
    "br in pre": "<pre>" + joined("{line}<br>") + "</pre>",
    "br and line ends in pre": "<pre>" + joined("{line}<br />\n") + "</pre>",
    "br and spans, Docusaurus": '<pre class="prism-code language-python"><code>' + joined('<span class="token-line" style="color:#fff"><span class="token plain">{line}</span><br></span>') + "</code></pre>",
    "br and hard spaces in code": "<code>" + joined("{line}<br />\n", HARD) + "</code>",
    "br and hard spaces in a paragraph": "<p><code>" + joined("{line}<br>", HARD) + "</code></p>",
    "style of pre": f'<code style="white-space: pre; display: block">{CODE}</code>',
    "table of Hexo": '<table><tr><td class="gutter"><pre>' + joined('<span class="line">{number}</span><br>') + '</pre></td><td class="code"><pre>' + joined('<span class="line">{line}</span><br>') + "</pre></td></tr></table>",
    "copied from an editor": '<div style="color: #d4d4d4; white-space: pre;">' + "".join(f"<div><span>{line}</span></div>" if line else "<br>" for line in ESCAPED) + "</div>",
    "code without pre": f"<code>\n{CODE}\n</code>",
    "line ends in spans": "<pre>\n<code>" + joined('<span class="code-line">{line}\n</span>') + "</code></pre>",
    "copy button": f'<div class="code"><pre><button class="copy-btn">Copy</button><code>{CODE}</code></pre></div>',
    "copy icon": f'<pre><clipboard-copy>Copy<svg><title>copy</title></svg></clipboard-copy><code>{CODE}</code></pre>',
    "rows of numbers, Prism": f'<pre class="line-numbers language-python"><code class="language-python">{CODE}<span aria-hidden="true" class="line-numbers-rows"><span></span><span></span></span></code></pre>',
    "zero-width spaces": "<pre>" + joined("\u200b{line}\n") + "</pre>",
    "script": f'<script type="syntaxhighlighter">{chr(10).join(LINES)}</script>',
}  # fmt: skip


def page(body: str) -> str:
    return f"""<!doctype html><html><head><title>Guide</title></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
<main><article><h1>How values are found</h1>
<p>This paragraph explains in a few words what the function below does, and when it should be used.</p>
{body}
<p>What follows the code is prose again, which says what to look out for when the list is empty.</p>
</article></main><footer>Copyright, all rights reserved</footer></body></html>"""


@pytest.mark.parametrize("form", FORMS)
def test_code_is_what_its_author_wrote(form: str) -> None:
    extracted = extract_page(page(FORMS[form]))
    before, _, rest = extracted.text.partition("```")
    code, _, after = rest.partition("\n```\n")
    found = code.split("\n")[1:]
    hides_tabs = found != LINES and "\t" not in code  # written as spaces by the form itself
    assert found == (NO_TABS if hides_tabs else LINES)
    assert "explains in a few words" in before and "prose again" in after
    assert "Copy" not in extracted.text and "About us" not in extracted.text
    assert extracted.num_code_blocks == 1
    assert extracted.num_code_chars == len("\n".join(found))


@pytest.mark.parametrize(
    ("element", "language"),
    [
        ('<pre><code class="language-rust">a</code></pre>', "rust"),
        ('<pre class="lang-js prettyprint"><code>a</code></pre>', "js"),
        ('<div class="highlight-python3 notranslate"><div class="highlight"><pre>a</pre></div></div>', "python3"),
        ('<div class="highlight highlight-source-c++"><pre>a</pre></div>', "c++"),
        ('<pre class="brush: java; gutter: false">a</pre>', "java"),
        ('<div class="sourceCode" id="cb1"><pre class="sourceCode haskell"><code>a</code></pre></div>', "haskell"),
        ('<pre data-lang="go">a</pre>', "go"),
        ('<div class="highlight-default"><pre>a</pre></div>', ""),
        ('<pre lang="en">a</pre>', ""),
        ("<pre>a</pre>", ""),
    ],
)
def test_the_language_is_the_one_that_the_page_names(element: str, language: str) -> None:
    assert f"```{language}\na\n```" in extract_page(page(element)).text


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("1 a\n2   b\n3\n4 c", "a\n  b\n\nc"),
        ("1a\n2\n3  b", "a\n\n  b"),
        (" 9| a\n10| b\n11| c", "a\nb\nc"),
        ("1\ta\n2\tb\n3\tc", "a\nb\nc"),
        ("1. first\n2. second\n3. third", None),
        ("1) first\n2) second\n3) third", None),
        ("10 PRINT 1\n20 PRINT 2\n30 GOTO 10", None),
        ("1 a\n2 b", None),
        ("0 no answer\n1 an answer\n2 an error", None),
        ("1 a\n2 b\n3 c\nd", None),
    ],
)
def test_numbers_of_lines_go_and_other_numbers_stay(text: str, without: str | None) -> None:
    assert without_numbers(text) == (text if without is None else without)


def test_names_in_a_sentence_stay_in_it() -> None:
    text = extract_page(
        page("<p>Override <code>GenericView</code>,\n <tt>x</tt> or <code>a\n   b</code> here.</p>")
    ).text
    assert "Override `GenericView`, `x` or `a b` here." in text


def test_a_fence_is_longer_than_those_in_the_code() -> None:
    assert "````\n```\na\n```\n````" in extract_page(page("<pre>```\na\n```</pre>")).text
