"""Section 4.3.3: MMLU, C-Eval and CMMLU, 5-shot: the letter with the highest log-likelihood. Nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.choices import CEVAL, CMMLU, MMLU, load_csv_subjects, load_mmlu
from evals.benchmarks.rows import Row
from evals.execution import Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.blocks import final_text
from evals.tasks.records import SampleRecord

_MARKS = r"[*_`$(\[\s\uff08]*(?:\\(?:text|boxed|mathrm)\{)*[(]?"
SAID_LETTER = (
    re.compile(
        rf"(?:answer|choice|option)(?:\s+is)?\s*:?\s*(?:option\s+|choice\s+)?{_MARKS}([A-D])(?![\w'])", re.IGNORECASE
    ),
    re.compile(
        r"(?:\u7b54\u6848|\u6545\u9009|\u9009\u62e9|\u9009)\s*(?:\u662f|\u4e3a|\u9879)?\s*[:\uff1a]?\s*[(\uff08*]*([A-D])(?![A-Za-z])"
    ),
    re.compile(r"\\boxed\{(?:\\text\{)?\(?([A-D])\)?\}"),
)
FIRST_LETTER = re.compile(r"[*_`(\[\s]*([A-D])(?:[*_`)\].:,\uff0c\u3002\s]*\Z|[*_`]*[)\].:,\uff0e\u3001])")
LAST_LETTER = re.compile(r"(?:^|\n)[*_`(\[\s]*([A-D])[*_`)\].:]*\s*\Z|[*(]([A-D])[)*]+[.\s]*\Z")


class Choices(Benchmark):
    """Accuracy. A model is not asked to write: the log-likelihoods of the four letters are compared."""

    group = "general"
    metric = "accuracy"
    heading: str
    answer_mark: str
    continuation = " {letter}"
    options = ("A", "B", "C", "D")

    def subsets(self, row: Row) -> dict[str, str]:
        return {"subject": row["subject"]}

    def question(self, row: Row) -> str:
        """Return a question with its options, up to where the letter follows."""
        lines = "".join(f"{letter}. {text}\n" for letter, text in zip(self.options, row["options"], strict=True))
        return f"{row['question']}\n{lines}{self.answer_mark}"

    def continuation_of(self, option: str) -> str:
        return self.continuation.format(letter=option)

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        heading = self.heading.format(subject=row["subject"].replace("_", " "))
        shots = [self.question(shot) + self.continuation_of(shot["answer"]) for shot in row["shots"]]
        return "\n\n".join([heading, *shots, self.question(row)])

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        records = []
        for row, answer in zip(rows, answers, strict=True):
            letter = letter_of(answer)
            verdict = Verdict.PASS if letter == row["answer"] else Verdict.FAIL
            message = "" if letter is not None else "no letter"
            records.append(SampleRecord(self.identify(row), answer, verdict.value, message, found=letter or ""))
        return records

    def gold(self, row: Row) -> str:
        return row["answer"]


def letter_of(answer: str) -> str | None:
    """Return the letter that an answer chooses: one it says is the answer, else one that it begins or ends with.

    A model that is not asked to write answers with a letter alone.
    """
    text = (final_text(answer) or "").strip()
    said = [mark for pattern in SAID_LETTER for mark in pattern.findall(text)]
    if said:
        return said[-1].upper()
    alone = FIRST_LETTER.match(text) or LAST_LETTER.search(text)
    return (alone[1] or alone[2]) if alone and alone.lastindex == 2 else alone[1] if alone else None


class Mmlu(Choices):
    """57 subjects; test split."""

    name = "mmlu"
    title = "14,042 questions of 57 subjects, 5-shot"
    source = MMLU
    heading = "The following are multiple choice questions (with answers) about {subject}."
    answer_mark = "Answer:"

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_mmlu(self.source, data_dir)


class CEval(Choices):
    """52 subjects in Chinese; validation split."""

    name = "ceval"
    title = "1,346 questions of 52 subjects in Chinese, 5-shot, validation split"
    source = CEVAL
    heading = "以下是中国关于{subject}的单项选择题，请选出其中的正确答案。"
    answer_mark = "答案："
    continuation = "{letter}"

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_csv_subjects(self.source, data_dir, "val", "dev")


class Cmmlu(Choices):
    """67 subjects in Chinese; test split."""

    name = "cmmlu"
    title = "11,582 questions of 67 subjects in Chinese, 5-shot"
    source = CMMLU
    heading = "以下是关于{subject}的单项选择题，请直接给出正确答案的选项。"
    answer_mark = "答案："
    continuation = "{letter}"

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_csv_subjects(self.source, data_dir, "test", "dev")
