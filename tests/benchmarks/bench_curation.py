"""Curation of source code, MB/s of processor time: ours by stage, beside the peers' own components on the same files.

pip install spacy            # datatrove's signatures tokenise with it
python tests/benchmarks/bench_curation.py --data-dir BENCHMARKS

The files are the Python files of the running interpreter's standard library without its tests, or of --code. Peers:
pygments' tokens (comments alone, as in StarCoder), datatrove's MinhashDedupSignature and PIIFormatter (addresses
alone), detect-secrets' scan_line (secrets alone; ours finds addresses too), and StarCoder2's patterns of encoded data
in `re`. The row of all stages has detect-secrets as BigCode calls it, by file, which is faster. Peers run on the first
PEER_MEGABYTES; rows without a peer have no published one.
"""

import argparse
import os
import random
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex
from datasets_builders.curation.deduplication.near import THRESHOLD
from datasets_builders.curation.deduplication.signatures import ngram_hashes, signatures
from datasets_builders.curation.rules.code_rules import CODE_RULES, DEFAULT_LIMITS, ENCODED_PATTERNS, first_broken_rule
from datasets_builders.curation.rules.document_view import DocumentView
from datasets_builders.curation.sanitization.personal_data import find_personal_data, sanitize
from datasets_builders.curation.syntax.metrics import Meter
from evals.benchmarks.protected import PROTECTED, protected_texts
from evals.benchmarks.rows import BenchmarkDataError

ROUNDS = 5
PEER_MEGABYTES = 1.0
BATCH = 64


def main() -> None:
    """Print the table of speeds and the recall of near-deduplication."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--code", type=Path, default=Path(sysconfig.get_path("stdlib")), help="folder with .py files")
    parser.add_argument("--data-dir", type=Path, help="folder with benchmarks' files, for decontamination")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="measure every N-th file alone")
    parser.add_argument("--ours", action="store_true", help="leave the peers out, for two versions in turns")
    options = parser.parse_args()
    texts = list(read(options.code))[:: options.every]
    print(f"{len(texts)} files, {megabytes(texts):.1f} MB, load {os.getloadavg()[0]:.1f}, median of {ROUNDS} rounds")
    print(f"{'stage':34s} {'MB/s':>8s} {'goal':>6s} {'peer MB/s':>10s} {'ratio':>7s}")
    if options.ours:
        print_ours(texts)
        return
    row("rules, all", texts, rules, 15)
    row("rules, encoded data (peer: re)", texts, encoded, None, peer_encoded)
    row("metrics with parse (peer: pygments)", texts, measure, 6, peer_comments)
    row("signatures (peer: datatrove)", texts, sign, 15, peer_signatures())
    row("personal data (peer: detect-secrets)", texts, find, 40, peer_secrets())
    row("personal data (peer: datatrove)", texts, find, 40, peer_formatter())
    print_pipeline(texts)
    if options.data_dir:
        index = benchmark_index(options.data_dir)
        row(f"decontamination, {len(index):,} runs", texts, lambda given: [index.find(text) for text in given], 30)
    print_recall()


def print_ours(texts: list[str]) -> None:
    """Print our own speeds alone."""
    stages = {"rules, all": rules, "rules, encoded data": encoded, "metrics with parse": measure, "signatures": sign}
    for name, work in (stages | {"personal data": find, "all of these in a row": in_a_row}).items():
        row(name, texts, work, None)


def read(folder: Path) -> list[str]:
    """Read the Python files of a folder, without tests and installed packages."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if not {"test", "tests", "site-packages", "dist-packages"} & set(parts):
            try:
                yield path.read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue


def megabytes(texts: list[str]) -> float:
    """Return the size in UTF-8."""
    return sum(len(text.encode()) for text in texts) / 1e6


def row(name: str, texts: list[str], ours: Callable, goal: float | None, peer: Callable | None = None) -> None:
    """Measure ours and the peer in turns and print a line."""
    mine, theirs = [], []
    few, total = [], 0.0
    for text in texts:
        if total < PEER_MEGABYTES:
            few.append(text)
            total += len(text.encode()) / 1e6
    for _ in range(ROUNDS):
        mine.append(speed(ours, texts))
        if peer:
            theirs.append(speed(peer, few))
    own, other = statistics.median(mine), statistics.median(theirs) if theirs else None
    columns = [f"{name:34s}", f"{own:8.1f}", f"{goal or '-':>6}"]
    columns += [f"{other:10.2f}", f"{own / other:7.1f}"] if other else [f"{'-':>10s}", f"{'-':>7s}"]
    print(*columns, flush=True)


def speed(work: Callable[[list[str]], object], texts: list[str]) -> float:
    """Return MB/s of some work on all texts."""
    start = time.process_time()
    work(texts)
    return megabytes(texts) / (time.process_time() - start)


def rules(texts: list[str]) -> None:
    """Apply all rules."""
    for text in texts:
        first_broken_rule(DocumentView(text, "Python", "a.py"))


def encoded(texts: list[str]) -> None:
    """Apply the rule on encoded data alone."""
    for text in texts:
        CODE_RULES["encoded_data"](DocumentView(text, "Python"), DEFAULT_LIMITS)


def peer_encoded(texts: list[str]) -> None:
    """Run the same patterns with the standard library's engine."""
    import re

    patterns = [re.compile(pattern.pattern) for pattern in ENCODED_PATTERNS]
    for text in texts:
        raw = text.encode()
        for pattern in patterns:
            sum(match.end() - match.start() for match in pattern.finditer(raw))


def measure(texts: list[str]) -> None:
    """Parse and measure."""
    meter = Meter.of("Python")
    for text in texts:
        meter.measure(text)


def peer_comments(texts: list[str]) -> None:
    """Count comments alone, with pygments' tokens as StarCoder does, its docstrings left out."""
    from pygments.lexers.python import PythonLexer
    from pygments.token import Comment

    lexer = PythonLexer()
    for text in texts:
        sum(len(value) for kind, value in lexer.get_tokens(text) if kind in Comment)


def sign(texts: list[str]) -> None:
    """Compute signatures of 256 permutations."""
    for start in range(0, len(texts), BATCH):
        signatures([ngram_hashes(text.encode()) for text in texts[start : start + BATCH]])


def peer_signatures() -> Callable[[list[str]], None] | None:
    """Return datatrove's signatures, 25 bands of 10; None where spaCy is not installed."""
    try:
        from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

        step = MinhashDedupSignature("/tmp/unused", MinhashConfig(n_grams=5, num_buckets=25, hashes_per_bucket=10))
        step.get_signature(step.get_shingles("one two three four five six"))
    except ImportError as error:
        print(f"datatrove's signatures are not measured: {error}")
        return None
    return lambda texts: [step.get_signature(step.get_shingles(text)) for text in texts]


def find(texts: list[str]) -> None:
    """Find e-mail addresses, IP addresses and secrets."""
    for text in texts:
        find_personal_data(text)


def peer_formatter() -> Callable[[list[str]], None]:
    """Return datatrove's PIIFormatter, for e-mail and public IP addresses alone, by patterns without context."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()
    return lambda texts: [formatter.format(text) for text in texts]


def peer_secrets() -> Callable[[list[str]], None]:
    """Return detect-secrets' own scan of every line, for secrets alone, with its default detectors and filters."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings

    def scan(texts: list[str]) -> None:
        with default_settings():
            for text in texts:
                for line in text.splitlines():
                    list(scan_line(line))

    return scan


def peer_secrets_of_files() -> Callable[[list[str]], None]:
    """Return detect-secrets as BigCode runs it: a temporary file per text, no keyword, basic-auth and key detectors."""
    import tempfile

    from detect_secrets import SecretsCollection
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    left_out = {"KeywordDetector", "BasicAuthDetector", "PrivateKeyDetector"}
    names = {plugin.__name__ for plugin in get_mapping_from_secret_type_to_class().values()} - left_out
    filters = ("is_potential_uuid", "is_likely_id_string", "is_templated_secret", "is_sequential_string")
    settings = {
        "plugins_used": [{"name": name} for name in sorted(names)],
        "filters_used": [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in filters],
    }

    def scan(texts: list[str]) -> None:
        for text in texts:
            with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                with transient_settings(settings):
                    SecretsCollection().scan_file(file.name)

    return scan


def in_a_row(texts: list[str]) -> None:
    """Do all that is done with a file, one after another."""
    rules(texts)
    clean = [sanitize(text)[0] for text in texts]
    measure(clean)
    sign(clean)


def print_pipeline(texts: list[str]) -> None:
    """Print all of ours in a row against all of the peers' in a row, on the same files."""
    sign_as_peer = peer_signatures()
    if sign_as_peer is None:
        return
    scan = peer_secrets_of_files()

    def peers(given: list[str]) -> None:
        peer_encoded(given)
        scan(given)
        peer_comments(given)
        sign_as_peer(given)

    row("all of these in a row", texts, in_a_row, 2.5, peers)


def benchmark_index(data_dir: Path) -> BenchmarkIndex:
    """Index the benchmarks that are there."""
    texts = {}
    for name in PROTECTED:
        try:
            texts[name] = list(protected_texts(name, data_dir))
        except BenchmarkDataError:
            continue
    return BenchmarkIndex.build(texts)


def print_recall() -> None:
    """Print how many of planted copies are joined, by their true Jaccard similarity; each pair on its own."""
    generator = random.Random(0)
    bins: dict[float, list[bool]] = {}
    for _ in range(2_000):
        words = [f"name{generator.randrange(50_000)}" for _ in range(300)]
        copy, share = list(words), generator.uniform(0.0, 0.16)
        for at in generator.sample(range(300), round(share * 300)):
            copy[at] = f"other{generator.randrange(10**9)}"
        raws = [" ".join(some).encode() for some in (words, copy)]
        first, second = (set(ngram_hashes(raw).tolist()) for raw in raws)
        similarity = len(first & second) / len(first | second)
        found = signatures([ngram_hashes(raw) for raw in raws])
        shares_a_band = (found[0, :250].reshape(25, 10) == found[1, :250].reshape(25, 10)).all(axis=1).any()
        joined = bool(shares_a_band) and (found[0] == found[1]).mean() >= THRESHOLD
        bins.setdefault(int(similarity * 20) / 20, []).append(joined)
    print("near-deduplication, threshold 0.7: pairs joined, by Jaccard similarity")
    for low, joined in sorted(bins.items()):
        print(f"  {low:.2f} to {low + 0.05:.2f}: {sum(joined) / len(joined):6.1%} of {len(joined)}")


if __name__ == "__main__":
    main()
