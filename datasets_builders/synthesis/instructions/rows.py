"""Section 2.4: the rows of a dataset that teachers wrote: the released columns, then where a row comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id

if TYPE_CHECKING:
    from datasets import Features

ANSWER = "answer"  # key of the metadata that holds the answer to the instruction, which is the text
TURNS = "turns"  # later turns of a conversation, messages
COLUMNS = {
    "mid": "content hash of the conversation, 32 hex digits",
    "messages": "a user turn and an assistant turn, or several of each",
    "tags": "the kind of the row, its scenario or domain and its programming languages",
    "languages": "programming languages",
    "kind": "how the instruction came about: magpie, bottom_up, top_down, evol_instruct or oss_instruct",
    "scenario": "the scenario or domain that was asked for",
    "natural_language": "en or zh",
    "topic": "knowledge that the problem is about; empty for magpie",
    "knowledge_path": "from the book to the subtopic; empty but for top_down",
    "seed": "id of the row that the problem grew from; empty without one",
    "seed_path": "file of that row",
    "repository": "repository of that row",
    "license": "licence of that row, as its dataset states it",
    "parents": "ids of what the row was made of",
    "instruction_teacher": "model that wrote the instruction",
    "teacher": "model that wrote the answer",
    "prompts": "short hash of the prompts of this kind",
    "verified_by": "what the answer was checked by: teacher_tests (it passes tests that a teacher wrote without seeing "
    "it), syntax (its code parses) or none",
    "pass_share": "share of the attempts at the problem that pass the teacher's tests; null without tests",
    "agreement": "share of the attempts that are the commonest answer; null without tests",
    "num_attempts": "attempts that were judged; 0 without tests",
    "verifier": "the tests, as JSON that datasets_builders.synthesis.verification reads; empty without tests",
    "syntax": "of the code blocks of the answer: valid, invalid, or unchecked where no grammar is known",
    "num_code_blocks": "fenced code blocks of the answer",
    "num_instruction_chars": "length of the first user turn, in characters",
    "num_answer_chars": "length of the assistant turns, in characters",
    "difficulty": "very easy to very hard, as a teacher tagged the instruction; empty where none did",
    "quality": "very poor to excellent, as a teacher tagged the instruction; empty where none did",
    "category": "kind of request, as a teacher tagged the instruction; empty where none did",
    "min_neighbor_distance": "cosine distance of the TF-IDF vectors of this instruction and the nearest other one of "
    "its group; null where none were compared",
    "evolution": "method of Evol-Instruct by which the instruction was last made harder; empty for none",
}
_LISTS = ("tags", "languages", "knowledge_path", "parents")
_TEXTS = (
    *("topic", "seed", "seed_path", "repository", "license", "instruction_teacher", "teacher", "evolution"),
    *("difficulty", "quality", "category", "verifier"),
)
_NUMBERS = ("num_attempts", "num_code_blocks", "num_instruction_chars", "num_answer_chars")


def instruction_features() -> Features:
    """Return the columns.

    Source: `mid, messages, tags, languages` as in the released SyntheticQA and SFT datasets.
    """
    from datasets import Features, List, Value

    text = Value("string")
    columns: dict[str, Any] = {name: List(text) if name in _LISTS else text for name in COLUMNS}
    columns["messages"] = List({"role": text, "content": text})
    columns |= dict.fromkeys(_NUMBERS, Value("int64"))
    columns |= dict.fromkeys(("min_neighbor_distance", "pass_share", "agreement"), Value("float64"))
    return Features(columns)


def as_row(doc: Document, kind: str, prompts: str) -> Document:
    """Return a document whose text is an instruction, with its answer in the metadata, as a row.

    Its text becomes the whole conversation, so that what follows (decontamination, detoxification) sees all of it.

    Args:
        doc: instruction, with the metadata that the steps before left; what none of them knows stays empty.
        kind: of the dataset, unless the document has one of its own.
        prompts: hash of its prompts.
    """
    known = doc.metadata
    messages = [{"role": "user", "content": doc.text}, {"role": "assistant", "content": known[ANSWER]}]
    messages += known.get(TURNS, [])
    languages = list(known.get("languages") or [])
    scenario = str(known.get("scenario") or "")
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    row: dict[str, Any] = {
        "messages": messages,
        "languages": languages,
        "kind": str(known.get("method") or kind),
        "scenario": scenario,
        "natural_language": str(known.get("natural_language") or ""),
        "prompts": prompts,
        "verified_by": _verified_by(known),
        "pass_share": known.get("pass_share"),
        "agreement": known.get("agreement"),
        "num_attempts": int(known.get("num_attempts") or 0),
        "syntax": str(known.get("syntax") or "unchecked"),
        "num_code_blocks": int(known.get("num_code_blocks") or 0),
        "num_instruction_chars": len(doc.text),
        "num_answer_chars": sum(map(len, answers)),
        "min_neighbor_distance": known.get("min_neighbor_distance"),
        "knowledge_path": list(known.get("knowledge_path") or []),
        "parents": list(known.get("parents") or []),
    }
    for name in _TEXTS:
        row[name] = str(known.get(name) or "")
    row["tags"] = list(dict.fromkeys(filter(None, [row["kind"], scenario, *languages])))
    if "split" in known:
        row["split"] = known["split"]
    text = "\n\n".join(message["content"] for message in messages)
    return Document(text=text, id=content_id(*(message["content"] for message in messages)), metadata=row)


def _verified_by(known: Mapping[str, Any]) -> str:
    if known.get("pass_share"):  # the answer is the first attempt that passes
        return "teacher_tests"
    return "syntax" if known.get("syntax") == "valid" else "none"
