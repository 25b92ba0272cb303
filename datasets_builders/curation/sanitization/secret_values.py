"""Section 2.1, "security sanitization": what a value looks like: drawn, chosen by a person, a name, a reference.

Drawn are the keys of programs: their letters and digits change kind more often than in words. Passwords are chosen:
letters, and a number or a mark. Neither is what people write in place of a secret, or what says where one is.
"""

import base64
import binascii
import math
import re
from collections import Counter
from itertools import pairwise

import re2

from datasets_builders.curation.sanitization.secret_words import COMMON_WORDS, WORDS_OF_NAMES

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# Words by which people mark what is no secret, wherever they stand in a value; what a reference, code or
# a key that is public by design begins with.
PLACEHOLDER_WORDS = re2.compile(
    r"(?i)example|sample|place.?holder|change.{0,8}(?:me|this|it)|your|xxx|\*\*\*|dummy|fake|redacted|filtered|insert|"
    r"replace|todo|fixme|\.\.\.|0{6}|123456|abcdef|qwerty|lorem|foobar|foo.?bar|SECRET_\d|_ADDRESS_\d|s3cr|key.here|here$|"
    r"^\d{4}-\d\d-\d\dT"
)
REFERENCE = re2.compile(
    r"(?i)^(?:NRJS-|pk_(?:live|test)_|phc_|\$|%[\w(]|\{\{|<|\[|\(|--|/|\.{1,2}/|~/|@[A-Z_]+@|#\{|!|0x|"
    r"(?:https?|file|arn|urn|vault|env|ssm|op|projects|enc|secretref|s3|gs|data|ssh-\w+|sha\d+|md5|self|this|config|"
    r"options?|props|process|os|settings|req|request|args|params)(?:[:/.\[-]|$))|"
    r"\$\{|\{\{|%\(|\}\}|^[A-Za-z_][\w.]*\(|\[A-Z|\[a-z|\\[dws]"
)
# A path; what ends as base64 does is none.
PATH = re2.compile(r"^[\w-]+/[\w-]+/[\w-]+/[\w/-]+(?:[:/.\[-]|$)")
UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
HEX = re.compile(r"(?:[0-9a-f]{24,}|[0-9A-F]{24,})\Z")
CHOSEN = re.compile(r"(?=[A-Za-z0-9])(?=.*[A-Za-z].*[A-Za-z])(?=.*[\d!@#^&*+?~])[\w!@#$%^&*+=?~.,:;-]{6,40}\Z")
COMMON_PARTS = re.compile(r"(?i)passw|secret|token|passphrase")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:[.:-][A-Za-z_]\w*)+\Z|\d+(?:[.,:/-]\d+)*%?\Z")
MAX_CHARACTERS = 400
MIN_ENTROPY_BITS = 2.8  # per character: words of a language and repetitions have less
MARKS_OF_PASSWORDS = "!@#%^&*+=?()~$"
MIN_BREAKS, BREAKS_PER_CHARACTER = 3, 0.2
MIN_WORD_CHARACTERS, MAX_SHARE_IN_WORDS = 4, 0.5  # of a drawn value of both cases, whose runs of one case are short


def is_placeholder(value: str) -> bool:
    """Return whether a value stands for a secret, is written in its place, or is too long for one."""
    if len(value) > MAX_CHARACTERS or REFERENCE.search(value) or PLACEHOLDER_WORDS.search(value):
        return True
    return bool(PATH.search(value)) and not value.endswith("=")


def is_chosen(value: str) -> bool:
    """Return whether a value looks like a password that a person chose: letters, and a number or a mark."""
    if not CHOSEN.match(value) or COMMON_PARTS.search(value) or DOTTED.match(value):
        return False
    return COMMON_WORDS.isdisjoint(word.lower() for word in WORD.findall(value))


def is_random(value: str, min_characters: int = 8) -> bool:
    """Return whether a value is drawn and not written: its letters and digits change kind more often than in names."""
    if len(value) < min_characters or entropy(value) < MIN_ENTROPY_BITS:
        return False
    breaks = sum(
        first.end() == second.start() or value[first.end()] in MARKS_OF_PASSWORDS
        for first, second in pairwise(WORD.finditer(value))
    )
    characters = sum(map(str.isalnum, value))
    return breaks >= MIN_BREAKS and breaks >= BREAKS_PER_CHARACTER * characters


def is_name(value: str) -> bool:
    """Return whether a value of both cases is made of words, as names in code are; runs in drawn ones are short."""
    words = WORD.findall(value)
    if not WORDS_OF_NAMES.isdisjoint(word.lower() for word in words):
        return True
    in_words = sum(len(word) for word in words if len(word) >= MIN_WORD_CHARACTERS and word.isalpha())
    return not value.islower() and not value.isupper() and in_words > MAX_SHARE_IN_WORDS * sum(map(str.isalnum, value))


def is_login(value: str) -> bool:
    """Return whether a value is a login and a password in base64, as in HTTP's basic authentication."""
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded[1:-1] and decoded.isascii() and decoded.decode().isprintable()


def entropy(text: str) -> float:
    """Return Shannon's entropy of a text's characters, in bits per character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
