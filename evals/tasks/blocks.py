"""Section 4.4.1: the code blocks of a chat answer: its final text without thoughts and marks, and its fences.

Where a block ends is asked of the language's grammar: of the lines that may close it, the first before which a whole
program stands. So a fence in a docstring closes nothing, and one at the end of a line of code does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from evals.tasks.syntax import GRAMMARS, is_whole

ALIASES = {
    "python": ("python", "py", "ipython", "sage"),
    "java": ("java",),
    "javascript": ("javascript", "js", "node", "nodejs", "node.js", "jsx", "mjs", "cjs", "ecmascript"),
    "typescript": ("typescript", "ts", "tsx", "mts"),
    "cpp": ("cpp", "c++", "cc", "cxx", "c", "hpp", "gcc"),
    "csharp": ("csharp", "c#", "cs", "c-sharp", "dotnet"),
    "php": ("php",),
    "rust": ("rust", "rs"),
    "go": ("go", "golang"),
    "bash": ("bash", "sh", "shell", "zsh", "shellscript"),
    "sql": ("sql", "sqlite", "mysql", "postgresql", "tsql", "plsql"),
}
LANGUAGES = {alias: language for language, aliases in ALIASES.items() for alias in aliases}
MARKDOWN = {"markdown", "md"}
# Pairs around a model's thoughts. What opens one and is never closed was cut off while thinking.
THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
)
FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*<\|message\|>")
OTHER_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)")
# A mark for the end of a turn ends the answer where it ends a line: in code it would stand in a string.
# A model that was shown examples writes another one behind its answer; at the start of a text it repeats its own.
NEXT_QUESTION = re.compile(r"(?<=\S)\s*\n\s*\**(?:Q|Question|Problem)(?: \d+)?\**:")
END_OF_TURN = re.compile(
    r"(?:<\|(?:im_end|endoftext|eot_id|end_of_text|end|return|eom_id|user|im_start|start|EOT|role_end)\|>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>|<end_of_turn>|<eos>|</s>|\[/?INST\])[ \t]*(?:\n|\Z)"
)
OPENING = re.compile(r"^(?P<before>.*?)(?P<fence>`{3,}|(?<![^\s>*+.)-])~{3,})(?P<info>[^`\n]*)$")
CONTAINER = re.compile(r"^[ \t]*(?:(?:[-*+\u2022]|\d{1,3}[.)])[ \t]+|>[ \t]?)*\Z")
QUOTE = re.compile(r"^[ \t]*>[ \t]?")
# A line that goes on after its label with code: "```python def f(x):".
CODE_START = re.compile(
    r"(?:def|class|import|from|async|function|const|let|var|public|static|#include|using|func|fn|pub|package|use|impl"
    r"|SELECT|WITH|<\?php)\b|@\w|#include",
    re.IGNORECASE,
)
INLINE = re.compile(r"(?<!`)```[ \t]*(?:(\w+)[ \t]+)?([^`\n]+?)[ \t]*```(?!`)")
TAGS = re.compile(
    r"<code(?:\s[^>]*)?>(?P<code>.*?)(?:</code>|\Z)|\[PYTHON\](?P<python>.*?)(?:\[/PYTHON\]|\Z)"
    r"|\[CODE\](?P<upper>.*?)(?:\[/CODE\]|\Z)|\[BEGIN\](?P<begin>.*?)(?:\[DONE\]|\Z)"
    r"|<(?P<name>python|answer|solution|execute)>(?P<named>.*?)(?:</(?P=name)>|\Z)",
    re.DOTALL,
)
MAX_BLOCKS = 100
MAX_CLOSINGS = 12  # lines that are tried as the end of a block
MAX_LINES = 2000  # of a block


@dataclass(frozen=True)
class Block:
    """A block of an answer.

    Args:
        language (`str`): a key of ALIASES; "" where none is named; else the label, of something else than code.
        code (`str`): as it stands, without a list's or a quotation's margin.
        closed (`bool`): whether the answer went on after it.
    """

    language: str
    code: str
    closed: bool = True


def final_text(answer: str) -> str | None:
    """Return what a model says after its thoughts, with plain line ends and without marks; None if it never does."""
    text = answer.encode("utf-16", "surrogatepass").decode("utf-16", "replace").lstrip("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    final = list(FINAL_CHANNEL.finditer(text))
    if final:
        text = text[final[-1].end() :]
    elif OTHER_CHANNEL.search(text):
        return None
    for opening, closing in THOUGHTS:
        shown = _without_thoughts(text, opening, closing)
        if shown is None:
            return None
        text = shown
    end = END_OF_TURN.search(text.lstrip("\n"))
    return text.lstrip("\n")[: end.start()] if end else text


def before_next_question(text: str) -> str:
    """Return the text without a further question that the model goes on with, and what comes after it."""
    return NEXT_QUESTION.split(text, maxsplit=1)[0]


def _without_thoughts(text: str, opening: str, closing: str) -> str | None:
    """Return the text without what stands between a pair of marks, None where it ends in between.

    The opening mark may stand in the prompt, so that the text has the closing one alone; one in quotes is no mark.
    """
    marks = re.compile(rf"(?<!['\"`])(?:(?P<opening>{re.escape(opening)})|{re.escape(closing)})(?!['\"`])")
    shown, start, inside = "", 0, False
    for mark in marks.finditer(text):
        if mark["opening"]:
            # Thoughts begin a text or a line.
            if not inside and not text[start : mark.start()].rpartition("\n")[2].strip():
                shown, inside = shown + text[start : mark.start()], True
        else:
            shown = shown if inside else ""  # all before a closing mark alone was thought
            start, inside = mark.end(), False
    if inside:
        return shown if shown.strip() else None
    return shown + text[start:]


def label_of(info: str) -> tuple[str, str]:
    """Return (the language that a fence names, code that stands on its line)."""
    info = info.strip()
    word, _, rest = info.partition(" ")
    name = re.split(r"[:,({=]", word.lower().strip("{}.<>"))[0]
    for known in (name, name.rstrip("0123456789."), name.strip("-_. ")):
        if known in LANGUAGES:
            return LANGUAGES[known], rest.strip() if CODE_START.match(rest.strip()) else ""
    if CODE_START.match(info) and not re.fullmatch(r"[\w#+.-]+", info):
        return "", info
    return name, ""


def blocks(text: str, language: str) -> list[Block]:
    """Return the blocks of a text in their order.

    Args:
        text (`str`): of `final_text`.
        language (`str`): that code without a label is taken for.
    """
    lines = text.split("\n")
    found: list[Block] = []
    number = 0
    while number < len(lines) and len(found) < MAX_BLOCKS:
        opening = OPENING.match(lines[number]) if "```" in lines[number] or "~~~" in lines[number] else None
        block = _block(lines, number, opening, language) if opening else None
        if block is None:
            number += 1
        else:
            found.append(block[0])
            number = block[1]
    return found


def _block(lines: list[str], start: int, opening: re.Match[str], wanted: str) -> tuple[Block, int] | None:
    """Return the block that a line opens and the number of the line to go on with; None where it opens none."""
    label, first = label_of(opening["info"])
    if label in MARKDOWN:  # its fences are the answer's
        return None
    contained = CONTAINER.match(opening["before"])
    if not contained and label and label not in LANGUAGES and opening["info"].strip() != label:
        return None  # a fence that a sentence speaks of
    quotes = opening["before"].count(">") if contained else 0
    inner = [_unquoted(line, quotes) for line in lines[start + 1 : start + 1 + MAX_LINES]]
    column = len(opening["before"]) if contained else 0
    grammar = label or wanted
    fallback: tuple[str, int, bool] | None = None
    for code_lines, used in _endings(inner, opening["fence"]):
        code = "\n".join([*([first] if first else []), *_dedented(code_lines, column)]) + "\n"
        fallback = fallback or (code, used, True)
        # What is not said to be code is not read on for the sake of a grammar that takes most text for code.
        if grammar not in GRAMMARS or (not label and grammar != "python") or is_whole(code, grammar):
            fallback = (code, used, True)
            break
    code, used, closed = fallback or ("\n".join([*([first] if first else []), *_dedented(inner, column)]), 0, False)
    if not closed:
        used = len(inner)
    if not contained and not closed and not label:
        return None
    return Block(label, code, closed), start + 1 + used


def _unquoted(line: str, quotes: int) -> str:
    for _ in range(quotes):
        line = QUOTE.sub("", line, count=1)
    return line


def _dedented(lines: list[str], column: int) -> list[str]:
    """Return the lines without what they have in common of the margin of a fence in that column."""
    margins = [len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()]
    margin = min([column, *margins])
    return [line[margin:] if line.strip() else line.strip() for line in lines]


def _endings(lines: list[str], fence: str) -> Iterator[tuple[list[str], int]]:
    """Yield (the lines of code, how many lines are used up) for the places where a block can end, the likeliest first.

    Those are lines of nothing but a fence as long; fences at the end of a line, or with text behind; shorter ones.
    """
    kind = re.escape(fence[0])
    alone = re.compile(rf"^[ \t]*{kind}{{{len(fence)},}}[ \t]*$")
    shorter = re.compile(rf"^[ \t]*{kind}{{3,}}[ \t]*$")
    behind = re.compile(rf"^(?P<code>.*?[^\s{kind}].*?)[ \t]*{kind}{{{len(fence)},}}[ \t]*[.!]?$")
    before = re.compile(rf"^[ \t]*{kind}{{{len(fence)},}}[^{kind}]*$")
    proper = [number for number, line in enumerate(lines) if alone.match(line)]
    for number in proper[:MAX_CLOSINGS]:
        yield lines[:number], number + 1
    others = [(n, line) for n, line in enumerate(lines) if fence[0] * 3 in line and n not in proper[:MAX_CLOSINGS]]
    for number, line in others[:MAX_CLOSINGS]:
        ended = behind.match(line)
        if ended:
            yield [*lines[:number], ended["code"]], number + 1
        elif before.match(line):
            yield lines[:number], number + (label_of(line.strip().lstrip(fence[0]))[0] not in LANGUAGES)
        elif shorter.match(line):
            yield lines[:number], number + 1


def inline_blocks(text: str) -> list[Block]:
    """Return what stands between two fences on one line."""
    found = []
    for match in INLINE.finditer(text):
        label = (match[1] or "").lower()
        known = LANGUAGES.get(label)
        found.append(Block(known or "", match[2] if known or not label else f"{match[1]} {match[2]}"))
    return found


def tagged_blocks(text: str, language: str) -> list[Block]:
    """Return what stands between marks such as [PYTHON] and <code>."""
    found = []
    for match in TAGS.finditer(text):
        code = next(match[name] for name in ("code", "python", "upper", "begin", "named") if match[name] is not None)
        code = html.unescape(code) if "&lt;" in code or "&gt;" in code or "&quot;" in code else code
        code = _unwrapped(code.strip("\n"))
        if "\n" in code.strip() or len(code.split()) > 1:  # a single word in <code> is a name in a sentence
            found.append(Block(language, f"{code}\n", match[0].endswith((">", "]"))))
    return found


def _unwrapped(code: str) -> str:
    """Return code without the quotes that few-shot examples put around it."""
    text = code.strip()
    return text[1:-1].strip("\n") if len(text) > 1 and text[0] == text[-1] == "'" else code
