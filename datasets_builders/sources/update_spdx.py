"""Writes spdx_texts.json.gz anew from the npm package `spdx-license-list`, which holds the SPDX licence list (CC0-1.0).

python -m datasets_builders.sources.update_spdx 6.12.0        # needs npm

Kept are the texts of permissive licences, short texts of others, and long ones that a permissive one resembles, such as
the Open Software License beside the Academic Free License, and common ones. Others say their names at their top.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from datasets_builders.sources.license_texts import TEXTS_FILE, shingles_of, words_of_license
from datasets_builders.sources.licenses import is_known, license_type

PACKAGE = "spdx-license-list"
MAX_OTHER_CHARACTERS = 4_000
# Long ones that people put beside permissive ones in a file.
COMMON = (
    *(
        "GPL-1.0-only",
        "GPL-2.0-only",
        "GPL-3.0-only",
        "LGPL-2.0-only",
        "LGPL-2.1-only",
        "LGPL-3.0-only",
        "AGPL-3.0-only",
    ),
    *("MPL-1.1", "MPL-2.0", "EPL-1.0", "EPL-2.0", "CDDL-1.0", "EUPL-1.2", "CECILL-2.1"),
)
ALIKE = 0.5  # share of common shingles from which on two texts resemble each other


def main(version: str) -> None:
    """Download a version of the package and write the texts that are compared with."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{version}"], cwd=folder, check=True)
        subprocess.run(["tar", "xzf", f"{PACKAGE}-{version}.tgz"], cwd=folder, check=True)
        listed = json.loads((Path(folder) / "package" / "spdx-full.json").read_text(encoding="utf-8"))
    texts = wanted_texts({name: row["licenseText"] for name, row in listed.items()})
    source = f"{PACKAGE} {version} (npm, CC0-1.0): texts of the SPDX licence list"
    packed = json.dumps({"source": source, "texts": texts}, ensure_ascii=False, indent=0).encode()
    TEXTS_FILE.write_bytes(gzip.compress(packed, mtime=0))
    print(f"{TEXTS_FILE}: {len(texts)} texts")


def wanted_texts(listed: dict[str, str]) -> dict[str, str]:
    """Return the texts that are kept, by SPDX name; of equal texts the first by name, `-only` before `-or-later`."""
    kept: dict[str, str] = {}
    seen: set[tuple[str, ...]] = set()
    permissive = {name for name in listed if license_type(name) == "permissive"}
    marks = {shingle for name in permissive for shingle in shingles_of(words_of_license(listed[name]))}
    for name, text in sorted(listed.items(), key=lambda item: (not item[0].endswith("-only"), item[0])):
        words = words_of_license(text)
        if tuple(words) in seen or not words or not is_known(name) or "-with-" in name:
            continue
        shingles = shingles_of(words)
        alike = len(marks & shingles) / max(len(shingles), 1)
        if name in permissive or name in COMMON or len(text) <= MAX_OTHER_CHARACTERS or alike > ALIKE:
            seen.add(tuple(words))
            kept[name] = text
    return kept


if __name__ == "__main__":
    main(*sys.argv[1:])
