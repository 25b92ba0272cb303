"""Section 2.2.1: the programming language of a file, by its name, its extension or its first line."""

import re
from pathlib import PurePosixPath

# Extensions as in GitHub's Linguist, where one extension means one language for nearly all files.
EXTENSIONS = {
    "Python": ".py .pyi .pyw",
    "JavaScript": ".js .mjs .cjs .jsx",
    "TypeScript": ".ts .mts .cts",
    "TSX": ".tsx",
    "Java": ".java",
    "C": ".c .h",
    "C++": ".cpp .cc .cxx .c++ .hpp .hh .hxx .ipp",
    "C#": ".cs",
    "Go": ".go",
    "Rust": ".rs",
    "Ruby": ".rb .rake .gemspec",
    "PHP": ".php .phtml",
    "Shell": ".sh .bash .zsh .ksh",
    "Lua": ".lua",
    "Scala": ".scala .sc",
    "Kotlin": ".kt .kts",
    "Swift": ".swift",
    "Haskell": ".hs",
    "Julia": ".jl",
    "Perl": ".pl .pm",
    "R": ".r",
    "Dart": ".dart",
    "SQL": ".sql",
    "Batchfile": ".bat .cmd",
    "PowerShell": ".ps1 .psm1",
    "Makefile": ".mk",
    "CMake": ".cmake",
}
FILE_NAMES = {
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile",
    "cmakelists.txt": "CMake",
    "rakefile": "Ruby",
    "gemfile": "Ruby",
}
INTERPRETERS = {
    "python": "Python",
    "pypy": "Python",
    "node": "JavaScript",
    "ruby": "Ruby",
    "perl": "Perl",
    "php": "PHP",
    "lua": "Lua",
    "sh": "Shell",
    "bash": "Shell",
    "dash": "Shell",
    "zsh": "Shell",
    "ksh": "Shell",
    "rscript": "R",
    "julia": "Julia",
}
_LANGUAGE_OF_EXTENSION = {
    extension: language for language, extensions in EXTENSIONS.items() for extension in extensions.split()
}
_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/env[ \t]+(?:-S[ \t]+)?)?(?:\S*/)?([A-Za-z]+)[\d.]*")
# Words at the start of a line that C does not have: a header with one of them is C++.
_CPLUSPLUS = re.compile(r"^\s*(?:namespace\b|template\s*<|class\s+\w+|using\s+\w|public:|private:|protected:)", re.M)


def language_of_name(path: str) -> str | None:
    """Return the language that a file name tells, or None.

    Args:
        path (`str`): path with forward slashes.

    Source: Linguist's extensions; the choice of languages is ours.
    """
    name = PurePosixPath(path).name.lower()
    return FILE_NAMES.get(name) or _LANGUAGE_OF_EXTENSION.get(PurePosixPath(name).suffix)


def language_of_first_line(head: bytes) -> str | None:
    """Return the language of a script by its `#!` line, or None.

    Args:
        head (`bytes`): the first bytes of the file, 128 are enough.

    Source: ours.
    """
    match = _SHEBANG.match(head)
    return INTERPRETERS.get(match.group(1).decode("ascii").lower()) if match else None


def refine(language: str, path: str, content: str) -> str:
    """Return the language after a look at the content: a `.h` file may be C or C++.

    Source: ours.
    """
    if language == "C" and path.lower().endswith(".h") and _CPLUSPLUS.search(content):
        return "C++"
    return language
