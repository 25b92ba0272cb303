"""Secrets that are found and wholly replaced, ours and detect-secrets', near-misses, and hits in real projects.

python tests/benchmarks/bench_secrets.py                       # the forms of planted_cases.py, in two seconds
python tests/benchmarks/bench_secrets.py --peers               # and by provider, with detect-secrets
python tests/benchmarks/bench_secrets.py outputs/corpus/*.*    # archives and folders, any sources

The table of forms has the third of them apart that rules were written without. By provider, each value is planted
alone in a file, in each of the PLACES. `found`: a hit overlaps the value. `replaced`: the value is gone when the hits
are, nothing of it is left and no quote beside it is gone. detect-secrets runs by file with its default filters: with
all plugins, and with those of single providers alone (no words such as `password`, no random-looking texts, no URLs, as
in BigCode's pipeline). The values are made up (planted_values.py) by who wrote our patterns.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.curation.sanitization.personal_data import find_personal_data, sanitize
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.opening import open_sources
from tests.datasets_builders.curation.planted_cases import all_cases, is_right
from tests.datasets_builders.curation.planted_values import SECRETS, TOLD_BY_CONTEXT

VALUES_PER_PLACE = 20
PLACES = ('key = "{}"\n', "export TOKEN={}\n", 'log("line\\n{}")\n', '{{"auth": "{}"}}\n', "# old: {}\n")
MAX_BYTES = 1_000_000
BROAD_PLUGINS = (
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "KeywordDetector",
    "BasicAuthDetector",
    "IPPublicDetector",
)
Finder = Callable[[str], list[str]]


def main() -> None:
    """Print the table by provider, then hits per 1,000 files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", help="real projects, for hits per 1,000 files")
    parser.add_argument("--peers", action="store_true", help="compare with detect-secrets, provider by provider")
    parser.add_argument("--every", type=int, default=10, help="detect-secrets, which is slow, sees one file in so many")
    parser.add_argument("--show", action="store_true", help="print the hits in them")
    options = parser.parse_args()
    print_forms()
    finders = {"ours": ours}
    if options.peers:
        finders |= {"detect-secrets, all": peer(()), "detect-secrets, providers": peer(BROAD_PLUGINS)}
        print(f"{'found/replaced, %':20s} " + " ".join(f"{name:>26s}" for name in finders))
        for provider, texts in planted().items():
            shares = [share(finder, texts) for finder in finders.values()]
            print(f"{provider:20s} " + " ".join(f"{found:>20.0f}/{replaced:<5.0f}" for found, replaced in shares))
    texts = list(read(options.sources))
    if not texts:
        return
    clean = [sanitize(text)[0] for text in texts]
    changed = [text for text, before in zip(clean, texts, strict=True) if text != before]
    again = sum(sanitize(text)[0] != text for text in changed)
    print(f"sanitising changes {len(changed):,} of {len(texts):,} files, a second pass {again} of these")
    for name, finder in finders.items():
        seen = texts if finder is ours else texts[:: options.every]
        hits = [(text, value) for text in seen for value in finder(text)]
        print(f"{name:26s} {len(hits)} hits in {len(seen):,} files, {1000 * len(hits) / len(seen):.2f} per 1,000")
        for text, value in hits if options.show else ():
            print(f"    {text[max(0, text.find(value) - 40) :][: 40 + len(value)][:120]!r}")


def print_forms() -> None:
    """Print by kind how many planted values are gone whole and near-misses as they were."""
    right: dict[tuple[str, bool], list[bool]] = {}
    for case in all_cases():
        right.setdefault((case.kind, case.is_held_out), []).append(is_right(case))
    print(f"{'kind':12s} {'developed against':>20s} {'held out':>20s}")
    for kind in dict.fromkeys(kind for kind, _ in right):
        parts = [right[kind, is_held_out] for is_held_out in (False, True)]
        columns = [f"{sum(part)} of {len(part)}, {sum(part) / len(part):.1%}" for part in parts]
        print(f"{kind:12s} " + " ".join(f"{column:>20s}" for column in columns))


def planted() -> dict[str, list[tuple[str, str]]]:
    """Return by provider pairs of a value and the text that holds it."""
    draw, made = random.Random(0), {}
    for provider, make in SECRETS.items():
        values = [(make(draw), place) for place in PLACES for _ in range(VALUES_PER_PLACE)]
        made[provider] = [(value, place.format(value)) for value, place in values]
    for name, (context, make) in TOLD_BY_CONTEXT.items():
        made[name] = [(value, context.format(value) + "\n") for value in (make(draw) for _ in range(VALUES_PER_PLACE))]
    return made


def share(finder: Finder, texts: list[tuple[str, str]]) -> tuple[float, float]:
    """Return which percentage of values is found, and which is wholly replaced."""
    found = replaced = 0
    for value, text in texts:
        hits = sorted(finder(text), key=len, reverse=True)
        found += any(hit in value or value in hit for hit in hits)
        clean = text
        for hit in hits:
            clean = clean.replace(hit, "HIT")
        rest = text.replace(value, "HIT")
        replaced += clean == rest or clean == rest.replace("AccountKey=", "")
    return 100 * found / len(texts), 100 * replaced / len(texts)


def ours(text: str) -> list[str]:
    """Return the secrets that we find."""
    return [finding.value for finding in find_personal_data(text) if finding.kind == "secret"]


def peer(without: Iterable[str]) -> Finder:
    """Return detect-secrets with all plugins but some."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "file.py"

    def find(text: str, folder: tempfile.TemporaryDirectory = folder) -> list[str]:
        path.write_text(text, encoding="utf-8", errors="replace")
        with default_settings() as settings:
            settings.disable_plugins(*without)
            return [hit.secret_value for hit in scan_file(str(path)) if hit.secret_value]

    return find


def read(words: list[str]) -> Iterable[str]:
    """Give the texts of sources' files."""
    for source in open_sources(words, [], MAX_BYTES):
        for entry in source.entries(0, 1):
            if not entry.problem and 0 < entry.size <= MAX_BYTES:
                decoded = decode(entry.read(MAX_BYTES))
                if decoded and "\0" not in decoded[0]:
                    yield decoded[0]


if __name__ == "__main__":
    main()
