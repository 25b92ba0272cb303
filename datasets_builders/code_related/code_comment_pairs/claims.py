"""Section 2.3.2: parameters that a comment documents and the code does not have.

A second opinion beside the model's, where program analysis can decide: names behind the tags of Javadoc, JSDoc, YARD,
PHPDoc, Doxygen, LDoc, Sphinx, Swift and C#'s XML, and in Google's, NumPy's and Rust's sections. It cannot where the
code takes more than it names: `**options`, `arguments`, an object taken apart, what a property gives, a constructor
that is inherited. What is claimed in free words is not looked at, nor are exceptions, which what is called may raise.
"""

from __future__ import annotations

import re

_SPHINX = re.compile(
    r"(?m)^[ \t]*:(?:param|parameter|arg|argument|keyword|kwarg)[ \t]+(?:[^:\n]*[ \t])?\**(?P<name>\w+)[ \t]*:"
)
_XML = re.compile(r"<(?:typeparam|param)\s+name\s*=\s*[\"'](?P<name>\w+)[\"']")
# Types in braces (JSDoc) or before the name (PHPDoc, tparam).
_TAGS = re.compile(
    r"(?m)^[ \t]*[@\\](?:param|arg|argument)(?:[ \t]*\[(?:in|out|in,[ ]?out)\])?[ \t]+(?:\{[^}\n]*\}[ \t]*)?"
    r"(?:[^$\n]*[ \t](?=[&.]*\$))?[\[$*&`.]*(?P<name>[A-Za-z_]\w*)"
)
# YARD has types in square brackets, which in JSDoc mean optional names.
_YARD = re.compile(r"(?m)^[ \t]*@param[ \t]+(?:\[[^\]\n]*\][ \t]+)?[*&]*(?P<name>[A-Za-z_]\w*)")
_LDOC = re.compile(r"(?m)^[ \t]*@tparam(?:\[[^\]\n]*\])?[ \t]+\S+[ \t]+(?P<name>[A-Za-z_]\w*)")
# Swift's `- Parameter name:`, and items of its `- Parameters:`.
_SWIFT = re.compile(r"(?m)^[ \t]*[-*+][ \t]+[Pp]arameter[ \t]+`?(?P<name>\w+)`?[ \t]*:")
_SWIFT_LIST = re.compile(
    r"(?m)^(?P<indent>[ \t]*)[-*+][ \t]+[Pp]arameters[ \t]*:[ \t]*\n(?P<body>(?:(?P=indent)[ \t]+.*\n|[ \t]*\n)+)"
)
# Google's, whose items are indented; Rust's, up to the next title; NumPy's, whose items are not indented and end at the
# next underlined title.
_SECTION = re.compile(
    r"(?m)^(?P<indent>[ \t]*)(?:Args|Arguments|Parameters)[ \t]*:[ \t]*\n(?P<body>(?:(?P=indent)[ \t]+.*\n|[ \t]*\n)+)"
)
_RUST_SECTION = re.compile(r"(?m)^#+[ \t]+(?:Arguments|Parameters)[ \t]*\n(?P<body>(?:(?!#).*\n)+)")
_NUMPY_SECTION = re.compile(
    r"(?m)^(?P<indent>[ \t]*)(?:Other[ \t]+)?(?:Args|Arguments|Parameters)[ \t]*:?[ \t]*\n[ \t]*-{3,}[ \t]*\n"
    r"(?P<body>(?:(?!.*\n[ \t]*-{3,}).*\n)+)"
)
_ITEM = re.compile(r"(?:[-*+][ \t]+)?\**`?(?P<names>[A-Za-z_]\w*)`?[ \t]*(?:\([^)\n]*\))?[ \t]*:(?!:)")
_RUST_ITEM = re.compile(r"[-*+][ \t]+`(?P<names>\w+)`")
_NUMPY_ITEM = re.compile(r"(?P<names>\**[A-Za-z_]\w*(?:[ \t]*,[ \t]*\**[A-Za-z_]\w*)*)[ \t]*(?::(?!:).*)?")
_SECTIONS = ((_SECTION, _ITEM), (_SWIFT_LIST, _ITEM), (_RUST_SECTION, _RUST_ITEM), (_NUMPY_SECTION, _NUMPY_ITEM))
# Where a signature takes more than it names: `*args` and `**options`, `...rest`, `(a, ...)`, `{ a, b }`, `[a, b]`.
_STARRED = re.compile(r"[(,]\s*\*\*?\s*[A-Za-z_]")
_OPEN_SIGNATURE = re.compile(r"[(,]\s*(?:&?\.\.\.|[{\[])|\.\.\.\s*&?\$")
_SCRIPT_ARGUMENTS = re.compile(r"\b(?:arguments|func_get_args)\b")
_PROPERTY = re.compile(r"(?m)^@(?:\w+\.)*(?:cached_)?property\b")
_SUBCLASS = re.compile(r"(?:@.*\n)*class\s+\w+(?:\[[^\]\n]*\])?\s*\((?!\s*\))")
_CONSTRUCTOR = re.compile(r"\bdef\s+__(?:init|new)__\s*\((?![^)]*\*\w)|^@(?:\w+\.)*dataclass\b", re.MULTILINE)
_WORDS = frozenset((
    "raises", "yields", "returns", "return", "attributes", "note", "notes", "example", "examples", "see", "warns",
    "default", "http", "https", "type", "optional", "the",
))  # fmt: skip


def unknown_claims(code: str, comment: str, language: str) -> list[str]:
    """Return the names of parameters that the comment documents and the code does not mention.

    Args:
        code, comment (`str`): see `Pair`.
        language (`str`): of the code; `@tparam` has another meaning in Lua, square brackets have one in Ruby.
    """
    tags = _YARD if language == "Ruby" else _TAGS
    patterns = (_SPHINX, _XML, tags, _SWIFT, *((_LDOC,) if language == "Lua" else ()))
    names = [found["name"] for pattern in patterns for found in pattern.finditer(comment)]
    for section, item in _SECTIONS:
        names += _items_of(section, item, f"{comment}\n")
    known = set(re.findall(r"\w+", code))
    unknown = [name for name in dict.fromkeys(names) if name not in known and name.lower() not in _WORDS]
    return unknown if unknown and not _takes_more(code, comment, language) else []


def _items_of(section: re.Pattern[str], item: re.Pattern[str], comment: str) -> list[str]:
    names = []
    for found in section.finditer(comment):
        lines = [line for line in found["body"].split("\n") if line.strip()]
        indentation = min((len(line) - len(line.lstrip()) for line in lines), default=0)
        starts = [line.strip() for line in lines if len(line) - len(line.lstrip()) == indentation]
        whole = item is _NUMPY_ITEM
        items = (item.fullmatch(line) if whole else item.match(line) for line in starts)
        names += [name.strip("* \t") for each in items if each for name in each["names"].split(",")]
    return names


def _takes_more(code: str, comment: str, language: str) -> bool:
    """Return whether the code may take parameters that it does not name."""
    if "@overload" in comment:
        return True
    signature = _signature(code)
    if _OPEN_SIGNATURE.search(signature):
        return True
    if language in ("Python", "Ruby"):
        inherits = _SUBCLASS.match(code) is not None and _CONSTRUCTOR.search(code) is None
        return bool(_STARRED.search(signature) or _PROPERTY.search(code) or inherits)
    return bool(_SCRIPT_ARGUMENTS.search(code))


def _signature(code: str) -> str:
    """Return the code from its first round bracket behind the name to the one that closes it; all where none does."""
    named = re.search(r"\b(?:def|function|func|fun|fn|class)\b[^(\n]*", code)
    start = code.find("(", named.end() if named else 0)
    depth = 0
    for place in range(max(start, 0), len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if start >= 0 and not depth:
            return code[start : place + 1]
    return code
