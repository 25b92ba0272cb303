"""Rows that belong together stand on one side: all are trained on, or all are measured with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from recipes.running.recipe_loading import RecipeError


def group_of(row: Mapping[str, Any], column: str) -> str | None:
    """Return what a row has in common with others: a repository, say, or the site of a URL; None where it says nothing.

    Raises:
        RecipeError: the dataset has no such column.
    """
    if column not in row:
        raise RecipeError(f"group_column: the dataset has no column {column!r}; it has {', '.join(row)}.")
    value = "" if row[column] is None else str(row[column]).strip()
    if value.lower().startswith(("http://", "https://")):
        try:
            host = urlsplit(value).hostname
        except ValueError:
            host = None
        value = (host or value).removeprefix("www.")
    return value or None


class Sides:
    """Says which texts stand on one side, as rows of one group, or equal texts in two groups, bind them together."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def join(self, text: str, group: str | None) -> None:
        """Note that a text is of a group; without one it stands for itself."""
        first, second = self._root(f"text {text}"), self._root(f"group {group}" if group else f"text {text}")
        # The smallest name stands for all, in whatever order they come.
        self._parents[max(first, second)] = min(first, second)

    def of(self, text: str) -> str:
        """Return the name of all that a text stands with: a group's, wherever one of its rows has a group."""
        return self._root(f"text {text}")

    def _root(self, name: str) -> str:
        root = name
        while (parent := self._parents.setdefault(root, root)) != root:
            root = parent
        while self._parents[name] != root:
            self._parents[name], name = root, self._parents[name]
        return root
