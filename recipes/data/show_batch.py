"""Section 3.2: what the model sees, printed: tokens, loss mask, fill-in-the-middle markers, ends of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100
MAX_SHOWN_CHARACTERS = 1500


def _documents(row: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return (start, end) of every document of a packed row: positions restart at 0."""
    positions = [int(value) for value in row["position_ids"]]
    starts = [index for index, value in enumerate(positions) if value == 0]
    return list(zip(starts, [*starts[1:], len(positions)], strict=True))


def _masked_text(ids: Sequence[int], labels: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the decoded text; what carries no loss stands in [[ ]]."""
    pieces: list[str] = []
    start = 0
    while start < len(ids):
        ignored = labels[start] == IGNORED_LABEL
        end = start
        while end < len(ids) and (labels[end] == IGNORED_LABEL) == ignored:
            end += 1
        text = str(tokenizer.decode(list(ids[start:end]), skip_special_tokens=False))
        pieces.append(f"[[{text}]]" if ignored else text)
        start = end
    return "".join(pieces)


def describe_row(row: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, source: str = "") -> str:
    """Return one packed row as text.

    Args:
        row: input_ids, labels and position_ids of shape (seq,).
        tokenizer: decodes, special tokens shown.
        source: name of where it comes from.

    Returns:
        A header per document (tokens, targets, fill-in-the-middle, end token) and its text; `[[...]]` carries no loss.
    """
    from modeling_ling.fill_in_the_middle import fim_marker_ids

    ids, labels = [int(value) for value in row["input_ids"]], [int(value) for value in row["labels"]]
    try:
        markers = set(fim_marker_ids(tokenizer).values())
    except ValueError:
        markers = set()
    documents = _documents(row)
    lines = [f"row of {len(ids)} tokens in {len(documents)} document(s)" + (f" from {source}" if source else "")]
    for number, (start, end) in enumerate(documents):
        part_ids, part_labels = ids[start:end], labels[start:end]
        targets = sum(label != IGNORED_LABEL for label in part_labels)
        if targets == 0 and len(set(part_ids)) == 1:
            lines.append(f"-- padding: {end - start} tokens, none in the loss")
            continue
        facts = [f"tokens {start}..{end - 1}", f"{targets} of {end - start} in the loss"]
        facts.append("fill-in-the-middle" if markers & set(part_ids) else "left to right")
        facts.append("ends with the end token" if part_ids[-1] == tokenizer.eos_token_id else "continues elsewhere")
        lines.append(f"-- document {number + 1}: " + ", ".join(facts))
        text = _masked_text(part_ids, part_labels, tokenizer)
        shown = text[:MAX_SHOWN_CHARACTERS]
        lines.append(shown + (f" ... ({len(text) - len(shown)} more characters)" if len(text) > len(shown) else ""))
    return "\n".join(lines)


def describe_batch(
    rows: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, source_names: Sequence[str] = ()
) -> str:
    """Return a batch as text: what `--show_batch` prints.

    Args:
        rows: see `describe_row`; `source` may hold the number of a source.
        tokenizer: decodes.
        source_names: by number.

    Returns:
        The text.
    """
    parts = []
    for row in rows:
        number = row.get("source")
        name = source_names[int(number)] if number is not None and source_names else ""
        parts.append(describe_row(row, tokenizer, name))
    return "\n\n".join(parts)


def describe_pair(pair: Mapping[str, Sequence[int]], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return one preference pair as text: the prompt carries no loss.

    Args:
        pair: prompt_ids, chosen_ids, rejected_ids.
        tokenizer: decodes.

    Returns:
        The text.
    """
    lines = []
    for name in ("prompt", "chosen", "rejected"):
        ids = list(pair[f"{name}_ids"])
        text = str(tokenizer.decode(ids, skip_special_tokens=False))
        lines.append(f"-- {name}: {len(ids)} tokens\n" + (f"[[{text}]]" if name == "prompt" else text))
    return "\n".join(lines)
