"""Section 2.3.1: which sites, and which addresses in them, hold pages that a model recalls, and how scores lie.

A site of which more than --min-share is recalled is about the topic (DeepSeekMath's ten percent); in it, the shortest
paths of which --pattern-share is recalled become patterns. Read the file before it is used, and cross out what does not
belong: `web_pages address_file=FILE` then keeps these pages, those that the model missed too.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datasets_builders.code_related.web_pages.addresses import address_of

HELP = "sites and patterns of addresses of recalled pages, and how their scores lie (section 2.3.1)"
EXAMPLE = (
    "python -m datasets_builders recall-addresses --input outputs/scored_pages --score-column quality --at 0.5 "
    "--output outputs/addresses.txt"
)
MAX_DEPTH = 6  # of paths
NUM_BINS = 10
BAR_CHARS = 40
_NO_PATTERN = re.compile(r"[*#\s]")  # what a line of the file cannot hold, or would read otherwise


@dataclass
class Counts:
    """Pages of a site or a path, and how many of them are recalled."""

    pages: int = 0
    recalled: int = 0

    def add(self, is_recalled: bool) -> None:
        """Count a page."""
        self.pages += 1
        self.recalled += is_recalled

    @property
    def share(self) -> float:
        """Which share is recalled."""
        return self.recalled / max(self.pages, 1)


@dataclass
class Paths:
    """A site or a folder of it: its own counts and what lies below."""

    counts: Counts = field(default_factory=Counts)
    below: dict[str, Paths] = field(default_factory=lambda: defaultdict(Paths))

    def add(self, segments: list[str], is_recalled: bool) -> None:
        """Count a page here and in the folders of its path."""
        node = self
        node.counts.add(is_recalled)
        for segment in segments:
            node = node.below[segment]
            node.counts.add(is_recalled)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--input", required=True, help="folder of web_pages, whose pages have scores")
    parser.add_argument("--score-column", default="quality", help="column of the score")
    parser.add_argument("--at", type=float, default=0.5, help="score from which on a page is recalled")
    parser.add_argument("--min-share", type=float, default=0.1, help="share of a site that must be recalled")
    parser.add_argument("--pattern-share", type=float, default=0.5, help="share of a path that must be recalled")
    parser.add_argument("--min-pages", type=int, default=10, help="pages that a site or a path must have")
    parser.add_argument("--output", type=Path, required=True, help="text file of patterns, a line each")


def run(options: argparse.Namespace) -> int:
    """Count, print sites and histograms, and write the patterns."""
    from datasets_builders.building.atomic import written_whole
    from datasets_builders.building.dataset_folder import DatasetFolder
    from datasets_builders.building.errors import ConfigError

    if not (0 < options.min_share <= 1 and 0 < options.pattern_share <= 1 and options.min_pages >= 1):
        raise ConfigError("--min-share and --pattern-share must be above 0 and at most 1, --min-pages at least 1")
    dataset = DatasetFolder(Path(options.input).expanduser())
    if missing := {"url", options.score_column} - {*dataset.columns}:
        raise ConfigError(
            f"--input {options.input} has no column {min(missing)!r}; it has {', '.join(dataset.columns)}"
        )
    sites: dict[str, Paths] = defaultdict(Paths)
    by_category: dict[str, list[float]] = defaultdict(list)
    unscored = 0
    columns = ["url", options.score_column, *({"site_category"} & {*dataset.columns})]
    for batch in dataset.batches(columns):
        for row in batch.to_pylist():
            score, address = row[options.score_column], address_of(row["url"])
            if score is None or not address:
                unscored += 1
                continue
            site, *segments = address.split("/")
            sites[site].add([segment for segment in segments if segment][:MAX_DEPTH], score >= options.at)
            by_category[row.get("site_category") or "all"].append(score)
    if not sites:
        raise ConfigError(f"--input {options.input}: no page has both an address and a score in {options.score_column}")
    chosen = {
        site: paths
        for site, paths in sorted(sites.items(), key=lambda item: (-item[1].counts.recalled, item[0]))
        if paths.counts.pages >= options.min_pages and paths.counts.share > options.min_share
    }
    lines = [
        f"{pattern}  # {counts.pages:,} pages, {counts.share:.0%} recalled"
        for site, paths in chosen.items()
        for pattern, counts in patterns_of(site, paths, options.pattern_share, options.min_pages)
    ]
    head = (
        f"# {options.score_column} from {options.at:g} on; of {len(sites):,} sites {len(chosen):,} are about the topic"
    )
    with written_whole(options.output) as temporary:
        temporary.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    print("\n".join([*_site_lines(chosen), *histogram_lines(by_category)]))
    if unscored:
        print(f"{unscored:,} pages without an address or a score were left out")
    print(f"{options.output}: {len(lines):,} patterns; use it with web_pages address_file={options.output}")
    return 0


def patterns_of(site: str, paths: Paths, min_share: float, min_pages: int) -> Iterator[tuple[str, Counts]]:
    """Give the shortest paths of a site of which a share is recalled, as patterns, each with its counts.

    Args:
        site (`str`): host.
        paths (`Paths`): of the site.
        min_share (`float`): of the pages below a path.
        min_pages (`int`): below a path.
    """
    waiting = [(site, paths)]
    while waiting:
        prefix, node = waiting.pop()
        if node.counts.pages < min_pages:
            continue
        if node.counts.share >= min_share:
            # A path without anything below is a page that is asked for in several ways, such as viewtopic.php?t=1.
            yield f"{prefix}{'/*' if node.below else '*'}", node.counts
            continue
        below = sorted(node.below.items(), reverse=True)
        waiting += [(f"{prefix}/{name}", inner) for name, inner in below if not _NO_PATTERN.search(name)]


def _site_lines(chosen: dict[str, Paths], most: int = 20) -> Iterable[str]:
    yield f"{'site':40s} {'pages':>8s} {'recalled':>8s} {'share':>6s}"
    for site, paths in [*chosen.items()][:most]:
        counts = paths.counts
        yield f"{site:40s} {counts.pages:8,} {counts.recalled:8,} {counts.share:6.0%}"
    if len(chosen) > most:
        yield f"... and {len(chosen) - most:,} more"


def histogram_lines(by_category: dict[str, list[float]]) -> Iterable[str]:
    """Give a histogram of scores for each kind of sites, of ten bins between the least and the greatest score."""
    low = min(min(scores) for scores in by_category.values())
    high = max(max(scores) for scores in by_category.values())
    width = (high - low) / NUM_BINS or 1.0
    for category, scores in sorted(by_category.items()):
        bins = Counter(min(int((score - low) / width), NUM_BINS - 1) for score in scores)
        most = max(bins.values())
        yield f"{category}: {len(scores):,} pages"
        for number in range(NUM_BINS):
            bar = "#" * round(BAR_CHARS * bins[number] / most)
            yield f"  {low + number * width:6.3f} {bins[number]:8,} {bar}".rstrip()
