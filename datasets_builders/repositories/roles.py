"""Section 2.2.2: what a file is to its repository, by its path: code, a test, documentation, or a file for tools."""

import re
from pathlib import PurePosixPath

TEST_FOLDERS = frozenset(("test", "tests", "__tests__", "testing", "spec", "specs", "e2e", "androidtest"))
_TEST_NAME = re.compile(
    r"(?:test_.*|.*_test|.*_spec|.*\.test|.*\.spec|conftest)\Z|(?-i:\w*[a-z0-9](?:Tests?|Spec|IT))\Z",
    re.IGNORECASE,
)
DOCUMENTATION_EXTENSIONS = frozenset((".md", ".markdown", ".rst", ".adoc", ".asciidoc", ".rdoc", ".textile", ".org"))
_README = re.compile(r"readme(?:\.\w+)?\Z", re.IGNORECASE)
# What the rules of resolution read: names of packages, source roots, aliases.
PROJECT_FILES = frozenset(
    (
        *("package.json", "jsconfig.json", "go.mod", "Cargo.toml", "composer.json", "pubspec.yaml"),
        *("pyproject.toml", "setup.cfg", "deno.json", "deno.jsonc", "import_map.json", "babel.config.json"),
    )
)


def is_test(path: str) -> bool:
    """Return whether a file of code is a test, or lies among tests.

    Source: ours; the conventions of pytest, Jest, JUnit, Go, RSpec.
    """
    *folders, name = PurePosixPath(path).parts
    return any(folder.lower() in TEST_FOLDERS for folder in folders) or bool(_TEST_NAME.match(name.rpartition(".")[0]))


def is_documentation(path: str) -> bool:
    """Return whether a file is prose about the code."""
    name = PurePosixPath(path)
    return name.suffix.lower() in DOCUMENTATION_EXTENSIONS or is_readme(path)


def is_readme(path: str) -> bool:
    """Return whether a file is called README."""
    return bool(_README.match(PurePosixPath(path).name))


def is_project_file(path: str) -> bool:
    """Return whether a file tells how the others find each other."""
    name = PurePosixPath(path).name
    return name in PROJECT_FILES or (name.startswith("tsconfig") and name.endswith(".json"))
