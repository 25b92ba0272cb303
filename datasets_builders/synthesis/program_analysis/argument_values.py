"""Section 2.4: literal values of a given type, small enough to be read and varied enough to tell functions apart."""

from __future__ import annotations

import random

from datasets_builders.synthesis.program_analysis.extraction import word_list

_WORDS = word_list("""
        alpha beta gamma delta apple banana cherry lemon river stone cloud north south query index value table
    token parse build Hello World data file name error warn red green blue one two three four five six seven
    Monday March quick brown fox lazy dog
    """)
_SPECIAL = (
    "", " ", "a", "abc", "ABC", "a,b,c", "a b  c", "key=value", "x: 1, y: 2", "42", "-7", "3.14", "0x1f", "1e5", "yes",
    "no", "true", "foo_bar", "FooBar", "foo-bar", "__init__", "hello world", "  padded  ", "line one\nline two\n",
    "tab\tseparated", "'quoted'", '"double"', "a/b/c", "100%", "<b>bold</b>", "a&b", "user@example.com", "%d items",
    "{} and {}", "(1 + 2) * 3", "aaaa", "racecar", "abcabc", "2024-03-15", "12:34:56", "utf-8", "latin-1",
)  # fmt: skip
_PATHS = (
    "/usr/lib/python", "a/b/../c.txt", "./src/main.py", "/", "docs//index.html", "archive.tar.gz", "/tmp/x/", "..",
    "C:\\dir\\file.txt", "README", ".hidden", "/a/b.c/d", "~/notes.md", "data/2024/03/log", "image.PNG",
)  # fmt: skip
_URLS = (
    "http://example.com/a/b?x=1&y=2#top", "https://user:pw@host.org:8080/path", "ftp://files.net", "//cdn.net/lib.js",
    "mailto:me@site.org", "example.com/index", "http://[::1]/", "?q=two+words", "a%20b%2Fc", "https://site.org/a;p=1",
)  # fmt: skip
_PATTERNS = ("*.py", "a?c", "[abc]*", "file[0-9].txt", "**/x", "[!a]b", "data*", "^a+b$", "(\\w+)")


def _text(name: str, rng: random.Random, size: int) -> str:
    name = name.lower()
    if rng.random() < 0.6:
        if any(part in name for part in ("path", "file", "dir", "root", "ext")) or name in ("p", "a", "head", "tail"):
            return rng.choice(_PATHS)
        if any(part in name for part in ("url", "uri", "netloc", "host", "query")):
            return rng.choice(_URLS)
        if "pat" in name or "glob" in name:
            return rng.choice(_PATTERNS)
        if name in ("c", "ch", "char", "sep", "delim", "delimiter"):
            return rng.choice("abzAZ09 ,;:-_/\n")
        if "encoding" in name:
            return rng.choice(("utf-8", "ascii", "latin-1", "UTF_16", "iso8859_1"))
    draw = rng.random()
    if draw < 0.45:
        return rng.choice(_SPECIAL)
    if draw < 0.6:
        return "".join(rng.choice("abcdefxyzABC019 _-.") for _ in range(rng.randint(1, 4 + size)))
    return rng.choice((" ", " ", "_", ", ", "-", "\n", ".")).join(rng.choices(_WORDS, k=rng.randint(1, 1 + size)))


def _integer(name: str, rng: random.Random, size: int) -> int:
    name = name.lower()
    ranges = {
        "year": (1900, 2100),
        "month": (1, 12),
        "day": (1, 28),
        "hour": (0, 23),
        "minute": (0, 59),
        "base": (2, 16),
    }
    if name in ranges and rng.random() < 0.8:
        return rng.randint(*ranges[name])
    draw = rng.random()
    if draw < 0.15:  # where conditions turn
        return rng.choice((-2, -1, 0, 1))
    if draw < 0.65:
        return rng.randint(-2, 6 + 4 * size)
    if draw < 0.92:
        return rng.randint(0, 40 * size)
    return rng.choice((0, 1, 2, 8, 16, 64, 100, 255, 256, 1000, 4096, 65535, -100, 10**6))


def _floating(rng: random.Random) -> float:
    if rng.random() < 0.6:
        return round(rng.random(), rng.choice((1, 2, 2, 3)))
    return rng.choice((0.0, 1.0, 0.5, -1.5, 2.25, 10.0, 100.0, 3.75, round(rng.uniform(-50, 50), 2)))


def _items(kind: str, rng: random.Random, size: int) -> list[object]:
    return [make(kind, "", [], rng, size=1) for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 3 + size)))]


def make(kind: str, name: str, constants: list[object], rng: random.Random, size: int = 1) -> object:
    """Draw a value of a type.

    Args:
        kind (`str`): one of str, int, float, bool, none, bytes, list, strings, pairs, tuple, dict, set; any other
            name gives a string.
        name (`str`): the parameter's name; `path` gives paths, `month` 1 to 12.
        constants (`list`): values from the function's body, drawn now and then where the type fits.
        rng (`random.Random`): source of chance.
        size (`int`): grows with the attempts, and the values with it.

    Returns:
        A literal.
    """
    fitting = [value for value in constants if type(value).__name__ == kind]
    if fitting and rng.random() < 0.3:
        value = rng.choice(fitting)
        if isinstance(value, str) and rng.random() < 0.5:
            return rng.choice((f"{value}{rng.choice(_WORDS)}", f"{rng.choice(_WORDS)}{value}{rng.choice(_WORDS)}"))
        if type(value) is int and rng.random() < 0.5:
            return value + rng.choice((-1, 1))
        return value
    if kind == "int":
        return _integer(name, rng, size)
    if kind == "float":
        return _floating(rng) if rng.random() < 0.85 else rng.randint(-5, 20)
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "none":
        return None
    if kind == "bytes":
        return _text("", rng, size).encode("ascii", "replace")
    if kind == "list":
        return _items(rng.choice(("int", "int", "int", "str", "float", "mixed")), rng, size)
    if kind == "strings":
        return _items("str", rng, size)
    if kind == "pairs":
        return [(rng.choice(_WORDS), _integer("", rng, 1)) for _ in range(rng.randint(0, 3))]
    if kind == "tuple":
        return tuple(_items(rng.choice(("int", "str", "float")), rng, size))
    if kind == "set":
        return set(rng.sample(range(12), rng.randint(1, 4)))
    if kind == "dict":
        inner = rng.choice(("int", "str", "list"))
        return {rng.choice(_WORDS): make(inner, "", [], rng) for _ in range(rng.randint(0, 3))}
    if kind == "mixed":
        return make(rng.choice(("int", "str", "none", "bool", "float")), "", [], rng)
    return _text(name, rng, size)


def similar(example: object, name: str, constants: list[object], rng: random.Random, size: int = 1) -> object:
    """Draw another value of the type of an example, containers with items like the example's.

    Args:
        example: a literal that somebody passed.
        name (`str`): the parameter's name.
        constants (`list`): values from the function's body.
        rng (`random.Random`): source of chance.
        size (`int`): grows with the attempts.

    Returns:
        A literal.
    """
    if isinstance(example, list | tuple) and example:
        items = [rng.choice(example) for _ in range(rng.choice((0, 1, 2, 3, len(example), len(example) + 1)))]
        items = [similar(item, "", constants, rng, size) if rng.random() < 0.4 else item for item in items]
        return type(example)(items)
    if isinstance(example, set) and example:
        return set(rng.sample(sorted(example, key=repr), rng.randint(1, len(example))))
    if isinstance(example, dict) and example:
        kept = rng.sample(list(example), rng.randint(0, len(example)))
        return {key: similar(example[key], "", constants, rng, size) for key in kept}
    if isinstance(example, str) and len(example) > 1 and rng.random() < 0.5:
        start = rng.randrange(len(example))
        part = example[start : start + rng.randint(1, len(example))]
        return rng.choice((part, example[::-1], example + part, part + rng.choice(_WORDS), example.upper()))
    if type(example) is int and rng.random() < 0.5:
        return example + rng.choice((-2, -1, 1, 2, example))
    kind = {"NoneType": "none"}.get(type(example).__name__, type(example).__name__)
    return make(kind, name, constants, rng, size)


def literal_text(value: object) -> str:
    """Return a value as it is written in code; the items of a set in an order that no hash seed changes."""
    if isinstance(value, set):
        return f"{{{', '.join(sorted(map(literal_text, value)))}}}" if value else "set()"
    if isinstance(value, list):
        return f"[{', '.join(map(literal_text, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal_text(key)}: {literal_text(item)}' for key, item in value.items())}}}"
    return repr(value)
