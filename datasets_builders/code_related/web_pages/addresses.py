"""Section 2.3.1: what the address of a page says: its site, the kind of that site, and whether a pattern names it.

A pattern is a host, a slash and a path, with `*` for any characters: `docs.*/*`, `example.org/wiki/*`,
`*/viewtopic.php*`. The scheme, `www.` and what stands behind `?` or `#` are no part of an address; case does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.quality.limits import QualityLimits

OTHER = "other"
# Kinds of sites by their addresses; the first that matches. Seed-Coder has a limit for each of its kinds, not these.
SITE_CATEGORIES: dict[str, list[str]] = {
    "forum": [
        "stackoverflow.com/*", "*.stackexchange.com/*", "superuser.com/*", "serverfault.com/*", "askubuntu.com/*",
        "forum.*/*", "forums.*/*", "discuss.*/*", "discourse.*/*", "community.*/*", "*/forum/*", "*/forums/*",
        "*/viewtopic*", "*/showthread*", "*/threads/*", "*/questions/*", "lists.*/*", "*/mailman/*",
    ],
    "documentation": [
        "docs.*/*", "doc.*/*", "developer.*/*", "dev.*/*", "wiki.*/*", "*.readthedocs.io/*", "*/doc/*", "*/docs/*",
        "*/documentation/*", "*/manual/*", "*/reference/*", "*/api/*", "*/javadoc/*", "*/wiki/*", "*/tutorial*/*",
        "*/guide/*",
    ],
    "repository": ["github.com/*", "gitlab.com/*", "gitlab.*/*", "bitbucket.org/*", "sourceforge.net/*", "pypi.org/*"],
    "shop": ["shop.*/*", "store.*/*", "*/shop/*", "*/store/*", "*/product/*", "*/products/*", "*/cart/*", "amazon.*/*"],
    "blog": [
        "blog.*/*", "blogs.*/*", "medium.com/*", "*.medium.com/*", "dev.to/*", "*.blogspot.*/*", "*.wordpress.com/*",
        "*.substack.com/*", "*/blog/*",
    ],
}  # fmt: skip


def site_of(url: str) -> str:
    """Return the host of an address without `www.`, or an empty text."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def address_of(url: str) -> str:
    """Return site and path of a URL in small letters, what patterns are compared with, or an empty text."""
    site = site_of(url)
    return f"{site}{urlsplit(url).path or '/'}".lower() if site else ""


class AddressPatterns:
    """Patterns of addresses.

    Args:
        patterns (iterable of `str`): see the module.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        import re2

        alternatives = [re.escape(pattern.lower()).replace(r"\*", ".*") for pattern in patterns]
        self._pattern = re2.compile(f"(?s)(?:{'|'.join(alternatives)})") if alternatives else None

    def match(self, url: str) -> bool:
        """Return whether a pattern names the page."""
        address = address_of(url)
        return bool(address) and self._pattern is not None and self._pattern.fullmatch(address) is not None


def read_address_file(path: Path) -> list[str]:
    """Read a list with a pattern per line; `#` starts a comment.

    Raises:
        ConfigError: there is no such file, a line is no pattern, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"address_file {path} cannot be read: {error}") from None
    patterns = []
    for number, line in enumerate(lines, 1):
        pattern = line.partition("#")[0].strip()
        if not pattern:
            continue
        if "://" in pattern or "/" not in pattern or any(map(str.isspace, pattern)):
            raise ConfigError(
                f"address_file {path}, line {number}: {pattern!r} is no pattern such as example.org/wiki/*"
            )
        patterns.append(pattern)
    if not patterns:
        raise ConfigError(f"address_file {path} holds no pattern")
    return patterns


class SelectAddresses(Step):
    """Keep pages whose address a pattern names.

    Args:
        patterns (sequence of `str`): see `AddressPatterns`.

    Source: DeepSeekMath, whose recall goes on by addresses within domains.
    """

    name = "select_addresses"
    libraries = ("google-re2",)

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self.patterns = list(patterns)
        self._compiled: AddressPatterns | None = None

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a page that is named."""
        self._compiled = self._compiled or AddressPatterns(self.patterns)
        yield doc if self._compiled.match(doc.metadata["url"]) else Removed(doc, "other_address")


class CategorizeSites(Step):
    """Note the kind of a page's site, and keep what lies within the kind's limits.

    Args:
        categories: kind to patterns; the first kind that matches is noted, else `other`.
        limits: kind to limits of columns, see `QualityLimits`.

    Source: Seed-Coder, whose limits differ by kind of site.
    """

    name = "categorize_sites"
    is_filter = True
    libraries = ("google-re2",)

    def __init__(
        self, categories: Mapping[str, Sequence[str]], limits: Mapping[str, Mapping[str, Sequence[float]]]
    ) -> None:
        super().__init__()
        self.categories = {name: list(patterns) for name, patterns in categories.items()}
        self.limits = {name: QualityLimits(of_columns) for name, of_columns in limits.items()}
        self._compiled: dict[str, AddressPatterns] = {}

    def category_of(self, url: str) -> str:
        """Return the kind of a page's site."""
        if not self._compiled:
            self._compiled = {name: AddressPatterns(patterns) for name, patterns in self.categories.items()}
        return next((name for name, patterns in self._compiled.items() if patterns.match(url)), OTHER)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a page within its kind's limits."""
        category = self.category_of(doc.metadata["url"])
        doc.metadata["site_category"] = category
        if category in self.limits:
            yield from self.limits[category].process(doc)
        else:
            yield doc
