"""Section 2.1, "security sanitization": keys, tokens and passwords in code, by what they look like or are assigned to.

Providers mark their keys; anything else counts where a random-looking text is assigned to a name such as `api_key`, or
is the password of a URL. A random-looking text alone is none: in code, hashes and identifiers are far more frequent.
detect-secrets has detectors of the same keys; some take quotes around a key for a part of it, or leave the rest of
longer keys, which is enough for a warning and not for a replacement.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import re2

PRIVATE_KEY = re2.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"-----END (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
)
# A key's lines, also quoted or in comments; between a mark and another in code there are few such runs.
KEY_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")
# A group is the value, else all is. Without \b where the mark is plain: keys stand behind `\n` and `tok_` too.
TOKENS = re2.compile(
    "|".join(
        (
            r"(?:AKIA|ASIA|A3T[0-9A-Z])[0-9A-Z]{16}",  # AWS
            r"(?i:aws.{0,20}(?:key|pwd|pw|pass|token).{0,20})[\"']([0-9A-Za-z/+]{40})[\"']",
            r"AccountKey=([0-9A-Za-z+/]{86}==)",  # Azure
            r"AIza[\w-]{35}|GOCSPX-[\w-]{28}",  # Google
            r"gh[pousr]_\w{36,}|github_pat_\w{22,}",
            r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{20,}|GR1348941[\w-]{20,}",  # GitLab
            r"xox[a-z]-[0-9A-Za-z-]{10,}|xapp-\d-[0-9A-Za-z-]{20,}|hooks\.slack\.com/services/T\w+/B\w+/\w+",
            r"[sr]k_(?:live|test)_[0-9A-Za-z]{24,}",  # Stripe
            r"SG\.[\w-]{22}\.[\w-]{43}",  # SendGrid
            r"sk-[\w-]{0,200}T3BlbkFJ[\w-]{20,}|sk-ant-[\w-]{80,}",  # OpenAI, Anthropic
            r"pypi-AgE[\w-]{70,}",
            r"npm_[0-9A-Za-z]{36}|_authToken=([0-9A-Fa-f-]{36})",
            r"\d{8,10}:AA[\w-]{33}",  # Telegram
            # Discord; the first part is a number in base64
            r"(?:[MNO][DTjz][AEIMQUYcgk][wxyz0-5]){5,6}[\w-]{0,3}\.[\w-]{6}\.[\w-]{27,38}",
            r"sq0csp-[\w-]{43}|sq0atp-[\w-]{22}",  # Square
            r"(?:\b|\\[nrt])([0-9a-f]{32}-us\d{1,2}|(?:AC|SK)[0-9a-f]{32})\b",  # Mailchimp, Twilio
            r"AKCp[0-9A-Za-z]{60,}",  # Artifactory
            r"hf_[0-9A-Za-z]{30,}",  # Hugging Face
            r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
            r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
            r"dapi[0-9a-f]{32}",  # Databricks
        )
    )
)
# Apart from the others: a word of any length that only begins like one would be read again behind each of them.
JSON_WEB_TOKEN = re2.compile(r"eyJ[\w-]{10,}={0,2}\.eyJ[\w-]{10,}={0,2}(?:\.[\w-]+)?")
# Names to which secrets are assigned, and the password of a URL.
ASSIGNED = re2.compile(
    r"(?i:(?:api|access|auth|secret|private|client|encryption|signing)[_.-]?(?:key|token|secret)|passw(?:or)?d|secret)"
    r"[\w.-]{0,20}[\"']?\s{0,5}(?::=|=>|[:=])\s{0,5}(?:\"([^\"'\n]{8,})\"|'([^\"'\n]{8,})')"
    r"|://[^\s:/?#@\"'<>]*:([^\s:/?#@\"'<>]{8,})@"
)
MAX_ASSIGNED_CHARACTERS = 200
MIN_ENTROPY_BITS = 3.3  # per character of an assigned value: words of a language have less
NOT_A_SECRET = re.compile(
    r"(?i)example|sample|placeholder|change.?me|your|xxx|\*\*\*|dummy|fake|test|none|null|undefined|env|config|\$[\w{]|\{\{|%\(|"
    r"<|\s|[(\[{]|^--|^[a-z]+(?:[_.-][a-z]+)*$|/"
)
NOT_A_TOKEN = re.compile(r"(?i)example|xxxx|0{8}|^[0-9a-f]{40}$")


def find_keys(text: str) -> Iterator[str]:
    """Give the keys and tokens of a text that are marked as such, without what stands around them.

    Source: the providers' formats of keys.
    """
    for match in PRIVATE_KEY.finditer(text) if "PRIVATE KEY" in text else ():
        key = match.group()[match.group().rindex("-----BEGIN") :]
        body = key.split("-----")[2]
        if 2 * sum(map(len, KEY_RUN.findall(body))) > len(body):
            yield key
    matches = chain(TOKENS.finditer(text), JSON_WEB_TOKEN.finditer(text) if "eyJ" in text else ())
    for match in matches:
        value = match[match.lastindex or 0]
        if not NOT_A_TOKEN.search(value):
            yield value


def find_assigned(text: str) -> Iterator[str]:
    """Give the random-looking values that are assigned to the name of a secret, and the passwords of URLs."""
    for match in ASSIGNED.finditer(text):
        value = match[match.lastindex or 0]
        is_random = len(value) <= MAX_ASSIGNED_CHARACTERS and entropy(value) >= MIN_ENTROPY_BITS
        if is_random and not NOT_A_SECRET.search(value):
            yield value


def entropy(text: str) -> float:
    """Return Shannon's entropy of a text's characters, in bits per character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
