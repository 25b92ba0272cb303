"""Files that make slow what looks at code: each name a path, a language and a text of about `size` bytes."""

from collections.abc import Callable
from random import Random

KEY = "A" * 16
AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"  # made up; in two parts, so that scanners of repositories let it pass


def repeated(piece: str, size: int) -> str:
    """Return a piece so often that it has the size."""
    return piece * (size // len(piece.encode()) + 1)


def addresses(size: int) -> str:
    """Return a block list: every address another."""
    draw = Random(1)
    lines = size // 60
    return "#!/bin/sh\n" + "".join(
        f"iptables -A INPUT -s {'.'.join(str(draw.randrange(20, 220)) for _ in range(4))} -p tcp -j DROP  # {line}\n"
        for line in range(lines)
    )


def mails(size: int) -> str:
    """Return a dump of a table of users: every address another."""
    draw = Random(2)
    return "".join(
        f"INSERT INTO users VALUES ({line}, 'name.{draw.randrange(10**6)}x{line}@firm{draw.randrange(10**4)}.com');\n"
        for line in range(size // 66)
    )


def secrets(size: int) -> str:
    """Return keys, every one another."""
    draw = Random(3)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "".join(f"key = 'AKIA{''.join(draw.choices(letters, k=16))}'\n" for _ in range(size // 29))


def nested_mails(size: int) -> str:
    """Return addresses of which each ends with the one before."""
    return "".join(f"{'a' * (1 + line % 60)}@firm.com, " for line in range(size // 42))


# Name: path, language, the text of a size.
CASES: dict[str, tuple[str, str, Callable[[int], str]]] = {
    "addresses": ("block.sh", "Shell", addresses),
    "mails": ("users.sql", "SQL", mails),
    "nested mails": ("users.sql", "SQL", nested_mails),
    "secrets": ("keys.py", "Python", secrets),
    "placeholders": ("a.sh", "Shell", lambda size: repeated("IP_ADDRESS_7 SECRET_2\n", size)),
    "digits and dots": ("a.sh", "Shell", lambda size: repeated("1.1.1.", size)),
    "colons": ("a.sh", "Shell", lambda size: repeated("2001:1:", size)),
    "at signs": ("a.sh", "Shell", lambda size: repeated("a@", size)),
    "domain without end": ("a.sh", "Shell", lambda size: "a@" + repeated("a.", size)),
    "keys in one word": ("a.sh", "Shell", lambda size: repeated(f"sk-{AWS_KEY}{KEY[:2]}", size)),
    "keys without end": ("a.sh", "Shell", lambda size: repeated("gh" + "p_", size)),
    "marks inside keys": ("a.sh", "Shell", lambda size: repeated("AZDO", size)),
    "names of secrets": ("a.sh", "Shell", lambda size: repeated("token:'", size)),
    "tokens of JSON": ("a.sh", "Shell", lambda size: repeated(f"eyJaaaaaaaaaaa{AWS_KEY}", size)),
    "private keys begun": ("a.sh", "Shell", lambda size: repeated("-----BEGIN RSA PRIVATE KEY-----\n", size)),
    "passwords": ("a.sh", "Shell", lambda size: repeated("password = 'k8Jh2mQ9xZ'\npasswd: '", size)),
    "URLs with passwords": ("a.sh", "Shell", lambda size: repeated("://a:b", size)),
    "dates in one word": ("a.md", "Markdown", lambda size: repeated("2020-01-01.", size)),
    "blank lines": ("a.h", "C", lambda size: "int a;\n" + repeated("\n", size) + "int b;\n"),
    "blank lines, Objective-C": ("a.m", "MATLAB", lambda size: "x\n" + repeated("\n", size) + "y\n"),
    "spaces": ("a.h", "C", lambda size: "int a;" + repeated(" ", size) + "\nint b;\n"),
    "spaces and ends of lines": ("a.h", "C", lambda size: repeated(" " * 40 + "\n", size)),
    "backslash and blank lines": ("a.d", "D", lambda size: "\\" + repeated("\n", size) + "x"),
    "describe": ("a.spec", "Ruby", lambda size: repeated("describe ", size)),
    "vim:": ("a.txt", "Text", lambda size: repeated("vim:", size)),
    "heads of Prolog": ("a.pl", "Perl", lambda size: repeated("a(\n", size)),
    "a tag": ("a.ts", "TypeScript", lambda size: "<" + repeated("a", size)),
    "tags": ("a.html", "HTML", lambda size: repeated("<", size)),
    "scripts begun": ("a.html", "HTML", lambda size: repeated("<script>", size)),
    "comments begun": ("a.html", "HTML", lambda size: repeated("<!--a>", size)),
    "images begun": ("a.md", "Markdown", lambda size: repeated("<img ![a](b)", size)),
    "modelines": ("a.h", "C", lambda size: repeated("-*-mode:;", size)),
    "modelines of vim": ("a.h", "C", lambda size: repeated("vi: ", size)),
    "base64": ("a.js", "JavaScript", lambda size: repeated("QUJD" * 15 + " ", size)),
    "hex": ("a.c", "C", lambda size: repeated("0x1f, ", size)),
    "one word": ("a.py", "Python", lambda size: repeated("a", size)),
    "many words": ("a.py", "Python", lambda size: "".join(f"w{n}\n" for n in range(size // 7))),
    "brackets": ("a.py", "Python", lambda size: repeated("(", size)),
    "strings begun": ("a.py", "Python", lambda size: repeated('"', size)),
    "comments": ("a.py", "Python", lambda size: repeated("# a b\n", size)),
    # What the rewritings of valid code that grammars do not know look for.
    "gaps: templates begun": ("a.hpp", "C++", lambda size: repeated("template(a", size)),
    "gaps: constraints begun": ("a.hpp", "C++", lambda size: repeated("template(a)(requires ", size)),
    "gaps: angles begun": ("a.hpp", "C++", lambda size: repeated("template <a ", size)),
    "gaps: comments begun": ("a.c", "C", lambda size: repeated("/*a ", size)),
    "gaps: continued comments": ("a.c", "C", lambda size: repeated("/* a \\\n", size)),
    "gaps: using": ("a.js", "JavaScript", lambda size: repeated("using  ", size)),
    "gaps: from": ("a.js", "JavaScript", lambda size: repeated('from "a ', size)),
    "gaps: accessors": ("a.js", "JavaScript", lambda size: repeated("accessor a ", size)),
    "gaps: variance": ("a.ts", "TypeScript", lambda size: repeated("<// in \n", size)),
    "gaps: blank variance": ("a.ts", "TypeScript", lambda size: "<" + repeated("\n", size) + "in"),
    "gaps: tildes": ("a.rs", "Rust", lambda size: repeated("~ safe ", size)),
    "declarations": ("a.d.ts", "TypeScript", lambda size: repeated("export declare ", size)),
    "sentences on generation": ("a.go", "Go", lambda size: repeated("// this file code is generated\n", size)),
    "Chinese": ("a.py", "Python", lambda size: repeated("# 计算结果\n", size)),
}
