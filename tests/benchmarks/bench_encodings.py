"""Encodings told right: translated sentences in code, in each encoding that their language is found in.

pip install django           # its catalogues are the sentences
python tests/benchmarks/bench_encodings.py DJANGO_FOLDER [--seed 11]

A file is right if its text is. Three sizes: a sentence, 4 and 20 among functions; and one accent in English code.
"""

import argparse
import random
import re
import time
from collections import Counter
from pathlib import Path

from datasets_builders.sources.encodings import decode

WEST, EAST = ("cp1252", "latin-1"), ("cp1250", "iso8859-2")
ENCODINGS = {
    **dict.fromkeys(("de", "fr"), (*WEST, "iso8859-15", "mac_roman")),
    **dict.fromkeys(("es", "it", "pt", "sv"), WEST),
    **dict.fromkeys(("da", "nl", "is", "ca"), ("cp1252",)),
    **dict.fromkeys(("pl", "cs", "hu", "sk", "hr", "sl", "ro"), EAST),
    **dict.fromkeys(("bg", "sr"), ("cp1251",)),
    **dict.fromkeys(("lt", "lv"), ("cp1257",)),
    "fi": ("cp1252", "iso8859-15"),
    "et": ("cp1252", "iso8859-15", "cp1257"),
    "tr": ("cp1254", "iso8859-9"),
    "ru": ("cp1251", "koi8_r", "iso8859-5", "cp866"),
    "uk": ("cp1251", "koi8_u"),
    "el": ("cp1253", "iso8859-7"),
    "he": ("cp1255", "iso8859-8"),
    "ar": ("cp1256", "iso8859-6"),
    "fa": ("cp1256",),
    "th": ("cp874",),
    "ja": ("shift_jis", "euc_jp", "cp932"),
    "ko": ("euc_kr", "cp949"),
    "vi": ("cp1258",),
    "zh_Hans": ("gb2312", "gbk", "gb18030"),
    "zh_Hant": ("big5",),
}
CODE = (
    "int count_{}(int first, int second)\n{{\n    int total = first * 3 + second;\n    return total > 10;\n}}\n",
    "def read_{}(rows, limit=10):\n    for row in rows:\n        if row.size > limit:\n            yield row.name\n\n",
    "function split{}(value) {{\n  return value.split(',').map((item) => item.trim()).filter(Boolean);\n}}\n",
)
ACCENTS = (
    *("José", "Müller", "naïve", "café", "Größe", "Ångström", "François", "señor", "£5", "90°", "© 2003", "±2", "«ok»"),
    *("Søren", "Peña", "façade", "déjà vu", "µs", "Citroën", "½", "São Paulo", "“quoted”", "it’s", "1–2", "…", "™"),
    *("§3", "¿qué?"),
)
SIZES = {"one": (1, 3), "few": (4, 3), "many": (20, 2)}


def main() -> None:
    """Print how many files are right, by size, and which are not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    cases = made(options.folder, random.Random(options.seed))
    right, counted, wrong = Counter[str](), Counter[str](), Counter[str]()
    start = time.process_time()
    for size, name, raw, text in cases:
        found = decode(raw)
        counted[size] += 1
        if found and found[0] == text:
            right[size] += 1
        else:
            wrong[f"{name} as {found and found[1]}"] += 1
    seconds = time.process_time() - start
    print(f"{right.total()} of {counted.total()}, {len(cases) / seconds:.0f} files a second of processor time")
    print({size: f"{right[size]} of {count}" for size, count in counted.items()}, wrong.most_common(20))


def made(folder: Path, draw: random.Random) -> list[tuple[str, str, bytes, str]]:
    """Return size, language and encoding, bytes and text of each file."""
    cases = []
    for language, encodings in ENCODINGS.items():
        sentences = sentences_of(folder, language)
        for encoding in encodings:
            for size, (num_sentences, num_files) in SIZES.items():
                for _ in range(num_files):
                    text = document(draw.choices(sentences, k=num_sentences), draw)
                    raw = text.encode(encoding, "ignore")
                    if not raw.isascii():
                        cases.append((size, f"{language} {encoding}", raw, raw.decode(encoding)))
    for accent in ACCENTS:
        text = f"/* Written by {accent} */\n" + CODE[0].format("rows")
        cases.append(("accent", "en cp1252", text.encode("cp1252"), text))
    return cases


def sentences_of(folder: Path, language: str) -> list[str]:
    """Return the translations into a language that are not ASCII alone."""
    found = set()
    for path in sorted(folder.rglob(f"locale/{language}/LC_MESSAGES/django.po")):
        for match in re.finditer(r'^msgstr(?:\[\d\])? "(.{12,})"$', path.read_text(encoding="utf-8"), re.MULTILINE):
            found.add(re.sub(r"%\(\w+\)\w|%\w|<[^>]*>|\\.", "", match[1]).strip())
    return sorted(sentence for sentence in found if not sentence.isascii())


def document(sentences: list[str], draw: random.Random) -> str:
    """Return code with sentences in comments and strings."""
    parts = []
    for number, sentence in enumerate(sentences):
        parts.append(f"/* {sentence} */\n" if draw.random() < 0.6 else f'    log("{sentence}");\n')
        parts += [draw.choice(CODE).format(f"{number}{part}") for part in range(draw.choice((1, 2, 3)))]
    return "".join(parts)


if __name__ == "__main__":
    main()
