"""Go files with just the imports that they use; an unused one does not compile."""

from __future__ import annotations

import re

from evals.execution.toolchains import GO_PACKAGES
from evals.tasks.syntax import packages_used

GO_IMPORT = re.compile(r'^[ \t]*(?:import[ \t(]+)?(?:(\w+)[ \t]+)?"([\w./-]+)"', re.MULTILINE)
GO_HEADER = re.compile(
    r"^\s*package\s+\w+[^\n]*\n|^\s*import\s*\([^)]*\)|^\s*import\s+(?:\w+\s+)?\"[^\"]+\"", re.MULTILINE
)


def go_file(code: str, imports: str, package: str = "package main") -> str:
    """Return a file of a package whose imports are those that the code uses: of `imports`, or of the standard ones.

    Only identifiers count: a package's name in a comment or string is no use of it, which peers' textual search gets
    wrong for two of HumanEvalPack's own solutions.
    """
    body = GO_HEADER.sub("", code)
    header = "\n".join(match[0] for match in GO_HEADER.finditer(imports))
    named = [("", path) for path in GO_PACKAGES] + GO_IMPORT.findall(header)
    by_name = {alias or path.rpartition("/")[2]: f'{alias} "{path}"'.strip() for alias, path in named}
    used = packages_used(f"package main\n{body}")
    lines = [f"\t{line}" for name, line in by_name.items() if name in used]
    return "\n".join([package, "import (", *lines, ")", body])
