"""Section 2.4: answers run against tests that a teacher wrote without seeing them, several answers to a problem.

Where tests can be written (one Python function with a stated name), the problem gets several attempts instead of one
answer; `VerifyAnswers` judges them and notes the share that passes. All other problems go on to `AnswerInstructions`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, Conversation, MalformedAnswerError, Request, json_schema
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.synthesis.instructions.answering import ASKED_OF, MAX_ANSWER_TOKENS
from datasets_builders.synthesis.instructions.rows import ANSWER
from datasets_builders.synthesis.verification import Verifier
from datasets_builders.synthesis.verification.verifiers import CODE

TESTS_PROMPT = Path(__file__).with_name("prompts") / "write_tests.txt"
MIN_TESTS, MAX_TESTS = 3, 12
ATTEMPT_TEMPERATURE, ATTEMPT_TOP_P = 0.8, 0.95
# Kind of a document on its way that has a verifier; `VerifyAnswers` is for it alone.
TESTABLE = "testable"
VERIFIER, ATTEMPTS = "verifier", "attempts"  # keys of the metadata, as `VerifyAnswers` reads them
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "entry_point": {"type": "string"},
        "tests": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_TESTS},
    },
    "required": ["entry_point", "tests"],
    "additionalProperties": False,
}


def verifier_of(value: dict[str, Any]) -> Verifier | None:
    """Return what judges code by the tests of an answer, None where it has none.

    Raises:
        MalformedAnswerError: a test is no single assert that calls the function, or there are too few.
    """
    tests = [test.strip() for test in value["tests"] if test.strip()]
    if not tests:
        return None
    name = value["entry_point"]
    if not name.isidentifier():
        raise MalformedAnswerError(f"entry_point is {name!r}, which is no name of a function")
    if len(tests) < MIN_TESTS:
        raise MalformedAnswerError(f"there are {len(tests)} tests, but at least {MIN_TESTS} are needed, or none")
    for test in tests:
        try:
            body = ast.parse(test).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise MalformedAnswerError(f"a test is no Python: {test[:80]!r}") from None
        if len(body) != 1 or not isinstance(body[0], ast.Assert):
            raise MalformedAnswerError(f"a test is not one assert statement: {test[:80]!r}")
        if name not in {node.id for node in ast.walk(body[0]) if isinstance(node, ast.Name)}:
            raise MalformedAnswerError(f"a test does not call {name}: {test[:80]!r}")
    return Verifier(CODE, entry_point=name, tests="\n".join(tests))


class WriteTests(Ask):
    """Let a teacher write tests of problems in Python; a problem without tests goes on as it came.

    Source: OpenCodeInstruct and KodCode write tests by a model; that the answer is not shown is ours.
    """

    name = "write_tests"
    expected_prompt_tokens = 500
    expected_answer_tokens = 250
    template = Template(TESTS_PROMPT.read_text(encoding="utf-8").strip())

    def request(self, doc: Document) -> Request:
        """Show the problem."""
        content = self.template.substitute(instruction=doc.text)
        return Request.of_user(content, temperature=0.0, max_tokens=2048, response_format=json_schema("tests", FORM))

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask about problems in Python; tests that cannot be used are none."""
        if doc.metadata.get("languages") != ["Python"]:
            return [doc]
        outcomes = await super().converse(doc, teacher)
        if isinstance(outcomes[0], Removed):
            self.stat_update(outcomes[0].reason)
            return [doc]
        return outcomes

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Note what judges an answer."""
        verifier = verifier_of(answer.json(FORM))
        if verifier:
            doc.metadata["kind"], doc.metadata[VERIFIER] = TESTABLE, verifier.to_json()
        yield doc


class AttemptAnswers(Ask):
    """Let a teacher answer a problem that has tests several times, first greedily; for `TESTABLE` alone.

    A problem that has an answer already is not asked about: that is its one attempt.

    Args:
        asking (`Asking`): who is asked.
        num_attempts (`int`): at least 1.
    """

    name = "attempt_answers"
    expected_prompt_tokens = 150
    expected_answer_tokens = 800

    def __init__(self, asking: Asking, num_attempts: int) -> None:
        super().__init__(asking)
        self.num_attempts = num_attempts
        self.only_for(TESTABLE)

    def teacher_key(self, doc: Document) -> str:
        """Return what the document began as, as `AnswerInstructions` does."""
        return str(doc.metadata.get(ASKED_OF) or doc.id)

    def request(self, doc: Document) -> Request:
        """Ask the instruction, as a user would."""
        return Request.of_user(doc.text, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Collect the attempts that came to an end."""
        if ANSWER in doc.metadata:
            doc.metadata[ATTEMPTS] = [doc.metadata[ANSWER]]
            return [doc]
        attempts: list[str] = []
        for number in range(self.num_attempts):
            request = self.request(doc)
            if number:
                request = Request.of_user(
                    doc.text,
                    temperature=ATTEMPT_TEMPERATURE,
                    top_p=ATTEMPT_TOP_P,
                    max_tokens=MAX_ANSWER_TOKENS,
                    sample=str(number),
                )
            answer = await teacher.complete(request)
            try:
                text = answer.bare_text if answer.finish_reason != "length" else ""
            except MalformedAnswerError:
                text = ""
            attempts += [text] if text else []
            doc.metadata["teacher"] = answer.model
        if not attempts:
            return [Removed(doc, "no_attempts", f"of {self.num_attempts}")]
        doc.metadata[ATTEMPTS] = attempts
        return [doc]
