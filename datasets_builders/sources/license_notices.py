"""Section 2.2.1: licences by name and by link: what a notice says, at the head of a file or instead of a whole text.

"Licensed under the GPL-2 or later", "dual licensed under MIT and GPL", `// @license Apache-2.0`, a link to a licence's
page. A choice is an OR, all else an AND; a doubt is never permissive.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from datasets_builders.sources.license_texts import Found, find_texts
from datasets_builders.sources.licenses import UNRECOGNIZED, all_of, any_of, is_known, license_type, spdx_expression

HEAD_CHARACTERS = 20_000
MAX_CODE_LINES = 20  # of a file, between which notices are looked for: guards, imports, the name of a package
CONTEXT_BEFORE, CONTEXT_AFTER = 90, 45
VERSION_CHARACTERS = 120  # behind the name of a licence of GNU's
CACHED_HEADS = 2_000
MAX_CHOICES = 4  # a text that names more lists the licences of several things
MIN_TEXT_WORDS = 15  # of a head that may hold a whole licence
# Without one of these, in small letters, nothing is said of a licence.
_HINTS = (
    *("licens", "licenc", "gpl", "copying", "spdx-", "permission", "redistribut", "proprietary", "confidential"),
    *("unauthori", "public domain", "trade secret", "mozilla.org/mpl", "creative commons", "creativecommons.org"),
    *("cc by", "cc-by", "prior written"),
)
_TAG = re.compile(r"spdx-licen[sc]e-identifier[ \t]*[:=][ \t]*([A-Za-z0-9.+()/:_ \t-]+)", re.IGNORECASE)
_QUOTE = re.compile(r"^[ \t]*>+", re.MULTILINE)
_SPACE = re.compile(r"\s+")
_CONTEXT = re.compile(
    r"licen[sc]|under (?:the |both |either )?(?:terms|conditions)|terms of|released|copying|(?:distribut"
    r"|redistribut|avail|offer)\w*\b.{0,40}\bunder|@license"
    r"|(?:placed|put|dedicated|donated|committed|is|are)(?: it| this)? (?:in|into|to) the public domain"
    r"|\bv[\d.]+ - public domain|\bcc[- ]by\b|creativecommons\.org/licenses"
)
_CHOICE = re.compile(
    r"\bdual(?:ly)?[ -](?:licen[sc]|gpl|mit\b|bsd|apache)|\beither (?!version|licen[sc]e,? or \()(?=[^.]{0,90}licen[sc]"
    r"|[^.]{0,40}\bor\b)"
    r"|at (?:your|the user'?s?) (?:option|choice|discretion)|\byour choice"
    r"|alternatively,? (?:this|you|it\b|the (?:contents|terms|software|library)|under)"
    r"|\bchoose\b[^.]{0,60}(?:licen[sc]|either)|licen[sc]\w+[^.]{0,80}(?:\bchoose|whichever)"
    r"|one of the following licen[sc]"
    r"|(?:multi|tri|triple)-?licensed|\balternative [ab12]\b"
)
_REST_OF_LINK = re.compile(r"^\.\d\S*?(?=,? )")
_BARE_OR = re.compile(r"[^.;]{0,40}?(?:\bor\b|\|\|?|(?<=\w)/(?=\w)|^/)[^.;]{0,40}")
_LATER = re.compile(
    r"or,?\W{0,3}(?:\(?at your (?:option|choice)\)?,?\W{0,3})?(?:\(?at your option\)? )?(?:any )?(?:later"
    r"|newer|above|greater)(?: versions?)?(?:\W{0,3}at your option)?"
)
_OF_GNU = re.compile(
    r"(?P<kind>affero|lesser"
    r"|library(?: or lesser)?)?(?:\W+gnu)?\W*general\W+public\W+licen[sc]e(?:\W{1,3}(?:a|l)?gpl\b\W?)?"
    r"|\b(?:gnu\W)?(?P<abbreviation>[al])?gpl(?=[v\d\W]|$)",
)
_VERSION = re.compile(
    r"^\W{0,4}(?:licen[sc]es?\W{0,3})?(?:\(?(?:version|ver\.?|v\.?))?[\s=>(-]*([123](?:\.[01])?)(?!\d)(\+)?"
)
_VERSION_FURTHER = re.compile(r"\bversions?\W{0,3}([123](?:\.[01])?)(?!\d)(\+)?")
_NO_STATEMENT = re.compile(r"^[ -]?(?:compatible|incompatible|code\b)|^-?like\b(?! licen)")
_OF_OTHERS = re.compile(r"(?:unlike|\bnot|non-?|than|(?:in)?compatible with) (?:the )?(?:gnu )?$")
# What a program finds out of files.
_IS_ASKED = re.compile(r"\b(?:whether|detects? if|checks? (?:if|that)) [^.;]{0,60}$")
_OF_PYTHON = {"PSF-2.0", "Python-2.0", "Python-2.0.1"}
_VERSIONS = {"": ("1.0", "2.0", "3.0"), "l": ("2.0", "2.1", "3.0"), "a": ("1.0", "3.0")}
# What keeps rights back, where no known text says it.
_KEEPS_BACK = re.compile(
    r"proprietary ?(?:and|/) ?confidential|confidential ?(?:and|/) ?proprietary|proprietary (?:and|information|software"
    r"|source|code|material)|\bdo not (?:re)?distribute\b|not for (?:re)?distribution\b"
    r"|you may not use, (?:copy|modify|reproduce|distribute|disclose)"
    r"|trade secret|unauthori[sz]ed (?:copying|use|reproduction|distribution|disclosure|access|duplication)"
    r"|strictly (?:prohibited|forbidden|confidential)|internal use only|no licen[sc]e is granted"
    r"|(?:may|must|shall) not be (?:copied|reproduced|redistributed|distributed|disclosed)(?![^.]{0,60} except)"
    r"|non-?commercial(?:ly)? (?:use|purpose)|for (?:evaluation|academic|research|personal"
    r"|educational) (?:use|purposes?) only"
    r"|commons clause|right to sell|you may not (?:copy|redistribute|distribute|sell|modify)\b(?![^.]{0,60} except)"
    r"|complete source code for the|@license copyright.{0,60}all rights reserved"
)
# Name -> as people and links write it, in small letters.
_NAMES: tuple[tuple[str, str], ...] = (
    ("SSPL-1.0", r"server side public licen[sc]e|\bsspl"),
    ("BUSL-1.1", r"business source licen[sc]e|\bbusl-1"),
    ("Elastic-2.0", r"elastic licen[sc]e"),
    ("PolyForm-Noncommercial-1.0.0", r"polyform noncommercial"),
    ("PolyForm-Small-Business-1.0.0", r"polyform small business"),
    ("Hippocratic-2.1", r"\bhippocratic licen[sc]e"),
    (
        "MPL-1.1",
        r"mozilla public licen[sc]e\W{1,3}(?:version|v\.?)?\W{0,2}1\.1|\bmpl\W{0,3}(?:version|v\.?)?\W?1\.1"
        r"|mozilla\.org/mpl/(?:mpl-)?1\.1",
    ),
    (
        "MPL-1.0",
        r"mozilla public licen[sc]e\W{1,3}(?:version|v\.?)?\W{0,2}1\.0|\bmpl\W{0,3}(?:version"
        r"|v\.?)?\W?1\.0",
    ),
    ("MPL-2.0", r"mozilla public licen[sc]e|\bmpl\b|\bmpl-?v?2|mozilla\.org/(?:en-us/)?mpl"),
    ("EPL-1.0", r"eclipse public licen[sc]e\W{1,5}(?:version|v\.?)?\W{0,2}1\.0|\bepl\W?v?1\.0|org/legal/epl-v10"),
    ("EPL-2.0", r"eclipse public licen[sc]e|\bepl\b|org/legal/epl-2|org/legal/epl-v20"),
    ("CDDL-1.0", r"common development and distribution licen[sc]e|\bcddl"),
    ("CPL-1.0", r"common public licen[sc]e"),
    ("EUPL-1.2", r"european union public licen[sc]e|\beupl"),
    ("CECILL-B", r"\bcecill-b"),
    ("CECILL-2.1", r"\bcecill(?!-b)"),
    ("OSL-3.0", r"open software licen[sc]e|\bosl\W?v?3"),
    ("AFL-3.0", r"academic free licen[sc]e|\bafl\W?v?3"),
    ("MS-PL", r"microsoft public licen[sc]e|\bms-pl\b"),
    ("MS-RL", r"microsoft reciprocal licen[sc]e|\bms-rl\b"),
    ("Artistic-2.0", r"artistic licen[sc]e\W{1,3}(?:version|v\.?)?\W{0,2}2|artistic-2|artistic2"),
    ("Artistic-1.0", r"artistic(?:-1\.0)?\b(?= licen[sc]e| or | and |$)|\bartistic licen[sc]e|perl artistic"),
    ("Apache-1.1", r"apache (?:software )?licen[sc]e\W{1,3}(?:version|v\.?)?\W{0,2}1\.1|apache-1\.1"),
    (
        "Apache-2.0",
        r"\bapache(?:[ -]software)?(?:[ -]foundation)?[ -]licen[sc]e|\bapache\W{0,2}(?:version "
        r"|v\.?)?\W?2(?:\.0)?\b"
        r"|\basl\W?(?:v\.?)?2|\bapl\W?(?:v\.?)?2|apache\.org/licenses/license-2\.0|\bapache(?=[ /,]| or | and |$)",
    ),
    ("BSL-1.0", r"boost software licen[sc]e|\bboost licen[sc]e|boost\.org/license_1_0|\bbsl-1\.0"),
    ("CC0-1.0", r"\bcc0\b|creative commons zero|creativecommons\.org/publicdomain/zero"),
    ("Unlicense", r"unlicense\.org|\bthe unlicense\b|\bunlicense\b"),
    ("WTFPL", r"\bwtfpl\b|do what the f\S* you want"),
    ("Zlib", r"\bzlib(?:/libpng)?[ -]licen[sc]e|zlib/libpng|licen[sc]e:? zlib"),
    (
        "ISC",
        r"\bisc\b(?=[ -]licen[sc]e|-style|$|\W+(?:and|or)\b)|licenses/isc\b"
        r"|licen[sc]ed? (?:under )?(?:the )?isc\b|\binternet (?:software|systems) consortium licen",
    ),
    ("0BSD", r"\b0bsd\b|zero[ -]clause bsd|bsd zero clause"),
    ("MIT-0", r"\bmit-0\b|mit no attribution"),
    ("NCSA", r"\bncsa\b.{0,20}licen[sc]e|university of illinois(?:/ncsa| open source licen[sc]e)"),
    ("PostgreSQL", r"\bpostgresql licen[sc]e"),
    ("BlueOak-1.0.0", r"blue oak model licen[sc]e|\bblueoak-1|blueoakcouncil\.org/license"),
    ("UPL-1.0", r"universal permissive licen[sc]e|\bupl-1|\bupl\b"),
    ("PSF-2.0", r"python software foundation licen[sc]e|\bpsf(?:l|-2\.0)?\b|python licen[sc]e"),
    ("PHP-3.01", r"\bphp licen[sc]e|php\.net/license/3_01|\bphp-3\.01"),
    ("Ruby", r"\bruby(?:'s)? licen[sc]e|same (?:terms|licen[sc]e) as ruby"),
    ("OFL-1.1", r"sil open font licen[sc]e|\bofl-1\.1"),
    ("OpenSSL", r"\bopenssl licen[sc]e"),
    ("Artistic-1.0-Perl OR GPL-1.0-or-later", r"same terms as perl|\bperl_5\b"),
    (
        "BSD-2-Clause",
        r"\bbsd\W?2\b|\b(?:2|two)\W?clause\W{0,2}\(?bsd|bsd\W{0,2}\(?(?:2|two)\W?clause|(?:simplified"
        r"|freebsd) bsd|simplified bsd|freebsd licen[sc]e",
    ),
    ("BSD-4-Clause", r"(?:4|four)\W?clause\W{0,2}\(?bsd|bsd\W{0,2}\(?(?:4|four)\W?clause|original bsd"),
    (
        "BSD-3-Clause",
        r"(?:3|three)\W?clause\W{0,2}\(?bsd|bsd\W{0,2}\(?(?:3|three)\W?clause|\b(?:new|revised"
        r"|modified) bsd|\bbsd\W?3\b"
        r"|\bbsd(?:[ -](?:style|type|like))?[ -]licen[sc]e|licen[sc]ed? [^.]{0,30}\bbsd\b|\bbsd\b(?=\W*(?:$"
        r"|and\b|or\b|/|&|style|-style|licen))",
    ),
    (
        "MIT",
        r"(?<![@.\w-])mit(?:[/ ](?:x11|expat))?(?:[ -](?:style|type"
        r"|like))?[ -](?:\(?expat\)? )?['\"]?licen[sc]e|mit-license\.org"
        r"|(?<![@.\w])mit(?=$|\W{1,3}(?:and|or|licen)\b|[/,&|)]|\W*$| &| \"expat\")"
        r"|licen[sc]e\w*\W{1,3}(?:under |is |the |terms of |by ){0,3}mit\b(?!\.)"
        r"|\bunder (?:the )?mit\b(?!\.)|(?:\band|\bor|&)\s*(?:the )?mit\b(?!\.)|\bexpat\b(?: licen[sc]e)?"
        r"|license/mit\b",
    ),
    ("X11", r"\bx11 licen[sc]e"),
    ("LicenseRef-scancode-public-domain", r"\bpublic[ -]domain\b(?!\.\w)"),
)
_LINK = re.compile(
    r"(?:opensource\.org/licenses?|spdx\.org/licenses|choosealicense\.com/licenses|licenses\.nuget\.org"
    r"|tldrlegal\.com/license)/"
    r"(?P<name>[a-z0-9.+-]+?)(?:-license)?(?:\.html|\.php|\.txt|\.json)?(?=[/)\s\"'>,;]|\.?$|\.\s)"
)
_CREATIVE_WORDS = re.compile(
    r"creative commons attribution(?P<kind>(?:[ -](?:non-?commercial|no-?deriv(?:ative)?s|share-?alike))*)"
    r"(?: (?P<version>[1-4]\.[05]))?"
)
_SHORT_KINDS = (("nc", "commercial"), ("nd", "deriv"), ("sa", "alike"))
_CREATIVE = re.compile(
    r"creativecommons\.org/licenses/(?P<kind>by(?:-nc|-nd|-sa)*)/(?P<version>[1-4]\.[05])"
    r"|\bcc[- ](?P<kind_2>by(?:[- ](?:nc|nd|sa))*)[- ](?P<version_2>[1-4]\.[05])"
)
_DEBIAN_LINK = re.compile(
    r"common-licenses/(?P<name>(?:a|l)?gpl|apache|artistic|bsd|mpl|gfdl|cc0)(?:-(?P<version>\d(?:\.\d)?))?"
)
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in _NAMES)


@dataclass(frozen=True)
class Mention:
    """A licence that a text names.

    Args:
        name (`str`): an SPDX expression.
        start, end (`int`): where.
        is_bare (`bool`): a licence of GNU's whose version is not said.
    """

    name: str
    start: int
    end: int
    is_bare: bool = False


def plain_text(text: str) -> str:
    """Return a text in small letters on one line, as notices are compared."""
    text = _QUOTE.sub("", text.lower())
    text = re.sub(r"[*`#|~\"“”]+|(?<!:)//+", " ", text).replace("’", "'").replace("licence", "license")
    return _SPACE.sub(" ", text).strip()


def mentions(plain: str, in_context: bool = True) -> list[Mention]:
    """Return the licences that a text names, in its order.

    Args:
        plain (`str`): see `plain_text`.
        in_context (`bool`): whether a licence must be spoken of around a name; not in a field that holds nothing else.
    """
    found = [*_gnu(plain), *_others(plain)]
    if in_context:
        found = [mention for mention in found if _has_context(plain, mention)]
    kept: list[Mention] = []
    for mention in sorted(found, key=lambda mention: (mention.start, -mention.end)):
        if not any(mention.start < other.end and other.start < mention.end for other in kept):
            kept.append(mention)
    numbered = {_kind_of_gnu(mention) for mention in kept if not mention.is_bare}
    return [mention for mention in kept if not mention.is_bare or _kind_of_gnu(mention) not in numbered]


def _kind_of_gnu(mention: Mention) -> str:
    return mention.name.partition("-")[0]


def _has_context(plain: str, mention: Mention) -> bool:
    around = plain[max(0, mention.start - CONTEXT_BEFORE) : mention.end + CONTEXT_AFTER]
    is_compatible = _NO_STATEMENT.match(plain[mention.end : mention.end + 20])
    before = plain[max(0, mention.start - CONTEXT_BEFORE) : mention.start]
    is_other = _OF_OTHERS.search(before) or _IS_ASKED.search(before)
    return bool(_CONTEXT.search(around)) and not is_compatible and not is_other


def _gnu(plain: str) -> Iterator[Mention]:
    for found in _OF_GNU.finditer(plain):
        kind = found["abbreviation"] or {"a": "a", "l": "l"}.get((found["kind"] or " ")[0], "")
        behind = plain[found.end() : found.end() + VERSION_CHARACTERS]
        other = _OF_GNU.search(behind)
        behind = behind[: other.start()] if other else behind
        version = _VERSION.search(behind) or _VERSION_FURTHER.search(behind)
        number = version[1] if version else ""
        number = number if "." in number else f"{number}.0" if number else ""
        is_bare = False
        end = found.end() + (version.end() if version else 0)
        is_later = (
            bool(version and version[2])
            or bool(_LATER.search(behind))
            or "or-later" in behind[:14]
            or ">=" in behind[:8]
        )
        if number not in _VERSIONS[kind]:
            number, is_later, is_bare = _VERSIONS[kind][0 if kind != "a" else 1], True, not number
        name = f"{kind.upper()}GPL-{number}-{'or-later' if is_later else 'only'}"
        later = _LATER.search(behind) if is_later else None
        yield Mention(name, found.start(), max(end, found.end() + (later.end() if later else 0)), is_bare)


def _others(plain: str) -> Iterator[Mention]:
    for name, pattern in _COMPILED:
        for found in pattern.finditer(plain):
            yield Mention(name, found.start(), found.end())
    for found in _LINK.finditer(plain):
        if linked := _linked(found["name"]):
            yield Mention(linked, found.start(), found.end())
    for found in _CREATIVE.finditer(plain):
        kind, version = found["kind"] or found["kind_2"].replace(" ", "-"), found["version"] or found["version_2"]
        yield Mention(f"CC-{kind.upper()}-{version}", found.start(), found.end())
    for found in _CREATIVE_WORDS.finditer(plain):
        kinds = "-".join(["BY", *(short.upper() for short, word in _SHORT_KINDS if word in found["kind"])])
        yield Mention(f"CC-{kinds}-{found['version'] or '4.0'}", found.start(), found.end())
    for found in _DEBIAN_LINK.finditer(plain):
        yield Mention(_of_debian(found["name"], found["version"] or ""), found.start(), found.end())


def _linked(name: str) -> str | None:
    """Return the SPDX name at the end of a link, such as `bsd-license` or `gpl-3.0`."""
    if name.startswith(("gpl", "lgpl", "agpl")):
        return next((mention.name for mention in _gnu(name)), None)
    short = {"bsd": "BSD-3-Clause", "apache2.0": "Apache-2.0", "apache-2.0": "Apache-2.0", "mit-license": "MIT"}
    linked = short.get(name) or spdx_expression(name)
    return linked if linked and is_known(linked) else None


def _of_debian(name: str, version: str) -> str:
    if name.endswith("gpl"):
        return next(mention.name for mention in _gnu(f"{name} version {version}" if version else name))
    names = {"apache": "Apache-2.0", "artistic": "Artistic-1.0", "bsd": "BSD-3-Clause", "cc0": "CC0-1.0"}
    return names.get(name) or {"mpl": f"MPL-{version or '2.0'}"}.get(name, "GFDL-1.3-or-later")


def notice_expression(text: str, in_context: bool = True) -> str | None:
    """Return what a notice states as an SPDX expression, "unrecognised" where it keeps rights back, or None.

    Args:
        text (`str`): without comment signs.
        in_context (`bool`): see `mentions`.
    """
    plain = plain_text(text)
    named = mentions(plain, in_context)
    if not named:
        return UNRECOGNIZED if _KEEPS_BACK.search(plain) else None
    names = [mention.name for mention in named]
    joined = any_of(names) if is_choice(plain, named) else all_of(names)
    if license_type(joined) == "permissive" and _KEEPS_BACK.search(plain):
        return UNRECOGNIZED
    return joined


def is_choice(plain: str, named: list[Mention]) -> bool:
    """Return whether a text leaves the choice between the licences that it names."""
    if not 2 <= len({mention.name for mention in named}) <= MAX_CHOICES:
        return False
    spans = [
        plain[: named[0].start],
        *(plain[mention.end : following.start] for mention, following in pairwise(named)),
        plain[named[-1].end :],
    ]
    if _CHOICE.search(" ".join(spans)):
        return True
    between = [
        _REST_OF_LINK.sub("", span)
        for span, (mention, following) in zip(spans[1:-1], pairwise(named), strict=True)
        if mention.name != following.name
    ]
    return all(len(gap) <= 100 and _BARE_OR.fullmatch(gap) for gap in between)


def near_license(written: str) -> str | None:
    """Return the SPDX name that somebody may have meant, or None."""
    return spdx_expression(written) or notice_expression(written, in_context=False)


def keeps_back(text: str) -> bool:
    """Return whether a text keeps back rights that a free licence grants."""
    return bool(_KEEPS_BACK.search(plain_text(text)))


_COMMENT = re.compile(
    r"\{[=*-]{3}[^{}]*\}|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|\(\*.*?(?:\*\)|\Z)|\{-.*?(?:-\}|\Z)|\#\|.*?(?:\|\#|\Z)"
    r"|--\[\[.*?(?:\]\]|\Z)"
    r"|=(?:begin|pod|head\d)\b.*?(?:\n=(?:end|cut)\b|\Z)|\{\#.*?(?:\#\}|\Z)"
    r"|(?://|\#(?!(?:define|undef|if|ifdef|ifndef|elif|else|endif|include|import|pragma|region"
    r"|endregion)\b)|;|--|%|'|!|\*|dnl\b|@?rem\b|::|\\\"|\.\\\"|[cC]\s)[^\n]*"
    r"|\(comment\s+(?:\d+\s+)?\"[^\"]*\"[^\n]*",
    re.DOTALL | re.IGNORECASE,
)
_KERNEL_MODULE = re.compile(r"^MODULE_LICENSE\s*\(\s*\"([^\"\n]{1,60})\"\s*\)", re.MULTILINE)
# As linux/module.h lists them.
_KERNEL_NAMES = {
    **dict.fromkeys(("GPL", "GPL v2", "GPL and additional rights"), "GPL-2.0-only"),
    "Dual BSD/GPL": "BSD-3-Clause OR GPL-2.0-only",
    "Dual MIT/GPL": "GPL-2.0-only OR MIT",
    "Dual MPL/GPL": "GPL-2.0-only OR MPL-1.1",
}
_IN_CODE = re.compile(
    r"^__licen[sc]e__[ \t]*=[ \t]*(?:\"\"\"|[\"'])([^\"'\n]{2,200})|^[ \t]*_LICENSE[ \t]*=[ \t]*\[\[(.{2,3000}?)\]\]",
    re.MULTILINE | re.DOTALL,
)
_BLANK = re.compile(r"[ \t\r\n\f]+")
_INLINE = re.compile(r"/\*.*|//.*|#.*")
_DOCSTRING = re.compile(
    r"[rub]?(\"\"\"|''')(.*?)(?:\1|\Z)|\{([^{}]*)\}", re.DOTALL | re.IGNORECASE
)  # {} as Pascal has it
_QUOTES_THAT_STAY_OPEN = re.compile(r"\"\"\"|'''|`(?!`)|R\"\w*\(|<<[-~]?['\"]?\w+")
_SIGNS = re.compile(
    r"^[ \t]*(?:/\*+|\*+/|//+!?|\#+(?!!)|;+|--+(?:\[\[)?|%+|<!--|\(\*|\{-|\{\#|dnl\b|@?rem\b|::|!+|\*+|'"
    r"|\.?\\\"|[cC](?=\s))?[ \t]?",
    re.MULTILINE | re.IGNORECASE,
)


def head_comments(text: str) -> str:
    """Return the comments at the head of a file that may speak of a licence, without their signs.

    The head is what stands before and between its first lines of code. What code says in strings is no statement about
    the file.

    Args:
        text (`str`): of the file.
    """
    head = text[:HEAD_CHARACTERS].lstrip("\ufeff")
    blocks: list[list[str]] = [[]]
    at = code_lines = 0
    while at < len(head) and code_lines <= MAX_CODE_LINES:
        if space := _BLANK.match(head, at):
            at = space.end()
            if space.group().count("\n") > 1:
                blocks.append([])
        elif comment := _COMMENT.match(head, at):
            blocks[-1].append(comment.group())
            at = comment.end()
        elif not code_lines and (docstring := _DOCSTRING.match(head, at)):
            blocks.append([docstring[2] or docstring[3]])
            at, code_lines = docstring.end(), 1
        else:
            end = head.find("\n", at)
            line = head[at : end if end >= 0 else None]
            if _QUOTES_THAT_STAY_OPEN.search(line):
                break
            inline = _INLINE.search(line)
            blocks.append([inline.group()] if inline else [])
            code_lines += not line.startswith(("<?", '"use strict', "'use strict"))
            at += len(line)
    joined = ("\n".join(block) for block in blocks if block)
    return _SIGNS.sub("", "\n".join(block for block in joined if _hints(block)))


def license_of_head(text: str) -> str | None:
    """Return what the head of a file states about its licence, or None: then its repository's holds.

    Args:
        text (`str`): of the file.

    Source: SPDX 2.3, annex E, for tags; how far the head goes is ours.
    """
    comments = head_comments(text) if _hints(text[:HEAD_CHARACTERS]) else ""
    return (_of_comments(comments) if comments else None) or _of_code(text)


def _of_code(text: str) -> str | None:
    """Return what a file states of itself in code: a module of Linux, of Python or of Lua."""
    if "MODULE_LICENSE" in text and (found := _KERNEL_MODULE.search(text)):
        return _KERNEL_NAMES.get(found[1]) or UNRECOGNIZED
    if "_LICENSE" not in text and "__licen" not in text:
        return None
    found = _IN_CODE.search(text[:HEAD_CHARACTERS])
    return license_of_text(found[1] or found[2]) if found else None


def _hints(text: str) -> bool:
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)


@lru_cache(CACHED_HEADS)
def _of_comments(comments: str) -> str | None:
    if tags := [tagged_expression(tag[1]) for tag in _TAG.finditer(comments)]:
        return UNRECOGNIZED if None in tags else all_of([tag for tag in tags if tag])
    return license_of_text(comments, in_context=True)


def tagged_expression(words: str) -> str | None:
    """Return the expression behind a tag: what follows it on its line, such as the end of a comment, is cut off."""
    tokens = words.replace("/*", " ").replace("*/", " ").replace("--", " ").split()
    for end in range(len(tokens), 0, -1):
        written = " ".join(tokens[:end]).rstrip("-:/.")
        written += ")" * (written.count("(") - written.count(")"))
        while written.count(")") > written.count("(") and written.endswith(")"):
            written = written[:-1]
        if stated := spdx_expression(written):
            return stated
    return " ".join(tokens) if any("licenseref" in token.lower() for token in tokens) else None


def license_of_text(text: str, in_context: bool = False) -> str | None:
    """Return what a text states: whole licences in it, and what else it says; "unrecognised", or None for nothing.

    Args:
        text (`str`): of a licence file, or a comment.
        in_context (`bool`): whether names count only where a licence is spoken of; see `mentions`.
    """
    found = find_texts(text) if len(text.split()) >= MIN_TEXT_WORDS else Found((), text)
    if found.is_changed:
        return UNRECOGNIZED
    if not found.names:
        return notice_expression(text, in_context)
    plain = plain_text(found.rest)
    named = [mention for mention in mentions(plain) if mention.name not in found.names]
    if _OF_PYTHON.intersection(found.names):
        named = [mention for mention in named if not mention.is_bare]  # its history compares it with the GPL
    names = [*found.names, *(mention.name for mention in named)]
    if _KEEPS_BACK.search(plain):
        return UNRECOGNIZED
    names = [
        name
        for name in names
        if name.replace("-only", "-or-later") == name or name.replace("-only", "-or-later") not in names
    ]
    is_chosen = 2 <= len(names) <= MAX_CHOICES and _CHOICE.search(_LATER.sub("", plain))
    return any_of(names) if is_chosen else all_of(names)
