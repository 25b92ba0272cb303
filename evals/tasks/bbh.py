"""Section 4.3.3: BIG-Bench Hard with the authors' three examples and chain of thought. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.bbh import BBH, load_bbh
from evals.benchmarks.rows import Row
from evals.execution import Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.blocks import before_next_question, final_text
from evals.tasks.records import SampleRecord

MARK = "the answer is"
SAID = re.compile(r"\bthe (?:correct |right |final )?answer is\b(?! not\b)[:\s]*", re.IGNORECASE)
ANSWER_LINE = re.compile(r"^[*_#\s]*(?:final )?answer\**:\**", re.IGNORECASE | re.MULTILINE)
BOXED = re.compile(r"\\boxed\{(?:\\text\{)?([^{}]*)\}")
# A letter alone, or before its option: "A", "A.", "option B: red".
LETTER = re.compile(r"(?:option |choice )?[\W_]*([A-Z])(?:[).:,*\]]|\W*\Z)")
FIRST_WORD_TARGETS = {"yes", "no", "true", "false", "valid", "invalid"}


class Bbh(Benchmark):
    """Exact match of what follows "the answer is"; the mean is over examples, as in the paper's tables."""

    name = "bbh"
    group = "general"
    title = "6,511 questions of 27 tasks, 3-shot with chain of thought"
    source = BBH
    metric = "exact_match"
    base_stops = ("\n\nQ:",)

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_bbh(data_dir)

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        return f"{row['prompt'].strip()}\n\nQ: {row['input']}\nA: Let's think step by step."

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        records = []
        for row, answer in zip(rows, answers, strict=True):
            found = answer_of(answer)
            right = found is not None and is_target(found, row["target"])
            verdict = Verdict.PASS if right else Verdict.FAIL
            message = "" if found is not None else f"no {MARK!r}"
            records.append(SampleRecord(self.identify(row), answer, verdict.value, message, found=found or ""))
        return records

    def gold(self, row: Row) -> str:
        return f"So {MARK} {row['target']}."


def answer_of(text: str) -> str | None:
    """Return what follows the last "the answer is", to the end of its line and without the full stop; None without.

    A question that the model goes on with does not count, nor do thoughts; "Answer:" and a box will do.
    """
    said = before_next_question(final_text(text) or "")
    for marks in (list(SAID.finditer(said)), list(ANSWER_LINE.finditer(said))):
        lines = [said[mark.end() :].strip().partition("\n")[0] for mark in marks]
        if any(lines):
            return [line for line in lines if line][-1].strip().strip("*$ ").removesuffix(".").strip("*$ ")
    boxes = BOXED.findall(said)
    return boxes[-1].strip() if boxes else None


def is_target(found: str, target: str) -> bool:
    """Return whether an answer is the right one: an option by its letter, a word or a number, or a list of words."""
    target = target.strip()
    if found == target:
        return True
    if re.fullmatch(r"\([A-Z]\)", target):
        letter = re.search(r"\(([A-Za-z])\)", found) or LETTER.match(found)
        return letter is not None and letter[1].upper() == target[1]
    if not re.search(r"\w", target):  # brackets that close
        return found.replace(" ", "") == target.replace(" ", "")
    words, expected = plain_words(found), plain_words(target)
    return words == expected or (" ".join(expected) in FIRST_WORD_TARGETS and words[:1] == expected)


def plain_words(text: str) -> list[str]:
    """Return the words of a text in small letters, without quotes, emphasis, commas and a last full stop."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.casefold())
    return [stripped for word in re.split(r"[\s,;]+", text) if (stripped := word.strip("*\"'`.:!$\u201c\u201d"))]
