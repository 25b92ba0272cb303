"""Section 2.3.2: label pairs with a model that reasons: a verdict and its probability behind each row."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import EXIT_OK
from modeling_ling.hub_reading import read_failure
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from recipes.distill.chain_judge import ChainJudge, JudgeSettings

HELP = "label pairs with a model that reasons before it judges"
EXAMPLE = "python -m recipes label --model outputs/consistency --data pairs.jsonl --to labelled.parquet"
ROWS_AT_ONCE = 256  # a killed run loses no more of its work than these
COLUMNS = ("verdict", "verdict_probability", "verdict_chain", "verdict_fault")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--model", required=True, help="what `python -m recipes.distill` made with task: chain: a folder, or org/name"
    )
    parser.add_argument("--data", required=True, help="label these: .jsonl, .parquet, a folder or org/name on the Hub")
    parser.add_argument("--split", default="train", help="take this split of a folder or a dataset")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="write the labelled rows here: .jsonl or .parquet"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="SHARE", help="call a pair true from this probability on, not the model's"
    )
    parser.add_argument("--batch-size", type=int, default=16, metavar="ROWS", help="ask for so many at once")
    parser.add_argument("--limit", type=int, metavar="ROWS", help="label only the first rows")
    parser.add_argument("--dry-run", action="store_true", help="print what is asked of the first row, and ask nothing")


def run(options: argparse.Namespace) -> int:
    """Label, write, and print the counts."""
    from recipes.distill.chain_judge import JudgeSettings

    if options.to.suffix not in (".jsonl", ".parquet"):
        raise RecipeError(f"--to {options.to}: a .jsonl or .parquet file is wanted")
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise RecipeError(f"--threshold {options.threshold}: it must lie between 0 and 1")
    folder = model_folder(options.model)
    settings = JudgeSettings.load(folder)
    rows = _rows(options.data, options.split, options.limit)
    if options.dry_run:
        print(_question(next(rows), settings) or "(a text of the first row is missing)")
        return EXIT_OK
    counts = label_rows(
        rows,
        folder,
        options.to,
        settings=settings,
        threshold=settings.threshold if options.threshold is None else options.threshold,
        batch_size=options.batch_size,
        source=f"{options.data}|{options.split}|{options.limit}",
    )
    print(
        f"{options.to}: {counts['rows']:,} rows, {counts['true']:,} true, {counts['false']:,} false, "
        f"{counts['unlabelled']:,} without a verdict"
    )
    return EXIT_OK


def model_folder(model: str) -> Path:
    """Return the folder of a model; one of the Hub is fetched."""
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    name, _, revision = model.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise RecipeError(f"--model {model}: no such folder, and not on the Hub: {read_failure(error)}") from None


def _rows(data: str, split: str, limit: int | None) -> Iterator[dict[str, Any]]:
    from recipes.distill.examples import read_dataset_rows

    rows = iter(islice(read_dataset_rows(data, split), limit))
    first = next(rows, None)
    if first is None:
        raise RecipeError(f"--data {data} has no rows")
    if taken := [name for name in COLUMNS if name in first]:
        raise RecipeError(f"--data {data} has a column {taken[0]} already: rename it, or label the original")
    yield first
    yield from rows


def _question(row: dict[str, Any], settings: JudgeSettings) -> str:
    from string import Template

    from recipes.distill.chain_rows import render_prompt

    if missing := [name for name in settings.prompt_columns if name not in row]:
        raise RecipeError(
            f"--data has no column {missing[0]!r}, which the model was asked with; it has {', '.join(row)}"
        )
    return render_prompt(Template(settings.prompt), row, settings.prompt_columns)


def label_rows(
    rows: Iterator[dict[str, Any]],
    folder: Path,
    to: Path,
    *,
    settings: JudgeSettings,
    threshold: float,
    batch_size: int,
    source: str,
) -> dict[str, int]:
    """Write rows with their verdicts; what a killed run of the same call has labelled is not asked again.

    Args:
        rows: with the columns that the model was asked with in training.
        folder: of the model.
        to: .jsonl or .parquet.
        settings: of the model.
        threshold: a probability from here on is true.
        batch_size: rows at once.
        source: what the rows are read from, to know a run of before again.

    Returns:
        Counts of rows: all, true, false, and without a verdict.
    """
    from evals.models.model_folder import model_fingerprint

    identity = json.dumps([str(folder), model_fingerprint(str(folder)), source, threshold])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f".{to.name}.{digest}.partial")
    num_done = _whole_lines(partial)
    judge: ChainJudge | None = None
    chunk: list[dict[str, Any]] = []
    with partial.open("a", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            if number < num_done:
                continue
            chunk.append(row)
            if len(chunk) == ROWS_AT_ONCE:
                judge = judge or _load_judge(folder, settings)
                file.writelines(_lines(chunk, judge, settings, threshold, batch_size))
                file.flush()
                chunk = []
        if chunk:
            judge = judge or _load_judge(folder, settings)
            file.writelines(_lines(chunk, judge, settings, threshold, batch_size))
    return _finish(partial, to)


def _whole_lines(path: Path) -> int:
    """Return how many whole lines a file has; what a kill cut off is taken away."""
    if not path.is_file():
        return 0
    written = path.read_bytes()
    kept = written[: written.rfind(b"\n") + 1]
    if len(kept) < len(written):
        path.write_bytes(kept)
    return kept.count(b"\n")


def _load_judge(folder: Path, settings: JudgeSettings) -> ChainJudge:
    import torch

    from recipes.distill.chain_judge import ChainJudge
    from recipes.running.checkpoints import load_model, load_tokenizer

    tokenizer = load_tokenizer(str(folder))
    has_gpu = torch.cuda.is_available()
    model = load_model(str(folder), tokenizer, torch.bfloat16 if has_gpu else torch.float32, 0).eval()
    torch.nn.Module.to(model, "cuda" if has_gpu else "cpu")
    return ChainJudge(model, tokenizer, settings.max_new_tokens, settings.max_context)


def _lines(
    rows: Sequence[dict[str, Any]], judge: ChainJudge, settings: JudgeSettings, threshold: float, batch_size: int
) -> Iterator[str]:
    questions = [_question(row, settings) for row in rows]
    prompts = [judge.encoder.prompt(question) if question else [] for question in questions]
    asked = [number for number, prompt in enumerate(prompts) if 0 < len(prompt) <= judge.max_prompt]
    said = dict(zip(asked, judge.judge([prompts[number] for number in asked], batch_size), strict=True))
    for number, row in enumerate(rows):
        judgement = said.get(number)
        labels: dict[str, Any] = dict.fromkeys(COLUMNS)
        if judgement is None:
            labels["verdict_fault"] = "no text" if not questions[number] else "longer than the model's context"
        else:
            labels["verdict"] = judgement.probability >= threshold
            labels["verdict_probability"] = round(judgement.probability, 6)
            labels["verdict_chain"] = judgement.chain
            labels["verdict_fault"] = None if judgement.is_finished else "the chain did not end"
        yield json.dumps(row | labels, ensure_ascii=True, default=str) + "\n"


def _finish(partial: Path, to: Path) -> dict[str, int]:
    """Turn the lines into the file that was asked for, whole or not at all; return the counts."""
    counts = dict.fromkeys(("rows", "true", "false", "unlabelled"), 0)
    with partial.open(encoding="utf-8") as file:
        for line in file:
            verdict = json.loads(line)["verdict"]
            counts["rows"] += 1
            counts["unlabelled" if verdict is None else "true" if verdict else "false"] += 1
    if to.suffix == ".jsonl":
        partial.replace(to)
        return counts
    import pyarrow
    import pyarrow.parquet

    # A column may be null in a whole batch: the schema is that of all of them.
    tables = (pyarrow.Table.from_pylist(batch) for batch in _batches(partial))
    schema = pyarrow.unify_schemas([table.schema for table in tables], promote_options="permissive")
    whole = to.with_name(f".{to.name}.tmp")
    with pyarrow.parquet.ParquetWriter(whole, schema, compression="zstd") as writer:
        for batch in _batches(partial):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
    whole.replace(to)
    partial.unlink()
    return counts


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        while batch := [json.loads(line) for line in islice(file, ROWS_AT_ONCE)]:
            yield batch
