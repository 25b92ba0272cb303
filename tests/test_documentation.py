"""What the documentation says is what the code has: tables of fields, links, files that are named."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.documentation_tables import readmes, with_tables

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("readme", readmes(), ids=lambda path: path.parent.name)
def test_a_table_of_fields_is_that_of_the_dataclass(readme):
    """`python tests/documentation_tables.py` writes them."""
    text = readme.read_text(encoding="utf-8")
    assert with_tables(text) == text


def test_every_builder_has_its_fields_in_a_readme():
    from datasets_builders.__main__ import BUILDERS

    told = {name for path in readmes() for name in re.findall(r"<!-- fields of (\w+) -->", path.read_text())}
    assert told == set(BUILDERS)


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), f"{page}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{page}: {target}{anchor}"
