"""Section 2.1, "security sanitization": e-mail addresses, public IP addresses and secrets become typed placeholders.

Same value, same placeholder within a file (`EMAIL_ADDRESS_1`, `IP_ADDRESS_2`, `SECRET_3`). Placeholders are names and
not `<EMAIL>`: where a value stands outside a string, as in a shell script, the file still parses. One RE2 pass over the
file finds the lines that may hold a secret; detect-secrets' own detectors then look at those alone. Its detectors of
any random-looking string are not used: in code, hashes and identifiers are far more frequent than secrets.

What stays: addresses of documentation (example.com), private, loopback and reserved IP addresses, well-known DNS
servers, version numbers, and values that are placeholders themselves.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import re2
from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Step

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
    r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$|^users\.noreply\.github\.com$"
)
KEPT_NAMES = frozenset(("noreply", "no-reply", "user", "username", "you", "your", "name"))
GIT_NAME, GIT_HOSTS = "git", frozenset(("github.com", "gitlab.com", "bitbucket.org"))
IPV4 = re2.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
IPV6 = re2.compile(r"(?i)\b(?:[0-9a-f]{1,4}:{1,2}){3,7}[0-9a-f]{1,4}\b")
_DNS_SERVERS = (
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 4.2.2.2 4.2.2.1 "
    "76.76.19.19 76.223.122.150 94.140.14.14 94.140.15.15 2001:4860:4860::8888 2001:4860:4860::8844"
)
DNS_SERVERS = frozenset(_DNS_SERVERS.split())
# Then it is a version, or part of a longer number or name.
NUMBER_BEFORE = re.compile(r"(?i)(?:version|ver|release|rev|build|assembly\w*)[\s\"'=:(]*$|[\w.:]$")
NUMBER_AFTER = re.compile(r"\.?\w|:[\w:]")
MAX_SINGLE_DIGITS = 2  # of four: 2.7.18.1 is a version or a section far more often than an address
PRIVATE_KEY = re2.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\s\\\"',;:-]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----"
)
# A line with any of these may hold a secret: marks of providers' keys, and names to which secrets are assigned.
PREFILTER = re2.compile(
    r"(?:AKIA|ASIA|A3T)[0-9A-Z]{16}|AIza[\w-]{35}|gh[pousr]_\w{36}|github_pat_\w{22}|glpat-[\w-]{20}|xox[abprs]-\w|"
    r"hooks\.slack\.com/services/|[sr]k_(?:live|test)_\w{16}|SG\.[\w-]{22}\.|sk-[\w-]{20}|pypi-AgE|npm_\w{36}|"
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.|\d{8,10}:[\w-]{35}|sq0(?:csp|atp)-|[0-9a-z]{32}-us\d|AccountKey=|"
    r"\b(?:AC|SK)[0-9a-f]{32}\b|AKC\w{10}|AP[\dABCDEF]\w{8}|hf_\w{30}|"
    r"(?i:(?:api|access|auth|secret|private|client|encryption|signing)[_.-]?(?:key|token|secret)|passw(?:or)?d|secret)"
    r"[\w.-]{0,20}[\"']?\s{0,5}(?::=|=>|[:=])\s{0,5}[\"'][^\"'\n]{8,}[\"']"
)
ASSIGNED = re.compile(
    r"(?i)(?:(?:api|access|auth|secret|private|client|encryption|signing)[_.-]?(?:key|token|secret)|passw(?:or)?d|secret)"
    r"[\w.-]{0,20}[\"']?\s{0,5}(?::=|=>|[:=])\s{0,5}([\"'])([^\"'\n]{8,200})\1"
)
# Of keys for which detect-secrets has no detector, or gives back a part: the mark, or a JWT without its signature.
MORE_TOKENS = re.compile(
    r"\b(?:hf_\w{30,}|gh[pousr]_\w{36,}|github_pat_\w{22,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})\b"
)
MIN_ENTROPY_BITS = 3.3  # per character of an assigned value: words of a language have less
NOT_A_SECRET = re.compile(
    r"(?i)example|sample|placeholder|change.?me|your|xxx|\*\*\*|dummy|fake|test|none|null|undefined|env|config|\$\{|\{\{|%\(|"
    r"<|\s|[(\[{]|^--|^[a-z]+(?:[_.-][a-z]+)*$|/"
)
DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "artifactory": "ArtifactoryDetector",
    "discord": "DiscordBotTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
# Of examples: what is shown around a value and of its shape; what may stand before and after it; names.
CONTEXT_CHARACTERS, MASKED_CHARACTERS = 24, 32
BEFORE = re.compile(r"""(?:(?:#|//)\s*|\w+\s*(?::=|=>|[:=(])\s*)?["']?""")
AFTER = re.compile(r"""["')\]};,\s]*""")
NAMES = re.compile(r"\b[A-Z](?:[a-z]|\.\s)")
PLACEHOLDERS = {"email": "EMAIL_ADDRESS", "ip": "IP_ADDRESS", "secret": "SECRET"}


@dataclass(frozen=True)
class Finding:
    """A value that must not stay: its kind (a key of PLACEHOLDERS) and the text itself."""

    kind: str
    value: str


@cache
def _detectors() -> list[Any]:
    """Return detect-secrets' detectors of providers' keys."""
    import importlib

    modules = {name: importlib.import_module(f"detect_secrets.plugins.{name}") for name in DETECTORS}
    return [getattr(modules[name], detector)() for name, detector in DETECTORS.items()]


def find_personal_data(text: str) -> list[Finding]:
    """Return what must be replaced, in the order in which it first stands in the text.

    Source: StarCoder2 2.1's kinds without names and passwords of prose, which need a model.
    """
    found: dict[Finding, int] = {}
    for finding, place in [*_emails(text), *_ip_addresses(text), *_secrets(text)]:
        found[finding] = min(place, found.get(finding, place))
    return sorted(found, key=lambda finding: (found[finding], finding.value))


def _emails(text: str) -> Iterable[tuple[Finding, int]]:
    if "@" not in text:
        return
    for match in EMAIL.finditer(text):
        start, value = match.start(), match.group()
        if text[start - 1 : start] == "\\" and value[0] in ESCAPES:  # the n of a line break is no part of the name
            start, value = start + 1, value[1:]
        name, _, domain = value.rpartition("@")
        real = domain.rpartition(".")[2].lower() in TOP_LEVEL_DOMAINS and not KEPT_DOMAINS.search(domain.lower())
        is_remote = name == GIT_NAME and (domain in GIT_HOSTS or text[match.end() : match.end() + 1] in (":", "/"))
        if real and name and not is_remote and name.lower() not in KEPT_NAMES:
            yield Finding("email", value), start


def _ip_addresses(text: str) -> Iterable[tuple[Finding, int]]:
    for pattern in (IPV4, IPV6):
        for match in pattern.finditer(text):
            value, start, end = match.group(), match.start(), match.end()
            if NUMBER_BEFORE.search(text[max(0, start - 16) : start]) or NUMBER_AFTER.match(text[end : end + 2]):
                continue
            if _is_public(value):
                yield Finding("ip", value), start


def _is_public(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.version == 4 and sum(len(part) == 1 for part in value.split(".")) > MAX_SINGLE_DIGITS:
        return False
    return address.is_global and not address.is_multicast and value not in DNS_SERVERS


def _secrets(text: str) -> Iterable[tuple[Finding, int]]:
    for match in PRIVATE_KEY.finditer(text) if "PRIVATE KEY" in text else ():
        yield Finding("secret", match.group()), match.start()
    seen: set[int] = set()
    for hit in PREFILTER.finditer(text):
        start = text.rfind("\n", 0, hit.start()) + 1
        if start in seen:
            continue
        seen.add(start)
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        for value in _secrets_of_line(line):
            yield Finding("secret", value), start + max(line.find(value), 0)


def _secrets_of_line(line: str) -> set[str]:
    values = {value for detector in _detectors() for value in detector.analyze_string(line[:10_000]) if len(value) >= 8}
    values |= set(MORE_TOKENS.findall(line))
    for match in ASSIGNED.finditer(line):
        if not NOT_A_SECRET.search(match[2]) and entropy(match[2]) >= MIN_ENTROPY_BITS:
            values.add(match[2])
    values = {value for value in values if not re.search(r"(?i)example|xxxx|0{8}", value)}
    return {value for value in values if not any(value in other and value != other for other in values)}


def entropy(text: str) -> float:
    """Return Shannon's entropy of a text's characters, in bits per character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def sanitise(text: str) -> tuple[str, Counter[str]]:
    """Replace personal data and secrets by placeholders.

    Returns:
        (the text, how many values of each kind were replaced).

    Source: StarCoder2 2.1; names as placeholders are ours.
    """
    found = placeholders_in(text)
    return replaced(text, found), Counter(finding.kind for finding in found)


def placeholders_in(text: str) -> dict[Finding, str]:
    """Return what must be replaced in a text, by what."""
    counts: Counter[str] = Counter()
    found = {}
    for finding in find_personal_data(text):
        counts[finding.kind] += 1
        found[finding] = f"{PLACEHOLDERS[finding.kind]}_{counts[finding.kind]}"
    return found


def replaced(text: str, found: Mapping[Finding, str]) -> str:
    """Return a text with its findings replaced."""
    by_value = {finding.value: placeholder for finding, placeholder in found.items()}
    return _pattern_of_all(by_value).sub(lambda match: by_value[match.group()], text) if found else text


def examples_of_changes(text: str, found: Mapping[Finding, str]) -> Iterator[tuple[str, str, str]]:
    """Give (kind, before, after) of one place per kind, a few characters around it, with the value masked.

    These are published, and what a rule keeps, as a login or another host, may stand beside a value. So a place is
    shown only where the value is all of a comment, or is assigned to a name or given to a function as the only
    argument, and where neither looks like a person's name.

    Source: ours.
    """
    findings = {finding.value: finding for finding in found}
    matches = list(_pattern_of_all(findings).finditer(text)) if found else []
    seen = set()
    for match, before, after in zip(matches, [None, *matches], [*matches[1:], None], strict=False):
        finding = findings[match.group()]
        start = max(before.end() if before else 0, match.start() - CONTEXT_CHARACTERS)
        end = min(after.start() if after else len(text), match.end() + CONTEXT_CHARACTERS)
        left = text[start : match.start()].rpartition("\n")[2].lstrip()
        right = text[match.end() : end].partition("\n")[0].rstrip()
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
    return not left.isascii() or bool(NAMES.search(left)) or any(one in left.lower() for one in parts)


def _pattern_of_all(values: Iterable[str]) -> re.Pattern[str]:
    # The longest first: a key may hold what another rule finds in it.
    return re.compile("|".join(map(_pattern_of, sorted(values, key=len, reverse=True))))


def _pattern_of(value: str) -> str:
    """Return the pattern of a value's every occurrence; digits that are part of a longer number are no address."""
    return rf"(?<![\w.:]){re.escape(value)}(?!\.?\w)" if _is_public(value) else re.escape(value)


class Sanitising(Step):
    """Replace e-mail addresses, public IP addresses and secrets by placeholders; every file passes.

    Source: paper 2.1; StarCoder2 2.1.
    """

    name = "sanitising"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the file on with its placeholders, counted by kind."""
        found = placeholders_in(doc.text)
        if any(self.counts.wants_change(finding.kind) for finding in found):
            for kind, before, after in examples_of_changes(doc.text, found):
                self.counts.show_change(kind, before, after)
        doc.text = replaced(doc.text, found)
        doc.metadata["num_placeholders"] = len(found)
        for kind, count in Counter(finding.kind for finding in found).items():
            self.stat_update(kind, value=count)
        yield doc
