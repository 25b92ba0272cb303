"""Section 3.2.4: the answers of both sides to the same questions: of two runs, two files, or two models asked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.benchmarks.rows import read_rows
from evals.errors import UsageError
from modeling_ling.hub_reading import read_failure

PROMPT_COLUMNS = ("prompt", "question", "instruction", "messages")
ANSWER_COLUMNS = ("answer", "response", "output", "completion", "prediction")
FILE_ENDINGS = (".jsonl", ".json", ".parquet", ".gz")


@dataclass(frozen=True)
class Pair:
    """A question with both sides' answers.

    Args:
        id (`str`): names it, with its number where there are several answers to a question.
        cluster (`str`): of questions that belong together.
    """

    id: str
    cluster: str
    question: str
    first: str
    second: str


@dataclass(frozen=True)
class Said:
    """An answer of one side; `fault` says why there is none."""

    question: str
    text: str
    cluster: str
    fault: str = ""


Side = Mapping[str, Said]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a side that is a model is asked.

    Args:
        prompts: questions by id.
        output: answers are kept below this folder.
        max_new_tokens (`int`): of an answer.
        batch_size (`int`): questions at once.
        pretend (`bool`): ask nothing; a placeholder stands for each answer.
    """

    prompts: Mapping[str, str]
    output: Path
    max_new_tokens: int = 1024
    batch_size: int = 16
    pretend: bool = False


def is_run(name: str) -> bool:
    """Return whether a side is the output folder of `evals run`."""
    return (Path(name) / "results.json").is_file()


def is_file(name: str) -> bool:
    """Return whether a side is a file of answers."""
    return name.endswith(FILE_ENDINGS)


def short_names(first: str, second: str) -> tuple[str, str]:
    """Return the ends of two sides' paths from where they differ, as a title has them; names of models as they are."""
    parts = [name.rstrip("/").split("/") for name in (first, second)]
    if all(len(side) <= 2 for side in parts):
        return first, second
    ends = ["/".join(side[-num_parts:]) for num_parts in range(1, max(map(len, parts)) + 1) for side in parts]
    return next((pair for pair in zip(ends[::2], ends[1::2], strict=True) if pair[0] != pair[1]), (first, second))


def read_side(name: str, tasks: Sequence[str] | None, asking: Asking | None) -> Side:
    """Return a side's answers by the ids of their questions.

    Args:
        name (`str`): an output folder of `evals run`, a file with questions and answers, or a model.
        tasks: of a run, which; by default all.
        asking: needed for a model.

    Raises:
        UsageError: there are no answers, or a model has no questions.
    """
    if is_run(name):
        return _of_run(Path(name), tasks)
    if is_file(name):
        return _of_file(Path(name))
    if asking is None:
        raise UsageError(f"{name} is neither an output folder of `evals run` nor a file: a model needs --prompts")
    return _of_model(name, asking)


def _of_run(folder: Path, tasks: Sequence[str] | None) -> Side:
    from evals.report.runs import read_run, read_samples
    from evals.report.samples import entries_of, sample_files

    side = {}
    for task, path in sample_files(read_run(folder), tasks).items():
        lines = read_samples(path)
        clusters = {line["id"]: str(line.get("cluster", line["id"])) for line in lines}
        for entry in entries_of(lines):
            name = f"{task}/{entry.id}" + (f"#{entry.sample}" if entry.num_answers > 1 else "")
            fault = entry.fault or ("" if entry.prompt else "the run did not keep the question")
            side[name] = Said(entry.prompt, entry.prediction, f"{task}/{clusters[entry.id]}", fault)
    if not side:
        raise UsageError(f"{folder}: no answers to these tasks are kept there")
    return side


def _of_file(path: Path) -> Side:
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    side: dict[str, Said] = {}
    for number, row in enumerate(read_rows(path)):
        question = question_of(row, f"{path}, row {number}")
        answer = next((row[name] for name in ANSWER_COLUMNS if isinstance(row.get(name), str)), None)
        if answer is None and isinstance(row.get("messages"), list):
            answer = _first_answer(row["messages"])
        if answer is None:
            raise UsageError(f"{path}, row {number}: no text under {', '.join(ANSWER_COLUMNS)}; it has {_names(row)}")
        side[_unused(str(row.get("id") or row.get("mid") or question), side)] = Said(question, answer, question)
    if not side:
        raise UsageError(f"{path} has no rows")
    return side


def _first_answer(messages: Sequence[Any]) -> str | None:
    turns = [turn for turn in messages if isinstance(turn, dict) and turn.get("role") == "assistant"]
    said = turns[0].get("content") if turns else None
    return said if isinstance(said, str) else None


def _of_model(model: str, asking: Asking) -> Side:
    """Ask a model each question greedily; what was answered by these weights before is not asked again."""
    from evals.models.model_folder import check_model, loading
    from evals.models.options import ModelOptions
    from evals.models.responses import answers_of
    from evals.scoring.run import gradients_kept

    check_model(model)
    if asking.pretend:
        said = f"(the answer of {model})"
        return {name: Said(question, said, question) for name, question in asking.prompts.items()}
    with gradients_kept():
        from lighteval.tasks.requests import Doc

        from evals.models.accelerate import LoadedModel

        with loading(model):
            loaded = LoadedModel(ModelOptions(model=model, output=asking.output, batch_size=asking.batch_size))
        docs = [
            Doc(query=question, choices=[""], gold_index=0, generation_size=asking.max_new_tokens, stop_sequences=[])
            for question in asking.prompts.values()
        ]
        answers = [answers_of(response)[0] for response in loaded.greedy_until(docs)]
        loaded.release()
    return {
        name: Said(question, answer.text, question, answer.fault)
        for (name, question), answer in zip(asking.prompts.items(), answers, strict=True)
    }


def read_prompts(data: str, split: str, limit: int | None) -> dict[str, str]:
    """Return questions by id, each once.

    Args:
        data (`str`): a file (.jsonl, .json, .parquet), a builder's folder, or org/name[@revision] on the Hub.
        split (`str`): of a folder or a dataset.
        limit: at most this many; of a builder's folder, chosen by the hashes of their ids.

    Raises:
        UsageError: there are none, or a row has no question.
    """
    rows, where = _rows_of(data, split)
    prompts: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if limit is not None and len(prompts) == limit:
            break
        question = question_of(row, f"{where}, row {number}")
        if question not in seen:
            seen.add(question)
            prompts[_unused(str(row.get("id") or row.get("mid") or question), prompts)] = question
    if not prompts:
        raise UsageError(f"--prompts {where} has no rows")
    return prompts


def _rows_of(data: str, split: str) -> tuple[Iterable[dict[str, Any]], str]:
    path = Path(data).expanduser()
    if path.is_file():
        return read_rows(path), str(path)
    if path.is_dir():
        from evals.scoring.held_out_loss import load_rows

        return load_rows(path, split), f"{path} ({split})"
    if data.count("/") != 1 or path.is_absolute() or data.endswith(FILE_ENDINGS):
        raise UsageError(f"--prompts {data}: no such file or folder")
    from datasets import load_dataset

    name, _, revision = data.partition("@")
    try:
        return load_dataset(name, split=split, revision=revision or None), f"{data} ({split})"
    except Exception as error:  # datasets, pyarrow and the Hub's client: each has errors of its own
        raise UsageError(f"--prompts {data}: {read_failure(error)}") from None


def question_of(row: Any, where: str) -> str:
    """Return the question of a row: its text, or the first turn of its conversation.

    Raises:
        UsageError: it has none.
    """
    if not isinstance(row, dict):
        raise UsageError(f"{where}: no mapping of columns: {str(row)[:80]}")
    for name in PROMPT_COLUMNS:
        value = row.get(name)
        if isinstance(value, list):
            turns = [turn for turn in value if isinstance(turn, dict) and turn.get("role") == "user"]
            value = turns[0].get("content") if turns else None
        if isinstance(value, str) and value.strip():
            return value
    raise UsageError(f"{where}: no question under {', '.join(PROMPT_COLUMNS)}; it has {_names(row)}")


def _names(row: Mapping[str, Any]) -> str:
    return ", ".join(row) or "no columns"


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name, numbered where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}#{number}"
    return candidate


def pairs_of(first: Side, second: Side) -> tuple[list[Pair], dict[str, int]]:
    """Return the questions that both sides answered, and how many were left out for which reason.

    Answers belong together by the ids of their questions; where no id is shared, by the questions themselves.

    Raises:
        UsageError: there is no such question.
    """
    if not first.keys() & second.keys():
        first, second = ({said.question: said for said in side.values()} for side in (first, second))
    pairs: list[Pair] = []
    left_out: dict[str, int] = {}

    def leave_out(reason: str, number: int = 1) -> None:
        if number:
            left_out[reason] = left_out.get(reason, 0) + number

    for name, said in first.items():
        other = second.get(name)
        if other is None:
            leave_out("answered by the first alone")
        elif said.fault or other.fault:
            leave_out("an answer did not come")
        elif said.question != other.question:
            leave_out("the sides were asked differently")
        else:
            pairs.append(Pair(name, said.cluster, said.question, said.text, other.text))
    leave_out("answered by the second alone", len(second.keys() - first.keys()))
    if not pairs:
        raise UsageError(f"the two sides have answers to no question in common; left out: {left_out or 'nothing'}")
    return pairs, left_out
