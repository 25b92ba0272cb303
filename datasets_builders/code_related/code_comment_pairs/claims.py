"""Section 2.3.2: parameters that a comment documents and the code does not have.

A second opinion beside the model's, where program analysis can decide: names behind the tags of Javadoc, JSDoc, PHPDoc,
Doxygen, LDoc, Sphinx, Swift and C#'s XML, and in Google's and NumPy's sections. What is claimed in free words is not
looked at, nor are exceptions, which what is called may raise.
"""

from __future__ import annotations

import re

_SPHINX = re.compile(r"(?m)^[ \t]*:(?:param|arg|argument)[ \t]+(?:[^:\n]*[ \t])?\**(?P<name>\w+)[ \t]*:")
_XML = re.compile(r"<(?:typeparam|param)\s+name\s*=\s*[\"'](?P<name>\w+)[\"']")
# Types in braces (JSDoc) or before the name (PHPDoc, tparam).
_TAGS = re.compile(
    r"(?m)^[ \t]*[@\\](?:param|arg|argument)(?:[ \t]*\[(?:in|out|in,[ ]?out)\])?[ \t]+(?:\{[^}\n]*\}[ \t]*)?"
    r"(?:[^$\n]*[ \t](?=[&.]*\$))?[\[$*&`.]*(?P<name>[A-Za-z_]\w*)"
)
_LDOC = re.compile(r"(?m)^[ \t]*@tparam(?:\[[^\]\n]*\])?[ \t]+\S+[ \t]+(?P<name>[A-Za-z_]\w*)")
# Swift's `- Parameter name:`, and items of its `- Parameters:`.
_SWIFT = re.compile(r"(?m)^[ \t]*[-*+][ \t]+[Pp]arameter[ \t]+`?(?P<name>\w+)`?[ \t]*:")
_SWIFT_LIST = re.compile(
    r"(?m)^(?P<indent>[ \t]*)[-*+][ \t]+[Pp]arameters[ \t]*:[ \t]*\n(?P<body>(?:(?P=indent)[ \t]+.*\n|[ \t]*\n)+)"
)
# Google's, whose items are indented, and NumPy's, which are not and end at the next underlined title.
_SECTION = re.compile(
    r"(?m)^(?P<indent>[ \t]*)(?:Args|Arguments|Parameters)[ \t]*:[ \t]*\n(?P<body>(?:(?P=indent)[ \t]+.*\n|[ \t]*\n)+)"
)
_NUMPY_SECTION = re.compile(
    r"(?m)^(?P<indent>[ \t]*)Parameters[ \t]*\n[ \t]*-{3,}[ \t]*\n(?P<body>(?:(?!.*\n[ \t]*-{3,}).*\n)+)"
)
_ITEM = re.compile(r"(?:[-*+][ \t]+)?\**`?(?P<name>[A-Za-z_]\w*)`?[ \t]*(?:\([^)\n]*\))?[ \t]*:(?!:)")
_WORDS = frozenset((
    "raises", "yields", "returns", "return", "attributes", "note", "notes", "example", "examples", "see", "warns",
    "default", "http", "https", "type", "optional",
))  # fmt: skip


def unknown_claims(code: str, comment: str, language: str) -> list[str]:
    """Return the names of parameters that the comment documents and the code does not mention.

    Args:
        code, comment (`str`): see `Pair`.
        language (`str`): of the code; `@tparam` has another meaning in Lua.
    """
    patterns = (_SPHINX, _XML, _TAGS, _SWIFT, *((_LDOC,) if language == "Lua" else ()))
    names = [found["name"] for pattern in patterns for found in pattern.finditer(comment)]
    for pattern in (_SECTION, _NUMPY_SECTION, _SWIFT_LIST):
        names += _items_of(pattern, f"{comment}\n")
    known = set(re.findall(r"\w+", code))
    return [name for name in dict.fromkeys(names) if name not in known and name.lower() not in _WORDS]


def _items_of(section: re.Pattern[str], comment: str) -> list[str]:
    names = []
    for found in section.finditer(comment):
        lines = [line for line in found["body"].split("\n") if line.strip()]
        indentation = min((len(line) - len(line.lstrip()) for line in lines), default=0)
        items = (_ITEM.match(line.strip()) for line in lines if len(line) - len(line.lstrip()) == indentation)
        names += [item["name"] for item in items if item]
    return names
