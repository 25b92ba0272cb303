"""Near-deduplication of a real corpus with planted copies: which are joined, by kind and similarity; ours and a peer.

pip install spacy            # datatrove tokenises with it
python tests/benchmarks/bench_near_dedup.py

The corpus is Python files of the standard library, each of 2 to 30 kB (or of --code). A copy of one file in three is
planted, made in one of four ways:

    reformatted  tabs for spaces, no blank lines, \\r\\n
    renamed      some of its names replaced throughout
    edited       lines deleted, and lines of other files put in
    constants    every number and every character string replaced; another program, however alike it looks

A pair's similarity is the true Jaccard similarity of its sets of token 5-grams (`signatures.ngram_hashes`). All
files go through deduplication together. The peer is datatrove's MinHash (25 bands of 10, as ours), all its stages.
"strangers" counts files in a cluster whose other members, planted copies apart, are all below similarity 0.5.
"""

import argparse
import builtins
import keyword
import os
import random
import re
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datatrove.data import Document

from datasets_builders.building.steps import Merged
from datasets_builders.curation.deduplication.near import NearDedup, SignatureWriter, find_clusters
from datasets_builders.curation.deduplication.signatures import ngram_hashes

BYTES_OF_A_FILE = range(2_000, 30_000)
NAME = re.compile(r"\b[A-Za-z_]\w{3,}\b")
CONSTANT = re.compile(r"\b\d+\b|'[^'\\\n]*'|\"[^\"\\\n]*\"")
BINS = ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01))
KEPT_NAMES = {*keyword.kwlist, *dir(builtins), "self"}
Winners = dict[str, str]


@dataclass
class Pair:
    """A planted copy and what it was made of."""

    original: str
    copy: str
    kind: str
    similarity: float


def main() -> None:
    """Plant copies, deduplicate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--code", type=Path, default=Path(sysconfig.get_path("stdlib")), help="folder with .py files")
    parser.add_argument("--files", type=int, default=1_500)
    options = parser.parse_args()
    texts, pairs = planted(options.code, options.files)
    print(f"{len(texts) - len(pairs)} files and {len(pairs)} copies, {sum(map(len, texts.values())) / 1e6:.1f} MB")
    found = {"ours": clusters_of(ours(texts))}
    theirs = datatrove(texts)
    if theirs:
        found["datatrove"] = clusters_of(theirs)
    print(f"{'kind':12s} {'similarity':>12s} {'pairs':>6s}" + "".join(f"{name + ' joins':>17s}" for name in found))
    for kind in ("reformatted", "renamed", "edited", "constants"):
        for low, high in BINS:
            some = [pair for pair in pairs if pair.kind == kind and low <= pair.similarity < high]
            if some:
                print_line(kind, f"{low:.1f} to {min(high, 1):.1f}", some, found)
    for name, clusters in found.items():
        print(f"strangers merged by {name}: {strangers(texts, pairs, clusters)}")


def print_line(kind: str, bin: str, pairs: list[Pair], found: dict[str, dict[str, int]]) -> None:
    """Print how many of some pairs are in one cluster."""
    shares = [
        sum(clusters[pair.original] == clusters[pair.copy] for pair in pairs) / len(pairs)
        for clusters in found.values()
    ]
    print(f"{kind:12s} {bin:>12s} {len(pairs):6d}" + "".join(f"{share:17.1%}" for share in shares))


def planted(folder: Path, num_files: int) -> tuple[dict[str, str], list[Pair]]:
    """Return all texts by name, and the planted pairs among them."""
    draw = random.Random(0)
    originals = dict(list(files_of(folder))[:num_files])
    lines = [line for text in originals.values() for line in text.splitlines() if line.strip()]
    kinds: dict[str, Callable[[str], str]] = {
        "reformatted": reformatted,
        "renamed": lambda text: renamed(text, draw),
        "edited": lambda text: edited(text, lines, draw),
        "constants": lambda text: CONSTANT.sub(lambda found: other_constant(found[0], draw), text),
    }
    texts, pairs = dict(originals), []
    for number, (name, text) in enumerate(originals.items()):
        if number % 3:
            continue
        kind = ("reformatted", "renamed", "edited", "edited", "constants", "renamed")[number // 3 % 6]
        copy = kinds[kind](text)
        texts[f"{name}#copy"] = copy
        pairs.append(Pair(name, f"{name}#copy", kind, similarity(text, copy)))
    return texts, pairs


def files_of(folder: Path) -> Iterable[tuple[str, str]]:
    """Give (path, text) of the Python files of a suitable size, equal texts once."""
    seen = set()
    for path in sorted(folder.rglob("*.py")):
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        if len(text) in BYTES_OF_A_FILE and "site-packages" not in path.parts and text not in seen:
            seen.add(text)
            yield str(path.relative_to(folder)), text


def reformatted(text: str) -> str:
    """Return the text with other white space."""
    return "\r\n".join(line.replace("    ", "\t") for line in text.splitlines() if line.strip())


def renamed(text: str, draw: random.Random) -> str:
    """Return the text with one name in twenty to one in three called otherwise."""
    names = sorted(set(NAME.findall(text)) - KEPT_NAMES)
    chosen = set(draw.sample(names, max(1, round(len(names) * draw.uniform(0.05, 0.33)))))
    return NAME.sub(lambda found: f"{found[0]}_renamed" if found[0] in chosen else found[0], text)


def edited(text: str, others: list[str], draw: random.Random) -> str:
    """Return the text with up to a third of its lines deleted or followed by lines of other files."""
    share, answer = draw.uniform(0.01, 0.33), []
    for line in text.splitlines():
        if draw.random() >= share:
            answer.append(line)
        elif draw.random() < 0.5:
            answer += [line, draw.choice(others)]
    return "\n".join(answer)


def other_constant(text: str, draw: random.Random) -> str:
    """Return a number for a number and a string for a string."""
    if text[0] in "'\"":
        return f"{text[0]}{draw.randrange(10**9):x}{text[0]}"
    return str(draw.randrange(10 ** max(len(text), 2)))


def similarity(first: str, second: str) -> float:
    """Return the Jaccard similarity of two texts' token 5-grams."""
    ours, theirs = (set(ngram_hashes(text.encode()).tolist()) for text in (first, second))
    return len(ours & theirs) / max(len(ours | theirs), 1)


def ours(texts: dict[str, str]) -> Winners:
    """Return into which file each is merged, itself where it stays."""
    with tempfile.TemporaryDirectory() as folder:
        names = sorted(texts)
        list(SignatureWriter(Path(folder)).run((Document(texts[name], name) for name in names), 0, 1))
        find_clusters(Path(folder), num_tasks=1)
        step = NearDedup(Path(folder))
        step.begin(0, 1)
        winners = {}
        for name in names:
            (outcome,) = step.process(Document(texts[name], name))
            winners[name] = outcome.into if isinstance(outcome, Merged) else name
        step.end()
    return winners


def datatrove(texts: dict[str, str]) -> Winners | None:
    """Return the same of datatrove's four stages, by the clusters that they number; None without spaCy."""
    try:
        import spacy  # noqa: F401
    except ImportError as error:
        print(f"datatrove is not measured: {error}")
        return None
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.utils.logging import logger

    logger.disable("datatrove")
    config = MinhashConfig(n_grams=5, num_buckets=25, hashes_per_bucket=10)
    names = sorted(texts)
    with tempfile.TemporaryDirectory() as folder:
        signatures, buckets, remove = (f"{folder}/{name}" for name in ("signatures", "buckets", "remove"))
        MinhashDedupSignature(signatures, config).run((Document(texts[name], name) for name in names), 0, 1)
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, config.num_buckets)
        # The filter drops all of a cluster but one; asked not to, it says to which cluster each belongs.
        MinhashDedupCluster(buckets, remove, config, save_cluster_id=True).run(None, 0, 1)
        (Path(remove) / "000000.remove").write_bytes(b"")
        step = MinhashDedupFilter(remove, load_cluster_ids=True)
        kept = step.run((Document(texts[name], name) for name in names), 0, 1)
        cluster_of = {doc.id: doc.metadata.get("minhash_cluster_id", -1) for doc in kept}
    first: dict[int, str] = {}
    return {name: name if (cluster := cluster_of[name]) < 0 else first.setdefault(cluster, name) for name in names}


def clusters_of(winners: Winners) -> dict[str, int]:
    """Return the number of each file's cluster."""
    numbers = {winner: number for number, winner in enumerate(sorted(set(winners.values())))}
    return {name: numbers[winner] for name, winner in winners.items()}


def strangers(texts: dict[str, str], pairs: list[Pair], clusters: dict[str, int]) -> int:
    """Return how many files are in a cluster with others, and alike to none of them but for planted copies."""
    planted_with = {pair.original: pair.copy for pair in pairs} | {pair.copy: pair.original for pair in pairs}
    sizes, count = Counter(clusters.values()), 0
    members: dict[int, list[str]] = {}
    for name, cluster in clusters.items():
        members.setdefault(cluster, []).append(name)
    for name, cluster in clusters.items():
        others = [other for other in members[cluster] if other not in (name, planted_with.get(name))]
        if sizes[cluster] > 1 and others:
            count += all(similarity(texts[name], texts[other]) < 0.5 for other in others)
    return count


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
