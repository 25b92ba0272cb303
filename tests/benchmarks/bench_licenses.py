"""Licences of real projects against what their registries say: rows of free projects that are lost, and others kept.

mkdir real && cd real && npm pack async@3.2.6 ... && apt-get download librust-rand-dev ... && cd ..
python tests/benchmarks/bench_licenses.py real [--show 20]

A project is free when its registry (npm, PyPI, Debian) names a permissive licence or a choice with one. Each row whose
kind differs from its project's is printed with `--show`: a file may have a notice of its own.
"""

import argparse
import re
import time
from collections import Counter, defaultdict
from pathlib import Path

from datasets_builders.curation.license_filter import license_of_file
from datasets_builders.languages.detection import WantedLanguages, candidates_of_name
from datasets_builders.sources.archives import ArchiveSource, is_archive
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.folder_config import ALWAYS_EXCLUDED
from datasets_builders.sources.license_notices import license_of_head
from datasets_builders.sources.licenses import license_type

# By their registries, read by hand where a field and a classifier differ.
NOT_FREE = re.compile(
    r"ckeditor4|golang-github-hashicorp|librust-cssparser|elpa-magit|libcgal|libjson-perl|libmoosex|r-cran-data\.table"
    r"|Unidecode|chardet|html2text|mutagen|pycountry|tqdm"
)
MAX_BYTES = 1_000_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of archives")
    parser.add_argument("--show", type=int, default=0, help="rows of another kind than their project, per licence")
    options = parser.parse_args()
    rows: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    shown: dict[tuple[str, str], list[str]] = defaultdict(list)
    projects, seconds = Counter[bool](), 0.0
    for path in sorted(filter(is_archive, options.folder.iterdir())):
        source, is_free = ArchiveSource(path, ALWAYS_EXCLUDED), not NOT_FREE.match(path.name)
        projects[is_free] += 1
        licenses = source.licenses()
        for entry in source.entries(0, 1):
            if entry.problem or not 0 < entry.size <= MAX_BYTES:
                continue
            wanted = any(language in WantedLanguages() for language in candidates_of_name(entry.path))
            decoded = decode(entry.read(MAX_BYTES + 1)) if wanted else None
            if decoded is None:
                continue
            start = time.process_time()
            license = license_of_file(license_of_head(decoded[0]), licenses.of(entry.path))
            seconds += time.process_time() - start
            rows[is_free][license_type(license)] += 1
            if (license_type(license) == "permissive") != is_free:
                shown[path.name, license].append(entry.path)
    for is_free, counts in rows.items():
        name = "free" if is_free else "not free"
        told = ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common())
        print(f"{name}: {projects[is_free]} projects, {sum(counts.values()):,} rows: {told}")
    print(f"{seconds:.2f} s of processor time for heads")
    if options.show:
        for (name, license), paths in sorted(shown.items()):
            print(f"{len(paths):>6} {name} {license}: {', '.join(paths[: options.show])}")


if __name__ == "__main__":
    main()
