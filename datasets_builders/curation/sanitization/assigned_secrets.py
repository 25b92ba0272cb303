"""Section 2.1, "security sanitization": keys, tokens and passwords in code, by what they look like or are assigned to.

Providers mark their keys (`token_formats.py`). Anything else counts where a name such as `api_key` tells it: by an
assignment of any language, a call, an element of XML, a connection string, an option of a command, a header. What the
name is of decides how random the value must look: passwords are chosen by people, tokens are drawn. A random-looking
text alone is none: in code, hashes and identifiers are far more frequent.
detect-secrets has detectors of some of the same keys; some take quotes around a key for a part of it, or leave the rest
of longer keys, which is enough for a warning and not for a replacement.
"""

import re
import string
from collections.abc import Iterator
from urllib.parse import unquote

import re2

from datasets_builders.curation.sanitization.secret_values import (
    HEX,
    UUID,
    WORD,
    is_chosen,
    is_login,
    is_name,
    is_placeholder,
    is_random,
)
from datasets_builders.curation.sanitization.secret_words import (
    DRAWN,
    NO_KEYS,
    NO_TOKENS,
    NOT_A_VALUE,
    PASSWORDS,
    READERS,
    SECRET_KEYS,
    WORDS_OF_NAMES,
)

# A name that may be a secret's, what leads from it to a value, and the value: quoted, or up to what ends it.
_NAME = (
    r"(?i:pass(?:w(?:or)?d|wort|phrase|code)?|pwd|pw|secret|token|credentials?|auth(?:orization)?|[\w.-]key|"
    r"(?:api|access|account|auth|encryption|private|secret|signing)[ ]key|senha|kennwort)"
    r"[\w.-]{0,24}"
)
_TYPE = r"(?::\s{0,2}|\s)(?:&?(?:'\w{1,9}\s)?[A-Za-z_][\w.]{1,20}(?:\[\w{0,12}\])?(?:\s?\|\s?\w{1,9})?)"
_WRAPPER = r"(?:\[\]byte\(|(?:Some|String|SecretStr|Buffer\.from|bytes|new \w{1,20})\()?[bBrRuUfF@]{0,2}"
_VALUES = {
    "assigned": (
        rf"[\"'`]?\]?\s{{0,8}}(?:\[\d{{0,4}}\]|{_TYPE})?\s{{0,8}}"
        rf"(?::=|=>|<-|===?|!==?|=|:|\?\?|\|\||or\b)\s{{0,5}}{_WRAPPER}"
    ),
    "listed": r"[\"'`]\s{0,3},\s{0,3}",
    "given": r"(?:\(\s{0,3}|[ \t]{1,3})",
    "element": (
        r"[\"'`]?\s{0,3}(?:/?>\s{0,9}(?:</\w{1,20}>\s{0,9}<\w{1,20}>)?|\{\s{0,9}default\s{0,9}=\s{0,9}|"
        r"\s{1,9}value\s{0,3}[=:]\s{0,3})[\"']?"
    ),
    "bare": r"[\"'`]?(?::-|[ \t]{0,3}(?:is)?[=:][ \t]{0,3})",
}
_QUOTED = (
    r"(?:[\"']\\)?\\{0,3}(?P<quote_NAME>[\"'`])(?P<NAME>(?:(?!(?P=quote_NAME))[^\s\\]){5,400})\\{0,3}(?P=quote_NAME)"
)
_ENDINGS = {
    **{form: _QUOTED.replace("NAME", form) for form in ("assigned", "listed")},
    "given": _QUOTED.replace("NAME", "given").replace("`", ""),  # prose has `code` behind a name
    "element": r"(?P<element>[^\s\"'<>]{6,400})",
    "bare": r"(?P<bare>[^\s\"'`(){}\[\],;<>&|\\]{6,400}+)(?![(\[{])",
}
_BEGINNINGS = {"element": r"[^\s\"'<>]{6}", "bare": r"[^\s\"'`(){}\[\],;<>&|\\]{6}"}
NAME = re2.compile(
    rf"({_NAME})\\{{0,3}}(?:"
    + "|".join(lead + _BEGINNINGS.get(form, r"[\"'`\\]") for form, lead in _VALUES.items())
    + ")"
)
ASSIGNMENT = re.compile(r"\\{0,3}(?:" + "|".join(lead + _ENDINGS[form] for form, lead in _VALUES.items()) + ")")
NAME_CHARACTERS = string.ascii_letters + string.digits + "_.-"
# Before a bare value's name: what begins a line of settings, an option or a part of a connection string.
SETTING = re.compile(
    r"(?:\A|\n)[ \t]*(?:-[ \t]+|export[ \t]+|ENV[ \t]+|ARG[ \t]+|set[ \t]+|#[ \t]*)?[\w.-]*\Z|"
    r"[;&?][ \t]*[\w.-]*\Z|[ \"']--?[\w-]*\Z|[\w=.]+=\S+ \w*\Z"
)
SETTING_CHARACTERS = 60
# More forms in which a password stands; the value is a group.
FORMS = re2.compile(
    r"://[^\s:/?#@\"'<>]*:([^\s:@\"'<>]{5,})@"
    r"|(?i:discord(?:app)?\.com/api/(?:v\d+/)?webhooks)/\d+/([\w-]{20,})"
    r"|webhook\.office\.com/[\w@/-]+/IncomingWebhook/([0-9a-f]{32})"
    r"|_authToken=([0-9A-Fa-f-]{36})"
    r"|[?&]sig=([\w%+/]{30,}={0,2})"
    r"|(?i:\b(?:user(?:[ _]?id|name)?|uid)=[^;\"'\n]+;\s?(?:password|pwd)=([^;\"'\s]{5,}))"
    r"|(?i:\b(?:bearer|basic)\s{1,3}([\w.~+/-]{16,}={0,2}))"
    r"|(?i:\b_?auth[\"']?\s{0,3}[=:]\s{0,3}[\"']?([\w+/]{16,}={0,2}))"
    r"|(?i:\bauth\s{0,3}=\s{0,3}(?:\w*)\(\s{0,3}[\"'][^\"'\n]*[\"']\s{0,3},\s{0,3}[\"']([^\"'\n\s]{6,})[\"'])"
    r"|(?:\bcurl\b|\bwget\b)[^\n]*?\s(?:-u|--user)[ =][\"']?[\w.@-]+:([^\s\"'@]{6,})"
    r"|(?i:\s--?[\w-]*(?:password|passwd|token|secret|key)[ \t]{1,3}[\"']?([^\s\"'$<>]{12,}))"
    r"|(?i:\bENV[ \t]{1,3}\w*(?:password|passwd|token|secret|key)[ \t]{1,3}[\"']?([^\s\"'$<>]{12,}))"
    r"|(?i:\blogin[ \t]{1,3}\S+[ \t]{1,3}password[ \t]{1,3}(\S{6,}))"
    r"|\b(?:sshpass|login)\b[^\n]*?\s-p[ =][\"']?([^\s\"'@$]{6,})"
    r"|(?i:\bidentified\s{1,3}by\s{1,3}'([^'\n\s]{6,})')"
    r"|(?i:\bsecurestring\s{1,3}(?:-string\s{1,3})?[\"']([^\"'\n\s]{6,})[\"'])"
    r"|\b(?:mysql|mariadb)\w*\b[^\n]*?\s-p([^\s\"'$]{6,})"
    r"|[?&]appid=([0-9a-f]{32})\b"
    r"|\"username\"\s{0,2}:\s{0,2}\"[^\"\n]{1,80}\"\s{0,2},\s{0,9}\"key\"\s{0,2}:\s{0,2}\"([0-9a-f]{32})\""
    r"|\bwandb(?:\.login\(\s{0,3}(?:key\s{0,3}=\s{0,3})?[\"']| login )([0-9a-f]{40})\b"
)
URL_PASSWORD, CONNECTION, HEADER, AUTH = 1, 6, 7, 8  # groups of FORMS
PORT = re.compile(r"\d{1,5}[/?#]")
# Of a drawn value; of one that no quote and no line of settings holds; of one whose name says little.
MIN_BARE_CHARACTERS, MIN_LOOSE_CHARACTERS, MIN_WEAK_CHARACTERS = 12, 20, 24


def find_assigned(text: str) -> Iterator[str]:
    """Give the values that a name tells for secrets, and the passwords of URLs, commands and headers."""
    # Places in bytes need not be counted in characters.
    searched = text.encode() if text.isascii() else text
    for match in NAME.finditer(searched):
        start, end = match.span(1)
        if found := ASSIGNMENT.match(text, end):
            form = found.lastgroup or ""
            value = found[form]
            before = text[max(0, match.start() - SETTING_CHARACTERS) : match.start()]
            name = before[len(before.rstrip(NAME_CHARACTERS)) :] + text[start:end]
            if is_secret_of(name, value, form, before):
                yield value.removeprefix("base64:")
    for match in FORMS.finditer(searched):
        group = match.lastindex or 0
        value = text[slice(*match.span(group))]
        if not is_placeholder(value) and is_secret_in_form(group, value):
            yield value


def is_secret_of(name: str, value: str, form: str = "assigned", before: str = "") -> bool:
    """Return whether a value is a secret for the name that it is given.

    Args:
        name: an identifier, an option, a key.
        value: without quotes.
        form: a group of `ASSIGNMENT`.
        before: what stands before the name: a bare value is told better in a line of settings or a connection string.
    """
    kind = kind_of_name(name, form)
    if not kind or is_placeholder(value):
        return False
    is_setting = form == "bare" and bool(SETTING.search(before))
    if form in ("bare", "listed") and not is_setting and is_name(value):
        return False
    if kind == "password":
        if is_random(value):
            return form != "bare" or len(value) >= MIN_BARE_CHARACTERS or is_setting
        is_told = form in ("assigned", "given", "element") or (form == "bare" and is_setting)
        return is_told and is_chosen(value)
    if form == "bare" and not is_setting and len(value) < MIN_LOOSE_CHARACTERS:
        return False
    if kind != "weak":
        is_shaped = bool(HEX.match(value) or (UUID.match(value) and kind == "key")) and form != "listed"
        drawn = is_random(value, MIN_BARE_CHARACTERS) and not UUID.match(value)
        return is_shaped or (drawn and WORDS_OF_NAMES.isdisjoint(word.lower() for word in WORD.findall(value)))
    return is_random(value, MIN_WEAK_CHARACTERS) and not UUID.match(value) and not HEX.match(value)


def kind_of_name(name: str, form: str = "assigned") -> str:
    """Return what a name's value is, if it is random enough: `password`, `key`, `token`, `weak` or nothing."""
    words = [word.lower() for word in WORD.findall(name)]
    if "public" in words:
        return ""
    for at in range(len(words) - 1, -1, -1):
        word, before = words[at], words[at - 1] if at else ""
        if word in NOT_A_VALUE:
            return ""
        if word == "pw" and form not in ("assigned", "listed"):
            return ""
        if word in PASSWORDS or word.endswith(("password", "passwd", "passphrase")):
            return "password" if form != "given" or not READERS & set(words[:at]) else ""
        if word in DRAWN or word.endswith(("token", "secret", "apikey", "secretkey", "accesskey", "privatekey")):
            if word == "token" and before in NO_TOKENS:
                return ""
            return "key" if before in SECRET_KEYS or not word.endswith("token") else "token"
        if word == "key" and before and before not in NO_KEYS:
            return "key" if before in SECRET_KEYS else "weak"
    return ""


def is_secret_in_form(group: int, value: str) -> bool:
    """Return whether the value of a group of `FORMS` is a secret."""
    if group == URL_PASSWORD:
        return not PORT.match(value) and (is_chosen(unquote(value)) or is_random(value))
    if URL_PASSWORD < group < CONNECTION:
        return True
    if group == CONNECTION:
        return value.lower() not in PASSWORDS
    if group in (HEADER, AUTH):
        return is_login(value) or (is_random(value, MIN_BARE_CHARACTERS) and not is_name(value))
    return is_random(value) or is_chosen(value)
