"""Section 2.4: the fenced blocks of code in a Markdown text."""

import re
from dataclasses import dataclass

from datasets_builders.languages.detection import language_named

_FENCE = re.compile(r"^(?P<indent>[ ]{0,12})(?P<fence>`{3,}|~{3,})[ ]*(?P<info>[^`\n]*)$")
# Names that people write behind a fence and Linguist does not know by that name.
_MORE_NAMES = {
    "py": "Python", "python3": "Python", "js": "JavaScript", "node": "JavaScript", "jsx": "JavaScript",
    "mjs": "JavaScript", "ts": "TypeScript", "cpp": "C++", "cxx": "C++", "cc": "C++", "csharp": "C#", "cs": "C#",
    "golang": "Go", "rs": "Rust", "kt": "Kotlin", "rb": "Ruby", "pl": "Perl", "sh": "Shell", "bash": "Shell",
    "zsh": "Shell", "console": "ShellSession", "ps1": "PowerShell", "psql": "SQL", "mysql": "SQL",
    "postgresql": "SQL", "sqlite": "SQL", "tsql": "TSQL", "plsql": "PLSQL", "objc": "Objective-C", "hs": "Haskell",
    "jl": "Julia", "yml": "YAML", "md": "Markdown", "make": "Makefile", "docker": "Dockerfile",
    "vb": "Visual Basic .NET",
}  # fmt: skip
_PLAIN = frozenset({"", "text", "txt", "plaintext", "plain", "output", "console", "none"})


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block: what is written behind its fence, and its text.

    Args:
        info (`str`): the word behind the opening fence, lower case.
        text (`str`): the lines between the fences.
        closed (`bool`): whether the closing fence is there.
    """

    info: str
    text: str
    closed: bool = True

    @property
    def language(self) -> str | None:
        """Linguist's name of its language; None where the fence names none."""
        return fence_language(self.info)


def fence_language(info: str) -> str | None:
    """Return Linguist's name of what is written behind a fence, such as `py` or `c++`."""
    word = info.strip().lower()
    if word in _PLAIN:
        return None
    return _MORE_NAMES.get(word) or language_named(word)


def split_fences(text: str) -> tuple[str, list[CodeBlock]]:
    """Return (prose, blocks): the text without its fenced blocks, and the blocks.

    A fence is closed by one of the same sign that is at least as long and has nothing behind it, as CommonMark has it:
    a block that shows Markdown with fences of its own stays whole.
    """
    prose: list[str] = []
    blocks: list[CodeBlock] = []
    lines: list[str] = []
    opened: re.Match[str] | None = None
    for line in text.splitlines():
        found = _FENCE.match(line)
        if opened is None:
            if found:
                opened, lines = found, []
            else:
                prose.append(line)
        elif (
            found
            and not found["info"].strip()
            and found["fence"][0] == opened["fence"][0]
            and len(found["fence"]) >= len(opened["fence"])
        ):
            blocks.append(_block(opened, lines, closed=True))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        blocks.append(_block(opened, lines, closed=False))
    return "\n".join(prose), blocks


def _block(opened: re.Match[str], lines: list[str], *, closed: bool) -> CodeBlock:
    indent = opened["indent"]
    bare = [line.removeprefix(indent) for line in lines]
    word = opened["info"].strip().split(" ")[0].split(",")[0].strip("{}.").lower()
    return CodeBlock(word, "\n".join(bare), closed)
