"""Values shaped like real ones, for tests and benchmarks: keys by provider, addresses, passwords. All are made up.

Patterns and not examples, so that no scanner takes these files for a leak.
"""

import base64
import json
import random
import re
import string
from collections.abc import Callable

# Provider -> pattern, of `{CLASS}` and how often: what a key of today looks like, all of it.
KEYS = {
    "aws_id": "AKIA[A-Z2-7]{16}",
    "google": "AIza[A-Za-z0-9_-]{35}",
    "google_oauth": "GOCSPX-[A-Za-z0-9_-]{28}",
    "github": "ghp_[A-Za-z0-9]{36}",
    "github_fine_grained": "github_pat_[A-Z0-9]{22}_[A-Za-z0-9]{59}",
    "gitlab": "glpat-[A-Za-z0-9_-]{20}",
    "gitlab_runner": "glrt-[A-Za-z0-9_-]{20}",
    "slack": "xoxb-[0-9]{12}-[0-9]{13}-[A-Za-z0-9]{24}",
    "slack_webhook": "hooks.slack.com/services/T[A-Z0-9]{8}/B[A-Z0-9]{8}/[A-Za-z0-9]{24}",
    "stripe": "sk_live_[A-Za-z0-9]{24}",
    "stripe_long": "sk_live_51[A-Za-z0-9]{97}",
    "sendgrid": "SG.[A-Za-z0-9_-]{22}.[A-Za-z0-9_-]{43}",
    "openai": "sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    "openai_project": "sk-proj-[A-Za-z0-9]{74}T3BlbkFJ[A-Za-z0-9_-]{74}",
    "anthropic": "sk-ant-api03-[A-Za-z0-9_-]{93}AA",
    "pypi": "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{120}",
    "npm": "npm_[A-Za-z0-9]{36}",
    "telegram": "[1-9]{10}:AA[A-Za-z0-9_-]{33}",
    "square": "sq0csp-[A-Za-z0-9_-]{43}",
    "mailchimp": "[0-9a-f]{32}-us[1-9]{2}",
    "twilio": "SK[0-9a-f]{32}",
    "artifactory": "AKCp8[A-Za-z0-9]{68}",
    "hugging_face": "hf_[A-Za-z]{34}",
    "digitalocean": "dop_v1_[0-9a-f]{64}",
    "shopify": "shpat_[0-9a-f]{32}",
    "databricks": "dapi[0-9a-f]{32}",
}
RANGES = {
    "A-Z": string.ascii_uppercase,
    "a-z": string.ascii_lowercase,
    "A-Za-z": string.ascii_letters,
    "0-9": string.digits,
    "1-9": "123456789",
    "2-7": "234567",
    "a-f": "abcdef",
}


def drawn(pattern: str, draw: random.Random) -> str:
    """Return a text of a pattern of `[CLASS]{COUNT}` and other letters."""

    def characters(match: re.Match[str]) -> str:
        chosen = re.sub(r".-.", lambda found: RANGES[found.group()], match[1])
        return "".join(draw.choices(chosen, k=int(match[2])))

    return re.sub(r"\[([^]]+)\]\{(\d+)\}", characters, pattern)


def json_web_token(draw: random.Random) -> str:
    """Return a signed JSON web token."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": str(draw.getrandbits(40)), "name": "Jo"}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, drawn("[A-Za-z0-9_-]{43}", draw)])


def discord_token(draw: random.Random) -> str:
    """Return a bot's token: a number in base64, a time and a signature."""
    number = base64.b64encode(str(draw.randrange(10**17, 10**18)).encode()).decode()
    return f"{number}.{drawn('[A-Za-z0-9_-]{6}.[A-Za-z0-9_-]{38}', draw)}"


def private_key(draw: random.Random) -> str:
    """Return a private key in PEM."""
    kind = draw.choice(["RSA ", "EC ", "OPENSSH ", ""])
    lines = [drawn("[A-Za-z0-9+/]{64}", draw) for _ in range(draw.randrange(2, 9))]
    return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])


def email(draw: random.Random) -> str:
    """Return an address that somebody may have."""
    name = draw.choice(["jo", "jane.doe", "j+tag", "x_9", "anna-maria"]) + draw.choice(["", "7", ".k"])
    return f"{name}@{draw.choice(['firm.com', 'mail.uni-bonn.de', 'a.b.co.uk', 'x1.io'])}"


def ipv4(draw: random.Random) -> str:
    """Return a public address."""
    return f"{draw.choice([5, 93, 145, 203])}.{draw.randrange(20, 256)}.{draw.randrange(20, 256)}.{draw.randrange(256)}"


def ipv6(draw: random.Random) -> str:
    """Return a public address."""
    tail = [f"{draw.randrange(1, 1 << 16):x}" for _ in range(6)]
    return draw.choice(["2606:2800:" + ":".join(tail), f"2a00:{tail[0]}::{tail[1]}", f"2a00:1450:{tail[0]}::{tail[1]}"])


def password(draw: random.Random) -> str:
    """Return a password that looks random."""
    return "".join(draw.sample(string.ascii_letters + string.digits, 16))


SECRETS: dict[str, Callable[[random.Random], str]] = {
    **{name: lambda draw, pattern=pattern: drawn(pattern, draw) for name, pattern in KEYS.items()},
    "jwt": json_web_token,
    "discord": discord_token,
    "private_key": private_key,
}
ADDRESSES = {"email": email, "ipv4": ipv4, "ipv6": ipv6}
# How values stand in a URL, a connection string or an assignment, which is what tells them: `{}` is the value.
TOLD_BY_CONTEXT = {
    "url_password": ("postgres://admin:{}@db.firm.com/x", password),
    "password": ('password = "{}"', password),
    "client_secret": ("'client_secret': '{}'", password),
    "aws_secret": ('aws_secret_access_key = "{}"', lambda draw: drawn("[A-Za-z0-9+/]{40}", draw)),
    "azure": ("AccountKey={};Suffix", lambda draw: drawn("[A-Za-z0-9+/]{86}==", draw)),
    "npm_uuid": (
        "//registry.npmjs.org/:_authToken={}",
        lambda draw: drawn("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", draw),
    ),
}
