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


def fenced_spans(text: str) -> list[tuple[int, int, bool]]:
    """Return (start, end, closed) of each fenced block, its fences included.

    A fence is closed by one of the same sign that is at least as long and has nothing behind it, as CommonMark has it,
    but for fences inside: one that names a language opens a block within the block. Models write code with Markdown in
    its strings so, which a renderer would break.
    """
    spans: list[tuple[int, int, bool]] = []
    opened: re.Match[str] | None = None
    start = depth = at = 0
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line.rstrip("\r\n"))
        if found and opened is None:
            opened, start, depth = found, at, 1
        elif found and opened and found["fence"][0] == opened["fence"][0]:
            if found["info"].strip():
                depth += len(found["fence"]) == len(opened["fence"])
            elif len(found["fence"]) >= len(opened["fence"]):
                depth -= 1
        at += len(line)
        if opened and depth == 0:
            spans.append((start, at, True))
            opened = None
    if opened:
        spans.append((start, len(text), False))
    return spans


def split_fences(text: str) -> tuple[str, list[CodeBlock]]:
    """Return (prose, blocks): the text without its fenced blocks, and the blocks; see `fenced_spans`."""
    prose: list[str] = []
    blocks: list[CodeBlock] = []
    at = 0
    for start, end, closed in fenced_spans(text):
        prose.append(text[at:start])
        first, *lines = text[start:end].splitlines()
        blocks.append(_block(first, lines[:-1] if closed else lines, closed=closed))
        at = end
    prose.append(text[at:])
    return "".join(prose), blocks


def _block(first: str, lines: list[str], *, closed: bool) -> CodeBlock:
    opened = _FENCE.match(first)
    assert opened is not None
    bare = [line.removeprefix(opened["indent"]) for line in lines]
    word = opened["info"].strip().split(" ")[0].split(",")[0].strip("{}.").lower()
    return CodeBlock(word, "\n".join(bare), closed)
