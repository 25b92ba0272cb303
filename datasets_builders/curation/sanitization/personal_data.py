"""Section 2.1, "security sanitization": e-mail addresses, public IP addresses and secrets become typed placeholders.

Same value, same placeholder within a file (`EMAIL_ADDRESS_1`, `IP_ADDRESS_2`, `SECRET_3`). Placeholders are names and
not `<EMAIL>`: where a value stands outside a string, as in a shell script, the file still parses. `secret_values.py`
says what a secret is.

What stays: addresses of documentation (example.com), private, loopback and reserved IP addresses, well-known DNS
servers, version numbers, and values that are placeholders themselves. What is sanitised once is sanitised for ever.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import ahocorasick
import re2
from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Step
from datasets_builders.curation.sanitization.secret_values import find_assigned, find_keys

EMAIL = re2.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
ESCAPES = "abfnrtv"
# Domains end so; `matrix@other.shape` does not, nor do countries' whose code is a name in programs, such as id or py.
_DOMAINS = (
    "com org net edu gov mil int info biz name pro io ai app dev co me tv cc xyz tech cloud online site "
    "ac ae am ar at au ba bd be bg bo br by ca ch cl cn cr cy cz de dk ec ee eg es eu fi fr ge gr gt hk hr hu ie il in "
    "ir is it jp ke kr kw kz li lk lt lu lv ma mk mt mx my ng nl no nz om pe ph pk pl pt qa re ro rs ru sa se sg si sk "
    "su sv th tn tr tw ua uk us uy uz ve vn za zw"
)
TOP_LEVEL_DOMAINS = frozenset(_DOMAINS.split())
KEPT_DOMAINS = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$|^users\.noreply\.github\.com$|"
    r"^(?:openssh\.com|libssh\.org)$"  # names of algorithms: umac-64@openssh.com
)
_NAMES = "noreply no-reply user username you your name password passwd pass secret"
KEPT_NAMES = frozenset(_NAMES.split())
GIT_NAME, GIT_HOSTS = "git", frozenset(("github.com", "gitlab.com", "bitbucket.org"))
# IPv6 of global unicast alone, 2000::/3: of other beginnings hardware addresses and fingerprints are far more frequent.
IP_ADDRESS = re2.compile(
    r"(?i)\b(?:(?:\d{1,3}\.){3}\d{1,3}|[23][0-9a-f]{3}:{1,2}(?:[0-9a-f]{1,4}:{1,2}){1,6}[0-9a-f]{1,4})\b"
)
_DNS_SERVERS = (
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 4.2.2.2 4.2.2.1 "
    "76.76.19.19 76.223.122.150 94.140.14.14 94.140.15.15 2001:4860:4860::8888 2001:4860:4860::8844"
)
DNS_SERVERS = frozenset(_DNS_SERVERS.split())
# Then it is a version or a section of a standard.
NO_ADDRESS_AFTER = re.compile(
    r"(?i)(?:version|ver|release|rev|build|assembly\w*|section|chapter|specification|standard|\bc(?:\+\+)?\d\d)[\s\"'=:(]*$"
)
# Else it is a part of a longer number or name; a port may follow.
BEFORE_IPV4, AFTER_IPV4 = re.compile(r"(?<![\w.])(?<![\d:]:)"), re.compile(r"(?!\.?\w)")
BEFORE_IPV6, AFTER_IPV6 = re.compile(r"(?<![\w.:])"), re.compile(r"(?!\.?\w|:[\w:])")
MAX_SINGLE_DIGITS = 2  # of four: 2.7.18.1 is a version or a section far more often than an address
# Of examples: what is shown around a value and of its shape; what may stand before and after it; names.
CONTEXT_CHARACTERS, MASKED_CHARACTERS = 24, 32
BEFORE = re.compile(r"""(?:(?:#|//)\s*|\w+\s*(?::=|=>|[:=(])\s*)?["']?""")
AFTER = re.compile(r"""["')\]};,\s]*""")
NAMES = re.compile(r"\b[A-Z](?:[a-z]|\.\s)")
PLACEHOLDERS = {"secret": "SECRET", "email": "EMAIL_ADDRESS", "ip": "IP_ADDRESS"}
PLACEHOLDER = re.compile(r"((?:SECRET|EMAIL_ADDRESS|IP_ADDRESS)_[0-9]{1,6}_?)")
MAX_PASSES = 8
MIN_VALUE_CHARACTERS = 6  # of an address: a@b.co


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
    numbers = _numbers_taken(text)
    for _ in range(MAX_PASSES):
        before = text
        for kind, values_in in FINDERS.items():
            if values := set(values_in(text)):
                text = _replaced(text, kind, values, found, numbers)
        if text == before:
            break
    return text, found


def _numbers_taken(text: str) -> Counter[str]:
    numbers: Counter[str] = Counter()
    for placeholder in _pieces(text)[1::2]:
        name, _, number = placeholder.rstrip("_").rpartition("_")
        numbers[name] = max(numbers[name], int(number))
    return numbers


def _replaced(text: str, kind: str, values: set[str], found: dict[Finding, str], numbers: Counter[str]) -> str:
    automaton = _automaton(values)

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

    pieces = _pieces(text)
    pieces[::2] = map(with_placeholders, pieces[::2])
    return "".join(pieces)


def _automaton(values: Iterable[str]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for value in values:
        automaton.add_word(value, (len(value), _is_public(value)))
    automaton.make_automaton()
    return automaton


def _occurrences(text: str, automaton: ahocorasick.Automaton) -> Iterator[tuple[int, int]]:
    """Give where values stand, one behind the other: a key may hold what another rule finds in it, so the longest."""
    if len(text) < MIN_VALUE_CHARACTERS:
        return
    places = []
    for last, (length, is_address) in automaton.iter(text):
        start, end = last + 1 - length, last + 1
        if not is_address or _stands_alone(text, start, end):
            places.append((start, -end))
    after = 0
    for start, negative_end in sorted(places):
        if start >= after:
            after = -negative_end
            yield start, after


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether an IP address is no part of a longer number or name."""
    before, after = (BEFORE_IPV6, AFTER_IPV6) if ":" in text[start:end] else (BEFORE_IPV4, AFTER_IPV4)
    return bool(before.match(text, start) and after.match(text, end))


def _pieces(text: str) -> list[str]:
    """Cut a text at its placeholders, which are every other piece."""
    return PLACEHOLDER.split(text) if "SECRET_" in text or "_ADDRESS_" in text else [text]


def _long_pieces(text: str) -> list[str]:
    """Return what stands between placeholders, where it can hold a value."""
    return [piece for piece in _pieces(text)[::2] if len(piece) >= MIN_VALUE_CHARACTERS]


def _secrets(text: str) -> Iterator[str]:
    for piece in _long_pieces(text):
        yield from find_keys(piece)
    yield from (value for value in find_assigned(text) if not PLACEHOLDER.search(value))


def _emails(text: str) -> Iterator[str]:
    if "@" not in text:
        return
    for piece in _long_pieces(text):
        for match in EMAIL.finditer(piece):
            start, value = match.start(), match.group()
            if piece[start - 1 : start] == "\\" and value[0] in ESCAPES:  # the n of a line break is no part of the name
                value = value[1:]
            name, _, domain = value.rpartition("@")
            real = domain.rpartition(".")[2].lower() in TOP_LEVEL_DOMAINS and not KEPT_DOMAINS.search(domain.lower())
            is_remote = name == GIT_NAME and (domain in GIT_HOSTS or piece[match.end() : match.end() + 1] in (":", "/"))
            if real and name and not is_remote and name.lower() not in KEPT_NAMES:
                yield value


def _ip_addresses(text: str) -> Iterator[str]:
    for piece in _long_pieces(text):
        for match in IP_ADDRESS.finditer(piece):
            value, start = match.group(), match.start()
            is_whole = _is_public(value) and _stands_alone(piece, start, match.end())
            if is_whole and not NO_ADDRESS_AFTER.search(piece[max(0, start - 16) : start]):
                yield value


# Secrets first: a key, or what is assigned to a name, may hold what looks like an address.
FINDERS = {"secret": _secrets, "email": _emails, "ip": _ip_addresses}


def _is_public(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.version == 4 and sum(len(part) == 1 for part in value.split(".")) > MAX_SINGLE_DIGITS:
        return False
    return address.is_global and not address.is_multicast and value not in DNS_SERVERS


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
        doc.metadata["num_placeholders"] = len(found)
        for kind, count in Counter(finding.kind for finding in found).items():
            self.stat_update(kind, value=count)
        yield doc
