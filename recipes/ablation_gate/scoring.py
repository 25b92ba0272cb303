"""Section 2.1: what both groups are measured by: the loss on held-out documents, and benchmarks."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modeling_ling.command_line import CommandFailedError
from recipes.ablation_gate.judging import Measure
from recipes.ablation_gate.request import ARMS, CONTROL, EXPERIMENT, Request
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from evals.report.runs import Run
    from evals.scoring.held_out_loss import ScoredRow


@dataclass(frozen=True)
class HeldOut:
    """Documents that nothing may have been trained on.

    Args:
        rows: as tokens, cut to a row's length.
        num_in_candidate: left out because the candidate holds them as they are.
        fingerprint: of the rows.
    """

    name: str
    rows: list[ScoredRow]
    num_in_candidate: int
    fingerprint: str


def read_held_out(name: str, path: Path, request: Request, tokenizer: PreTrainedTokenizerBase, length: int) -> HeldOut:
    """Read documents to score, without those that the candidate holds: it would be approved for knowing them.

    Args:
        name: as it is reported.
        path: a `.ds` file or a dataset folder.
        request: candidate, split and the number of documents.
        tokenizer: of the models.
        length: longer documents are cut.

    Raises:
        RecipeError: none is left.
    """
    from evals.scoring.held_out_loss import ScoredRow

    documents = _stored(path) if path.name.endswith(".ds") else _encoded(path, request.held_out_split, tokenizer)
    end = tokenizer.eos_token_id
    known = _document_hashes(request.candidate, end)
    rows: list[ScoredRow] = []
    num_in_candidate = 0
    for document in documents:
        if len(rows) == request.max_held_out:
            break
        if _hash(document.input_ids, end) in known:
            num_in_candidate += 1
        elif any(document.scored[1:length]):
            rows.append(ScoredRow(document.input_ids[:length], document.scored[:length]))
    if not rows:
        raise RecipeError(
            f"--held-out: {name}: {path} has no document to score ({num_in_candidate} are the candidate's)"
        )
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.asarray(row.input_ids, dtype="<u4").tobytes() + b"|")
    return HeldOut(name, rows, num_in_candidate, digest.hexdigest())


def _stored(path: Path) -> list[ScoredRow]:
    from evals.scoring.held_out_loss import ScoredRow
    from recipes.data.token_store import TokenStore

    store = TokenStore(path)
    ids = [store.document(number).tolist() for number in range(len(store))]
    return [ScoredRow(document, [True] * len(document)) for document in ids]


def _encoded(path: Path, split: str, tokenizer: PreTrainedTokenizerBase) -> list[ScoredRow]:
    from evals.scoring.held_out_loss import load_rows, tokenize_row

    return [tokenize_row(row, tokenizer) for row in load_rows(path, split)]


def _document_hashes(paths: Sequence[Path], end: int | None) -> set[bytes]:
    from recipes.data.token_store import TokenStore

    stores = [TokenStore(path) for path in paths]
    return {_hash(store.document(number), end) for store in stores for number in range(len(store))}


def _hash(ids: Sequence[int] | np.ndarray, end: int | None) -> bytes:
    array = np.asarray(ids, dtype="<u4")
    if len(array) and array[-1] == end:
        array = array[:-1]
    return hashlib.sha256(array.tobytes()).digest()[:16]


def losses_of(model_folder: Path, held_out: Sequence[HeldOut], batch_size: int) -> dict[str, list[float]]:
    """Return the mean loss of every document, by held-out set."""
    from evals.scoring.held_out_loss import load_model, row_losses

    model = load_model(str(model_folder))
    return {data.name: row_losses(model, data.rows, batch_size) for data in held_out}


def held_out_measures(losses: dict[tuple[str, int], dict[str, list[float]]], names: Sequence[str]) -> list[Measure]:
    """Turn losses of all runs into measures: a document counts once, however long it is."""
    measures = []
    for name in names:
        values = {arm: np.array([by_name[name] for (of, _), by_name in losses.items() if of == arm]) for arm in ARMS}
        control, experiment = values[CONTROL], values[EXPERIMENT]
        measures.append(
            Measure(
                f"held-out loss, {name}",
                "nats per token, lower is better",
                float(control.mean()),
                float(experiment.mean()),
                control - experiment,
            )
        )
    return measures


def run_benchmarks(model_folder: Path, tasks: str, options: Sequence[str], output: Path) -> Run:
    """Score a model by `evals run`, which asks for no answer that it has, and read what it wrote.

    Raises:
        CommandFailedError: it did not end well.
    """
    from evals.report.runs import read_run

    command = [sys.executable, "-m", "evals", "run", "--model", str(model_folder), "--tasks", tasks]
    code = subprocess.run([*command, *options, "--output", str(output)], check=False).returncode
    if code:
        raise CommandFailedError(f"`evals run` of {model_folder} ended with {code}; the same command continues")
    return read_run(output)


def benchmark_measures(runs: dict[tuple[str, int], Run]) -> list[Measure]:
    """Turn the answers of all runs into measures: the rate of right answers to the problems that all answered."""
    rates = {key: {task: _rates(run.answers[task]) for task in run.answers} for key, run in runs.items()}
    tasks = [task for task in next(iter(rates.values())) if all(task in by_task for by_task in rates.values())]
    measures = []
    for task in tasks:
        of_task = {key: by_task[task] for key, by_task in rates.items()}
        first = next(iter(of_task.values()))
        shared = [problem for problem in first if all(problem in answered for answered in of_task.values())]
        if not shared:
            continue
        values = {
            arm: np.array([[of_task[key][problem][0] for problem in shared] for key in of_task if key[0] == arm])
            for arm in ARMS
        }
        control, experiment = values[CONTROL], values[EXPERIMENT]
        means = float(control.mean()), float(experiment.mean())
        clusters = [first[problem][1] for problem in shared]
        measures.append(Measure(task, "share of right answers", *means, experiment - control, clusters))
    return measures


def _rates(answers: Sequence[tuple[str, str, bool]]) -> dict[str, tuple[float, str]]:
    """Return rate and cluster of each problem."""
    right: dict[str, list[bool]] = defaultdict(list)
    clusters = {}
    for problem, cluster, is_right in answers:
        right[problem].append(is_right)
        clusters[problem] = cluster
    return {problem: (sum(found) / len(found), clusters[problem]) for problem, found in right.items()}
