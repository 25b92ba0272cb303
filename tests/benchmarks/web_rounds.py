"""Section 2.3.1, Figure 3: recall of pages about code, round by round, on real pages, by the real commands.

    make pages && python tests/benchmarks/web_rounds.py outputs/pages --output outputs/web_rounds

The pages are HTML documentation of Debian packages about programming and about other things, packed into WARC files,
a site for each package; three sites in ten are held out whole, and no round learns anything of them. Run again, it goes
on where it was.

1. Round 0 splits pages with a block of code from the rest.
2. Round 1: fastText on BPE tokens learns the one from the other.
3. Round 2: a teacher behind an OpenAI-compatible server on this machine grades a random sample and a sample of what
   round 1 recalls, hard negatives among it; fastText learns 3 and more against less. The teacher is a RULE, no model:
   relevance it knows by the address (page_truth.py), which no classifier sees, education and cleanliness it reads off
   counts of words, sentences and lines. Of relevance it is right as often as page_truth.py is; a model would not be.
   Beside it a linear model learns from the same, alone and behind round 1 at the limit that finds 99.5 %.
4. Round 3: a regression on the grades from a small random encoder, as no weights can be pulled here.
5. By site: a page's score is drawn to the mean of its site (SITE_SHARE, chosen on training sites); paper 2.3.1 recalls
   by domain too.

Limits are those that find 95 % of the wanted pages of sites that `train-quality-model` holds out among the training
sites; the column at recall .99 looks for the limit on the pages that it judges, and says what a scorer could reach.

What is measured: on the held-out pages in held_out_pages.jsonl, judged by title, address, size and first lines
(Wilson's intervals), and on all held-out pages by page_truth.py (intervals over resampled sites).
"""

import argparse
import gzip
import hashlib
import json
import math
import random
import re
import subprocess
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.curation.quality.quality_model import logit
from evals.report.statistics import wilson_interval
from tests.benchmarks.page_truth import KINDS, is_about_programming
from tests.openai_server import MODEL, RuleServer

ROOT = Path(__file__).resolve().parents[2]
LABELS = Path(__file__).with_name("held_out_pages.jsonl")
PROMPT = ROOT / "datasets_builders/code_related/web_pages/prompts/grade_page.txt"
RESPECTS = ("code_relevance", "educational_value", "cleanliness")
MAX_PAGES_OF_SITE = 80
SITE_SHARE = 0.7  # of 0, .5, .7 and .9
NUM_TRAIN_FILES = 4
RUST_DOCS = ".rustup/toolchains/*/share/doc/rust/html"
_LANGUAGES = (
    "ar|be|bg|ca|cs|da|de|el|eo|es|et|eu|fa|fi|fr|gl|gu|he|hi|hr|hu|id|it|ja|ka|km|ko|lt|lv|ml|nb|ne|nl|nn|no|pa|pl|pt|ro|"
    "ru|sk|sl|sr|sv|ta|te|th|tr|uk|vi|zh"
)
# Folders and files in other languages than English.
_OTHER_LANGUAGE = re.compile(
    rf"(?i)[/_-](?:{_LANGUAGES})(?:[-_][a-z]{{2,4}})?/|\.(?:{_LANGUAGES})(?:[-_][a-z]{{2,4}})?\.html?$"
)
_PAGE = re.compile(r"(?i)\.(?:html?|xhtml)(?:\.en)?$")


# ---------------------------------------------------------------- pages


def pages_of_package(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give (path, HTML) of the pages of a Debian package."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(path)], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as members,
    ):
        for member in members:
            name = member.name.removeprefix("./usr/share/").removeprefix("doc/")
            if member.isfile() and _PAGE.search(name) and not _OTHER_LANGUAGE.search(name):
                file = members.extractfile(member)
                assert file is not None
                yield name, file.read()


def pages_of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give (path, HTML) of the pages below a folder, of folders with thousands of them a few hundred."""
    for inner in sorted(folder.iterdir()):
        paths = sorted(inner.rglob("*.html")) if inner.is_dir() else []
        for path in paths[:: max(1, len(paths) // 200)]:
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def site_number(site: str) -> int:
    """Return a number from 0 to 9 that the name of a site decides."""
    return int(hashlib.sha256(site.encode()).hexdigest(), 16) % 10


def is_held_out(site: str) -> bool:
    """Return whether a site is held out."""
    return site_number(site) < 3


def pack(folder: Path, crawl: Path) -> None:
    """Write the pages as WARC files: of each site the same hundred or so whatever else there is."""
    if (crawl / "held_out.warc.gz").exists():
        return
    crawl.mkdir(parents=True, exist_ok=True)
    sources: list[tuple[str, Iterable[tuple[str, bytes]]]] = [
        (path.name.partition("_")[0], pages_of_package(path)) for path in sorted(folder.glob("*.deb"))
    ]
    sources += [("rust", pages_of_folder(path)) for path in sorted(Path.home().glob(RUST_DOCS))[:1]]
    names = ["held_out", *(f"train_{number}" for number in range(NUM_TRAIN_FILES))]
    with ExitStack() as stack:
        files = {name: stack.enter_context((crawl / f"{name}.incomplete").open("wb")) for name in names}
        for name, pages in sources:
            site = f"{name}.test"
            chosen = sorted(pages, key=lambda page: hashlib.sha256(page[0].encode()).digest())[:MAX_PAGES_OF_SITE]
            file = files["held_out" if is_held_out(site) else f"train_{site_number(site) % NUM_TRAIN_FILES}"]
            for path, html in chosen:
                file.write(gzip.compress(warc_record(f"https://{site}/{path}", html), mtime=0))
    for name in names:
        (crawl / f"{name}.incomplete").rename(crawl / f"{name}.warc.gz")


def warc_record(url: str, html: bytes) -> bytes:
    """Return a page as a crawler writes it."""
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html
    identifier = hashlib.sha256(url.encode()).hexdigest()[:32]
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-11-30T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{identifier}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


# ---------------------------------------------------------------- commands


def call(package: str, *words: str) -> None:
    """Run a command of the project; its output goes on to ours."""
    print("$ python -m", package, *words, flush=True)
    subprocess.run([sys.executable, "-m", package, *words], cwd=ROOT, check=True)


def build(crawl: str, output: Path, *fields: str) -> Path:
    """Run `web_pages`; it knows by itself whether it is done."""
    kinds = json.dumps(KINDS)
    words = [f"crawl=[{crawl}]", f"output_dir={output}", f"site_categories={kinds}", "decontaminate=[]", "workers=2"]
    call("datasets_builders", "web_pages", *words, *fields)
    return output


def learn(output: Path, tokenizer: Path | None, *words: str) -> dict[str, Any]:
    """Run `train-quality-model` once, of kind linear without a tokenizer; return what it measured on its own sites."""
    if not output.exists():
        common = ["--group-column", "site", "--output", str(output)]
        kind = ["--tokenizer", str(tokenizer), "--dim", "64", "--epochs", "5"] if tokenizer else ["--kind", "linear"]
        call("datasets_builders", "train-quality-model", *words, *common, *kind)
    description: dict[str, Any] = json.loads((output / "quality_model.json").read_text())
    return description


# ---------------------------------------------------------------- the teacher

_ADDRESS = re.compile(r"^Address: (.*)$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z]{2,}")
_SENTENCE = re.compile(r"[a-z)`][.:?!](?:\s|$)")


def teacher_rule(messages: list[dict[str, str]]) -> str:
    """Return the grades of a page: relevance by its address, the rest by counts."""
    address, content = parts_of_question(messages[-1]["content"])
    return json.dumps(dict(zip(RESPECTS, grades_of(address, content), strict=True)))


def parts_of_question(question: str) -> tuple[str, str]:
    """Return address and content of what is asked."""
    found = _ADDRESS.search(question)
    assert found is not None
    return json.loads(found[1]), question[found.end() :].rpartition("\n----")[0]


def grades_of(address: str, content: str) -> tuple[int, int, int]:
    """Return relevance, education and cleanliness, 1 to 5."""
    lines = [line for line in content.split("\n") if line.strip()]
    num_words, num_sentences = len(_WORD.findall(content)), len(_SENTENCE.findall(content))
    fraction_short = sum(len(line) < 25 for line in lines) / max(len(lines), 1)
    relevance = 5 if is_about_programming(address) else 1
    # A list of names, or an empty shell: no sentences. Much text in sentences: something to learn.
    education = 1 + (num_sentences >= 2) + (num_sentences >= 4) + (num_sentences >= 10) + (num_words >= 400)
    cleanliness = 5 - (fraction_short > 0.5) - (fraction_short > 0.7) - (fraction_short > 0.85)
    return relevance, education, cleanliness


def grade(source: Path, output: Path, sample: int) -> Path:
    """Let the teacher grade a sample of pages; what it answered is kept by the command."""
    if not output.exists():
        with RuleServer(teacher_rule) as server:
            words = [
                "--input",
                str(source),
                "--output",
                str(output),
                "--sample",
                str(sample),
                "--content-column",
                "text",
            ]
            asked = ["--prompt", str(PROMPT), "--respects", ",".join(RESPECTS), "--base-url", server.url]
            call("datasets_builders", "grade", *words, *asked, "--model", MODEL)
    return output


# ---------------------------------------------------------------- round 3


def save_encoder(folder: Path, tokenizer: Path) -> None:
    """Save a small random encoder in the form of BERT, with the tokenizer."""
    if (folder / "config.json").exists():
        return
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    names = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        pad_token_id=names.pad_token_id,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    names.save_pretrained(folder)


def distill(output: Path, encoder: Path, grades: Path) -> Path:
    """Train the regression on the grades."""
    if not (output / "model.safetensors").exists():
        keys = {
            "init_from": encoder, "dataset": grades, "text_column": "content", "label_column": "grade",
            "output_dir": output, "sequence_length": 256, "learning_rate": 5e-4, "num_train_epochs": 4,
        }  # fmt: skip
        words = [word for name, value in keys.items() for word in (f"--{name}", str(value))]
        call("recipes.distill", "--config", "recipes/configs/distill/scorer.yaml", *words)
    return output


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class Scored:
    """A held-out page.

    Args:
        url (`str`): address.
        score (`float`): of a round.
        is_wanted (`bool`): the truth.
    """

    url: str
    score: float
    is_wanted: bool

    @property
    def site(self) -> str:
        """The site."""
        return self.url.split("/")[2]


def counts_at(pages: Sequence[Scored], limit: float) -> tuple[int, int, int]:
    """Return how many pages are kept, how many of them are wanted, and how many are wanted at all."""
    kept = [page for page in pages if page.score >= limit]
    return len(kept), sum(page.is_wanted for page in kept), sum(page.is_wanted for page in pages)


def limit_at(pages: Sequence[Scored], recall: float) -> float:
    """Return the greatest limit that keeps a share of the wanted pages."""
    scores = sorted((page.score for page in pages if page.is_wanted), reverse=True)
    return scores[int(np.ceil(recall * len(scores))) - 1]


def precision_at_recall(pages: Sequence[Scored], recall: float) -> float:
    """Return the precision where a share of the wanted pages is kept."""
    kept, right, _ = counts_at(pages, limit_at(pages, recall))
    return right / max(kept, 1)


def over_sites(pages: Sequence[Scored], measure: Callable[[Sequence[Scored]], float]) -> str:
    """Return a measure with its 95 % interval over resampled sites."""
    by_site: dict[str, list[Scored]] = defaultdict(list)
    for page in pages:
        by_site[page.site].append(page)
    sites, generator, values = sorted(by_site), random.Random(0), []
    for _ in range(500):
        drawn = [page for site in generator.choices(sites, k=len(sites)) for page in by_site[site]]
        if any(page.is_wanted for page in drawn):
            values.append(measure(drawn))
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{measure(pages):.3f} ({low:.2f}-{high:.2f})"


def wilson(right: int, of: int) -> str:
    """Return a share with Wilson's 95 % interval."""
    if not of:
        return "none"
    low, high = wilson_interval(right, of)
    return f"{right / of:.3f} ({low:.2f}-{high:.2f})"


def scores_of(folder: Path, column: str) -> dict[str, float]:
    """Return the scores of a dataset's pages by address."""
    return {
        row["url"]: float(row[column]) for row in DatasetFolder(folder).rows(["url", column]) if row[column] is not None
    }


def table(rounds: dict[str, tuple[dict[str, float], float]], urls: Sequence[str]) -> list[str]:
    """Return a line per round and truth: precision and recall at its own limit, and precision where nearly all is kept.

    Args:
        rounds: name to scores of held-out pages by address, and the limit that the round's own sites gave.
        urls: the held-out pages.
    """
    labels = [json.loads(line) for line in LABELS.read_text().splitlines()]
    by_table = {url: is_about_programming(url) for url in urls}
    lines = ["| round | truth | pages | precision | recall | precision at recall .99 |", "|" + " --- |" * 6]
    for name, (scores, limit) in rounds.items():
        for truth in ("about_programming", "worth_keeping"):
            read = [Scored(row["url"], scores.get(row["url"], -1.0), row[truth]) for row in labels]
            kept, right, wanted = counts_at(read, limit)
            all_kept, all_right, _ = counts_at(read, limit_at(read, 0.99))
            cells = [name, truth.replace("_", " "), f"{len(read)} read", wilson(right, kept), wilson(right, wanted)]
            lines.append("| " + " | ".join([*cells, wilson(all_right, all_kept)]) + " |")
        pages = [Scored(url, scores.get(url, -1.0), truth) for url, truth in by_table.items()]
        cells = [name, "about programming, by table", f"{len(pages):,}"]
        cells += [
            over_sites(pages, lambda pages, limit=limit: _share(counts_at(pages, limit), 0)),
            over_sites(pages, lambda pages, limit=limit: _share(counts_at(pages, limit), 2)),
            over_sites(pages, lambda pages: precision_at_recall(pages, 0.99)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _share(counts: tuple[int, int, int], of: int) -> float:
    return counts[1] / max(counts[of], 1)


def main() -> int:
    """Run what is not done, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder of .deb files, as `make pages` fetches them")
    parser.add_argument("--output", type=Path, default=Path("outputs/web_rounds"), help="folder of everything")
    parser.add_argument("--sample", type=int, default=1000, help="pages that the teacher grades of each of two samples")
    options = parser.parse_args()
    out = options.output.absolute()
    pack(options.packages, out / "crawl")
    train, held_out = str(out / "crawl" / "train_*.warc.gz"), str(out / "crawl" / "held_out.warc.gz")

    pages = build(train, out / "pages")
    with_code = build(train, out / "with_code", "select=with")
    without_code = build(train, out / "without_code", "select=without")
    judged = build(held_out, out / "held_out")
    tokenizer = out / "tokenizer"
    if not tokenizer.exists():
        call("modeling_ling", "train-tokenizer", f"{pages}:text", "--to", str(tokenizer), "--vocab-size", "8192")

    first = learn(
        out / "round_1",
        tokenizer,
        "--positives",
        str(with_code),
        "--negatives",
        str(without_code),
        "--content-column",
        "text",
    )
    recall_limit = first["held_out"]["limit_at_recall_0.95"]
    recalled = build(train, out / "recalled", f"quality_model={out / 'round_1'}", f"min_quality={recall_limit}")

    random_grades = grade(pages, out / "grades_random.jsonl", options.sample)
    recalled_grades = grade(recalled, out / "grades_recalled.jsonl", options.sample)
    grades = ["--input", str(random_grades), str(recalled_grades), "--label-column", "grade", "--positive-at", "3"]
    second = learn(out / "round_2", tokenizer, *grades)
    linear = learn(out / "linear", None, *grades)

    save_encoder(out / "encoder", tokenizer)
    together = out / "grades.jsonl"
    rows = [json.loads(line) for path in (random_grades, recalled_grades) for line in path.open()]
    together.write_text("".join(f"{json.dumps({name: row[name] for name in ('content', 'grade')})}\n" for row in rows))
    scorer = distill(out / "scorer", out / "encoder", together)
    regression = f"{{kind: classifier, model: {scorer}, max_tokens: 256}}"
    scorers = f"scorers=[{regression}, {{kind: quality_model, model: {out / 'linear'}, column: score_linear}}]"

    # Scores of the same held-out pages; near-duplicates are not looked for, as which of them stays hangs on the score.
    scored = {
        number: build(
            held_out,
            out / f"scored_{number}",
            f"quality_model={out / f'round_{number}'}",
            "near_dedup_threshold=1.0",
            *more,
        )
        for number, more in ((1, []), (2, [scorers]))
    }
    return report(out, judged, scored, {1: first, 2: second, 3: linear})


def by_site(scores: dict[str, float]) -> dict[str, float]:
    """Return scores that are drawn to the mean of their sites, in logits."""
    logits = {url: logit(score) for url, score in scores.items()}
    of_site: dict[str, list[float]] = defaultdict(list)
    for url, value in logits.items():
        of_site[url.split("/")[2]].append(value)
    means = {site: float(np.mean(values)) for site, values in of_site.items()}
    return {
        url: 1 / (1 + math.exp(-((1 - SITE_SHARE) * value + SITE_SHARE * means[url.split("/")[2]])))
        for url, value in logits.items()
    }


def report(out: Path, judged: Path, scored: dict[int, Path], learned: dict[int, dict[str, Any]]) -> int:
    """Print the table, sizes, and pages that rounds keep and lose.

    Args:
        out: folder of everything.
        judged: dataset of the held-out pages.
        scored: datasets of them with scores, by round.
        learned: descriptions of the models of rounds 1 and 2, and of the linear model.
    """
    rows = {row["url"]: row for row in DatasetFolder(judged).rows(["url", "num_code_blocks", "title"])}
    urls = sorted(rows)
    quality = {number: scores_of(folder, "quality") for number, folder in scored.items()}
    regression = scores_of(scored[2], "score_classifier")
    linear = scores_of(scored[2], "score_linear")
    limits = {number: description["held_out"]["limit_at_recall_0.95"] for number, description in learned.items()}
    first_limit = learned[1]["held_out"]["limit_at_recall_0.995"]
    second_limit = limits[2]
    rounds = {
        "0: a block of code": ({url: float(rows[url]["num_code_blocks"] > 0) for url in urls}, 1.0),
        "1: fastText, code or not": (quality[1], limits[1]),
        "2: fastText, grades": (quality[2], second_limit),
        "2: linear, grades": (linear, limits[3]),
        "2: linear, of what 1 keeps at .995": (
            {url: score if quality[1].get(url, 0.0) >= first_limit else 0.0 for url, score in linear.items()}, limits[3]
        ),
        "2: linear, by site": (by_site(linear), limits[3]),
        "3: regression, of what 2 keeps": (
            {url: regression.get(url, 0.0) if quality[2].get(url, 0.0) >= second_limit else 0.0 for url in urls}, 3.0
        ),
    }  # fmt: skip
    num_sites = len({url.split("/")[2] for url in urls})
    print(
        f"{len(urls):,} held-out pages of {num_sites} sites, {sum(map(is_about_programming, urls)):,} about programming"
    )
    print("\n".join(table(rounds, urls)))
    for name in ("round_1/model.bin", "round_2/model.bin", "linear/model.safetensors", "scorer/model.safetensors"):
        print(f"{name}: {(out / name).stat().st_size / 1e6:.1f} MB")
    for name, (scores, limit) in rounds.items():
        for told, wanted in (("kept wrongly", False), ("lost", True)):
            wrong = [
                url
                for url in urls
                if is_about_programming(url) is wanted and (scores.get(url, 0.0) >= limit) is not wanted
            ]
            print(f"{name}: {len(wrong):,} {told}: {', '.join(random.Random(0).sample(wrong, min(4, len(wrong))))}")
    for column in ("quality", "score_classifier"):
        call("datasets_builders", "recall-addresses", "--input", str(scored[2]), "--score-column", column, "--at",
             "0.5" if column == "quality" else "3", "--output", str(out / f"addresses_{column}.txt"))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
