"""Section 2.4.2, Figure 4: knowledge: topics with their key points; its form in answers and in prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets_builders.asking import MalformedAnswerError
from datasets_builders.building.errors import ConfigError
from datasets_builders.synthesis.instructions.statements import same_words

MAX_TOPICS, MAX_KEY_POINTS = 5, 8
_NAME = {"type": "string", "minLength": 1, "maxLength": 300}
_TOPIC = {
    "type": "object",
    "properties": {
        "topic": _NAME,
        "key_points": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 1000},
            "minItems": 1,
            "maxItems": MAX_KEY_POINTS,
        },
    },
    "required": ["topic", "key_points"],
    "additionalProperties": False,
}
KNOWLEDGE_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"topics": {"type": "array", "items": _TOPIC, "minItems": 1, "maxItems": MAX_TOPICS}},
    "required": ["topics"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Topic:
    """A field of programming with single facts of it."""

    name: str
    key_points: tuple[str, ...]

    @classmethod
    def of(cls, value: dict[str, Any]) -> Topic:
        """Return the topic of an answer that has the form; key points that say the same count once.

        Raises:
            MalformedAnswerError: name or key points are blank.
        """
        name = " ".join(value["topic"].split())
        points = {same_words(point): " ".join(point.split()) for point in reversed(value["key_points"])}
        kept = tuple(point for point in reversed(points.values()) if point)
        if not name or not kept:
            raise MalformedAnswerError("a topic or its key points are blank")
        return cls(name, kept)

    def as_text(self) -> str:
        """Return the topic as a prompt shows it."""
        return "\n".join([f"Topic: {self.name}", *(f"- {point}" for point in self.key_points)])


def knowledge_text(topics: Sequence[Topic]) -> str:
    """Return a piece of knowledge as a prompt shows it."""
    return "\n\n".join(topic.as_text() for topic in topics)


def topics_of(value: dict[str, Any]) -> list[Topic]:
    """Return the topics of an answer in `KNOWLEDGE_FORM`."""
    return [Topic.of(topic) for topic in value["topics"]]


def variations_form(num_variations: int) -> dict[str, Any]:
    """Return the form of an answer with exactly so many variations."""
    items = {"type": "array", "items": _TOPIC, "minItems": num_variations, "maxItems": num_variations}
    return {
        "type": "object",
        "properties": {"variations": items},
        "required": ["variations"],
        "additionalProperties": False,
    }


def problems_form(num_problems: int) -> dict[str, Any]:
    """Return the form of an answer with exactly so many problems."""
    text = {"type": "string", "minLength": 1}
    items = {"type": "array", "items": text, "minItems": num_problems, "maxItems": num_problems}
    return {
        "type": "object",
        "properties": {"problems": items},
        "required": ["problems"],
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Expansion:
    """How many problems grow from one seed.

    The paper says that seeds are expanded (K + 1) x N times, for N = 5 variations and K = 7 unique problems: here each
    variation is tested once in the most direct way, and K times more. The card of the released dataset says seven sets
    of key points with ten questions each, and no more.

    Args:
        num_variations (`int`): N, evolved variations of the knowledge of a seed.
        num_unique (`int`): K, unique problems of a variation.
        has_base (`bool`): whether a variation has its direct problem beside them.
    """

    num_variations: int
    num_unique: int
    has_base: bool

    @property
    def problems_per_variation(self) -> int:
        """K + 1, or K."""
        return self.num_unique + self.has_base

    @property
    def problems_per_seed(self) -> int:
        """(K + 1) x N, or K x N."""
        return self.problems_per_variation * self.num_variations

    @property
    def formula(self) -> str:
        """The arithmetic in words, for the card."""
        base = f"({self.num_unique} + 1)" if self.has_base else f"{self.num_unique}"
        return f"{base} x {self.num_variations} = {self.problems_per_seed} problems of a seed"


# Source: paper 2.4.2 (N = 5, K = 7); card of the released SFT dataset (seven sets, ten questions each).
PRESETS = {"paper": Expansion(5, 7, True), "card": Expansion(7, 10, False)}


def expansion_of(preset: str, num_variations: int, num_unique: int) -> Expansion:
    """Return the expansion of a preset; a number above 0 takes the place of the preset's.

    Raises:
        ConfigError: an unknown preset, or a negative number.
    """
    if preset not in PRESETS:
        raise ConfigError(f"preset is {preset!r}; known: {', '.join(PRESETS)}")
    for name, count in (("num_variations", num_variations), ("num_unique_problems", num_unique)):
        if count < 0:
            raise ConfigError(f"{name} is {count}, but must be above 0, or 0 for the preset's")
    found = PRESETS[preset]
    return Expansion(num_variations or found.num_variations, num_unique or found.num_unique, found.has_base)
