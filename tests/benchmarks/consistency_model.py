"""Section 2.3.2: how well a small model that learned a teacher's chains tells consistent pairs, on unseen repositories.

    python -m datasets_builders code_comment_pairs 'sources=[outputs/corpus/*.*z,outputs/corpus/*.deb]' \
        output_dir=outputs/pairs decontaminate=[] num_tasks=8
    python tests/benchmarks/consistency_model.py outputs/pairs --output outputs/consistency_curve

Short pairs of repositories to learn from stand as they are and, where a fault fits, with one too
(inconsistent_pairs.py); about half of those set aside have a fault. The teacher is a server on loopback that knows the
truth and answers in the four steps; `pair_judgements` asks it, `recipes.distill` trains a tiny model from random
weights on growing parts of the answers, `recipes label` judges the pairs of the repositories that were set aside.
Beside it: always true, parameters that only the comment knows (alone, and with each model), the share of the comment's
words that the code has, and fastText; the thresholds of the last two are chosen on an eighth of the rows, which
fastText did not learn from. Seconds are processor time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import load_dataset
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from datasets_builders.code_related.code_comment_pairs.claims import unknown_claims
from datasets_builders.code_related.code_comment_pairs.judgement import PairJudgementsBuilder, PairJudgementsConfig
from datasets_builders.curation.quality.quality_model import model_text
from modeling_ling.tokenizer import train_tokenizer
from recipes.__main__ import main as recipes_main
from recipes.distill.__main__ import main as distill_main
from recipes.distill.chain_figures import best_threshold, f1, precision, recall
from recipes.distill.figures import bootstrap
from tests.benchmarks.inconsistent_pairs import Faults, KnownPair, parameters_of, words_of
from tests.openai_server import MODEL, RuleServer

CONFIG = Path(__file__).resolve().parents[2] / "recipes" / "configs" / "distill" / "consistency.yaml"
PROMPT = "Code:\n$code\n\nComment:\n$comment\n\nReasoning:\n"
SIZES = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4}
MAX_TOKENS, MAX_NEW_TOKENS = 320, 120
MAX_CODE_CHARS, MAX_COMMENT_CHARS = 240, 120
HELD_OUT_SHARE = 0.25  # of the repositories
_VERBS = {"return": "returns", "if": "checks", "for": "repeats over", "while": "repeats while", "raise": "raises"}
_STOP = frozenset((
    *("a", "an", "and", "are", "as", "be", "by", "for", "from", "has", "if", "in", "is", "it", "of", "on", "or"),
    *("that", "the", "this", "to", "with", "when"),
))  # fmt: skip


def known_pairs(folder: Path, seed: int) -> list[KnownPair]:
    """Return the short pairs of a dataset, with faults; those of a repository set aside stand for one pair each."""
    rows = load_dataset(str(folder), split="train")
    names = ("id", "code", "comment", "name", "language", "path", "repository")
    pairs = [
        KnownPair(*(row[name] for name in names))
        for row in rows
        if len(row["code"]) <= MAX_CODE_CHARS
        and len(row["comment"]) <= MAX_COMMENT_CHARS
        and row["kind"] != "class"
        and not row["num_unknown_claims"]
    ]
    faults = Faults(pairs, seed)
    found = []
    for pair in pairs:
        faulty = faults.made(pair)
        if not is_set_aside(pair.repository, seed):
            found += [pair, *([faulty] if faulty else [])]
        else:
            found.append(faulty if faulty and _place(pair.id, seed) < 0.5 else pair)
    return list({(pair.code, pair.comment): pair for pair in found}.values())


def is_set_aside(repository: str, seed: int) -> bool:
    """Return whether the pairs of a repository are there to be judged alone."""
    return _place(repository, seed) < HELD_OUT_SHARE


def _place(name: str, seed: int) -> float:
    return int(hashlib.sha256(f"{seed}\0{name}".encode()).hexdigest()[:8], 16) / 2**32


def judgement_of(pair: KnownPair) -> str:
    """Return what the teacher answers: the code line by line, in one sentence, and the comment compared with it."""
    lines = []
    for line in [line.strip() for line in pair.code.split("\n") if line.strip(" \t{}();")][:5]:
        names = re.findall(r"[A-Za-z_]\w+", line)
        verb = next((_VERBS[name] for name in names if name in _VERBS), "has")
        lines.append(f"{verb} {' '.join(name for name in names if name not in _VERBS)[:40]}".strip())
    code = set(words_of(pair.code))
    said = [word for word in dict.fromkeys(words_of(pair.comment)) if word not in _STOP and len(word) > 2][:8]
    there = [word for word in said if any(_like(word, other) for other in code)]
    gone = [word for word in said if word not in there]
    parameters = ", ".join(parameters_of(pair.code)[:3]) or "nothing"
    found, missing = (" ".join(words) or "none" for words in (there, gone))
    return json.dumps(
        {
            "lines": "; ".join(lines) + ".",
            "summary": f"{pair.name} takes {parameters}.",
            "review": f"The code has {found} of the comment, not {missing}. {pair.reason}",
            "consistent": not pair.fault,
        }
    )


def _like(first: str, second: str) -> bool:
    """Return whether two words begin alike, as `returns` and `return` do."""
    length = max(3, min(len(first), len(second)) - 2)
    return first[:length] == second[:length] and abs(len(first) - len(second)) <= 3


def judged(pairs: Sequence[KnownPair], output: Path) -> list[dict[str, Any]]:
    """Return what `pair_judgements` makes of the pairs, with the teacher that knows the truth."""
    folder = output / "planted" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"{number:032x}", "text": f"{pair.comment}\n\n{pair.code}\n", "code": pair.code, "comment": pair.comment}
        | {"language": pair.language, "path": pair.path, "repository": pair.repository, "license": "other"}
        for number, pair in enumerate(pairs)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train_00000_of_00001.parquet")
    truth = {(pair.code.strip(), pair.comment.strip()): pair for pair in pairs}

    def teacher(messages: list[dict[str, str]]) -> str:
        asked = messages[0]["content"]
        code = asked.split("<code>\n")[1].split("\n</code>")[0]
        comment = asked.split("<comment>\n")[1].split("\n</comment>")[0]
        return judgement_of(truth[code.strip(), comment.strip()])

    with RuleServer(teacher) as server:
        config = PairJudgementsConfig(
            output_dir=str(output / "judged"),
            input=str(output / "planted"),
            license="other",
            teachers=[{"model": MODEL, "base_url": server.url}],
        )
        result = PairJudgementsBuilder(config).run()
    kept: list[dict[str, Any]] = list(load_dataset(str(result.output_dir), split="train"))
    faults = {(pair.code, pair.comment): pair.fault for pair in pairs}
    return [row | {"fault": faults[row["code"], row["comment"]]} for row in kept]


def base_model(texts: Sequence[str], folder: Path) -> int:
    """Write a tiny model with random weights, and its tokenizer; return its number of parameters."""
    train_tokenizer(texts, 2048).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        num_key_value_heads=4,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        **SIZES,
    )
    model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def distilled(base: Path, data: Path, to: Path, num_epochs: int, num_rows: int) -> dict[str, str]:
    """Train a judge; return what its card says."""
    given = {
        "dataset": data,
        "init_from": base,
        "output_dir": to,
        "prompt_file": data.with_name("prompt.txt"),
        "sequence_length": MAX_TOKENS,
        "max_new_tokens": MAX_NEW_TOKENS,
        "global_batch_rows": 16,
        "per_device_train_batch_size": 16,
        "num_train_epochs": num_epochs,
        "learning_rate": 2e-3,
        "warmup_steps": 20,
        "held_out_share": max(0.01, 10 / num_rows),  # some rows, whatever a hash chooses of few
        "validation_share": 0.08,
        "use_cpu": "true",
    }
    distill_main(
        ["--config", str(CONFIG), *(word for key, value in given.items() for word in (f"--{key}", str(value)))]
    )
    figures: dict[str, str] = json.loads((to / "run.json").read_text(encoding="utf-8"))["data"]
    return figures


def by_words(row: dict[str, Any]) -> float:
    """Return which share of the comment's words the code has."""
    code = set(words_of(row["code"]))
    said = [word for word in words_of(row["comment"]) if word not in _STOP]
    return sum(any(_like(word, other) for other in code) for word in said) / max(len(said), 1)


def by_fasttext(train: Sequence[dict[str, Any]], output: Path) -> Callable[[dict[str, Any]], float]:
    """Return the probability of true by fastText, which learned from code and comment as one text."""
    import fasttext

    def text(row: dict[str, Any]) -> str:
        return model_text(f"{row['comment']} {row['code']}")

    file = output / "fasttext.txt"
    file.write_text("".join(f"__label__{row['verdict']} {text(row)}\n" for row in train), encoding="utf-8")
    model = fasttext.train_supervised(str(file), wordNgrams=2, epoch=15, thread=1, seed=0, verbose=0, bucket=100_000)

    def probability(row: dict[str, Any]) -> float:
        labels, values = model.predict(text(row), k=2)
        return float(dict(zip(labels, values, strict=True)).get("__label__True", 0.0))

    return probability


def figures_line(name: str, said: Sequence[bool], rows: Sequence[dict[str, Any]], seconds: str = "") -> str:
    """Return a line of the table: precision, recall and F1 of true with intervals, and of which faults how many."""
    true = [row["verdict"] for row in rows]
    cells = []
    for measure in (precision, recall, f1):
        low, high = bootstrap(measure, said, true)
        cells.append(f"{measure(said, true):.3f} ({low:.3f} to {high:.3f})")
    found: Counter[str] = Counter()
    for verdict, row in zip(said, rows, strict=True):
        if row["fault"] and not verdict:
            found[row["fault"]] += 1
    total = Counter(row["fault"] for row in rows if row["fault"])
    cells += [f"{found[fault] / total[fault]:.2f}" for fault in sorted(total)]
    return f"| {name} | {' | '.join(cells)} | {seconds} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, help="folder of a code_comment_pairs dataset")
    parser.add_argument("--output", type=Path, required=True, help="folder for what is made on the way")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[200, 400, 800, 1600, 3200], help="rows trained on, one model each"
    )
    parser.add_argument("--epochs", type=int, default=5, help="passes over the rows")
    parser.add_argument("--seed", type=int, default=0, help="of faults and of the repositories set aside")
    options = parser.parse_args()
    pairs = known_pairs(options.pairs, options.seed)
    rows = judged(pairs, options.output)
    # In an order of their own, so that smaller parts are parts of the larger ones.
    rows.sort(key=lambda row: _place(row["id"], options.seed + 1))
    held_out = [row for row in rows if is_set_aside(row["repository"], options.seed)]
    train = [row for row in rows if not is_set_aside(row["repository"], options.seed)]
    kinds = sorted({row["fault"] for row in held_out} - {""})
    for name, part in (("to learn from", train), ("set aside", held_out)):
        num_repositories = len({row["repository"] for row in part})
        faults = Counter(row["fault"] or "none" for row in part)
        print(f"{len(part):,} rows of {num_repositories} repositories {name}, faults: {dict(faults)}")
    print(f"| judge | precision | recall | F1 | {' | '.join(kinds)} | seconds |\n|{' --- |' * (5 + len(kinds))}")
    print(figures_line("always true", [True] * len(held_out), held_out))
    by_analysis = {row["id"]: not unknown_claims(row["code"], row["comment"], row["language"]) for row in held_out}
    print(figures_line("parameters that only the comment knows", list(by_analysis.values()), held_out))
    num_to_choose = len(train) // 8
    to_choose, to_learn = train[:num_to_choose], train[num_to_choose:]
    for name, score in (("share of words", by_words), ("fastText", by_fasttext(to_learn, options.output))):
        threshold = best_threshold([score(row) for row in to_choose], [row["verdict"] for row in to_choose])
        print(figures_line(name, [score(row) >= threshold for row in held_out], held_out))
    write = options.output.joinpath
    texts = [f"{PROMPT}{row['code']} {row['comment']} {row['chain']} Consistent: true false" for row in train]
    num_parameters = base_model(texts, write("base"))
    write("prompt.txt").write_text(PROMPT, encoding="utf-8")
    keys = ("id", "code", "comment")
    lines = [json.dumps({key: row[key] for key in keys}) + "\n" for row in held_out]
    write("held_out.jsonl").write_text("".join(lines), encoding="utf-8")
    for size in options.sizes:
        started = time.process_time()
        data, model = write(f"train_{size}.jsonl"), write(f"model_{size}")
        data.write_text("".join(json.dumps(row) + "\n" for row in train[:size]), encoding="utf-8")
        distilled(write("base"), data, model, options.epochs, min(size, len(train)))
        labels = write(f"labels_{size}.jsonl")
        recipes_main(["label", "--model", str(model), "--data", str(write("held_out.jsonl")), "--to", str(labels)])
        said = {row["id"]: row for row in map(json.loads, labels.read_text(encoding="utf-8").splitlines())}
        asked = [row for row in held_out if said[row["id"]]["verdict"] is not None]
        verdicts = [said[row["id"]]["verdict"] for row in asked]
        name = f"{num_parameters:,} parameters, {min(size, len(train))} rows"
        line = figures_line(name, verdicts, asked, f"{time.process_time() - started:.0f}")
        print(line + (f" {len(held_out) - len(asked)} too long" if len(asked) < len(held_out) else ""))
        agreed = [verdict and by_analysis[row["id"]] for verdict, row in zip(verdicts, asked, strict=True)]
        print(figures_line(f"{name}, and what only the comment knows", agreed, asked), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
