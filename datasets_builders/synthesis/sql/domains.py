"""Section 2.4: the worlds that databases are about, and what is asked of them, read from their YAML files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from datasets_builders.building.strict_yaml import read_yaml

DOMAINS_FILE = Path(__file__).with_name("domains.yaml")
SHAPES_FILE = Path(__file__).with_name("shapes.yaml")


@dataclass(frozen=True)
class Domain:
    """One world: groups, entities of a group, and events of an entity that concern an item.

    The dictionaries are those of `domains.yaml`: table, nouns, key, label and the columns of each part.
    """

    name: str
    group: dict[str, Any]
    entity: dict[str, Any]
    item: dict[str, Any]
    event: dict[str, Any]
    distractors: list[dict[str, Any]]

    @property
    def words(self) -> dict[str, str]:
        """Table, column and noun placeholders that questions and queries use: `$e`, `$e_key`, `$v_many` and so on."""
        values: dict[str, str] = {}
        for letter, part in (("g", self.group), ("e", self.entity), ("i", self.item), ("v", self.event)):
            values[letter] = part["table"]
            values |= {f"{letter}_{name}": value for name, value in part.items() if isinstance(value, str)}
            values[f"a_{letter}"] = f"{'an' if part['one'][0] in 'aeiou' else 'a'} {part['one']}"
        return values


@dataclass(frozen=True)
class Shape:
    """One thing to ask: wordings, the query, the same query written another way, and mistakes people make.

    `difficulty` is 1 to 5; where `ordered`, the order of the rows is part of the answer.
    """

    name: str
    difficulty: int
    questions: tuple[str, ...]
    sql: str
    same: str
    wrong: tuple[str, ...]
    ordered: bool = False


@cache
def domains() -> tuple[Domain, ...]:
    """Return the worlds, in the order of the file."""
    return tuple(Domain(name, **parts) for name, parts in read_yaml(DOMAINS_FILE).items())


@cache
def shapes() -> tuple[Shape, ...]:
    """Return what can be asked, in the order of the file."""
    return tuple(
        Shape(name, **{**parts, "questions": tuple(parts["questions"]), "wrong": tuple(parts["wrong"])})
        for name, parts in read_yaml(SHAPES_FILE).items()
    )
