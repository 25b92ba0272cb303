"""Section 2.3.1, an optional last round: a model takes from pages what is no content, and changes no code.

Nemotron-CC-Code cleans pages in the same way, in chunks of 8,000 tokens. An answer is taken when every line of code in
it stands in the page and it is not longer than the page; else that part stays as it was, and the row says so.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, ClassVar

from datatrove.data import Document

from datasets_builders.asking import Ask, AskingBuilder, Request, TeacherFields
from datasets_builders.asking.step import Conversation
from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.code_related.web_pages.builder import COLUMNS as PAGE_COLUMNS

if TYPE_CHECKING:
    from datasets import Features

PROMPT = Path(__file__).with_name("prompts") / "clean_page.txt"
EMPTY = "EMPTY"
CHARS_PER_TOKEN = 4
_FENCE = re.compile(r"^\s*(`{3,})")
COLUMNS = {
    **{name: PAGE_COLUMNS[name] for name in ("id", "text", "url", "site", "title", "date")},
    "cleaned": "whether all parts were cleaned; otherwise some are as they were",
    "num_parts": "parts that were asked about",
    "num_chars_before": "characters of the page as it was",
    "teacher": "model that cleaned",
}


@dataclass
class CleanPagesConfig(TeacherFields):
    """Fields of `clean_pages`."""

    input: str = field(default="", metadata={"help": "folder of a web_pages dataset"})
    max_chunk_tokens: int = field(default=8000, metadata={"help": "longest part of a page in one question, in tokens"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        if self.max_chunk_tokens < 100:
            raise ConfigError(f"max_chunk_tokens is {self.max_chunk_tokens}, but must be at least 100")


def parts_of(text: str, max_chars: int) -> list[str]:
    """Return a page in parts of whole paragraphs; a block of code is never torn, however long.

    Args:
        text (`str`): Markdown.
        max_chars (`int`): of a part, as far as its paragraphs allow.
    """
    blocks, block, fence = [], list[str](), ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and line.strip() == fence:
            fence = ""
        if not line.strip() and not fence and block:
            blocks.append("\n".join(block))
            block = []
        elif line.strip() or fence:
            block.append(line)
    if block:
        blocks.append("\n".join(block))
    parts: list[str] = []
    for text_of_block in blocks:
        if parts and len(parts[-1]) + len(text_of_block) + 2 <= max_chars:
            parts[-1] += f"\n\n{text_of_block}"
        else:
            parts.append(text_of_block)
    return parts


def code_lines(text: str) -> list[str]:
    """Return the lines inside fences, without blank ones."""
    lines, fence = [], ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and line.strip() == fence:
            fence = ""
        elif fence and line.strip():
            lines.append(line.rstrip())
    return lines


def fault_of(before: str, after: str) -> str:
    """Return why an answer is not taken, or an empty text.

    Args:
        before (`str`): a part of a page.
        after (`str`): what the model made of it.
    """
    known = {line.rstrip() for line in before.split("\n")}
    invented = next((line for line in code_lines(after) if line not in known), None)
    if invented is not None:
        return f"code that is not in the page: {invented.strip()[:80]}"
    if len(after) > len(before) + 20:
        return "longer than the page"
    if after and code_lines(before) and not code_lines(after):
        return "all code is gone"
    return ""


class CleanPages(Ask):
    """Let a model take from a page what is no content.

    Args:
        asking (`Asking`): who is asked.
        max_chars (`int`): longest part in one question.
    """

    name = "clean_pages"
    takes_empty = True

    def __init__(self, asking: Any, max_chars: int) -> None:
        super().__init__(asking)
        self.max_chars = max_chars
        self.prompt = PROMPT.read_text(encoding="utf-8")

    def request(self, doc: Document) -> Request:
        """Return what is asked about the first part."""
        return self._about(parts_of(doc.text, self.max_chars)[0])

    def _about(self, part: str) -> Request:
        digest = hashlib.sha256(part.encode("utf-8", "replace")).hexdigest()
        return Request.of_user(Template(self.prompt).substitute(boundary=f"---- {digest[:16]} ----", content=part))

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask about part after part; a part whose answer is not taken stays as it was."""
        parts, kept, faults = parts_of(doc.text, self.max_chars), list[str](), 0
        model = ""
        for part in parts:
            answer = await teacher.complete(self._about(part))
            model = answer.model
            said = answer.text.strip()
            cleaned = "" if said == EMPTY else said
            is_taken = said and answer.finish_reason != "length" and not fault_of(part, cleaned)
            kept.append(cleaned if is_taken else part)
            faults += not is_taken
        text = "\n\n".join(filter(None, kept))
        if not text:
            return [Removed(doc, "no_content")]
        doc.metadata |= {
            "cleaned": not faults,
            "num_parts": len(parts),
            "num_chars_before": len(doc.text),
            "teacher": model,
            "parents": [doc.id],
        }
        doc.text = f"{text}\n"
        doc.id = content_id(doc.text)
        return [doc]


class CleanPagesBuilder(AskingBuilder[CleanPagesConfig], DerivedBuilder[CleanPagesConfig]):
    """Pages without what is no content. Source: Nemotron-CC-Code; the check of the code is ours."""

    name: ClassVar[str] = "clean_pages"
    summary: ClassVar[str] = "web pages from which a model took menus and the like, their code unchanged"
    config_class: ClassVar[type[BuilderConfig]] = CleanPagesConfig
    input_builder: ClassVar[str] = "web_pages"
    counted_column: ClassVar[str | None] = "site"

    @property
    def input_paths(self) -> list[str]:
        """The dataset of pages."""
        return [self.config.input]

    def stages(self) -> list[Stage]:
        """Read pages and let them be cleaned."""
        reader = ReadRows(self.input_paths, text_column="text", columns=("url", "site", "title", "date"))
        step = CleanPages(self.asking, self.config.max_chunk_tokens * CHARS_PER_TOKEN)
        return [Stage("clean", [reader, step], tasks=self.config.num_tasks)]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the pages and of the prompt."""
        return super().input_fingerprint() | {"prompt": hashlib.sha256(PROMPT.read_bytes()).hexdigest()}

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, Value

        types = {"cleaned": "bool", "num_parts": "int64", "num_chars_before": "int64"}
        return Features({name: Value(types.get(name, "string")) for name in COLUMNS})

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Web pages about code, cleaned by a model",
            description=(
                "Pages from which a model took menus, notices and the like. No line of code stands in them that does "
                "not stand in the page: an answer with one was not taken, and the part stayed as it was (`cleaned` is "
                "false)."
            ),
            license=self.license,
            columns=COLUMNS,
            tags=["code", "web"],
        )
