"""Section 2.3.2: code-comment pairs whose truth is known: real ones, and real ones made inconsistent in five ways.

| fault | what is done |
| --- | --- |
| same_file | the comment is that of another definition of the same file |
| similar_name | the comment is that of a definition with a similar name, in another file of the same repository |
| parameter | a parameter that the comment names has another name there |
| returned | what the comment says is returned is what another definition of the repository returns |
| condition | the first comparison or test of the code is turned around; only where the comment tells a condition |

Comments of two definitions that share half of their words are not swapped. Real pairs count as consistent, although
some of their authors may have been wrong.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

_WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]+(?![a-z])")
_PARAMETERS = re.compile(r"\(([^()]*)\)")
_RETURNS = re.compile(r"(?:\A|(?<=\. )|(?<=\n))@?[Rr]eturns?:?\s+(?P<what>[^.\n]{8,})")
_TELLS_CONDITION = re.compile(r"\b(?:if|when|whether|unless|true|false|only|empty)\b", re.IGNORECASE)
_TURNED = {"==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<", " is not ": " is ", " not in ": " in "}
_COMPARISON = re.compile(r"(?<![=!<>-])(?:==|!=|<=|>=)(?!=)| (?:<|>) | is not | not in ")
# Not `if h, ok := ...` and the like, which set names first.
_TEST = re.compile(r"\bif \(?(?P<not>!|not )?(?P<name>[A-Za-z_][\w.]*+)(?!\s*(?:,|:=|=[^=]))")
MAX_SHARED_WORDS = 0.5
MIN_SIMILAR_NAMES = 0.6


@dataclass(frozen=True)
class KnownPair:
    """A pair of which is known whether its comment says what its code does.

    Args:
        id, code, comment, name, language, path, repository (`str`): see the columns of code_comment_pairs.
        fault (`str`): how it was made inconsistent, or empty.
        reason (`str`): what a teacher says of the fault.
    """

    id: str
    code: str
    comment: str
    name: str
    language: str
    path: str
    repository: str
    fault: str = ""
    reason: str = "All that the comment says agrees with the code."


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, names taken apart."""
    return [word.lower() for word in _WORD.findall(text)]


def shared_words(first: str, second: str) -> float:
    """Return the Jaccard similarity of the words of two texts."""
    one, other = set(words_of(first)), set(words_of(second))
    return len(one & other) / max(len(one | other), 1)


def parameters_of(code: str) -> list[str]:
    """Return the names in the first brackets of a definition; types may be among them."""
    found = _PARAMETERS.search(code)
    return re.findall(r"[A-Za-z_]\w+", found[1]) if found else []


class Faults:
    """Makes pairs inconsistent.

    Args:
        pairs (sequence of `KnownPair`): all that there are.
        seed (`int`): of the choices.
    """

    def __init__(self, pairs: Sequence[KnownPair], seed: int) -> None:
        self._random = random.Random(seed)
        self._by_file: dict[tuple[str, str], list[KnownPair]] = defaultdict(list)
        self._by_repository: dict[str, list[KnownPair]] = defaultdict(list)
        for pair in pairs:
            self._by_file[pair.repository, pair.path].append(pair)
            self._by_repository[pair.repository].append(pair)
        self._parameters = {
            repository: sorted({name for pair in members for name in parameters_of(pair.code)})
            for repository, members in self._by_repository.items()
        }
        self.makers: dict[str, Callable[[KnownPair], KnownPair | None]] = {
            "condition": self.condition,
            "returned": self.returned,
            "parameter": self.parameter,
            "similar_name": self.similar_name,
            "same_file": self.same_file,
        }

    def made(self, pair: KnownPair) -> KnownPair | None:
        """Return the pair with a fault of a kind that fits, or None; `same_file`, which fits most often, comes last."""
        *names, last = self.makers
        self._random.shuffle(names)
        found = (self.makers[name](pair) for name in (*names, last))
        return next((fault for fault in found if fault is not None), None)

    def same_file(self, pair: KnownPair) -> KnownPair | None:
        """Take the comment of another definition of the file."""
        return self._swapped(pair, "same_file", self._by_file[pair.repository, pair.path])

    def similar_name(self, pair: KnownPair) -> KnownPair | None:
        """Take the comment of a definition with a similar name, in another file."""
        others = self._by_repository[pair.repository]
        drawn = self._random.sample(others, min(len(others), 60))
        similar = [
            other
            for other in drawn
            if other.path != pair.path
            and MIN_SIMILAR_NAMES <= SequenceMatcher(None, pair.name.lower(), other.name.lower()).ratio() < 1
        ]
        return self._swapped(pair, "similar_name", similar)

    def _swapped(self, pair: KnownPair, fault: str, others: Sequence[KnownPair]) -> KnownPair | None:
        drawn = self._random.sample(list(others), min(len(others), 20))
        for other in drawn:
            if other.id != pair.id and shared_words(pair.comment, other.comment) < MAX_SHARED_WORDS:
                reason = f"The comment is about something else than {pair.name}."
                return replace(pair, comment=other.comment, fault=fault, reason=reason)
        return None

    def parameter(self, pair: KnownPair) -> KnownPair | None:
        """Give a parameter another name in the comment."""
        known = set(re.findall(r"\w+", pair.code + pair.comment))
        named = [name for name in parameters_of(pair.code) if re.search(rf"\b{name}\b", pair.comment)]
        others = [name for name in self._parameters[pair.repository] if name not in known and len(name) > 2]
        if not named or not others:
            return None
        old, new = self._random.choice(named), self._random.choice(others)
        comment = re.sub(rf"\b{old}\b", new, pair.comment)
        reason = f"The comment speaks of {new}, which the code does not have."
        return replace(pair, comment=comment, fault="parameter", reason=reason)

    def returned(self, pair: KnownPair) -> KnownPair | None:
        """Let the comment say that something else is returned."""
        own = _RETURNS.search(pair.comment)
        if own is None:
            return None
        others = self._by_repository[pair.repository]
        for other in self._random.sample(others, min(len(others), 60)):
            found = _RETURNS.search(other.comment)
            if found and shared_words(found["what"], own["what"]) < MAX_SHARED_WORDS:
                comment = pair.comment[: own.start("what")] + found["what"] + pair.comment[own.end("what") :]
                reason = f"{pair.name} does not return {found['what']}."
                return replace(pair, comment=comment, fault="returned", reason=reason)
        return None

    def condition(self, pair: KnownPair) -> KnownPair | None:
        """Turn the first comparison or test of the code around."""
        if not _TELLS_CONDITION.search(pair.comment):
            return None
        found = _COMPARISON.search(pair.code)
        if found is not None:
            old = found[0]
            new = _TURNED.get(old) or f" {_TURNED[old.strip()]} "
            new = new.replace("!=", "~=") if pair.language == "Lua" else new
            code = pair.code[: found.start()] + new + pair.code[found.end() :]
        elif (test := _TEST.search(pair.code)) is not None:
            sign = "not " if pair.language in ("Python", "Lua", "Ruby") else "!"
            kept = test[0][: test.start("name") - test.start()].removesuffix(test["not"] or "")
            code = pair.code[: test.start()] + kept + ("" if test["not"] else sign) + pair.code[test.start("name") :]
        else:
            return None
        reason = "The condition in the code is the opposite of what the comment says."
        return replace(pair, code=code, fault="condition", reason=reason)
