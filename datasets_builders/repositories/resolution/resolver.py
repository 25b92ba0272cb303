"""From a language to its rules."""

from collections.abc import Iterator, Mapping

from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.resolution.c import CRules
from datasets_builders.repositories.resolution.csharp import CSharpRules
from datasets_builders.repositories.resolution.go import GoRules
from datasets_builders.repositories.resolution.javascript import JavaScriptRules
from datasets_builders.repositories.resolution.jvm import JvmRules
from datasets_builders.repositories.resolution.php import PhpRules
from datasets_builders.repositories.resolution.python import PythonRules
from datasets_builders.repositories.resolution.rules import DYNAMIC, Resolution, Rules
from datasets_builders.repositories.resolution.rust import RustRules
from datasets_builders.repositories.resolution.scripts import DartRules, LuaRules, RubyRules, ShellRules
from datasets_builders.repositories.statements import Import

RULES: dict[str, type[Rules]] = {
    "Python": PythonRules,
    "Java": JvmRules,
    "Kotlin": JvmRules,
    "Scala": JvmRules,
    "JavaScript": JavaScriptRules,
    "TypeScript": JavaScriptRules,
    "TSX": JavaScriptRules,
    "C": CRules,
    "C++": CRules,
    "C#": CSharpRules,
    "Go": GoRules,
    "Rust": RustRules,
    "PHP": PhpRules,
    "Ruby": RubyRules,
    "Lua": LuaRules,
    "Dart": DartRules,
    "Shell": ShellRules,
}


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
            by_rules.setdefault(RULES[languages[path]], {})[path] = found
        self._rules = {kind: kind(files, group) for kind, group in by_rules.items()}

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        return self._rules[RULES[self.languages[path]]].resolve(path, found) if found.target else DYNAMIC

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give what a file uses of its own package without importing it."""
        return self._rules[RULES[self.languages[path]]].implicit(path)
