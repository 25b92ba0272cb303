"""Section 3.2.4: questions with several answers, and open preference sets, read from other datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.released.chat_normalization import normalized, prose_of
from datasets_builders.released.row_sources import ROW, RowSource
from datasets_builders.tokenized.conversations import Conversation, RowFormat, read_conversation, read_preference
from datasets_builders.tokenized.tokenization import UnusableRowError

RANKED_ANSWERS = "ranked_answers"
# Columns that hold several answers to one question, and names that one of them has for text and score.
ANSWER_COLUMNS = ("candidates", "completions", "responses", "answers")
_TEXTS = ("text", "response", "content", "answer", "completion")
_SCORES = ("score", "overall_score", "rating", "reward")
_MODELS = ("model", "model_name", "source")
CHOSEN, REJECTED = "chosen", "rejected"

Answer = dict[str, Any]


class ReadAnswers(Step):
    """Read rows of other datasets as a question with its answers: candidates of several models, or a pair.

    A pair is two answers of which the chosen one has the higher score, until a reward model says otherwise.

    Args:
        sources: by the number that a row's document has.
        finds_prose (`bool`): whether what is no code is kept apart, for the step that judges it and drops it.
    """

    name = "read_answers"

    def __init__(self, sources: Sequence[RowSource], finds_prose: bool) -> None:
        super().__init__()
        self.sources, self.finds_prose = list(sources), finds_prose

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give a question with its answers, or the reason why the row is none."""
        row = doc.metadata.pop(ROW)
        source = self.sources[doc.metadata.pop("source_number")]
        try:
            prompt, answers = question_of(row, source.row_format)
        except UnusableRowError as error:
            doc.text = json.dumps(row, default=str, ensure_ascii=False)[:2000]
            return [Removed(doc, str(error))]
        parents = [str(row.get("mid") or row.get("id") or doc.id)]
        text = "\n\n".join([message["content"] for message in prompt] + [answer["text"] for answer in answers])
        doc.id, doc.text = content_id(json.dumps([prompt, answers], sort_keys=True)), text
        doc.metadata |= {
            "prompt_messages": prompt,
            "prompt": prompt[-1]["content"],
            "answers": answers,
            "check": _text(row, "check") or _text(row, "test"),
            "function": _text(row, "function"),
            "module": "",
            "cluster": "",
            "license": _text(row, "license") or source.license_of_dataset,
            "parents": parents,
            "split": DEFAULT_SPLIT,
        }
        if self.finds_prose:
            doc.metadata[PROSE] = prose_of(text)
        return [doc]


def question_of(row: Mapping[str, Any], names: RowFormat) -> tuple[list[dict[str, str]], list[Answer]]:
    """Return the messages before the answers, and the answers: each with `model`, `text` and `score` or null.

    Raises:
        UnusableRowError: the reason why the row is none.
    """
    column = next((name for name in ANSWER_COLUMNS if isinstance(row.get(name), list) and row[name]), None)
    if column is None or (row.get(CHOSEN) is not None and row.get(REJECTED) is not None):
        context, chosen, rejected = read_preference(row, names)
        scores = [_number(row.get(f"{side}_score", row.get(f"score_{side}"))) for side in (CHOSEN, REJECTED)]
        if None in scores:
            scores = [1.0, 0.0]
        models = [_text(row, f"{side}_model") for side in (CHOSEN, REJECTED)]
        given: list[Answer] = [
            {"model": model, "text": text, "score": score}
            for model, text, score in zip(models, (chosen, rejected), scores, strict=True)
        ]
    else:
        context = _prompt_of(row, names)
        given = [answer for answer in map(_answer, row[column]) if answer]
    answers = [{**answer, "text": normalized(answer["text"])} for answer in given]
    if len({answer["text"] for answer in answers if answer["text"]}) < 2:
        raise UnusableRowError("fewer than two different answers")
    prompt = [
        {"role": role, "content": normalized(content)}
        for role, content in zip(context.roles, context.contents, strict=True)
    ]
    if prompt[-1]["role"] != "user" or not prompt[-1]["content"]:
        raise UnusableRowError("no question before the answers")
    return prompt, answers


def _prompt_of(row: Mapping[str, Any], names: RowFormat) -> Conversation:
    prompt = names.value(row, "prompt")
    if prompt is None:
        prompt = next((row[name] for name in ("instruction", "question", "messages") if row.get(name)), None)
    if prompt is None:
        raise UnusableRowError("no prompt")
    # Read with an answer that is taken off again: the one reader of conversations wants one.
    asked = {"prompt": prompt, "completion": "-"} | {name: row[name] for name in ("system",) if row.get(name)}
    found = read_conversation(asked, RowFormat({}, names.roles))
    return Conversation(found.roles[:-1], found.contents[:-1], found.learned[:-1])


def _answer(value: Any) -> Answer | None:
    """Return an answer of a list; None for what was cut off or is none."""
    if isinstance(value, str):
        return {"model": "", "text": value, "score": None}
    if not isinstance(value, Mapping) or value.get("finish_reason") == "length":
        return None
    text = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
    if text is None or not text.strip():
        return None
    score = next((number for name in _SCORES if (number := _number(value.get(name))) is not None), None)
    return {"model": next((word for name in _MODELS if (word := _text(value, name))), ""), "text": text, "score": score}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def _text(row: Mapping[str, Any], name: str) -> str:
    return row[name] if isinstance(row.get(name), str) else ""
