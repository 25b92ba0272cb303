"""Section 3.2.3: the steps of OSS-Instruct and Evol-Instruct: fragments, problems composed and evolved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, Conversation, Request
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Arity, Outcome, Reader, Removed, Step
from datasets_builders.synthesis.evolution.methods import (
    draw_method,
    fragment_of,
    parse_composed,
    parse_evolved,
    prompt,
    shares_code,
)
from datasets_builders.synthesis.instructions.answering import ASKED_OF
from datasets_builders.synthesis.instructions.builder import language_name
from datasets_builders.synthesis.instructions.natural_language import natural_language
from datasets_builders.synthesis.instructions.rows import ANSWER

# Kinds of documents on their way: a file, a problem of another dataset, one with its solution, one without an answer.
CODE, SEED, COMPOSED, UNANSWERED = "code", "seed", "composed", "unanswered"
GENERATION = "generation"
MIN_FRAGMENT_CHARS = 30
CREATIVE_TEMPERATURE, CREATIVE_TOP_P = 0.8, 0.95
_COPIED = ("topic", "knowledge_path", "seed_path", "repository", "license")


class ReadSeeds(Reader):
    """Read code files and problems of other datasets: of a conversation the first message of the user.

    Args:
        code: folders of datasets with `id` and `content`.
        problems: folders of datasets with `mid` and `messages`.
    """

    name = "read_seeds"

    def __init__(self, code: Sequence[str], problems: Sequence[str]) -> None:
        super().__init__()
        self.code, self.problems = list(code), list(problems)

    def list_documents(self, rank: int, world_size: int) -> Iterator[Document]:
        """Give the rows of this rank."""
        if self.code:
            for doc in ReadRows(self.code).list_documents(rank, world_size):
                doc.metadata["kind"] = CODE
                yield doc
        if self.problems:
            rows = ReadRows(self.problems, id_column="mid", text_column=None)
            for doc in rows.list_documents(rank, world_size):
                doc.metadata["kind"] = SEED
                yield doc

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give a file as it is, of a conversation the problem."""
        if doc.metadata["kind"] == CODE:
            yield doc
            return
        known = doc.metadata
        asked = next((message["content"] for message in known["messages"] if message["role"] == "user"), "")
        if not asked or not asked.strip():
            yield Removed(doc, "no_problem")
            return
        found = known.get("natural_language") or natural_language(asked)
        kept: dict[str, Any] = {name: known[name] for name in _COPIED if known.get(name)}
        kept |= {
            "kind": SEED,
            GENERATION: 0,
            ASKED_OF: doc.id,
            "seed": doc.id,
            "scenario": str(known.get("scenario") or "problems"),
            "languages": list(known.get("languages") or []),
            "natural_language": found if found in ("en", "zh") else "en",
            "split": known["split"],
        }
        yield Document(asked.strip(), doc.id, metadata=kept)


class TakeFragments(Step):
    """Cut fragments of some consecutive lines out of a file, each for a domain; for `CODE` alone.

    Args:
        num_fragments (`int`): of a file.
        max_lines (`int`): of a fragment, which has 1 at least.
        domains, natural_languages (mapping): weights.
        seed (`int`): of all choices.

    Source: OSS-Instruct, 1 to 15 lines; paper 3.2.3 for the domains.
    """

    name = "take_fragments"
    arity: Arity = "1:n"

    def __init__(
        self,
        num_fragments: int,
        max_lines: int,
        domains: Mapping[str, float],
        natural_languages: Mapping[str, float],
        seed: int,
    ) -> None:
        super().__init__()
        self.num_fragments, self.max_lines, self.seed = num_fragments, max_lines, seed
        self.domains, self.natural_languages = dict(domains), dict(natural_languages)
        self.only_for(CODE)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per fragment; one that an earlier fragment holds too is removed."""
        known = doc.metadata
        language = str(known.get("language") or "")
        seen: set[str] = set()
        for number in range(self.num_fragments):
            key = f"{self.seed}:{doc.id}:{number}"
            text = fragment_of(doc.text, key, max_lines=self.max_lines)
            chance = Random(f"{key}:domain")
            identifier = content_id(doc.id, "fragment", str(number))
            metadata = {
                "kind": CODE,
                ASKED_OF: identifier,
                "seed": doc.id,
                "seed_path": str(known.get("path") or ""),
                "repository": str(known.get("repository") or ""),
                "license": str(known.get("license") or ""),
                "seed_language": language,
                "languages": [language] if language else [],
                "natural_language": chance.choices(list(self.natural_languages), list(self.natural_languages.values()))[
                    0
                ],
                "scenario": chance.choices(list(self.domains), list(self.domains.values()))[0],
                "split": known.get("split", "train"),
            }
            made = Document(text, identifier, metadata=metadata)
            if len("".join(text.split())) < MIN_FRAGMENT_CHARS:
                yield Removed(made, "too_short")
            elif text in seen:
                yield Removed(made, "same_fragment")
            else:
                seen.add(text)
                yield made


class ComposeProblems(Ask):
    """Let a teacher compose a problem of a domain, with its solution, inspired by a fragment; for `CODE` alone.

    Source: OSS-Instruct (greedy; problem and solution in one answer of two marked parts).
    """

    name = "compose_problems"
    expected_answer_tokens = 900

    def __init__(self, asking: Asking) -> None:
        super().__init__(asking)
        self.only_for(CODE)

    def teacher_key(self, doc: Document) -> str:
        """Return the fragment."""
        return str(doc.metadata[ASKED_OF])

    def request(self, doc: Document) -> Request:
        """Show the fragment."""
        known = doc.metadata
        content = prompt("compose").substitute(
            fragment=doc.text,
            language=known["seed_language"] or "some language",
            domain=prompt(f"domain_{known['scenario']}").template,
            natural_language=language_name(known["natural_language"]),
        )
        return Request.of_user(content, temperature=0.0, max_tokens=4096)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give the problem in place of the fragment, with its solution."""
        problem, solution = parse_composed(answer.bare_text)
        known = doc.metadata | {
            "kind": COMPOSED,
            GENERATION: 0,
            "method": "oss_instruct",
            "instruction_teacher": answer.model,
            "teacher": answer.model,
            ANSWER: solution,
        }
        if known["scenario"] == "sql":
            known["languages"] = ["SQL"]
        made = Document(problem, content_id(doc.id, "problem"), metadata=known)
        yield Removed(made, "solution_in_problem") if shares_code(problem, solution) else made


class EvolveProblems(Ask):
    """Let a teacher make problems of a generation harder, each by one method; the problem itself passes too.

    Args:
        asking (`Asking`): who is asked.
        generation (`int`): of what is made, from 1; only problems of the generation before are evolved.
        seed (`int`): of the choice of methods.

    Source: Evol-Instruct as in WizardCoder, whose rounds keep all generations.
    """

    name = "evolve"
    arity: Arity = "1:n"
    expected_outputs = 2.0
    expected_prompt_tokens = 300
    expected_answer_tokens = 250

    def __init__(self, asking: Asking, generation: int, seed: int) -> None:
        super().__init__(asking, f"{self.name}_{generation}")
        self.generation, self.seed = generation, seed

    def teacher_key(self, doc: Document) -> str:
        """Return the problem."""
        return doc.id

    def method_of(self, doc: Document) -> str:
        """Return the method by which a problem is made harder."""
        return draw_method(self.seed, f"{self.generation}:{doc.id}")

    def request(self, doc: Document) -> Request:
        """Show the problem and how it becomes harder."""
        content = prompt("evolve").substitute(method=prompt(self.method_of(doc)).template, instruction=doc.text)
        return Request.of_user(
            content, temperature=CREATIVE_TEMPERATURE, top_p=CREATIVE_TOP_P, max_tokens=4096, sample=doc.id
        )

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Evolve a problem of the generation before; what cannot be evolved passes as it is, and is counted."""
        if doc.metadata.get(GENERATION) != self.generation - 1:
            return [doc]
        outcomes = await super().converse(doc, teacher)
        if isinstance(outcomes[0], Removed):
            self.stat_update(outcomes[0].reason)
            failed = Document(doc.text, content_id(doc.id, self.name), metadata=dict(doc.metadata))
            return [doc, Removed(failed, outcomes[0].reason, outcomes[0].detail)]
        return outcomes

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give the problem and its harder version."""
        text = parse_evolved(answer.bare_text, doc.text)
        dropped = (ANSWER, "teacher", "syntax", "num_code_blocks")
        known = {name: value for name, value in doc.metadata.items() if name not in dropped} | {
            "kind": UNANSWERED,
            GENERATION: self.generation,
            "method": "evol_instruct",
            "evolution": self.method_of(doc),
            "instruction_teacher": answer.model,
        }
        made = Document(text, content_id(doc.id, self.name), metadata=known)
        made.metadata[ASKED_OF] = made.id
        yield doc
        yield made


class DropSeeds(Step):
    """Remove the problems of other datasets, which served as seeds: they are rows there."""

    name = "drop_seeds"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on what was made here."""
        yield Removed(doc, "seed") if doc.metadata["kind"] == SEED else doc
