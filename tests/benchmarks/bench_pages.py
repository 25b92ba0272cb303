"""Web pages to text: lines of code that stay as they were, and speed, beside Resiliparse, trafilatura and Lynx.

    python tests/benchmarks/bench_pages.py [--pages FOLDER]

Lines: the pages of tests/datasets_builders/code_related/test_code_elements.py, each a form in which code is written, of
eight lines; a line counts when the text has it byte for byte as a line of its own, tabs that the form itself writes as
spaces apart. What each writes beside the code (numbers, buttons) is counted too. Of the HTML
files of a folder, or of the Debian packages in it (`make pages`), as many of each: lines in `pre` elements as lxml has
them, numbers of lines apart, that are lines of the text; and the speed in processor time, of each page the least of
three times in turns, as other processes slow down what they interrupt. Lynx, a program, has a tenth of the pages, once;
its time is told with and without that of its start. What is not installed is left out.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lxml.html
from resiliparse.extract.html2text import extract_plain_text

from datasets_builders.code_related.web_pages.extraction import PageError, extract_page
from tests.benchmarks.web_rounds import pages_of_package
from tests.datasets_builders.code_related.test_code_elements import FORMS, LINES, NO_TABS, page

NUM_TURNS = 3
Extractor = Callable[[str], str]


def ours(html: str) -> str:
    """Return the text by our extraction."""
    return extract_page(html).text


def resiliparse(html: str) -> str:
    """Return the text by Resiliparse with formatting."""
    text: str = extract_plain_text(html, preserve_formatting=True, main_content=True)
    return text


def trafilatura(html: str) -> str:
    """Return the text by trafilatura with formatting."""
    import trafilatura as library

    return library.extract(html, include_formatting=True, include_tables=True) or ""


def lynx(html: str) -> str:
    """Return the text by Lynx, as NVIDIA calls it for Nemotron-CC-Code."""
    command = ["lynx", "-dump", "-stdin", "-nolist", "-width=10000"]
    done = subprocess.run(command, input=html.encode(), capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def exact_lines(extract: Extractor) -> int:
    """Return how many lines of code of all forms come out as they went in."""
    count = 0
    for form in FORMS.values():
        lines = set(extract(page(form)).split("\n"))
        count += sum(line in lines or plain in lines for line, plain in zip(LINES, NO_TABS, strict=True))
    return count


def extra_lines(extract: Extractor) -> int:
    """Return how many lines of all forms hold a number or a button alone."""
    texts = [extract(page(form)) for form in FORMS.values()]
    return sum(line.strip().isdigit() or line.strip() == "Copy" for text in texts for line in text.split("\n"))


def lines_of_pre(html: str) -> list[str]:
    """Return the lines in a page's `pre` elements that are not empty, without numbers and links to headings.

    Zero-width spaces and carriage returns count for nothing: no browser shows them.
    """
    html = html.replace("\r\n", "\n").replace("\r", "\n").replace("\u200b", "")
    document = lxml.html.fromstring(html.encode("utf-8", "replace"))
    lines: list[str] = []
    for element in document.iter("pre"):
        for beside in element.xpath('.//span[contains(@class, "lineno")] | .//a[@class="headerlink"]'):
            beside.drop_tree()
        lines += element.text_content().replace("\xa0", " ").split("\n")
    return [line.rstrip() for line in lines if line.strip()]


def real_lines(extract: Extractor, pages: list[str]) -> tuple[int, int]:
    """Return how many lines in `pre` elements are lines of the text, and how many there are."""
    found = total = 0
    for html in pages:
        wanted = lines_of_pre(html)
        lines = {line.rstrip() for line in extract(html).split("\n")} if wanted else set()
        found += sum(line in lines for line in wanted)
        total += len(wanted)
    return found, total


def seconds_of(extractors: list[Extractor], pages: list[str]) -> dict[str, float]:
    """Return the processor time that each takes, of each page the least of three times in turns."""
    seconds = dict.fromkeys((extract.__name__ for extract in extractors), 0.0)
    for html in pages:
        least = dict.fromkeys(seconds, float("inf"))
        for _ in range(NUM_TURNS):
            for extract in extractors:
                start = time.process_time()
                with contextlib.suppress(PageError):
                    extract(html)
                least[extract.__name__] = min(least[extract.__name__], time.process_time() - start)
        for name, value in least.items():
            seconds[name] += value
    return seconds


def lynx_seconds(pages: list[str]) -> float:
    """Return the processor time of Lynx, which its start is part of."""
    start = processor_seconds()
    for html in pages:
        lynx(html)
    return processor_seconds() - start


def read_pages(folder: Path, max_pages: int) -> list[str]:
    """Return pages at random: as many of each package, or of all files of a folder."""
    choose = random.Random(0)
    packages = sorted(folder.glob("*.deb"))
    if not packages:
        paths = sorted(folder.rglob("*.html"))
        return [path.read_text("utf-8", "replace") for path in choose.sample(paths, min(max_pages, len(paths)))]
    pages: list[str] = []
    for package in packages:
        of_package = sorted(pages_of_package(package))
        chosen = choose.sample(of_package, min(max_pages // len(packages), len(of_package)))
        pages += [html.decode("utf-8", "replace") for _, html in chosen]
    return pages


def processor_seconds() -> float:
    """Return the processor time of this process and of programs that ended."""
    return sum(os.times()[:4])


def main() -> int:
    """Print a line per extractor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, help="folder with .html files or Debian packages, for the speed")
    parser.add_argument("--max-pages", type=int, default=300, help="number of pages that are read")
    options = parser.parse_args()
    extractors: list[Extractor] = [ours, resiliparse]
    try:
        trafilatura("<p>a</p>")
        extractors.append(trafilatura)
    except ImportError:
        print("trafilatura: not installed")
    if shutil.which("lynx"):
        extractors.append(lynx)
    # Empty lines are found in any text.
    total = sum(bool(line) for line in LINES) * len(FORMS)
    empty = len(LINES) * len(FORMS) - total
    for extract in extractors:
        exact, extra = exact_lines(extract) - empty, extra_lines(extract)
        print(f"{extract.__name__}: {exact} of {total} lines as they were, {extra} lines that are no code")
    if options.pages:
        pages = read_pages(options.pages, options.max_pages)
        megabytes = sum(len(html.encode()) for html in pages) / 1e6
        print(f"{len(pages)} pages, {1000 * megabytes / max(len(pages), 1):.0f} kB on average")
        for extract in extractors:
            if extract is not lynx:  # has a margin
                found, of = real_lines(extract, pages)
                print(f"{extract.__name__}: {found} of {of} lines in pre, {found / max(of, 1):.2%}")
        seconds = seconds_of([extract for extract in extractors if extract is not lynx], pages)
        for name, value in seconds.items():
            print(f"{name}: {megabytes / value:.1f} MB/s, {seconds['resiliparse'] / value:.2f} times Resiliparse")
        if lynx in extractors:
            few = pages[::10]
            theirs, start = lynx_seconds(few), lynx_seconds(["<p>a</p>"] * len(few))
            ours_seconds = seconds_of([ours], few)["ours"]
            size = sum(len(html.encode()) for html in few) / 1e6
            print(f"lynx: {size / theirs:.1f} MB/s, {size / (theirs - start):.1f} without its start")
            times, times_running = theirs / ours_seconds, (theirs - start) / ours_seconds
            print(f"ours is {times:.0f} times Lynx, {times_running:.0f} without its start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
