"""Section 2.4: the cleaning of synthesized instructions: rules on instructions and answers, syntax, rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from datatrove.data import Document

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.curation.syntax.steps import SyntaxCheck
from datasets_builders.languages.grammars import GRAMMARS
from datasets_builders.synthesis.instructions.code_blocks import split_fences
from datasets_builders.synthesis.instructions.natural_language import natural_language
from datasets_builders.synthesis.instructions.rating import QUALITIES
from datasets_builders.synthesis.instructions.rows import ANSWER, TURNS, as_row
from datasets_builders.synthesis.instructions.rules import incomplete, refuses, repeats


@dataclass
class InstructionFields(BuilderConfig):
    """What is kept of instructions and answers; shared by the builders that ask a teacher for both."""

    max_instruction_chars: int = field(default=8000, metadata={"help": "longest instruction, in characters"})
    min_answer_chars: int = field(default=20, metadata={"help": "shortest answer, in characters"})
    max_answer_chars: int = field(default=20000, metadata={"help": "longest answer, in characters"})
    min_neighbor_distance: float = field(
        default=0.1,
        metadata={
            "help": "cosine distance of TF-IDF vectors below which an instruction is merged into an earlier one; "
            "0 compares none, for groups of many hundred thousands"
        },
    )
    min_quality: str = field(
        default="",
        metadata={
            "help": "a teacher tags instructions (difficulty, quality, category), and those below are removed: very "
            "poor, poor, average, good, excellent; empty: none is tagged"
        },
    )
    num_attempts: int = field(
        default=0,
        metadata={
            "help": "answers to a problem in Python for which a teacher can write tests, which judge them in the "
            "sandbox; 0: no code is run"
        },
    )
    min_pass_share: float = field(
        default=0.0, metadata={"help": "share of the attempts that must pass; 0 keeps problems that none passes"}
    )
    max_pass_share: float = field(
        default=1.0, metadata={"help": "share of the attempts that may pass; below 1, problems that all pass go"}
    )
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})
    requires_valid_syntax: bool = field(
        default=False, metadata={"help": "whether answers whose code blocks do not parse are removed"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("max_instruction_chars", "min_answer_chars", "max_answer_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.num_attempts < 0:
            raise ConfigError(f"num_attempts is {self.num_attempts}, but must be 0 (no code is run) or more")
        if not 0 <= self.min_pass_share <= self.max_pass_share <= 1:
            raise ConfigError(
                f"min_pass_share is {self.min_pass_share} and max_pass_share {self.max_pass_share}, but they must be "
                "from 0 to 1, the first at most the second"
            )
        if self.min_quality and self.min_quality not in QUALITIES:
            raise ConfigError(f"min_quality is {self.min_quality!r}; known: {', '.join(QUALITIES)}")
        if not 0 <= self.min_neighbor_distance < 1:
            raise ConfigError(f"min_neighbor_distance is {self.min_neighbor_distance}, but must be from 0 to below 1")


class FilterInstructions(Step):
    """Keep instructions that are whole, in the language asked for, not in a loop, and show the code that they need.

    The document's id becomes the content id of its text without regard to white space, for exact deduplication.

    Args:
        max_chars (`int`): longest instruction.
        natural_languages: those that are kept; of a document with one of its own in the metadata, that alone.

    Source: paper 2.4.2 (rule-based anomaly detection); the rules are ours.
    """

    name = "filter_instructions"

    def __init__(self, max_chars: int, natural_languages: Collection[str] = ("en", "zh")) -> None:
        super().__init__()
        self.max_chars, self.natural_languages = max_chars, frozenset(natural_languages)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on an instruction that breaks no rule."""
        doc.text = doc.text.strip()
        reason, detail = self._fault(doc)
        if reason:
            yield Removed(doc, reason, detail)
            return
        made = Document(doc.text, content_id(" ".join(doc.text.split())), metadata=doc.metadata)
        yield made

    def _fault(self, doc: Document) -> tuple[str, str]:
        text, known = doc.text, doc.metadata
        prose, blocks = split_fences(text)
        if len(text) > self.max_chars:
            return "too_long", f"{len(text)} characters"
        if not prose.strip():
            return "no_request", text[:80]
        if fault := incomplete(text, is_instruction=True):
            return fault, text[-60:]
        if fault := repeats(text):
            return "repeats", fault
        if refuses(text):
            return "refusal", text[:80]
        if known.get("needs_code") and not any(block.text.strip() for block in blocks):
            return "no_code", str(known.get("scenario") or "")
        wanted = {known["natural_language"]} if known.get("natural_language") else self.natural_languages
        found = natural_language(text)
        if found not in wanted and found != "unknown":
            return "other_natural_language", found
        known["natural_language"] = known.get("natural_language") or (found if found != "unknown" else "en")
        return "", ""


class FilterAnswers(Step):
    """Keep answers that are whole, refuse nothing, are in no loop and do not give the instruction back.

    Args:
        min_chars, max_chars (`int`): of an answer.

    Source: paper 2.4.2 (rule-based anomaly detection); the rules are ours.
    """

    name = "filter_answers"

    def __init__(self, min_chars: int, max_chars: int) -> None:
        super().__init__()
        self.min_chars, self.max_chars = min_chars, max_chars

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on an answer that breaks no rule."""
        turns = [message["content"] for message in doc.metadata.get(TURNS, []) if message["role"] == "assistant"]
        for answer in [doc.metadata[ANSWER], *turns]:
            reason, detail = self._fault(doc, answer)
            if reason:
                yield Removed(doc, reason, detail)
                return
        yield doc

    def _fault(self, doc: Document, answer: str) -> tuple[str, str]:
        if not self.min_chars <= len(answer.strip()) <= self.max_chars:
            return "answer_length", f"{len(answer.strip())} characters"
        if refuses(answer):
            return "refusal", answer[:80]
        if fault := incomplete(answer, is_instruction=False):
            return fault, answer[-60:]
        if fault := repeats(answer):
            return "repeats", fault
        if " ".join(answer.split()) == " ".join(doc.text.split()):
            return "instruction_given_back", ""
        wanted, found = doc.metadata.get("natural_language"), natural_language(answer)
        if wanted in ("en", "zh") and found not in (wanted, "unknown"):
            return "other_natural_language", found
        if doc.metadata.get("answer_needs_code") and not split_fences(answer)[1]:
            return "no_code", ""
        return "", ""


class CheckAnswerSyntax(Step):
    """Parse the code blocks of an answer by their languages; note whether all are valid, and name the languages.

    Args:
        removes_invalid (`bool`): whether an answer with a block that does not parse is removed.

    Source: paper 2.2.1's check of validity, on answers.
    """

    name = "answer_syntax"
    libraries = SyntaxCheck.libraries

    def __init__(self, removes_invalid: bool) -> None:
        super().__init__()
        self.removes_invalid = removes_invalid

    def begin(self, rank: int, world_size: int) -> None:
        """Make ready a process for the parsers, which may be lost."""
        self._parser: ParserProcess | None = ParserProcess(SyntaxCheck.function)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the answer on with its syntax."""
        texts = [doc.metadata[ANSWER], *(turn["content"] for turn in doc.metadata.get(TURNS, []))]
        blocks = [block for text in texts for block in split_fences(text)[1]]
        named = [block.language for block in blocks if block.language]
        verdicts = [self._is_valid(block.language, block.text) for block in blocks if block.language in GRAMMARS]
        known = [verdict for verdict in verdicts if verdict is not None]
        doc.metadata["num_code_blocks"] = len(blocks)
        doc.metadata["syntax"] = "unchecked" if not known else "valid" if all(known) else "invalid"
        doc.metadata["languages"] = list(doc.metadata.get("languages") or dict.fromkeys(named))
        if self.removes_invalid and doc.metadata["syntax"] == "invalid":
            yield Removed(doc, "syntax_error", ", ".join(named))
        else:
            yield doc

    def _is_valid(self, language: str | None, text: str) -> bool | None:
        assert self._parser is not None
        try:
            metrics = self._parser.read(str(language), text)
        except (ParseTooCostly, ParserLost):
            return False
        return None if metrics is None else not metrics["error_fraction"]

    def end(self) -> None:
        """End the process."""
        if self._parser:
            self._parser.close()
        self._parser = None


class MakeRows(Step):
    """Make a row of an instruction and its answer, in the released schema.

    Args:
        kind (`str`): of the dataset.
        prompts (`str`): hash of its prompts.
    """

    name = "make_rows"

    def __init__(self, kind: str, prompts: str) -> None:
        super().__init__()
        self.kind, self.prompts = kind, prompts

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give the row."""
        row = as_row(doc, self.kind, self.prompts)
        row.metadata["parents"] = row.metadata["parents"] or [doc.id]
        yield row
