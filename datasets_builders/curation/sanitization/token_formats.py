"""Section 2.1, "security sanitization": the forms by which providers mark their keys.

A table of what stands in front of a key and what follows, from the providers' pages and the public rule sets of
scanners (gitleaks, TruffleHog, detect-secrets, GitHub's and GitLab's lists). Keys that are public by design (Stripe's
`pk_`, PostHog's `phc_`, New Relic's of browsers, ids of clients and accounts) stay. All marks are looked for at once;
what follows a mark is read only there.
"""

import re
from collections.abc import Iterator

import re2

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Marks that no word of a language has: keys stand behind `\n` and `tok_` too, so that no boundary is asked for.
PLAIN = {
    "A(?:KIA|3T[0-9A-Z])": "[0-9A-Z]{16}(?![0-9A-Za-z/+])",  # AWS
    "ASIA": "(?=[A-Z]{0,15}[0-9])[0-9A-Z]{16}",
    "ABSK": r"[\w+/]{100,}+={0,2}",
    "AIza": r"[\w-]{35}",  # Google
    "GOCSPX-": r"[\w-]{28}",
    r"ya29\.": r"[\w-]{60,}",
    "gh[pousr]_": r"\w{36,}",
    "github_pat_": r"\w{22,}",
    "gl(?:pat|dt|ft|ffct|soat|rtr?|cbt|imt|ptt|agent|oas|wt)-": r"[\w-]{20,}+(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?",  # GitLab
    "GR1348941": r"[\w-]{20,}",
    r"xox[a-z](?:\.xox[a-z])?-": "[0-9A-Za-z-]{10,}",  # Slack
    r"xapp-\d-": "[0-9A-Za-z-]{20,}",
    r"hooks\.slack\.com/services/": r"T\w+/B\w+/\w+",
    "[sr]k_(?:live|test|prod)_": "[0-9A-Za-z]{24,}",  # Stripe
    "whsec_": "[0-9A-Za-z+/]{32,}+=?",
    "rzp_(?:live|test)_": "[0-9A-Za-z]{14,}",  # Razorpay
    "sk-(?:ant|or|lf|proj|svcacct|admin|None|kimi)-": r"[\w-]{36,}",  # Anthropic, OpenRouter, Langfuse, OpenAI, Kimi
    "sk-[0-9A-Za-z]": r"[\w-]{0,200}?T3BlbkFJ[\w-]{20,}",  # OpenAI
    r"SG\.": r"[\w-]{22}\.[\w-]{43}",  # SendGrid
    "xkeysib-": "[0-9a-f]{64}-[0-9A-Za-z]{16}",  # Brevo
    "pypi-AgE": r"[\w-]{70,}",
    "npm_": "[0-9A-Za-z]{36}",
    "rubygems_": "[0-9a-f]{48}",
    "CLOJARS_": "[0-9A-Za-z]{60}",
    "dckr_[op]at_": r"[\w-]{27,}",
    "sq0csp-": r"[\w-]{43}",  # Square
    "sq0atp-": r"[\w-]{22}",
    r"access_token\$(?:production|sandbox)\$": r"[0-9a-z]{16}\$[0-9a-f]{32}",  # Braintree
    "AKCp": "[0-9A-Za-z]{60,}",  # Artifactory
    "cmVmd": "[0-9A-Za-z]{59}",
    "hf_": "[0-9A-Za-z]{30,}",
    "api_org_": "[0-9A-Za-z]{34}",
    "do[opr]_v1_": "[0-9a-f]{64}",  # DigitalOcean
    "shp(?:at|ca|pa|ss)_": "[0-9a-fA-F]{32}",  # Shopify
    "dapi": r"[0-9a-f]{32}(?:-\d)?",  # Databricks
    "AGE-SECRET-KEY-1": "[0-9A-Z]{58}",
    "PMAK-": "[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"dt0[a-z]\d\d\.": r"[0-9A-Z]{24}\.[0-9A-Z]{64}",  # Dynatrace
    "glsa_": "[0-9A-Za-z]{32}_[0-9a-fA-F]{8}",  # Grafana
    "glc_eyJ": "[0-9A-Za-z+/]{32,}+={0,2}",
    "sntry[us]_": r"[0-9A-Za-z+/-]{40,}+(?:={0,2}_[\w+/]{43})?",  # Sentry
    "NR(?:AK|BR|IQ)-": "[0-9A-Za-z]{19,}",  # New Relic
    "ph[xs]_": "[0-9A-Za-z]{40,}",  # PostHog
    "AT(?:ATT|CTT)3": r"[\w-]{60,}+(?:=[0-9A-F]{8})?",  # Atlassian
    r"hv[sbr]\.": r"[\w-]{24,}",  # HashiCorp Vault
    "pul-": "[0-9a-f]{40}",  # Pulumi
    r"dp\.(?:pt|ct|sa|scim|audit|st)\.": r"(?:[a-z0-9-]{2,35}\.)?[0-9A-Za-z]{40,44}",  # Doppler
    "ops_eyJ": "[0-9A-Za-z+/]{100,}+={0,3}",  # 1Password
    "tskey-[a-z]{2,12}-": "[0-9A-Za-z]{8,24}-[0-9A-Za-z]{16,}",  # Tailscale
    "HRKU-": r"[\w-]{36,}",  # Heroku
    "lin_(?:api|oauth)_": "[0-9A-Za-z]{32,}",  # Linear
    "ntn_": "[0-9A-Za-z]{40,}",  # Notion
    "fig[dour]_": r"[\w-]{40,}",  # Figma
    "tfp_": r"[\w.-]{40,}",  # Typeform
    "CFPAT-": r"[\w-]{43}",  # Contentful
    "fio-u-": r"[\w=-]{64}",  # Frame.io
    "rdme_": "[0-9a-z]{60,}",  # ReadMe
    "duffel_(?:test|live)_": r"[\w=-]{43}",
    "shippo_(?:test|live)_": "[0-9a-f]{40}",
    "FLWSECK(?:_TEST)?-": "[0-9a-hA-H]{12,32}-X",  # Flutterwave
    "EZ[AT]K": "[0-9A-Za-z]{54}",  # EasyPost
    "access-(?:production|sandbox|development)-": _UUID,  # Plaid
    "sbp_(?:v0_)?": "[0-9a-f]{40}",  # Supabase
    "sb_secret_": r"[\w-]{20,}",
    "pscale_(?:tkn|pw|oauth)_": r"[\w=.-]{32,64}",  # PlanetScale
    "nfp_": "[0-9A-Za-z]{36}",  # Netlify
    "CCIP(?:AT|RJ)_": "[0-9A-Za-z]{22}_[0-9a-f]{40}",  # CircleCI
    "bk[a-z]{2}_": "[0-9a-f]{40}",  # Buildkite
    "pnu_": "[0-9A-Za-z]{36}",  # Prefect
    "sq[pua]_": "[0-9a-f]{40}",  # Sonar
    r"FlyV1 fm\d_": r"[\w+/=-]{100,}",
    "fo1_": r"[\w-]{43}",
    "sha256~": r"[\w-]{43}",  # OpenShift
    r"v1\.0-": "[0-9a-f]{24}-[0-9a-f]{146}",  # Cloudflare
    "LTAI": "[0-9A-Za-z]{12,20}",  # Alibaba
    "AKID": "[0-9A-Za-z]{32}",  # Tencent
    "AKLT": r"[\w-]{30,}",  # Volcengine
    "AQVN": r"[\w-]{35,}",  # Yandex
    "gsk_": "[0-9A-Za-z]{48,}",  # Groq
    "pplx-": "[0-9A-Za-z]{40,}",  # Perplexity
    "xai-": "[0-9A-Za-z]{70,}",
    "lsv2_(?:pt|sk)_": "[0-9a-f]{32}_[0-9a-f]{10}",  # LangSmith
    "nvapi-": r"[\w-]{60,}",
    "jina_": r"[\w-]{60}",
    "tvly-(?:dev-|prod-)?": "[0-9A-Za-z]{28,}",  # Tavily
    "pcsk_": "[0-9A-Za-z]{5,6}_[0-9A-Za-z]{60,}",  # Pinecone
    "csk-": "[0-9a-z]{48}",  # Cerebras
    "e2b_": "[0-9a-f]{40}",
    "waka_": _UUID,
    r"pat-(?:na|eu|ap)\d-": _UUID,  # HubSpot
    r"[st]k\.eyJ": r"[\w-]{40,}+\.[\w-]{20,}",  # Mapbox
    # Discord; the first part is a number in base64
    "(?:[MNO][DTjz][AEIMQUYcgk][wxyz0-5]){5}": r"[\w-]{0,7}\.[\w-]{6}\.[\w-]{27,38}",
}
# Marks that are a part of words or of other data, so that nothing may touch the key, and it must look random.
BOUNDED = {
    "(?:AC|SK)[0-9a-f]": "[0-9a-f]{31}",  # Twilio
    "key-[0-9a-f]": "[0-9a-f]{31}",  # Mailgun
    "sk-[0-9A-Za-z]": "(?:[0-9a-f]{31}|[0-9A-Za-z]{47,60})",
    "sk_[0-9a-f]": "[0-9a-f]{47}",  # ElevenLabs
    "(?:api|sdk)-[0-9a-f]": r"[0-9a-f]{7}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",  # LaunchDarkly
    "fc-[0-9a-f]": "[0-9a-f]{31}",  # Firecrawl
    "r8_": "[0-9A-Za-z]{37}",  # Replicate
    "re_[0-9A-Za-z]{8}_": "[0-9A-Za-z]{20,30}",  # Resend
    r"pat[0-9A-Za-z]{14}\.": "[0-9a-f]{64}",  # Airtable
    r"pat\.": r"[\w-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20}",  # Harness
    "secret_": "[0-9A-Za-z]{43}",  # Notion
    "rnd_": "[0-9A-Za-z]{28}",  # Render
    "napi_": "[0-9a-z]{60,}",  # Neon
    "ico-": "[0-9A-Za-z]{32}",  # Infracost
    "p8e-": "[0-9A-Za-z]{32}",  # Adobe
    "cio": "[0-9A-Za-z]{32}",  # crates.io
    "oy2": "[0-9a-z]{43}",  # NuGet
    "4b1d": "[0-9A-Za-z]{38}",  # ClickHouse
    r"sl\.(?:u\.)?": r"[\w-]{130,}",  # Dropbox
    "ATBB": "[0-9A-Za-z]{32}",  # Bitbucket
    "EAA[0-9A-Za-z]": r"(?:[0-9A-Za-z]{100,}|[\w-]{60})",  # Facebook, Square
    "1//0": r"[\w-]{60,}",  # Google
    "A3-": "[0-9A-Z]{6}-[0-9A-Z]{6}-?[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}",  # 1Password
    "A{19}": r"A{0,3}[B-Za-z0-9%][\w%]{58,110}",  # Twitter
    # Brothers of all these: a name, what it is for, and a random rest
    "[a-z][0-9a-z]{1,11}[_-](?:(?:live|test|prod|pat|sk|key|api|secret|tok|token|tkn|oauth|svc|sa)[_-]){1,2}": (
        "[0-9A-Za-z]{24,}"
    ),
}
# Marks inside a key: what follows, what stands before, and how many characters that has at least and at most.
INSIDE = {
    "Q~": (r"[\w.~-]{31,34}", r"[\w~.]{3}\d", 4, 4),  # Microsoft Entra
    "AZDO": ("[0-9A-Za-z]{4}", "[0-9A-Za-z]+", 76, 76),
    "AzFu": (r"[\w-]{4}==", r"[\w-]+", 44, 44),
    "AzSe[A-D]": ("[0-9A-Za-z]{5}", "[0-9A-Za-z]+", 42, 42),
    r"\+ACR[A-D]": ("[0-9A-Za-z+/]{5}", "[0-9A-Za-z+/]+", 42, 42),
    r"\+ASt": ("[0-9A-Za-z+/]{5}==", "[0-9A-Za-z+/]+", 76, 76),
    r"\.atlasv1\.": (r"[\w-]{60,}", "[0-9A-Za-z]+", 14, 14),
    ":APA91b": (r"[\w-]{100,}", r"AAAA[\w-]+", 11, 11),
    ":AA": (r"[\w-]{33}", r"\d+", 8, 10),  # Telegram
    "-us": (r"\d{1,2}\b", r"(?:\b|(?<=\\[nrt]))[0-9a-f]+", 32, 32),  # Mailchimp
    "-[0-9a-f]{8}-[0-9a-f]{8}": (r"\b", r"(?:\b|(?<=\\[nrt]))[0-9a-f]+", 32, 32),  # Mailgun
}


def _alternatives(*patterns: str) -> str:
    return "|".join(patterns)


MAX_KEY_CHARACTERS = 2_000
_RUN = r"[\w.:/+=~%$-]{4}"  # of any key, behind its mark: most of what only begins like one ends here
MARKS = re2.compile(
    f"(?P<bounded>(?:\\b|\\\\[nrt])(?:{_alternatives(*BOUNDED)})){_RUN}|(?P<plain>{_alternatives(*PLAIN)}){_RUN}"
    f"|(?P<inside>{_alternatives(*INSIDE)})|(?P<longer>PRIVATE KEY|Private-Lines: |\\.eyJ)"
)
PLAIN_KEY = re.compile(_alternatives(*(mark + rest for mark, rest in PLAIN.items())))
BOUNDED_KEY = re.compile(rf"(?:{_alternatives(*(mark + rest for mark, rest in BOUNDED.items()))})(?![\w+/-])")
INSIDE_KEYS: dict[str, list[tuple[re.Pattern[str], re.Pattern[str], int, int]]] = {}  # by the mark's first letter
for _mark, (_rest, _before, _fewest, _most) in INSIDE.items():
    _formats = INSIDE_KEYS.setdefault(_mark.lstrip("\\")[0], [])
    _formats.append((re.compile(_mark + _rest), re.compile(_before), _fewest, _most))


_KINDS_OF_MARKS = {number: name for name, number in MARKS.groupindex.items()}


def find_marked(text: str) -> Iterator[tuple[str, str]]:
    """Give what marks tell, and of which kind the mark is.

    A key is `plain`, `inside`, or `bounded`: then it counts if it looks random. `longer`, a mark alone, says that the
    text has what only a look at all of it finds.
    """
    after = 0
    # Places in bytes need not be counted in characters.
    for found in MARKS.finditer(text.encode() if text.isascii() else text):
        at, end = found.span()
        kind = _KINDS_OF_MARKS[found.lastindex]
        if kind == "longer":
            yield text[at:end], kind
        if at < after or kind == "longer":
            continue
        if kind == "inside":
            value = _around(text, at)
        else:
            at += 2 * (text[at] == "\\")
            key = PLAIN_KEY.match(text, at)
            if key:
                kind = "plain"
            elif kind == "bounded":
                key = BOUNDED_KEY.match(text, at)
            value = key.group() if key else ""
            after = at + len(value)
            if kind == "bounded" and text[at - 1 : at] in ("+", "/") and value.isalnum():  # a part of data in base64
                continue
        if 0 < len(value) <= MAX_KEY_CHARACTERS:
            yield value, kind


def _around(text: str, at: int) -> str:
    """Return the key around a mark; empty where what stands before or behind is none."""
    for behind, before, fewest, most in INSIDE_KEYS[text[at]]:
        if found := behind.match(text, at):
            for width in range(min(most, at), fewest - 1, -1):
                if before.fullmatch(text, at - width, at):
                    return text[at - width : found.end()]
    return ""
