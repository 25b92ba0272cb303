"""Section 2.4.1: the steps of Magpie: scenarios drawn, instructions sampled, conversations continued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, Conversation, MalformedAnswerError, Request
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Generator, Outcome, Removed
from datasets_builders.synthesis.instructions.answering import ASKED_OF, MAX_ANSWER_TOKENS
from datasets_builders.synthesis.instructions.rows import ANSWER, TURNS
from datasets_builders.synthesis.instructions.rules import incomplete, refuses, repeats
from datasets_builders.synthesis.magpie.instructions import parse_instruction
from datasets_builders.synthesis.magpie.pre_query import ChatTemplate, PreQuery
from datasets_builders.synthesis.magpie.scenarios import Scenario, ScenarioDraw

# Source: Magpie (temperature 1, top_p 1, 2,048 tokens); paper 2.4.1 wants both relatively high.
INSTRUCTION_TEMPERATURE, INSTRUCTION_TOP_P, MAX_INSTRUCTION_TOKENS = 1.0, 1.0, 2048


class DrawScenarios(Generator):
    """Draw a scenario, a programming language and a natural language for each instruction to sample.

    Args:
        draw (`ScenarioDraw`): by weights.
        num_samples (`int`): how many.
    """

    name = "draw_scenarios"

    def __init__(self, draw: ScenarioDraw, num_samples: int) -> None:
        super().__init__()
        self.draw, self.num_samples = draw, num_samples

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give every scenario number `rank` modulo `world_size`; a number's scenario hangs on nothing else."""
        for number in range(rank, self.num_samples, world_size):
            scenario = self.draw.draw(number)
            identifier = content_id("magpie", str(self.draw.seed), str(number))
            known = {
                ASKED_OF: identifier,
                "scenario": scenario.name,
                "languages": [scenario.language],
                "natural_language": scenario.natural_language,
                "needs_code": scenario.needs_code,
            }
            yield Document(text=scenario.system_prompt, id=identifier, metadata=known)


class _WithTemplates(Ask):
    """Base of the steps that write raw prompts: each teacher has the chat template of its own tokenizer.

    Args:
        asking (`Asking`): who is asked.
        templates (mapping): by the teachers' names.
    """

    def __init__(self, asking: Asking, templates: Mapping[str, ChatTemplate]) -> None:
        super().__init__(asking)
        self.templates = dict(templates)

    def teacher_key(self, doc: Document) -> str:
        """Return what the document began as: one teacher writes a whole conversation."""
        return str(doc.metadata[ASKED_OF])

    def pre_query(
        self, doc: Document, teacher: str | None = None, turns: list[dict[str, str]] | None = None
    ) -> PreQuery:
        """Return the head of a user's turn in a teacher's template; of the first teacher's by default."""
        known = doc.metadata
        scenario = Scenario(known["scenario"], known["languages"][0], known["natural_language"])
        template = self.templates[teacher or self.asking.teachers_of(self.name)[0].called]
        return template.pre_query(scenario.system_prompt, turns or ())


def sampled(pre_query: PreQuery, sample: str) -> Request:
    """Return the request for what stands behind the head of a user's turn."""
    return Request(
        prompt=pre_query.prompt,
        stop=pre_query.stops,
        temperature=INSTRUCTION_TEMPERATURE,
        top_p=INSTRUCTION_TOP_P,
        max_tokens=MAX_INSTRUCTION_TOKENS,
        sample=sample,
    )


class SampleInstructions(_WithTemplates):
    """Let an aligned model write the user's message by itself, by raw completion of the head of a user's turn.

    What is no user's message is removed as `no_instruction` and not asked for again: a further draw costs as much as a
    new instruction.

    Source: paper 2.4.1; Magpie.
    """

    name = "sample_instructions"
    takes_empty = True
    expected_answer_tokens = 120

    def request(self, doc: Document) -> Request:
        """Return the head of a user's turn alone."""
        return sampled(self.pre_query(doc, doc.metadata.get("asked")), doc.id)

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask the teacher that is chosen, in its own template."""
        doc.metadata["asked"] = teacher.name
        return await super().converse(doc, teacher)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Keep the instruction."""
        stops = self.pre_query(doc, doc.metadata.pop("asked", None)).stops
        try:
            doc.text = parse_instruction(answer.text, stops)
        except MalformedAnswerError as error:
            yield Removed(doc, "no_instruction", f"{error}: {answer.text[:200]!r}")
            return
        doc.metadata["instruction_teacher"] = answer.model
        yield doc


class ContinueConversations(_WithTemplates):
    """Let the teacher write further turns of the user and answer them, up to a number of turns.

    A conversation whose next message is no user's message, or whose answer is cut or refuses, ends before it.

    Args:
        asking (`Asking`): who is asked.
        templates (mapping): by the teachers' names.
        num_turns (`int`): most messages of the user.

    Source: Magpie's multi-turn extension.
    """

    name = "continue_conversations"

    def __init__(self, asking: Asking, templates: Mapping[str, ChatTemplate], num_turns: int) -> None:
        super().__init__(asking, templates)
        self.num_turns = num_turns

    def request(self, doc: Document) -> Request:
        """Return the head of the user's second turn."""
        return sampled(self.pre_query(doc, None, _first_turns(doc)), doc.id)

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask for a message and its answer in turns."""
        turns = _first_turns(doc)
        for number in range(1, self.num_turns):
            pre_query = self.pre_query(doc, teacher.name, turns)
            said = await teacher.complete(sampled(pre_query, f"{doc.metadata[ASKED_OF]}\0{number}"))
            try:
                message = parse_instruction(said.text, pre_query.stops)
                if said.finish_reason == "length" or incomplete(message, is_instruction=True) or repeats(message):
                    break
                asked = [*turns, {"role": "user", "content": message}]
                answer = await teacher.complete(Request(asked, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS))
                text = answer.bare_text
            except MalformedAnswerError:
                break
            if answer.finish_reason == "length" or not text or refuses(text) or incomplete(text, is_instruction=False):
                break
            turns = [*asked, {"role": "assistant", "content": text}]
        doc.metadata[TURNS] = turns[2:]
        self.stat_update("further_turns", value=len(turns[2:]) // 2)
        return [doc]


def _first_turns(doc: Document) -> list[dict[str, str]]:
    return [{"role": "user", "content": doc.text}, {"role": "assistant", "content": str(doc.metadata.get(ANSWER, ""))}]
