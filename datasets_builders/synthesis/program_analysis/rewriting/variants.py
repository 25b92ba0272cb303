"""Section 2.4: what was written about a function and held when it was run, as its document carries it."""

from __future__ import annotations

from dataclasses import dataclass

from datatrove.data import Document


@dataclass(frozen=True)
class VerifiedTests:
    """Tests that pass on the function, how many of its mutants they find, and tests that do not hold.

    `program` runs behind the function and raises if a test fails.
    """

    style: str
    text: str
    program: str
    num_mutants: int
    num_killed: int
    wrong: str = ""


@dataclass(frozen=True)
class VerifiedRewrite:
    """A rewrite that behaves as the function on `num_calls` calls, and faulty versions that fail the check."""

    kind: str
    function: str
    words: dict[str, str]
    num_calls: int
    faulty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variants:
    """The tests and the rewrites of a function."""

    tests: VerifiedTests | None = None
    rewrites: tuple[VerifiedRewrite, ...] = ()


def variants_of(doc: Document) -> Variants:
    """Return the variants that a document carries; none where no step wrote any.

    Args:
        doc (`Document`): of a function.
    """
    values = doc.metadata.get("variants")
    if values is None:
        return Variants()
    rewrites = (VerifiedRewrite(**{**found, "faulty": tuple(found["faulty"])}) for found in values["rewrites"])
    return Variants(VerifiedTests(**values["tests"]) if values["tests"] else None, tuple(rewrites))
