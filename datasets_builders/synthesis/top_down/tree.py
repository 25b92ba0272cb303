"""Section 2.4.2: trees of knowledge: book, chapter, section, subsection, knowledge points, subtopics."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building.atomic import written_whole
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.synthesis.instructions.statements import same_words
from evals.report.documents import render

TREES_FILE, PAGE_FILE = "trees.json", "trees.html"
LEVELS = ("book", "chapter", "section", "subsection")
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}


def _form(name: str, items: dict[str, Any], minimum: int, maximum: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": items, "minItems": minimum, "maxItems": maximum}},
        "required": [name],
        "additionalProperties": False,
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def chapters_form(minimum: int, maximum: int) -> dict[str, Any]:
    """Return the form of a list of chapters."""
    return _form("chapters", _NAME, minimum, maximum)


def sections_form(minimum: int, maximum: int, max_subsections: int = 8) -> dict[str, Any]:
    """Return the form of the sections of a chapter."""
    subsections = {"type": "array", "items": _NAME, "maxItems": max_subsections}
    return _form("sections", _object(section=_NAME, subsections=subsections), minimum, maximum)


def knowledge_form(max_points: int, max_subtopics: int = 8) -> dict[str, Any]:
    """Return the form of the knowledge of a leaf."""
    point = _object(
        point={"type": "string", "minLength": 1, "maxLength": 1000},
        subtopics={"type": "array", "items": _NAME, "maxItems": max_subtopics},
    )
    return _form("knowledge", point, 1, max_points)


def problems_form(num_problems: int, max_extra: int = 3) -> dict[str, Any]:
    """Return the form of the problems of a path."""
    problem = _object(
        problem={"type": "string", "minLength": 1},
        extra_topics={"type": "array", "items": _NAME, "maxItems": max_extra},
    )
    return _form("problems", problem, num_problems, num_problems)


def names_of(values: Sequence[str]) -> list[str]:
    """Return names with single spaces and without a number before them; each once.

    Raises:
        MalformedAnswerError: one is blank, or nothing but a number.
    """
    found: dict[str, str] = {}
    for value in values:
        name = " ".join(value.split())
        head, _, rest = name.partition(" ")
        if rest and head.rstrip(".):：").replace(".", "").isdigit():
            name = rest
        for word in ("chapter", "section", "subsection"):
            first, _, rest = name.partition(" ")
            number, _, title = rest.partition(" ")
            if first.casefold() == word and title and number.rstrip(".:)：").replace(".", "").isdigit():
                name = title
        name = name.strip(" :：-–—")
        if not same_words(name) or name.isdigit():
            raise MalformedAnswerError(f"{value!r} is no name")
        found.setdefault(same_words(name), name)
    return list(found.values())


@dataclasses.dataclass
class Leaf:
    """A place of a book that has no finer ones, with what is learnt there.

    Args:
        path (list of `str`): from the book to the section or subsection.
        knowledge (list): [knowledge point, [subtopic, ...]] each.
    """

    path: list[str]
    knowledge: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)

    @property
    def id(self) -> str:
        """Content id of the path."""
        return content_id(*self.path)

    def paths(self) -> Iterator[list[str]]:
        """Give the path of every subtopic, and of every knowledge point without any, from the book on."""
        for point, subtopics in self.knowledge:
            if subtopics:
                yield from ([*self.path, point, subtopic] for subtopic in subtopics)
            else:
                yield [*self.path, point]


@dataclasses.dataclass
class Tree:
    """The knowledge of one book.

    Args:
        title (`str`): of the book.
        language (`str`): programming language, by Linguist's name; may be empty.
        natural_language (`str`): in which its names are.
        field (`str`): group of titles that it belongs to; may be empty.
        leaves (list of `Leaf`): in reading order.
        teachers (list of `str`): models that wrote it.
    """

    title: str
    language: str = ""
    natural_language: str = "en"
    field: str = ""
    leaves: list[Leaf] = dataclasses.field(default_factory=list)
    teachers: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, value: Any) -> Tree:
        """Return the tree of its JSON.

        Raises:
            ConfigError: it is no tree.
        """
        try:
            leaves = [
                Leaf([_text(name) for name in leaf["path"]],
                     [(_text(point), [_text(subtopic) for subtopic in subtopics])
                      for point, subtopics in leaf["knowledge"]])
                for leaf in value["leaves"]
            ]  # fmt: skip
            tree = cls(
                _text(value["title"]),
                _text(value.get("language", "")),
                _text(value.get("natural_language", "en")),
                _text(value.get("field", "")),
                leaves,
                [_text(name) for name in value.get("teachers", [])],
            )
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ConfigError(f"not a tree of knowledge: {type(error).__name__}: {error}") from None
        for leaf in leaves:
            if not 2 <= len(leaf.path) <= len(LEVELS) or leaf.path[0] != tree.title:
                raise ConfigError(f"a leaf of the tree {tree.title!r} has the path {leaf.path}")
        return tree


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def described(path: Sequence[str], num_place_names: int) -> str:
    """Return a path in the paper's words, from its leaf to the book.

    Args:
        path: from the book to a place, or further to a knowledge point and a subtopic.
        num_place_names: how many of them name places of the book.

    Source: paper 2.4.2: "the LEAF that belongs to the section SECTION that belongs to the chapter CHAPTER that belongs
    to the book BOOK".
    """
    levels = [*LEVELS[:num_place_names], "knowledge point", "subtopic"][: len(path)]
    leaf, *above = reversed(list(zip(levels, path, strict=True)))
    words = [f'"{leaf[1]}"', *(f'the {level} "{name}"' for level, name in above)]
    return "the " + " that belongs to ".join(words)


def write_trees(folder: Path, trees: Sequence[Tree]) -> None:
    """Write trees as JSON and as a page to look at, each whole or not at all."""
    texts = {
        TREES_FILE: json.dumps([dataclasses.asdict(tree) for tree in trees], ensure_ascii=False, indent=1) + "\n",
        PAGE_FILE: trees_page(trees),
    }
    for name, text in texts.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def read_trees(path: Path) -> list[Tree]:
    """Return the trees of a file that `write_trees` wrote, or of the folder in which it lies.

    Raises:
        ConfigError: there is none, or it holds something else.
    """
    file = path / TREES_FILE if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"trees: {file} cannot be read: {error}") from None
    if not isinstance(values, list) or not values:
        raise ConfigError(f"trees: {file} holds no list of trees")
    return [Tree.of(value) for value in values]


def trees_page(trees: Sequence[Tree]) -> str:
    """Return a page with the trees, to open and close branch by branch; what teachers wrote is shown as text alone."""
    num_leaves = sum(len(tree.leaves) for tree in trees)
    num_paths = sum(1 for tree in trees for leaf in tree.leaves for _ in leaf.paths())
    return render(
        "trees.html",
        title="Trees of knowledge",
        subtitle=f"books: {len(trees):,}, leaves: {num_leaves:,}, paths: {num_paths:,}",
        trees={tree.title: _nested(tree) for tree in trees},
    )


def _nested(tree: Tree) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for leaf in tree.leaves:
        place = root
        for name in leaf.path[1:]:
            place = place.setdefault(name, {})
        for point, subtopics in leaf.knowledge:
            place[point] = {key: {} for key in subtopics}
    return root
