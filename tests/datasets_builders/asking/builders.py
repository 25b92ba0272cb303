"""A builder that asks: topics of lines from one teacher, a sentence on each from another step; imported by workers."""

import json
from dataclasses import dataclass, field

from datasets import Features, List, Value
from datatrove.data import Document

from datasets_builders.asking import Ask, AskingBuilder, Request, TeacherFields, json_schema
from datasets_builders.building import CardParts, Stage
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Reader, Removed
from tests.openai_server import MODEL

FORM = {
    "type": "object",
    "properties": {"topics": {"type": "array", "items": {"type": "string"}}},
    "required": ["topics"],
    "additionalProperties": False,
}


@dataclass
class TopicsConfig(TeacherFields):
    num_lines: int = field(default=6, metadata={"help": "number of lines"})


class Lines(Reader):
    """Number lines."""

    name = "lines"

    def __init__(self, num_lines):
        super().__init__()
        self.num_lines = num_lines

    def list_documents(self, rank, world_size):
        for number in range(rank, self.num_lines, world_size):
            yield Document(text=f"line {number}", id=f"{number:04d}")

    def process(self, doc):
        yield Removed(doc, "unlucky") if doc.text == "line 13" else doc


class FindTopics(Ask):
    """Let a teacher name topics."""

    name, arity = "find_topics", "1:n"
    expected_outputs = 2

    def request(self, doc):
        return Request.of_user(f"Topics of: {doc.text}", response_format=json_schema("topics", FORM))

    def take(self, doc, answer):
        for topic in answer.json(FORM)["topics"]:
            yield Document(topic, content_id(doc.id, topic), metadata={"line": doc.text, "teachers": [answer.model]})


class Explain(Ask):
    """Let a teacher go on with a text."""

    name = "explain"

    def request(self, doc):
        return Request(prompt=f"{doc.text} is", sample=doc.id, temperature=1.0, stop=["\n"])

    def take(self, doc, answer):
        doc.metadata["teachers"].append(answer.model)
        doc.metadata["explanation"] = answer.text
        yield doc


class TopicsBuilder(AskingBuilder[TopicsConfig]):
    name, summary, config_class = "topics", "topics of lines", TopicsConfig

    @property
    def features(self):
        text = Value("string")
        return Features({"id": text, "text": text, "line": text, "explanation": text, "teachers": List(text)})

    def stages(self):
        return [
            Stage("find", [Lines(self.config.num_lines), FindTopics(self.asking)], tasks=self.config.num_tasks),
            Stage("explain", [Explain(self.asking)], tasks=self.config.num_tasks),
        ]

    def card(self):
        return CardParts("Topics", "A topic per row.", license="unknown")


def topics_and_explanations(messages):
    """Answer as the teacher of both steps."""
    asked = messages[-1]["content"]
    if messages[0]["role"] == "prompt":
        return f" what stands in {asked.removesuffix(' is')}"
    number = asked.split()[-1]
    return json.dumps({"topics": [f"first of {number}", f"second of {number}"]})


def build_topics(url, output, num_lines, workers):
    """Build with eight requests at once."""
    teachers = [{"model": MODEL, "base_url": url, "concurrency": 8}]
    return TopicsBuilder(TopicsConfig(output_dir=output, num_lines=num_lines, teachers=teachers, workers=workers)).run()
