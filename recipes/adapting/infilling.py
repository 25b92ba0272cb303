"""Section 3.2's second objective, measured on files of one's own that no training has seen.

Three kinds of gaps in every file: one line, two to six lines, and a span between any two characters. The model is asked
in the form that its family was trained in, greedily, and its answer ends at the first special token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.objectives.fim_ids import ContinuedText, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SINGLE_LINE, SEVERAL_LINES, RANDOM_SPAN = KINDS = ("single line", "several lines", "random span")
MAX_LINES, MIN_LINE_CHARACTERS = 6, 4
MIN_SPAN, MAX_SPAN = 8, 200
# Of the room for a prompt, the share that goes to what stands before the gap.
PREFIX_SHARE = 0.75
MAX_NEW_TOKENS = 256


@dataclass(frozen=True)
class Gap:
    """A piece of a file that a model is asked for.

    Attributes:
        file: repository and path.
        kind: of `KINDS`.
        prefix: all that stands before it.
        middle: what is asked for.
        suffix: all that stands behind it.
    """

    file: str
    kind: str
    prefix: str
    middle: str
    suffix: str


@dataclass(frozen=True)
class Filling:
    """What a model made of a gap.

    Attributes:
        file: of the gap.
        kind: of the gap.
        middle: what stood there.
        answer: the model's.
        exact: whether they are equal but for spaces at the ends.
        similarity: 1 less the edits from one to the other over the longer one's length.
        loss_per_byte: nats that the model needs for the true middle.
        passes: whether the project's tests pass with the answer in its place; None where no test tells.
    """

    file: str
    kind: str
    middle: str
    answer: str
    exact: bool
    similarity: float
    loss_per_byte: float
    passes: bool | None = None


def gaps_of(rows: Iterable[dict[str, Any]], per_file: int = 2, seed: int = 0) -> list[Gap]:
    """Return gaps of every kind in every file, drawn by a hash of the file's place and the seed.

    Args:
        rows: content, path and repository.
        per_file: gaps of each kind; fewer where equal ones are drawn.
        seed: other gaps.
    """
    gaps: dict[Gap, None] = {}
    for row in rows:
        name, text = f"{row['repository']}/{row['path']}", row["content"]
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        telling = [
            number
            for number in range(len(starts) - 1)
            if len(text[starts[number] : starts[number + 1]].strip()) >= MIN_LINE_CHARACTERS
        ]
        if len(telling) < 2 or len(text) <= 2 * MIN_SPAN:
            continue
        for number in range(per_file):
            draws = _draws(f"{seed}|{name}|{number}")
            first = telling[next(draws) % len(telling)]
            gaps[_cut(name, SINGLE_LINE, text, *_without_end(text, starts[first], starts[first + 1]))] = None
            begin = telling[next(draws) % (len(telling) - 1)]
            reach = [line for line in telling if begin < line < begin + MAX_LINES]
            if reach:
                last = reach[next(draws) % len(reach)]
                gaps[_cut(name, SEVERAL_LINES, text, *_without_end(text, starts[begin], starts[last + 1]))] = None
            length = min(MIN_SPAN + next(draws) % (MAX_SPAN - MIN_SPAN + 1), len(text) - 1)
            place = next(draws) % (len(text) - length)
            if text[place : place + length].strip():
                gaps[_cut(name, RANDOM_SPAN, text, place, place + length)] = None
    return list(gaps)


def _draws(key: str) -> Any:
    number = 0
    while True:
        digest = hashlib.blake2b(f"{key}|{number}".encode(), digest_size=8).digest()
        yield int.from_bytes(digest, "little")
        number += 1


def _without_end(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a run of lines without its indentation, which an editor has put there, and without its last line end."""
    stripped = text[start:end].rstrip("\r\n")
    return start + len(stripped) - len(stripped.lstrip(" \t")), start + len(stripped)


def _cut(name: str, kind: str, text: str, start: int, end: int) -> Gap:
    return Gap(name, kind, text[:start], text[start:end], text[end:])


def edit_similarity(first: str, second: str) -> float:
    """Return 1 less Levenshtein's distance over the longer length; 1 for two empty texts.

    Source: as RepoBench and CrossCodeEval measure completions.
    """
    if not first or not second:
        return float(first == second)
    before = list(range(len(second) + 1))
    for row, left in enumerate(first, start=1):
        now = [row]
        for column, right in enumerate(second, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (left != right)))
        before = now
    return 1 - before[-1] / max(len(first), len(second))


class Filler:
    """Asks one model for gaps.

    Args:
        model: causal, in evaluation mode.
        tokenizer: of the model.
        max_context: tokens of prompt and answer together.
        max_new_tokens: of an answer.

    Raises:
        ValueError: the tokenizer has no fill-in-the-middle tokens that are known.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_context: int,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> None:
        from modeling_ling.fill_in_the_middle import family_of, middle_end_id

        self.model, self.tokenizer = model, tokenizer
        # The layout that the family knows best; of two halves the first, prefix before suffix.
        layouts = family_of(tokenizer).layouts
        self.layout = max(layouts, key=lambda name: layouts[name])
        self.max_new_tokens = min(max_new_tokens, max_context // 2)
        self.max_prompt = max_context - self.max_new_tokens
        self.end_id = middle_end_id(tokenizer)
        special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        # Code has no special token: whichever comes, an editor takes nothing behind it.
        self.stops = sorted(special | {self.end_id, cast(int, tokenizer.eos_token_id)})
        self._continued = ContinuedText(tokenizer)

    def prompt(self, gap: Gap) -> list[int]:
        """Return the ids that the model is asked with; of a long file what stands nearest to the gap."""
        budget = self.max_prompt * 4  # characters; tokens of code are shorter
        while True:
            size = min(len(gap.prefix), max(int(budget * PREFIX_SHARE), budget - len(gap.suffix)))
            prefix = gap.prefix[len(gap.prefix) - size :]
            suffix = gap.suffix[: max(budget - size, 0)]
            ids = prompt_ids(self.tokenizer, prefix, suffix, self.layout)
            if len(ids) <= self.max_prompt or budget < 8:
                return ids[-self.max_prompt :]
            budget = budget * 4 // 5

    def fill(self, gaps: Sequence[Gap], batch_size: int = 8) -> list[Filling]:
        """Return the model's answers, and what the true middles cost it, in the order of the gaps."""
        prompts = [self.prompt(gap) for gap in gaps]
        order = sorted(range(len(gaps)), key=lambda number: len(prompts[number]))
        fillings: dict[int, Filling] = {}
        for at in range(0, len(order), batch_size):
            numbers = order[at : at + batch_size]
            answers = self._answers([prompts[number] for number in numbers])
            for number, answer in zip(numbers, answers, strict=True):
                gap = gaps[number]
                if gap.kind == SINGLE_LINE:
                    answer = answer.lstrip("\r\n").split("\n")[0]
                fillings[number] = Filling(
                    gap.file,
                    gap.kind,
                    gap.middle,
                    answer,
                    answer.strip() == gap.middle.strip(),
                    round(edit_similarity(answer.strip(), gap.middle.strip()), 6),
                    self._loss_per_byte(prompts[number], gap.middle),
                )
        return [fillings[number] for number in range(len(gaps))]

    def _answers(self, prompts: list[list[int]]) -> list[str]:
        import torch

        longest, pad = max(map(len, prompts)), self.stops[0]
        ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts], device=self.model.device)
        mask = torch.tensor(
            [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.model.device
        )
        with torch.inference_mode():
            made = cast(Any, self.model).generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                eos_token_id=self.stops,
                pad_token_id=pad,
            )
        return [self._text(row[longest:].tolist()) for row in made]

    def _text(self, ids: list[int]) -> str:
        stops = set(self.stops)
        end = next((place for place, token in enumerate(ids) if token in stops), len(ids))
        return str(self.tokenizer.decode(ids[:end], clean_up_tokenization_spaces=False))

    def _loss_per_byte(self, prompt: list[int], middle: str) -> float:
        import torch

        target = [*self._continued.encode(middle), self.end_id]
        room = self.max_prompt + self.max_new_tokens - len(prompt)
        if len(target) > room:
            target = target[:room]
            middle = self._text(target)
        ids = torch.tensor([[*prompt, *target]], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :], reduction="sum")
        return round(float(loss) / max(len(middle.encode()), 1), 6)


def summarize(fillings: Sequence[Filling]) -> dict[str, dict[str, Any]]:
    """Return the figures of each kind, with 95 % intervals over files."""
    from evals.report.statistics import bootstrap_interval, rate_interval

    summary = {}
    for kind in KINDS:
        found = [filling for filling in fillings if filling.kind == kind]
        if not found:
            continue
        files = [filling.file for filling in found]
        exact, similarity = [float(filling.exact) for filling in found], [filling.similarity for filling in found]
        losses = [filling.loss_per_byte for filling in found]
        summary[kind] = {
            "n": len(found),
            "exact_match": _mean(exact),
            "exact_match_interval": rate_interval(exact, files),
            "edit_similarity": _mean(similarity),
            "edit_similarity_interval": bootstrap_interval(similarity, files, num_resamples=2000),
            "loss_per_byte": _mean(losses),
        }
        judged = [filling for filling in found if filling.passes is not None]
        if judged:
            passes = [float(filling.passes or 0) for filling in judged]
            summary[kind]["num_executed"] = len(judged)
            summary[kind]["passes"] = _mean(passes)
            summary[kind]["passes_interval"] = rate_interval(passes, [filling.file for filling in judged])
    return summary


def compare(before: Sequence[Filling], after: Sequence[Filling]) -> dict[str, dict[str, Any]]:
    """Return the paired differences of each kind, after less before, with 95 % intervals over files."""
    from evals.report.statistics import bootstrap_interval, difference_interval

    table: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        pairs = [
            (first, second) for first, second in zip(before, after, strict=True) if first.kind == second.kind == kind
        ]
        if not pairs:
            continue
        files = [first.file for first, _ in pairs]
        table[kind] = {"n": len(pairs)}
        for name in ("exact", "similarity", "loss_per_byte"):
            changes = [float(getattr(second, name)) - float(getattr(first, name)) for first, second in pairs]
            table[kind][name] = [_mean(changes), *bootstrap_interval(changes, files, num_resamples=2000)]
        judged = [pair for pair in pairs if pair[0].passes is not None and pair[1].passes is not None]
        if judged:
            changes = [float(second.passes or 0) - float(first.passes or 0) for first, second in judged]
            files = [first.file for first, _ in judged]
            table[kind]["num_executed"] = len(judged)
            table[kind]["passes"] = [_mean(changes), *difference_interval(changes, files)]
    return table


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def save_fillings(fillings: Sequence[Filling], model: str, path: Path) -> dict[str, dict[str, Any]]:
    """Write answers and summary as JSON; return the summary."""
    summary = summarize(fillings)
    record = {"model": model, "summary": summary, "fillings": [asdict(filling) for filling in fillings]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return summary


def load_fillings(path: Path) -> list[Filling]:
    """Return the answers that `save_fillings` wrote."""
    return [Filling(**filling) for filling in json.loads(path.read_text(encoding="utf-8"))["fillings"]]
