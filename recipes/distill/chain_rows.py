"""Section 2.3.2: a teacher's chains of judgement as token ids: what is asked, the reasoning, and the verdict behind it.

Rows hold the texts, the chain and the verdict in columns of their own, or as `messages` whose last answer ends with the
verdict. Rows that judge the same first text stay on one side. Texts are data: no special token is parsed in them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.distill.sides import Sides, group_of
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONSISTENCY_PROMPT = Path(__file__).with_name("prompts") / "consistency.txt"
# What stands between the chain and the verdict; the verdict's words are encoded apart, so that both begin alike.
BEFORE_VERDICT = "\n\nConsistent:"
VERDICT_WORDS = {True: " true", False: " false"}
IGNORED_LABEL = -100
_VERDICT_LINE = re.compile(
    r"[*_#>\s]*(?:overall\s+)?(?:consistent|consistency|verdict)[*_\s]*:[*_`\"'\s]*"
    r"(true|false|yes|no|consistent|inconsistent)[*_`\"'\s.]*",
    re.IGNORECASE,
)
_TRUE, _FALSE = ("true", "yes", "consistent", "1"), ("false", "no", "inconsistent", "0")


@dataclass(frozen=True)
class ChainExample:
    """One judgement of the teacher.

    Attributes:
        prompt: what the model is asked, as ids.
        answer: ids of chain, verdict and end.
        verdict: the teacher's.
    """

    prompt: np.ndarray
    answer: np.ndarray
    verdict: bool

    def as_row(self) -> dict[str, np.ndarray]:
        """Return input_ids, labels (of the answer alone) and position_ids."""
        labels = np.concatenate([np.full(len(self.prompt), IGNORED_LABEL), self.answer])
        ids = np.concatenate([self.prompt, self.answer])
        return {"input_ids": ids, "labels": labels, "position_ids": np.arange(len(ids))}


@dataclass
class ChainExamples:
    """All that a dataset gives: to train on, to choose the threshold by, to measure with; and what was removed."""

    train: list[ChainExample] = field(default_factory=list)
    validation: list[ChainExample] = field(default_factory=list)
    held_out: list[ChainExample] = field(default_factory=list)
    removed: Counter[str] = field(default_factory=Counter)


def read_prompt_file(path: str | Path, columns: Sequence[str]) -> Template:
    """Return what is asked of the model.

    Raises:
        RecipeError: no such file, or its places are not the columns.
    """
    try:
        template = Template(Path(path or CONSISTENCY_PROMPT).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"prompt_file: {path} cannot be read: {error}") from None
    places = set(template.get_identifiers()) if template.is_valid() else set()
    if places != set(columns):
        wanted = ", ".join(f"${column}" for column in columns)
        raise RecipeError(f"prompt_file: {path or CONSISTENCY_PROMPT} needs the places {wanted}, and no other.")
    return template


def render_prompt(template: Template, row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return what is asked of a row, or "" where one of its texts is missing."""
    texts = {column: row.get(column) for column in columns}
    if not all(isinstance(text, str) and text.strip() for text in texts.values()):
        return ""
    return template.substitute({name: str(text).strip("\n") for name, text in texts.items()})


def verdict_of(value: object) -> bool | None:
    """Return a verdict from a column: true or false, 1 or 0, yes or no; None for anything else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def split_answer(text: str) -> tuple[str, bool | None]:
    """Return the chain of an answer, and the verdict on its last line; None where that line is none."""
    lines = text.rstrip().splitlines()
    while lines and not lines[-1].strip(" \t*_`"):
        lines.pop()
    found = _VERDICT_LINE.fullmatch(lines[-1]) if lines else None
    if found is None:
        return text.strip(), None
    return "\n".join(lines[:-1]).strip(), verdict_of(found[1])


class ChainEncoder:
    """Encodes what is asked and what is answered, in training, measuring and use alike."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from modeling_ling.tokenizer import encode_text

        self._tokenizer, self._encode = tokenizer, encode_text
        begins = tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id
        self._begin = [tokenizer.bos_token_id] if begins else []
        self.end_id = tokenizer.eos_token_id
        self.verdict_ids = {verdict: encode_text(tokenizer, word) for verdict, word in VERDICT_WORDS.items()}

    def room_for_prompt(self, max_context: int, max_new_tokens: int) -> int:
        """Return how many tokens a question may have beside a chain and its verdict."""
        return max_context - max_new_tokens - len(self.chain("")) - max(map(len, self.verdict_ids.values()))

    def prompt(self, text: str) -> list[int]:
        """Return the ids of what is asked."""
        return [*self._begin, *self._encode(self._tokenizer, _clean(text))]

    def chain(self, text: str) -> list[int]:
        """Return the ids of a chain, up to where the verdict is written."""
        return self._encode(self._tokenizer, _clean(text.strip()) + BEFORE_VERDICT)

    def telling_tokens(self) -> tuple[list[int], int, int]:
        """Return the tokens that both verdicts begin with, and the first ones in which true and false differ."""
        true_ids, false_ids = self.verdict_ids[True], self.verdict_ids[False]
        both = zip(true_ids, false_ids, strict=False)
        place = next(place for place, pair in enumerate(both) if pair[0] != pair[1])
        return true_ids[:place], true_ids[place], false_ids[place]

    def answer(self, chain: str, verdict: bool) -> list[int]:
        """Return the ids of a whole answer."""
        return [*self.chain(chain), *self.verdict_ids[verdict], self.end_id]


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class ChainReader:
    """Turns a teacher's rows into examples.

    Args:
        tokenizer: has an end token.
        template: what is asked.
        prompt_columns: columns of the texts.
        chain_column, verdict_column: of the teacher.
        max_tokens: of a whole example; longer ones are removed, since a chain that is cut teaches no verdict.
        max_new_tokens: that are left for a chain where the model is asked: longer questions are removed.
        shares: of the rows, of validation and held out.
        seed: of the choice of those rows.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        prompt_columns: Sequence[str],
        *,
        chain_column: str,
        verdict_column: str,
        max_tokens: int,
        max_new_tokens: int,
        shares: tuple[float, float],
        seed: int,
        group_column: str = "",
    ) -> None:
        self._group_column = group_column
        self._encoder = ChainEncoder(tokenizer)
        self._template, self._columns = template, tuple(prompt_columns)
        self._chain_column, self._verdict_column = chain_column, verdict_column
        self._max_tokens, self._shares, self._seed = max_tokens, shares, seed
        self._max_prompt = self._encoder.room_for_prompt(max_tokens, max_new_tokens)

    def read(self, rows: Iterable[dict[str, Any]]) -> ChainExamples:
        """Return the examples; rows that teach nothing are removed and counted.

        Raises:
            RecipeError: a column is missing, or nothing is left of a side.
        """
        found = ChainExamples()
        groups: dict[str, list[ChainExample]] = defaultdict(list)
        seen: set[bytes] = set()
        sides = Sides()
        for row in rows:
            key, prompt, chain, verdict, reason = self._parts(row)
            if not reason and verdict is not None:
                digest = hashlib.blake2b(prompt.encode("utf-8", "replace"), digest_size=16).digest()
                reason = "equal" if digest in seen else ""
                seen.add(digest)
            if not reason and verdict is not None:
                ids, answer = self._encoder.prompt(prompt), self._encoder.answer(chain, verdict)
                if len(ids) <= self._max_prompt and len(ids) + len(answer) <= self._max_tokens:
                    example = ChainExample(np.array(ids, np.int32), np.array(answer, np.int32), verdict)
                    groups[key].append(example)
                    if self._group_column:
                        sides.join(key, group_of(row, self._group_column))
                    continue
                reason = "too long"
            found.removed[reason] += 1
        if self._group_column:
            texts, groups = groups, defaultdict(list)
            for key, examples in texts.items():
                groups[sides.of(key)] += examples
        self._split(found, groups)
        wanted = [("to train on", found.train), ("to measure with", found.held_out)]
        wanted += [("to choose the threshold by", found.validation)] * bool(self._shares[0])
        if empty := [name for name, side in wanted if not side]:
            raise RecipeError(f"The dataset gives no row {empty[0]} ({dict(found.removed)} removed).")
        return found

    def _parts(self, row: Mapping[str, Any]) -> tuple[str, str, str, bool | None, str]:
        """Return what rows are grouped by, what is asked, the chain, the verdict, and why the row teaches nothing."""
        if self._chain_column not in row and isinstance(row.get("messages"), list):
            contents = [turn.get("content") for turn in row["messages"] if isinstance(turn, dict)]
            texts = [text for text in contents if isinstance(text, str)]
            if len(texts) < 2 or len(texts) < len(row["messages"]):
                return "", "", "", None, "no question and answer"
            prompt = "\n\n".join(texts[:-1]).rstrip("\n") + "\n"
            chain, verdict = split_answer(texts[-1])
            key = prompt
        else:
            for column in (*self._columns, self._chain_column, self._verdict_column):
                if column not in row:
                    raise RecipeError(
                        f"The dataset has no column {column!r}; it has {', '.join(row)}. Name it in the recipe."
                    )
            prompt = render_prompt(self._template, row, self._columns)
            key = str(row[self._columns[0]])
            given = row[self._chain_column]
            chain, said = split_answer(given) if isinstance(given, str) else ("", None)
            verdict = verdict_of(row[self._verdict_column])
            if verdict is not None and said is not None and said != verdict:
                return "", "", "", None, "the chain ends with another verdict"
        reason = "no text" if not prompt else "no chain" if not chain else "no verdict" if verdict is None else ""
        return key, prompt, chain, verdict, reason

    def _split(self, found: ChainExamples, groups: Mapping[str, list[ChainExample]]) -> None:
        """Fill the parts group by group in the order of hashes: with one row to each text their sizes are exact."""
        total = sum(map(len, groups.values()))
        validation, held_out = (round(share * total) for share in self._shares)
        for key in sorted(groups, key=self._place):
            if len(found.held_out) < held_out:
                found.held_out += groups[key]
            elif len(found.validation) < validation:
                found.validation += groups[key]
            else:
                found.train += groups[key]

    def _place(self, key: str) -> bytes:
        return hashlib.blake2b(f"{self._seed}|{key}".encode("utf-8", "replace")).digest()


def fingerprint(examples: Iterable[ChainExample]) -> str:
    """Return a hash of examples in their order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(np.array([len(example.prompt), len(example.answer)]).tobytes())
        digest.update(example.prompt.tobytes() + example.answer.tobytes())
    return digest.hexdigest()
