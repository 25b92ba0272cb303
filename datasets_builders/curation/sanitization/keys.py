"""Section 2.1, "security sanitization": keys that providers or their own form mark, gone whole."""

import re
from collections.abc import Iterator

import re2

from datasets_builders.curation.sanitization.secret_values import is_random
from datasets_builders.curation.sanitization.token_formats import find_marked

PRIVATE_KEY = re2.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"-----END (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
)
# A key's lines, also quoted or in comments; between a mark and another in code there are few such runs.
KEY_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")
PUTTY_KEY = re2.compile(r"Private-Lines: \d+\s+((?:[A-Za-z0-9+/=]{16,64}\s+)+)")
# Apart from the others: a word of any length that only begins like one would be read again behind each of them.
JSON_WEB_TOKEN = re2.compile(r"eyJ[\w-]{10,}={0,2}\.eyJ[\w-]{10,}={0,2}(?:\.[\w-]+)?")
NOT_A_TOKEN = re.compile(r"(?i)example|xxxx|0{8}|^[0-9a-f]{40}$")


def find_keys(text: str) -> Iterator[str]:
    """Give the keys and tokens of a text that are marked as such, without what stands around them.

    Source: the providers' formats of keys.
    """
    longer = set()
    for value, kind in find_marked(text):
        if kind == "longer":
            longer.add(value)
        elif not NOT_A_TOKEN.search(value) and (kind != "bounded" or is_random(value)):
            yield value
    for match in PRIVATE_KEY.finditer(text) if "PRIVATE KEY" in longer else ():
        key = match.group()[match.group().rindex("-----BEGIN") :]
        body = key.split("-----")[2]
        if 2 * sum(map(len, KEY_RUN.findall(body))) > len(body):
            yield key
    for match in PUTTY_KEY.finditer(text) if "Private-Lines: " in longer else ():
        yield match[1].rstrip()
    for match in JSON_WEB_TOKEN.finditer(text) if ".eyJ" in longer else ():
        yield match.group()
