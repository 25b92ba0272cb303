"""Section 2.4.2, Figure 4: the steps of bottom-up synthesis, from seeds to stated problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from string import Template

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, MalformedAnswerError, Request, json_schema
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Arity, Outcome, Removed, Step
from datasets_builders.synthesis.bottom_up.knowledge import (
    KNOWLEDGE_FORM,
    Expansion,
    Topic,
    knowledge_text,
    problems_form,
    topics_of,
    variations_form,
)
from datasets_builders.synthesis.instructions.answering import ASKED_OF
from datasets_builders.synthesis.instructions.builder import language_name
from datasets_builders.synthesis.instructions.counting import counted, lenient
from datasets_builders.synthesis.instructions.statements import is_question

PROMPT_FOLDER = Path(__file__).with_name("prompts")
# Variety is wanted of variations and problems, and of them alone.
CREATIVE_TEMPERATURE, CREATIVE_TOP_P = 0.8, 0.95
QUESTION, STATEMENT = "question", "statement"


def prompt(name: str) -> Template:
    """Return a prompt of this folder."""
    return Template((PROMPT_FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip())


class TakeSeeds(Step):
    """Take rows of code or of text about code as seeds: long enough, cut at a line, of the wanted share.

    Args:
        min_chars, max_chars (`int`): shorter ones are removed, longer ones cut behind their last whole line.
        fraction (`float`): share of the rows that is taken, by their ids.
        natural_languages (mapping): weights of en and zh, in which what comes of a seed is written.
        seed (`int`): of the choice.
    """

    name = "take_seeds"

    def __init__(
        self, min_chars: int, max_chars: int, fraction: float, natural_languages: Mapping[str, float], seed: int
    ) -> None:
        super().__init__()
        self.min_chars, self.max_chars, self.fraction, self.seed = min_chars, max_chars, fraction, seed
        self.natural_languages = dict(natural_languages)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give the seed."""
        chance = Random(f"{self.seed}:{doc.id}")
        if chance.random() >= self.fraction:
            yield Removed(doc, "not_drawn")
            return
        text = doc.text
        if len(text) > self.max_chars:
            text = text[: self.max_chars]
            text = text[: text.rfind("\n") + 1] or text
        if len(text.strip()) < self.min_chars:
            yield Removed(doc, "too_short", f"{len(text.strip())} characters")
            return
        known = doc.metadata
        names, weights = list(self.natural_languages), list(self.natural_languages.values())
        language = str(known.get("language") or "")
        metadata = {
            ASKED_OF: doc.id,
            "seed": doc.id,
            "seed_path": str(known.get("path") or ""),
            "repository": str(known.get("repository") or ""),
            "license": str(known.get("license") or ""),
            "seed_language": language,
            "languages": [language] if language else [],
            "natural_language": chance.choices(names, weights)[0],
            "scenario": "bottom_up",
        }
        yield Document(text=text, id=doc.id, metadata=metadata)


class _OfSeed(Ask):
    """Base of the steps between seed and problem: all that comes of a seed has one teacher."""

    def teacher_key(self, doc: Document) -> str:
        """Return the seed."""
        return str(doc.metadata[ASKED_OF])


class ExtractKnowledge(_OfSeed):
    """Let a teacher name the topics of a seed with their key points.

    Source: paper 2.4.2, first stage; KPDDS.
    """

    name = "extract_knowledge"
    expected_answer_tokens = 350
    template = prompt("extract_knowledge")

    def request(self, doc: Document) -> Request:
        """Show the seed."""
        known = doc.metadata
        content = self.template.substitute(
            seed=doc.text,
            language=known["seed_language"] or "prose about programs",
            natural_language=language_name(known["natural_language"]),
        )
        return Request.of_user(
            content, temperature=0.0, max_tokens=2048, response_format=json_schema("knowledge", KNOWLEDGE_FORM)
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give the knowledge in place of the seed."""
        topics = topics_of(answer.json(KNOWLEDGE_FORM))
        doc.metadata["topic"] = "; ".join(topic.name for topic in topics)
        yield Document(knowledge_text(topics), content_id(doc.id, "knowledge"), metadata=doc.metadata)


class EvolveKnowledge(_OfSeed):
    """Let a teacher write N variations of the knowledge of a seed; what says the same as another is removed.

    Args:
        asking (`Asking`): who is asked.
        expansion (`Expansion`): N.

    Source: paper 2.4.2, second stage (five variations).
    """

    name = "evolve_knowledge"
    arity: Arity = "1:n"
    expected_prompt_tokens = 450
    expected_answer_tokens = 900
    template = prompt("evolve_knowledge")

    def __init__(self, asking: Asking, expansion: Expansion) -> None:
        super().__init__(asking)
        self.expansion = expansion
        self.expected_outputs = expansion.num_variations
        self.form = variations_form(expansion.num_variations)

    def request(self, doc: Document) -> Request:
        """Show the knowledge."""
        content = self.template.substitute(
            knowledge=doc.text,
            num_variations=self.expansion.num_variations,
            natural_language=language_name(doc.metadata["natural_language"]),
        )
        return Request.of_user(
            content,
            temperature=CREATIVE_TEMPERATURE,
            top_p=CREATIVE_TOP_P,
            max_tokens=4096,
            response_format=json_schema("variations", self.form),
            sample=doc.id,
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give a document per variation."""
        topics = [Topic.of(value) for value in answer.json(lenient(self.form, "variations"))["variations"]]
        made = [
            Document(topic.as_text(), content_id(doc.id, str(number)), metadata=doc.metadata | {"topic": topic.name})
            for number, topic in enumerate(topics)
        ]
        return counted(doc, made, self.expansion.num_variations, [doc.text])


class WriteProblems(_OfSeed):
    """Let a teacher write the problems of a variation; what says the same as another is removed.

    Args:
        asking (`Asking`): who is asked.
        expansion (`Expansion`): K, and whether the direct problem is wanted beside them.

    Source: paper 2.4.2, third stage (seven unique problems).
    """

    name = "write_problems"
    arity: Arity = "1:n"
    expected_prompt_tokens = 450
    expected_answer_tokens = 1500
    template = prompt("write_problems")
    base_clause = prompt("base_clause")

    def __init__(self, asking: Asking, expansion: Expansion) -> None:
        super().__init__(asking)
        self.expansion = expansion
        self.expected_outputs = expansion.problems_per_variation
        self.form = problems_form(expansion.problems_per_variation)

    def request(self, doc: Document) -> Request:
        """Show the variation."""
        language = doc.metadata["seed_language"]
        has_base = self.expansion.has_base
        content = self.template.substitute(
            knowledge=doc.text,
            num_problems=self.expansion.problems_per_variation,
            language_clause=f", in {language} where a language is needed" if language else "",
            base_clause=self.base_clause.substitute(num_unique=self.expansion.num_unique) if has_base else "",
            natural_language=language_name(doc.metadata["natural_language"]),
        )
        return Request.of_user(
            content,
            temperature=CREATIVE_TEMPERATURE,
            top_p=CREATIVE_TOP_P,
            max_tokens=8192,
            response_format=json_schema("problems", self.form),
            sample=doc.id,
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give a document per problem; `kind` says which of them ask instead of stating."""
        problems = [text.strip() for text in answer.json(lenient(self.form, "problems"))["problems"]]
        if not all(problems):
            raise MalformedAnswerError("a problem is blank")
        known = doc.metadata | {"instruction_teacher": answer.model}
        made = [
            Document(
                problem,
                content_id(doc.id, str(number)),
                metadata=known | {"kind": QUESTION if is_question(problem) else STATEMENT},
            )
            for number, problem in enumerate(problems)
        ]
        return counted(doc, made, self.expansion.problems_per_variation)


class StateProblems(_OfSeed):
    """Let a teacher put problems that ask as statements; only they are asked about: `.only_for(QUESTION)`.

    Source: paper 2.4.2: interrogative sentences are converted to declarative ones.
    """

    name = "state_problems"
    expected_prompt_tokens = 250
    expected_answer_tokens = 150
    template = prompt("state_problem")

    def request(self, doc: Document) -> Request:
        """Show the problem."""
        return Request.of_user(self.template.substitute(problem=doc.text), temperature=0.0, max_tokens=4096)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give the statement in place of the question."""
        text = answer.bare_text
        if not text or is_question(text):
            raise MalformedAnswerError("a sentence of it is still a question" if text else "it is empty")
        doc.text, doc.metadata["kind"] = text, STATEMENT
        yield doc
