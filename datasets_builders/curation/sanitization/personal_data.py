"""Section 2.1, "security sanitization": e-mail addresses, public IP addresses and secrets become typed placeholders.

Same value, same placeholder within a file (`EMAIL_ADDRESS_1`, `IP_ADDRESS_2`, `SECRET_3`). Placeholders are names and
not `<EMAIL>`: where a value stands outside a string, as in a shell script, the file still parses. `secret_values.py`
says what a secret is.

What stays: addresses of documentation (example.com), private, loopback and reserved IP addresses, well-known DNS
servers, version numbers, and values that are placeholders themselves. What is sanitised once is sanitised for ever.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import ahocorasick
from datatrove.data import Document

from datasets_builders.building.steps import TAGS, Outcome, Step
from datasets_builders.curation.sanitization.addresses import (
    find_emails,
    find_ip_addresses,
    is_public,
    stands_alone,
)
from datasets_builders.curation.sanitization.assigned_secrets import find_assigned
from datasets_builders.curation.sanitization.keys import find_keys

# Of examples: what is shown around a value and of its shape; what may stand before and after it; names.
CONTEXT_CHARACTERS, MASKED_CHARACTERS = 24, 32
BEFORE = re.compile(r"""(?:(?:#|//)\s*|\w+\s*(?::=|=>|[:=(])\s*)?["']?""")
AFTER = re.compile(r"""["')\]};,\s]*""")
NAMES = re.compile(r"\b[A-Z](?:[a-z]|\.\s)")
PLACEHOLDERS = {"secret": "SECRET", "email": "EMAIL_ADDRESS", "ip": "IP_ADDRESS"}
PLACEHOLDER = re.compile(r"((?:SECRET|EMAIL_ADDRESS|IP_ADDRESS)_[0-9]{1,6}_?)")
MAX_PASSES = 8
MIN_VALUE_CHARACTERS = 5  # of what may be a value
MIN_KEY_CHARACTERS = 20  # of a value that is replaced where it touches letters too


@dataclass(frozen=True)
class Finding:
    """A value that must not stay: its kind (a key of PLACEHOLDERS) and the text itself."""

    kind: str
    value: str


def find_personal_data(text: str) -> list[Finding]:
    """Return what must be replaced: of each kind in the order in which it stands in the text.

    Source: StarCoder2 2.1's kinds without names and passwords of prose, which need a model.
    """
    return list(sanitize(text)[1])


def sanitize(text: str) -> tuple[str, dict[Finding, str]]:
    """Replace personal data and secrets by placeholders.

    What touches a value, as an address a key, may be told only when that is gone: so it goes on until there is nothing
    more. Numbers of placeholders that are in the text already are not given again.

    Returns:
        (the text, what was replaced, by what).

    Source: StarCoder2 2.1; names as placeholders are ours.
    """
    found: dict[Finding, str] = {}
    pieces = _pieces(text)
    numbers = _numbers_taken(pieces)
    for _ in range(MAX_PASSES):
        before = text
        for kind, values_in in FINDERS.items():
            if values := set(values_in(text, _long_pieces(pieces))):
                text = _replaced(pieces, kind, values, found, numbers)
                pieces = _pieces(text)
        if text == before:
            break
    return text, found


def _numbers_taken(pieces: list[str]) -> Counter[str]:
    numbers: Counter[str] = Counter()
    for placeholder in pieces[1::2]:
        name, _, number = placeholder.rstrip("_").rpartition("_")
        numbers[name] = max(numbers[name], int(number))
    return numbers


def _replaced(pieces: list[str], kind: str, values: set[str], found: dict[Finding, str], numbers: Counter[str]) -> str:
    automaton = _automaton(values, kind)

    def with_placeholders(piece: str) -> str:
        parts, last = [], 0
        for start, end in _occurrences(piece, automaton):
            finding, name = Finding(kind, piece[start:end]), PLACEHOLDERS[kind]
            if finding not in found:
                numbers[name] += 1
                found[finding] = f"{name}_{numbers[name]}"
            is_before_digit = piece[end : end + 1].isdigit()
            parts += [piece[last:start], found[finding] + "_" * is_before_digit]
            last = end
        return "".join([*parts, piece[last:]]) if parts else piece

    return "".join(piece if at % 2 else with_placeholders(piece) for at, piece in enumerate(pieces))


def _automaton(values: Iterable[str], kind: str = "") -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for value in values:
        automaton.add_word(value, (len(value), is_public(value), kind == "secret" and len(value) < MIN_KEY_CHARACTERS))
    automaton.make_automaton()
    return automaton


def _occurrences(text: str, automaton: ahocorasick.Automaton) -> Iterator[tuple[int, int]]:
    """Give where values stand, one behind the other: a key may hold what another rule finds in it, so the longest."""
    if len(text) < MIN_VALUE_CHARACTERS:
        return
    places = []
    for last, (length, is_address, is_short) in automaton.iter(text):
        start, end = last + 1 - length, last + 1
        if stands_alone(text, start, end) if is_address else not is_short or _is_word(text, start, end):
            places.append((start, -end))
    after = 0
    for start, negative_end in sorted(places):
        if start >= after:
            after = -negative_end
            yield start, after


def _is_word(text: str, start: int, end: int) -> bool:
    """Return whether letters and digits end where a value does: a short password may be a part of other words."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not ((before.isalnum() and text[start].isalnum()) or (after.isalnum() and text[end - 1].isalnum()))


def _pieces(text: str) -> list[str]:
    """Cut a text at its placeholders, which are every other piece."""
    return PLACEHOLDER.split(text) if "SECRET_" in text or "_ADDRESS_" in text else [text]


def _long_pieces(pieces: list[str]) -> list[str]:
    """Return what stands between placeholders, where it can hold a value."""
    return [piece for piece in pieces[::2] if len(piece) >= MIN_VALUE_CHARACTERS]


def _secrets(text: str, pieces: list[str]) -> Iterator[str]:
    yield from chain.from_iterable(map(find_keys, pieces))
    yield from (value for value in find_assigned(text) if not PLACEHOLDER.search(value))


def _emails(_text: str, pieces: list[str]) -> Iterator[str]:
    return chain.from_iterable(map(find_emails, pieces))


def _ip_addresses(_text: str, pieces: list[str]) -> Iterator[str]:
    return chain.from_iterable(map(find_ip_addresses, pieces))


# Secrets first: a key, or what is assigned to a name, may hold what looks like an address.
FINDERS = {"secret": _secrets, "email": _emails, "ip": _ip_addresses}


def examples_of_changes(text: str, found: Mapping[Finding, str]) -> Iterator[tuple[str, str, str]]:
    """Give (kind, before, after) of one place per kind, a few characters around it, with the value masked.

    These are published, and what a rule keeps, as a login or another host, may stand beside a value. So a place is
    shown only where the value is all of a comment, or is assigned to a name or given to a function as the only
    argument, and where neither looks like a person's name.
    """
    findings = {finding.value: finding for finding in found}
    places = list(_occurrences(text, _automaton(findings))) if found else []
    seen = set()
    for (start, end), before, after in zip(places, [(0, 0), *places], [*places[1:], (len(text), 0)], strict=False):
        finding = findings[text[start:end]]
        left = text[max(before[1], start - CONTEXT_CHARACTERS) : start].rpartition("\n")[2].lstrip()
        right = text[end : min(after[0], end + CONTEXT_CHARACTERS)].partition("\n")[0].rstrip()
        is_alone = BEFORE.fullmatch(left) and AFTER.fullmatch(right)
        if finding.kind not in seen and is_alone and not _may_name_a_person(left, finding.value):
            seen.add(finding.kind)
            yield finding.kind, f"{left}{masked(finding.value)}{right}", f"{left}{found[finding]}{right}"


def masked(value: str) -> str:
    """Return the shape of a value: x for a letter, 0 for a digit, cut after a few characters."""
    shape = re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", " ".join(value.split())))
    return shape if len(shape) <= MASKED_CHARACTERS else f"{shape[:MASKED_CHARACTERS]}..."


def _may_name_a_person(left: str, value: str) -> bool:
    parts = re.findall(r"[a-z]{3,}", value.partition("@")[0].lower())
    return not left.isascii() or bool(NAMES.search(left)) or any(part in left.lower() for part in parts)


def _sanitize_tag(tag: dict[str, Any]) -> None:
    """Put placeholders into what a step has noted before, in words of the document."""
    tag["detail"] = sanitize(tag["detail"])[0]
    for name, value in tag["measures"].items():
        if isinstance(value, str):
            tag["measures"][name] = sanitize(value)[0]
        elif isinstance(value, list):
            tag["measures"][name] = [sanitize(part)[0] if isinstance(part, str) else part for part in value]


class Sanitization(Step):
    """Replace e-mail addresses, public IP addresses and secrets by placeholders; every file passes.

    Source: paper 2.1; StarCoder2 2.1.
    """

    name = "sanitising"
    libraries = ("google-re2",)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the file on with its placeholders, counted by kind."""
        text, found = sanitize(doc.text)
        if any(self.counts.wants_change(finding.kind) for finding in found):
            for kind, before, after in examples_of_changes(doc.text, found):
                self.counts.show_change(kind, before, after)
        doc.text = text
        for tag in doc.metadata.get(TAGS, {}).values():
            _sanitize_tag(tag)
        doc.metadata["num_placeholders"] = len(found)
        for kind, count in Counter(finding.kind for finding in found).items():
            self.counts.count_replaced(kind, count)
            self.stat_update(kind, value=count)
        yield doc
