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
    "databricks_numbered": "dapi[0-9a-f]{32}-2",
    "aws_session_id": "ASIA[A-Z2-7]{16}",
    "aws_bedrock": "ABSK[A-Za-z0-9+/]{109}",
    "google_refresh": "1//0[A-Za-z0-9_-]{99}",
    "google_access": "ya29.[A-Za-z0-9_-]{120}",
    "firebase_server": "AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{134}",
    "azure_entra": "[A-Za-z0-9]{3}8Q~[A-Za-z0-9_.~-]{34}",
    "azure_devops": "[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}",
    "azure_function": "[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{4}==",
    "azure_search": "[A-Za-z0-9]{42}AzSeA[A-Za-z0-9]{5}",
    "azure_registry": "[A-Za-z0-9/]{42}+ACRA[A-Za-z0-9]{5}",
    "azure_storage": "[A-Za-z0-9/]{76}+ASt[A-Za-z0-9/]{5}==",
    "github_oauth": "gho_[A-Za-z0-9]{36}",
    "github_installation": "ghs_[A-Za-z0-9]{36}",
    "gitlab_routable": "glpat-[A-Za-z0-9_-]{27}.01.[a-z0-9]{9}",
    "gitlab_deploy": "gldt-[A-Za-z0-9_-]{20}",
    "gitlab_oauth": "gloas-[0-9a-f]{64}",
    "bitbucket_app": "ATBB[A-Za-z0-9]{32}",
    "slack_rotated": "xoxe.xoxp-1-[A-Za-z0-9]{166}",
    "slack_app": "xapp-1-A[A-Z0-9]{10}-[0-9]{13}-[0-9a-f]{64}",
    "stripe_restricted": "rk_live_51[A-Za-z0-9]{97}",
    "stripe_webhook": "whsec_[A-Za-z0-9]{32}",
    "mailgun": "key-[0-9a-f]{32}",
    "mailgun_new": "[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",
    "brevo": "xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    "resend": "re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
    "square_access": "EAAA[A-Za-z0-9_-]{60}",
    "braintree": "access_token$production$[a-z0-9]{16}$[0-9a-f]{32}",
    "razorpay": "rzp_live_[A-Za-z0-9]{14}",
    "flutterwave": "FLWSECK-[0-9a-f]{32}-X",
    "plaid": "access-production-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "easypost": "EZAK[A-Za-z0-9]{54}",
    "duffel": "duffel_live_[A-Za-z0-9_-]{43}",
    "shippo": "shippo_live_[0-9a-f]{40}",
    "linear": "lin_api_[A-Za-z0-9]{40}",
    "notion": "ntn_[A-Za-z0-9]{46}",
    "notion_old": "secret_[A-Za-z0-9]{43}",
    "figma": "figd_[A-Za-z0-9_-]{40}",
    "airtable": "pat[A-Za-z0-9]{14}.[0-9a-f]{64}",
    "atlassian": "ATATT3xFfGF0[A-Za-z0-9_-]{180}=[A-F0-9]{8}",
    "typeform": "tfp_[A-Za-z0-9_.-]{59}",
    "contentful": "CFPAT-[A-Za-z0-9_-]{43}",
    "hubspot": "pat-na1-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "frameio": "fio-u-[A-Za-z0-9_-]{64}",
    "readme": "rdme_[a-z0-9]{70}",
    "postman": "PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "grafana_service": "glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}",
    "grafana_cloud": "glc_eyJ[A-Za-z0-9+/]{100}",
    "newrelic": "NRAK-[A-Z0-9]{27}",
    "dynatrace": "dt0c01.[A-Z0-9]{24}.[A-Z0-9]{64}",
    "sentry_user": "sntryu_[0-9a-f]{64}",
    "sentry_organization": "sntrys_eyJ[A-Za-z0-9+/]{100}=_[A-Za-z0-9+/]{43}",
    "posthog": "phx_[A-Za-z0-9]{43}",
    "sonar": "sqp_[0-9a-f]{40}",
    "vault": "hvs.[A-Za-z0-9_-]{90}",
    "terraform": "[A-Za-z0-9]{14}.atlasv1.[A-Za-z0-9_-]{67}",
    "pulumi": "pul-[0-9a-f]{40}",
    "doppler": "dp.pt.[A-Za-z0-9]{43}",
    "doppler_service": "dp.st.dev.[A-Za-z0-9]{43}",
    "onepassword": "ops_eyJ[A-Za-z0-9+/]{260}",
    "age": "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "docker_hub": "dckr_pat_[A-Za-z0-9_-]{27}",
    "rubygems": "rubygems_[0-9a-f]{48}",
    "crates": "cio[A-Za-z0-9]{32}",
    "nuget": "oy2[a-z0-9]{43}",
    "clojars": "CLOJARS_[0-9a-f]{60}",
    "artifactory_reference": "cmVmd[A-Za-z0-9]{59}",
    "circleci": "CCIPAT_[A-Za-z0-9]{22}_[0-9a-f]{40}",
    "buildkite": "bkua_[0-9a-f]{40}",
    "prefect": "pnu_[A-Za-z0-9]{36}",
    "infracost": "ico-[A-Za-z0-9]{32}",
    "harness": "pat.[A-Za-z0-9]{22}.[0-9a-f]{24}.[A-Za-z0-9]{20}",
    "openshift": "sha256~[A-Za-z0-9_-]{43}",
    "tailscale": "tskey-auth-[A-Za-z0-9]{11}CNTRL-[A-Za-z0-9]{32}",
    "cloudflare_origin": "v1.0-[0-9a-f]{24}-[0-9a-f]{146}",
    "fly": "FlyV1 fm2_[A-Za-z0-9+/]{200}",
    "heroku": "HRKU-AA[A-Za-z0-9_-]{58}",
    "netlify": "nfp_[A-Za-z0-9]{36}",
    "render": "rnd_[A-Za-z0-9]{28}",
    "supabase": "sbp_[0-9a-f]{40}",
    "planetscale": "pscale_tkn_[A-Za-z0-9_-]{43}",
    "neon": "napi_[a-z0-9]{64}",
    "linode_style_alibaba": "LTAI[A-Za-z0-9]{20}",
    "tencent": "AKID[A-Za-z0-9]{32}",
    "yandex": "AQVN[A-Za-z0-9_-]{36}",
    "clickhouse": "4b1d[A-Za-z0-9]{38}",
    "mapbox_secret": "sk.eyJ1Ijoi[A-Za-z0-9]{70}.[A-Za-z0-9_-]{22}",
    "facebook": "EAAB[A-Za-z0-9]{150}",
    "twitter_bearer": "AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9]{80}",
    "dropbox": "sl.[A-Za-z0-9_-]{136}",
    "adobe": "p8e-[a-z0-9]{32}",
    "openai_service": "sk-svcacct-[A-Za-z0-9_-]{74}T3BlbkFJ[A-Za-z0-9_-]{74}",
    "anthropic_oauth": "sk-ant-oat01-[A-Za-z0-9_-]{93}AA",
    "groq": "gsk_[A-Za-z0-9]{52}",
    "replicate": "r8_[A-Za-z0-9]{37}",
    "perplexity": "pplx-[A-Za-z0-9]{48}",
    "xai": "xai-[A-Za-z0-9]{80}",
    "openrouter": "sk-or-v1-[0-9a-f]{64}",
    "langsmith": "lsv2_pt_[0-9a-f]{32}_[0-9a-f]{10}",
    "langfuse": "sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "deepseek": "sk-[0-9a-f]{32}",
    "moonshot": "sk-[A-Za-z0-9]{48}",
    "nvidia": "nvapi-[A-Za-z0-9_-]{64}",
    "jina": "jina_[A-Za-z0-9_-]{60}",
    "cerebras": "csk-[a-z0-9]{48}",
    "tavily": "tvly-[A-Za-z0-9]{32}",
    "firecrawl": "fc-[0-9a-f]{32}",
    "pinecone": "pcsk_[A-Za-z0-9]{6}_[A-Za-z0-9]{63}",
    "elevenlabs": "sk_[0-9a-f]{48}",
    "e2b": "e2b_[0-9a-f]{40}",
    "wakatime": "waka_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
}
RANGES = {
    "A-F": "ABCDEF",
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
