"""Section 2.1, "security sanitization": e-mail and public IP addresses in code.

An `@` is an operator in many languages, and a number with dots a version in most files: what stands around decides.
What stays: addresses of documentation (example.com), private, loopback and reserved IP addresses, well-known DNS
servers, names of algorithms, remotes of git, versions, object identifiers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import re2

TOP_LEVEL_DOMAINS_FILE = Path(__file__).with_name("top_level_domains.txt")
# Where an `@` may be one of an address; what stands on its left and right.
AT_SIGN, ESCAPED_AT_SIGN = re.compile(r"@(?=\w)"), re.compile(r"(?:%40|&#(?:64|x40);)(?=\w)")
LOCAL_BACKWARDS = re.compile(r"\+?[\w-][\w.+%-]{0,62}(?<=\w)|[\w-]")
DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,8}(?:xn--[\w-]{2,40}|[^\W\d_]{2,24})(?!\w|-\w)")
MAX_LOCAL_CHARACTERS = 64
# Written for people: `sam [at] firm [dot] com`. By the marks that only such an address has, read only where they stand.
SPELLED_MARK = re2.compile(r"(?i)[\[({<]\s?at\s?[\])}>]|\sat\s[\w-]+\sdot\s|%40|&#(?:64|x40);")
SPELLED = re.compile(
    r"(?i)\b\w[\w.+-]{0,62}(?:\sdot\s\w[\w+-]{0,30})?\s?(?:[\[({<]\s?at\s?[\])}>]|\sat\s)\s?"
    r"(?:[\w-]{1,63}\s?(?:[\[({<]\s?dot\s?[\])}>]|\sdot\s|\.)\s?){1,4}(?P<top>[a-z]{2,24})\b"
)
SPELLED_PLACEHOLDER = re.compile(r"(?i)\bexample\b|\byour|\b(?:host|my|server)?domain\b|\A(?:user(?:name)?|name|you)\W")
ESCAPES = "abfnrtv"
# Domains that are hardly ever names in programs; of any other an address needs a quote, a bracket or prose around it.
_SURE = (
    "com org net edu gov mil io dev de fr uk nl jp cn ru br au ca eu ch se kr pl cz dk fi gr hu kz mx nz pt ro sk ua us"
)
SURE_DOMAINS = frozenset(_SURE.split())
FILE_DOMAINS = frozenset(["py", "sh", "md", "so", "zip", "mov", "ps", "pm", "mm", "vi", "java"])
KEPT_DOMAINS = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$|^users\.noreply\.github\.com$|"
    r"^(?:openssh\.com|libssh\.org)$|"  # names of algorithms: umac-64@openssh.com
    r"^(?:your|my)?-?(?:domain|host|server|site)\.\w+$|^(?:self|this|cls|module)\."
)
_NAMES = "noreply no-reply user username you your name password passwd pass secret your.email your.name yourname"
KEPT_NAMES = frozenset(_NAMES.split())
GIT_NAME, GIT_HOSTS = "git", frozenset(("github.com", "gitlab.com", "bitbucket.org"))
OPENS_ADDRESS = re.compile(r"(?i)[<(\[\"'`]\s?\Z|mailto:\Z|e-?mail\S?\s*\Z")
CODE_BEFORE, CODE_AFTER = (
    re.compile(r"(?:[=+*/,|&!^~([{-]|\b(?:return|in|and|or|not|if|print))\s*\Z"),
    re.compile(r"\s?[(\[=]"),
)
CALL = re.compile(r"\w\(\s?\Z")
COMMENT = re.compile(r"(?:\A|\s)(?:#|//|/?\*|--|;|%|\.\.|@\w+)")
CODE_LINE = re.compile(r"[=(){};]")
# IPv6 of global unicast alone, 2000::/3: of other beginnings hardware addresses and fingerprints are far more frequent.
IP_ADDRESS = re2.compile(r"(?i)\b(?:(?:\d{1,3}\.){3}\d{1,3}\b|[23][0-9a-f]{3}:[0-9a-f:]{2,36}(?:(?:\.\d{1,3}){3})?)")
_DNS_SERVERS = (
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 4.2.2.2 4.2.2.1 "
    "76.76.19.19 76.223.122.150 94.140.14.14 94.140.15.15 2001:4860:4860::8888 2001:4860:4860::8844 "
    "2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe 2620:fe::9"
)
DNS_SERVERS = frozenset(_DNS_SERVERS.split())
# Then it is a version, an object identifier or a section of a standard.
NO_ADDRESS_AFTER = re.compile(
    r"(?i)(?:version\w*|ver|release|rev|build|kernel|linux|assembly\w*|section|chapter|specification|standard|driver\w*|oids?|"
    r"\bc(?:\+\+)?\d\d|[<>=~!^]=)[\s\"'=:(]*$"
)
UPGRADED = re.compile(r"(?i)\b(?:upgrad|updat|patch|bump|roll|downgrad|v8\b|deps\b|release)[^\n\"']*\Z")
NUMBER_BEFORE, NUMBER_AFTER = re.compile(r"\d?\.\d+[\s,]\Z"), re.compile(r"[\s,]-?\d*\.\d")  # of a path in SVG
HOST_BEFORE = re.compile(
    r"(?i)(?:host\w*|\bip\w*|addr\w*|server\w*|peer|gateway|remote|client|nameserver|bind|connect|ping6?|ssh|://|@)"
    r"[\s\"'=:(\[]*$"
)
# Else it is a part of a longer number or name; a port may follow.
BEFORE_IPV4, AFTER_IPV4 = (
    re.compile(r"(?<![\w.])(?<![\d:]:)(?<![A-Za-z_]-)"),
    re.compile(r"\.in-addr\.arpa|(?!\.?\w|-[A-Za-z])"),
)
BEFORE_IPV6, AFTER_IPV6 = re.compile(r"(?<![\w.:])"), re.compile(r"(?!\.?\w|:[\w:])")
OBJECT_IDENTIFIER = re.compile(r"[012]\.\d{1,2}\.")
PADDED = re.compile(r"\d{3}(?:\.\d{3}){3}")
MAX_SINGLE_DIGITS = 2  # of four: 2.7.18.1 is a version or a section far more often than an address
PLACEHOLDERS = frozenset(
    ["1.2.3.4", "4.3.2.1", "5.6.7.8", "6.7.8.9", *(".".join([digit] * 4) for digit in "123456789")]
)
CONTEXT_CHARACTERS = 32


@cache
def top_level_domains() -> frozenset[str]:
    """Return every top-level domain, in lower case."""
    lines = TOP_LEVEL_DOMAINS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


def find_emails(text: str) -> Iterator[str]:
    """Give the e-mail addresses of a text, also where `@` is escaped or spelled out."""
    for found in AT_SIGN.finditer(text):
        if not text[found.start() - 1 : found.start()].isspace() and (value := _address(text, *found.span())):
            yield value
    if SPELLED_MARK.search(text):
        for found in ESCAPED_AT_SIGN.finditer(text):
            if value := _address(text, *found.span()):
                yield value
        for found in SPELLED.finditer(text):
            is_kept = SPELLED_PLACEHOLDER.search(found.group())
            if found["top"].lower() in SURE_DOMAINS and not is_kept:
                yield found.group()


def _address(text: str, left: int, right: int) -> str:
    """Return the address around an `@`; empty where it is none."""
    domain = DOMAIN.match(text, right)
    if not domain or not _is_domain(domain.group()):
        return ""
    found = LOCAL_BACKWARDS.match(text[max(0, left - MAX_LOCAL_CHARACTERS) : left][::-1])
    if not found:
        return ""
    start, end, name = left - found.end(), domain.end(), found.group()[::-1]
    if text[start - 1 : start] == "\\" and name[0] in ESCAPES:  # the n of a line break is no part of the name
        start, name = start + 1, name[1:]
    if not name or name.lower() in KEPT_NAMES or KEPT_DOMAINS.search(domain.group().lower()):
        return ""
    is_remote = name == GIT_NAME and (domain.group() in GIT_HOSTS or text[end : end + 1] in (":", "/"))
    if is_remote or not _stands_as_address(text, start, end, name, domain.group()):
        return ""
    return text[start:end]


def _is_domain(domain: str) -> bool:
    top = domain.rpartition(".")[2]
    if top.startswith("xn--"):
        try:
            top = top.encode().decode("idna")
        except UnicodeError:
            return False
    is_written_evenly = top.islower() or top.isupper() or not top.isascii()
    return is_written_evenly and top.lower() in top_level_domains()


def _stands_as_address(text: str, start: int, end: int, name: str, domain: str) -> bool:
    """Return whether what stands around an address says that it is one, and no product of matrices or a file."""
    top = domain.rpartition(".")[2].lower()
    line = text[text.rfind("\n", max(0, start - 200), start) + 1 : start][-200:]
    is_opened = bool(OPENS_ADDRESS.search(line)) and text[end : end + 1] in (">", ")", "]", '"', "'", "`", "", ",", "?")
    if (
        top in FILE_DOMAINS
        and domain.count(".") == 1
        and not (is_opened and ("." in name or "-" in domain or "<" in line))
    ):
        return False
    if top in SURE_DOMAINS:
        return True
    is_quoted = line.count('"') % 2 or line.count("'") % 2 or line.count("`") % 2
    if is_quoted or (is_opened and not CALL.search(line)):
        return True
    if COMMENT.search(line):
        return True
    rest = text[end : end + 200].partition("\n")[0]
    return not (CODE_BEFORE.search(line) or CODE_AFTER.match(rest) or CODE_LINE.search(line + rest))


def find_ip_addresses(text: str) -> Iterator[str]:
    """Give the public IP addresses of a text that are no versions or parts of longer numbers."""
    for match in IP_ADDRESS.finditer(text):
        start, value = match.start(), match.group()
        if ":" in value and not is_public(value):
            value = value.rstrip(":")
        if not is_public(value) or not stands_alone(text, start, start + len(value)):
            continue
        before = text[max(0, start - CONTEXT_CHARACTERS) : start]
        if _is_number(before, text[start + len(value) : start + len(value) + CONTEXT_CHARACTERS]):
            continue
        if not _has_few_digits(value) or (HOST_BEFORE.search(before) and value not in PLACEHOLDERS):
            yield value


def _is_number(before: str, after: str) -> bool:
    """Return whether what stands around numbers with dots says that they are a version, an identifier or several."""
    return bool(
        NO_ADDRESS_AFTER.search(before)
        or UPGRADED.search(before)
        or (NUMBER_BEFORE.search(before) and NUMBER_AFTER.match(after))
    )


def _has_few_digits(value: str) -> bool:
    if ":" in value:
        return False
    return bool(OBJECT_IDENTIFIER.match(value)) or sum(len(part) == 1 for part in value.split(".")) > MAX_SINGLE_DIGITS


def is_public(value: str) -> bool:
    """Return whether a text is an IP address that somebody may have."""
    if PADDED.fullmatch(value):
        value = ".".join(str(int(part)) for part in value.split("."))
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and value.lower() not in DNS_SERVERS


def stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether an IP address is no part of a longer number or name."""
    before, after = (BEFORE_IPV6, AFTER_IPV6) if ":" in text[start:end] else (BEFORE_IPV4, AFTER_IPV4)
    return bool(before.match(text, start) and after.match(text, end))
