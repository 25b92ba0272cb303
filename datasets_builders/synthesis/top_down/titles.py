"""Section 2.4.2: the titles of books from which trees of knowledge grow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from datasets_builders.building.errors import ConfigError
from datasets_builders.languages.detection import language_named, type_of_language

TITLES = Path(__file__).with_name("titles.txt")


@dataclass(frozen=True)
class Title:
    """A title of a book.

    Args:
        name (`str`): of the book.
        language (`str`): programming language, by Linguist's name; empty for a book about none.
        field (`str`): group of titles, such as `database`.
    """

    name: str
    language: str
    field: str


def read_titles(path: Path = TITLES, fields: Collection[str] = ()) -> list[Title]:
    """Return the titles of a list: `title | language | field` a line, `#` starts a comment.

    Args:
        path (`Path`): of the list.
        fields: groups that are wanted; all by default.

    Raises:
        ConfigError: the list cannot be read, a line is wrong, a title stands there twice, or nothing is left.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"titles: {path} cannot be read: {error}") from None
    found: dict[str, Title] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        name, language, field = [*parts, "", ""][:3]
        if len(parts) > 3 or not name:
            raise ConfigError(f"titles: {path}, line {number}: write title | language | field")
        if language and type_of_language(language) is None:
            hint = f"; did you mean {language_named(language)!r}?" if language_named(language) else ""
            raise ConfigError(f"titles: {path}, line {number}: Linguist knows no {language!r}{hint}")
        if name.casefold() in found:
            raise ConfigError(f"titles: {path}, line {number}: {name!r} stands there twice")
        found[name.casefold()] = Title(name, language, field)
    known = {title.field for title in found.values()}
    if unknown := sorted(set(fields) - known):
        raise ConfigError(f"title_fields: no title is of {unknown[0]!r}; known: {', '.join(sorted(known))}")
    kept = [title for title in found.values() if not fields or title.field in fields]
    if not kept:
        raise ConfigError(f"titles: {path} holds no title")
    return kept
