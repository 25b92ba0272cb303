"""Section 2.4.2: an answer that was to hold so many things, each of them accounted for."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.synthesis.instructions.statements import same_words

# Models miscount: what they wrote beyond the number, up to so many times of it, is no reason to ask again.
MAX_EXCESS = 4


def counted(parent: Document, made: Sequence[Document], wanted: int, known: Collection[str] = ()) -> Iterator[Outcome]:
    """Give what an answer holds, so that the ledger shows the number that was asked for and what became of it.

    What says the same as another is `same_as_another`, what is beyond the number `more_than_asked`, and each that is
    missing `not_written`: what was paid for and is good stays.

    Args:
        parent: what was asked about.
        made: the documents of the answer, in its order.
        wanted (`int`): how many were asked for.
        known: texts that none of them may say again.
    """
    seen = {same_words(text) for text in known}
    for number, doc in enumerate(made):
        words = same_words(doc.text)
        if number >= wanted:
            yield Removed(doc, "more_than_asked")
        elif words in seen:
            yield Removed(doc, "same_as_another", doc.text[:80])
        else:
            yield doc
        seen.add(words)
    for number in range(len(made), wanted):
        missing = Document("", content_id(parent.id, "missing", str(number)), metadata=dict(parent.metadata))
        yield Removed(missing, "not_written", f"{len(made)} of {wanted}")


def lenient(form: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the form of a list in which any number of things is taken, up to some times what was asked for."""
    array = form["properties"][name]
    array = array | {"minItems": 1, "maxItems": MAX_EXCESS * array["maxItems"]}
    return form | {"properties": form["properties"] | {name: array}}
