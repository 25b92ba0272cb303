"""Agreement of the languages told here with GitHub's Linguist, on the files of folders.

apt-get install ruby-github-linguist
python tests/benchmarks/bench_languages.py FOLDER... [--per-extension 150] [--show 20]

Of extensions that one language has 12 files are taken. Files that Linguist names no language for are left out.
"""

import argparse
import json
import random
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from datasets_builders.languages.detection import candidates_of_name, extension_of, language_of
from datasets_builders.sources.encodings import decode

LINGUIST = """require "linguist"; require "json"
STDIN.each_line do |line|
  language = (Linguist.detect(Linguist::FileBlob.new(line.chomp), allow_empty: true) rescue nil)
  puts JSON.generate([line.chomp, language && language.name])
end
"""
# Names that changed from one release of Linguist to another, and kinds of manual pages.
SAME = {
    "Coq": "Rocq Prover",
    "Vim Script": "Vim script",
    "Mathematica": "Wolfram Language",
    "SaltStack": "Salt",
    "Roff Manpage": "Roff",
}
MAX_BYTES, FILES_OF_ONE_LANGUAGE = 300_000, 12


def main() -> None:
    """Print how many files agree, and what most of the others are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--per-extension", type=int, default=150)
    parser.add_argument("--show", type=int, default=20)
    options = parser.parse_args()
    paths = chosen(options.folders, options.per_extension)
    said = subprocess.run(["ruby", "-e", LINGUIST], input="\n".join(paths), capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    agreed, counted, others = Counter[bool](), Counter[bool](), Counter[tuple[str, str, str | None]]()
    languages = set()
    for path, theirs in rows:
        decoded = decode(Path(path).read_bytes())
        if theirs is None or decoded is None or "\0" in decoded[0]:
            continue
        ours = language_of(path, decoded[0])
        is_shared = len(candidates_of_name(path)) > 1
        is_same = SAME.get(ours or "", ours) == SAME.get(theirs, theirs)
        languages.add(theirs)
        counted[is_shared] += 1
        agreed[is_shared] += is_same
        others[extension_of(path), theirs, ours] += not is_same
    print(f"{agreed.total()} of {counted.total()} agree, {len(languages)} languages; of names of several languages ")
    print(f"{agreed[True]} of {counted[True]}")
    for (extension, theirs, ours), count in others.most_common(options.show):
        print(f"{count:5d} {extension:8s} Linguist: {theirs}, here: {ours}")


def chosen(folders: list[Path], per_extension: int) -> list[str]:
    """Return some files of each extension."""
    by_extension = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and 0 < path.stat().st_size < MAX_BYTES:
                by_extension[extension_of(path.name)].append(str(path))
    draw, paths = random.Random(5), list[str]()
    for extension in sorted(by_extension):
        found = by_extension[extension]
        count = per_extension if len(candidates_of_name(found[0])) > 1 else FILES_OF_ONE_LANGUAGE
        if candidates_of_name(found[0]):
            paths += draw.sample(found, min(count, len(found)))
    return paths


if __name__ == "__main__":
    main()
