"""Section 2.3: which commits teach something, and what their messages say to a reader.

| rule | drops a commit when |
| --- | --- |
| merge_commit, root_commit | it has not exactly one parent |
| bot | its author is a program |
| message | it says less than three words, or what is said of any commit (update, wip, fix typo, bump version) |
| too_many_files, too_large | it changes more files, or more lines, than the config allows |
| no_text | it changes nothing that can be read, or white space alone |

Source: StarCoder 5.1 and Seed-Coder; the lists are ours.
"""

from __future__ import annotations

import re

MIN_WORDS = 3
# Chinese, Japanese, Thai, Lao, Khmer and Burmese have no blanks between words, which have about two letters.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_BOT = re.compile(
    r"\[bot\]|\b(?:dependabot|renovate|greenkeeper|pre-commit-ci|github-actions|travis|jenkins|snyk|mergify|weblate)\b",
    re.IGNORECASE,
)
_TRAILER = re.compile(
    r"(?im)^(?:signed-off-by|co-authored-by|reviewed-by|acked-by|tested-by|reported-by|cc|change-id|git-svn-id|"
    r"suggested-by|approved-by|differential revision|bug-url|link)\s*:.*(?:\n|\Z)"
)
_SAID_OF_ANY = re.compile(
    r"(?:merge\b.*"
    r"|(?:(?:initial|first|auto|automatic|test|misc|minor|small|more|some)\s+)?"
    r"(?:commits?|changes?|updates?|fix(?:es)?|cleanups?|tweaks?|wip|work in progress)"
    r"|(?:bump|update|increment|prepare|release|tag)\s+(?:the\s+)?"
    r"(?:version|release|changelog|readme|copyright|year|dependenc\w+|requirements|submodules?|translations?)\b.*"
    r"|(?:fix(?:ed|es)?\s+)?typos?|v?\d+(?:\.\d+)+\S*|update \S+)[.!\s]*",
    re.IGNORECASE,
)


def clean_message(raw: str) -> str:
    """Return a commit's message without trailers and without what mail and tools add.

    Args:
        raw (`str`): as the commit has it.
    """
    text = _TRAILER.sub("", raw.replace("\r\n", "\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def message_problem(message: str) -> str:
    """Return why a message teaches nothing, or an empty text."""
    subject = message.split("\n", 1)[0].strip()
    others, num_letters = _UNSPACED.subn(" ", message)
    if len(re.findall(r"\w+", others)) + num_letters // 2 < MIN_WORDS:
        return "fewer than three words"
    return subject[:60] if _SAID_OF_ANY.fullmatch(subject) else ""


def is_bot(author: str) -> bool:
    """Return whether an author is a program.

    Args:
        author (`str`): name and address.
    """
    return bool(_BOT.search(author))
