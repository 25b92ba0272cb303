"""Section 2.2.2, phase 1: from a language to the rules by which its imports are resolved."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache

from datasets_builders.languages.grammars import GRAMMARS, SCRIPTS_WITHIN
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.resolution.rules import DYNAMIC, Resolution, Rules
from datasets_builders.repositories.statements import Import


@cache
def rules_of(language: str) -> type[Rules]:
    """Return the rules of a language; where imports are not found, those that resolve nothing."""
    resolution = GRAMMARS[SCRIPTS_WITHIN.get(language, language)].resolution
    if not resolution:
        return Rules
    module, _, name = resolution.partition(":")
    return getattr(importlib.import_module(f"{__package__}.{module}"), name)


class Resolver:
    """Resolves the imports of one repository.

    Args:
        files (`RepositoryFiles`): the repository.
        imports (dict): of each file whose imports are known.
        languages (dict): of the same files.
    """

    def __init__(
        self, files: RepositoryFiles, imports: Mapping[str, FileImports], languages: Mapping[str, str]
    ) -> None:
        self.languages = languages
        by_rules: dict[type[Rules], dict[str, FileImports]] = {}
        for path, found in imports.items():
            by_rules.setdefault(rules_of(languages[path]), {})[path] = found
        self._rules = {kind: kind(files, group) for kind, group in by_rules.items()}

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        return self._rules[rules_of(self.languages[path])].resolve(path, found) if found.target else DYNAMIC

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give what a file uses of its own package without importing it."""
        return self._rules[rules_of(self.languages[path])].implicit(path)
