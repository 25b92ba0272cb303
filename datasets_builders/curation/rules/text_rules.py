"""Section 2.1, rules for code-related text: web pages, Markdown, notebooks, pull requests, issues, question and answer.

The rules of source code on line lengths do not fit text, and are not here. The paper names image references, links and
placeholders, without limits: samples "that contain" them are removed. Read to the letter that would leave no page with
a link, so that here a sample may consist of them up to a limit; set it to 0 for the letter.

| rule | drops a text when | origin |
| --- | --- | --- |
| image_references | over 10 % of its lines are images of Markdown or HTML | Ling-Coder 2.1; the limit is ours |
| links | over 30 % of its characters are URLs | Ling-Coder 2.1; the limit is ours |
| placeholders | one of the phrases that stand for text that is not there yet | Ling-Coder 2.1; the list is ours |
| garbled, addresses, contacts, encoded_data, repeated_lines, repeated_words | as in source code | Ling-Coder 2.1 |
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import re2

from datasets_builders.curation.rules import code_rules
from datasets_builders.curation.rules.code_rules import RuleLimits
from datasets_builders.curation.rules.document_view import DocumentView, View, first_broken


@dataclass(frozen=True)
class TextLimits(RuleLimits):
    """The limits of the rules for text: three of their own, and those of rules that source code has too."""

    max_image_line_fraction: float = 0.1
    max_link_fraction: float = 0.3
    max_placeholders: int = 0
    max_repeated_line_fraction: float = 0.7
    max_repeated_word_fraction: float = 0.7


TextRule = Callable[[View, TextLimits], str | None]

IMAGES = re2.compile(rb"(?i)!\[[^\]\n]*\](?:\([^)\n]*\)|\[[^\]\n]*\])|<img\b[^<>]*>")
LINKS = re2.compile(rb"(?i)\bhttps?://[^\s<>\"'`)\]]+|\bwww\.[\w-]+\.[^\s<>\"'`)\]]+")
PLACEHOLDERS = re2.compile(
    rb"(?i)\blorem ipsum\b|\[(?:image|picture|insert [^\]\n]{1,40}|your [^\]\n]{1,40}|placeholder|redacted)\]|"
    rb"\b(?:content|page) (?:coming soon|under construction)\b|\bthis page (?:is )?intentionally left blank\b|"
    rb"<(?:insert|your)[ _-][^>\n]{1,40} here>|\[object Object\]|\{\{\s*(?:content|title|body|page\.\w+)\s*\}\}"
)
SHARED_RULES = (
    code_rules.garbled,
    code_rules.addresses,
    code_rules.contacts,
    code_rules.encoded_data,
    code_rules.repeated_lines,
    code_rules.repeated_words,
)


def num_images(document: DocumentView) -> int:
    """Return the images of a text."""
    return sum(1 for _ in IMAGES.finditer(document.raw))


def link_fraction(document: DocumentView) -> float:
    """Return which part of the bytes are URLs."""
    return code_rules.matched_fraction(LINKS, document)


def placeholder_phrases(document: DocumentView) -> list[str]:
    """Return the phrases of a text that stand for text that is not there."""
    return [match.group().decode("utf-8", "replace")[:60] for match in PLACEHOLDERS.finditer(document.raw)]


def image_references(document: View, limits: TextLimits) -> str | None:
    """Drop texts of which over 10 % of the lines hold images. Source: paper 2.1; the limit is ours."""
    count = document.measured(num_images)
    fraction = count / max(document.measured(code_rules.num_lines), 1)
    return f"{count} images, {fraction:.2f} of the lines" if fraction > limits.max_image_line_fraction else None


def links(document: View, limits: TextLimits) -> str | None:
    """Drop texts that are over 30 % URLs. Source: paper 2.1; the limit is ours."""
    fraction = document.measured(link_fraction)
    return f"{fraction:.2f}" if fraction > limits.max_link_fraction else None


def placeholders(document: View, limits: TextLimits) -> str | None:
    """Drop texts with phrases that stand for text that is not there. Source: paper 2.1; the list is ours."""
    found = document.measured(placeholder_phrases)
    return f"{len(found)}: {found[0]}" if len(found) > limits.max_placeholders else None


TEXT_RULES: dict[str, TextRule] = {
    "image_references": image_references,
    "links": links,
    "placeholders": placeholders,
    **{rule.__name__: rule for rule in SHARED_RULES},
}
DEFAULT_TEXT_LIMITS = TextLimits()
# All that the rules look at.
TEXT_MEASURES: tuple[Callable[[DocumentView], Any], ...] = (
    num_images,
    link_fraction,
    placeholder_phrases,
    code_rules.num_characters,
    code_rules.num_lines,
    code_rules.garbled_fraction,
    code_rules.address_fraction,
    code_rules.contact_fraction,
    code_rules.encoded_characters,
    code_rules.repeated_line_fraction,
    code_rules.repeated_word_fraction,
)


def first_broken_text_rule(
    document: DocumentView, limits: TextLimits = DEFAULT_TEXT_LIMITS, skipped: Collection[str] = ()
) -> tuple[str, str] | None:
    """Return (name, measurement) of the first rule for text that drops a document, or None; see `first_broken`."""
    return first_broken(TEXT_RULES, document, limits, skipped)
