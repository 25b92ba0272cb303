"""Section 2.4.2: the steps of top-down synthesis: chapters, sections, knowledge, paths, problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from string import Template
from typing import IO, Any

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, MalformedAnswerError, Request, json_schema
from datasets_builders.building.atomic import temporary_name
from datasets_builders.building.identity import content_id
from datasets_builders.building.json_lines import of_line, to_line
from datasets_builders.building.steps import Arity, Generator, Outcome, Removed, Step
from datasets_builders.synthesis.instructions.answering import ASKED_OF
from datasets_builders.synthesis.instructions.builder import language_name
from datasets_builders.synthesis.instructions.counting import counted, lenient
from datasets_builders.synthesis.instructions.statements import same_words
from datasets_builders.synthesis.top_down.titles import Title
from datasets_builders.synthesis.top_down.tree import (
    Leaf,
    Tree,
    chapters_form,
    described,
    knowledge_form,
    names_of,
    problems_form,
    sections_form,
)

PROMPT_FOLDER = Path(__file__).with_name("prompts")
NUM_CHAPTERS, NUM_SECTIONS = (8, 16), (3, 8)
MIN_PARTS = 2  # a table of contents with fewer is none, but one with fewer than were asked for is
CREATIVE_TEMPERATURE, CREATIVE_TOP_P = 0.8, 0.95
PATH, PLACE, KNOWLEDGE = "path", "place", "knowledge"


def prompt(name: str) -> Template:
    """Return a prompt of this folder."""
    return Template((PROMPT_FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip())


class ListTitles(Generator):
    """Give the titles, each with the natural language in which its tree is written.

    Args:
        titles: of books.
        natural_languages (mapping): weights of en and zh.
        seed (`int`): of the choice.
    """

    name = "titles"

    def __init__(self, titles: Sequence[Title], natural_languages: Mapping[str, float], seed: int) -> None:
        super().__init__()
        self.titles, self.natural_languages, self.seed = list(titles), dict(natural_languages), seed

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give every title number `rank` modulo `world_size`."""
        names, weights = list(self.natural_languages), list(self.natural_languages.values())
        for number, title in enumerate(self.titles):
            if number % world_size != rank:
                continue
            identifier = content_id("top_down", title.name)
            known = {
                ASKED_OF: identifier,
                "title": title.name,
                "order": [number],
                "languages": [title.language] if title.language else [],
                "natural_language": Random(f"{self.seed}:{title.name}").choices(names, weights)[0],
                "scenario": title.field or "top_down",
            }
            yield Document(text=title.name, id=identifier, metadata=known)


class _OfBook(Ask):
    """Base of the steps that ask for a tree: one teacher writes all of a book."""

    def teacher_key(self, doc: Document) -> str:
        """Return the book."""
        return str(doc.metadata[ASKED_OF])


class WriteChapters(_OfBook):
    """Let a teacher write the chapters of a book.

    Source: paper 2.4.2, first step (catalog).
    """

    name = "write_chapters"
    arity: Arity = "1:n"
    expected_outputs = 12
    expected_answer_tokens = 150
    template = prompt("write_chapters")
    form = chapters_form(MIN_PARTS, 2 * NUM_CHAPTERS[1])

    def request(self, doc: Document) -> Request:
        """Show the title."""
        minimum, maximum = NUM_CHAPTERS
        content = self.template.substitute(
            title=doc.metadata["title"],
            min_chapters=minimum,
            max_chapters=maximum,
            natural_language=language_name(doc.metadata["natural_language"]),
        )
        return Request.of_user(
            content, temperature=0.0, max_tokens=2048, response_format=json_schema("chapters", self.form)
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give a document per chapter, which knows the others."""
        chapters = names_of(answer.json(self.form)["chapters"])
        if len(chapters) < MIN_PARTS:
            raise MalformedAnswerError("its chapters are all the same")
        for number, chapter in enumerate(chapters):
            known = doc.metadata | {"chapters": chapters, "order": [*doc.metadata["order"], number]}
            yield Document(chapter, content_id(doc.id, chapter), metadata=known)


class WriteSections(_OfBook):
    """Let a teacher write the sections and subsections of a chapter; give its leaves.

    Source: paper 2.4.2, first step: leaf nodes are sections or subsections.
    """

    name = "write_sections"
    arity: Arity = "1:n"
    expected_outputs = 16
    expected_prompt_tokens = 300
    expected_answer_tokens = 350
    template = prompt("write_sections")
    form = sections_form(1, 2 * NUM_SECTIONS[1])

    def request(self, doc: Document) -> Request:
        """Show the chapter among the others."""
        minimum, maximum = NUM_SECTIONS
        content = self.template.substitute(
            title=doc.metadata["title"],
            chapters="\n".join(f"- {chapter}" for chapter in doc.metadata["chapters"]),
            chapter=doc.text,
            min_sections=minimum,
            max_sections=maximum,
            natural_language=language_name(doc.metadata["natural_language"]),
        )
        return Request.of_user(
            content, temperature=0.0, max_tokens=4096, response_format=json_schema("sections", self.form)
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give a document per leaf; of sections with one name the first counts."""
        seen: set[str] = set()
        for number, value in enumerate(answer.json(self.form)["sections"]):
            (section,) = names_of([value["section"]])
            if same_words(section) in seen:
                continue
            seen.add(same_words(section))
            subsections = names_of(value["subsections"])
            # A section with one part is that part.
            for place, below in enumerate([[name] for name in subsections] if len(subsections) > 1 else [[]]):
                path = [doc.metadata["title"], doc.text, section, *below]
                known = {key: kept for key, kept in doc.metadata.items() if key != "chapters"}
                known |= {PATH: path, "order": [*doc.metadata["order"], number, place]}
                yield Document(path[-1], Leaf(path).id, metadata=known)


class WriteKnowledge(_OfBook):
    """Let a teacher write the knowledge of a leaf: points, with subtopics where it sees a need for them.

    Args:
        asking (`Asking`): who is asked.
        max_points (`int`): most knowledge points of a leaf.

    Source: paper 2.4.2, second step: the higher-level nodes are named, subtopics are the model's decision.
    """

    name = "write_knowledge"
    expected_prompt_tokens = 220
    expected_answer_tokens = 300
    template = prompt("write_knowledge")

    def __init__(self, asking: Asking, max_points: int) -> None:
        super().__init__(asking)
        self.max_points = max_points
        self.expected_outputs = max_points  # paths
        self.form = knowledge_form(max_points)

    def request(self, doc: Document) -> Request:
        """Show the path of the leaf."""
        path = doc.metadata[PATH]
        content = self.template.substitute(
            path=described(path, len(path)),
            max_points=self.max_points,
            natural_language=language_name(doc.metadata["natural_language"]),
        )
        return Request.of_user(
            content, temperature=0.0, max_tokens=4096, response_format=json_schema("knowledge", self.form)
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Note the knowledge; a point that is there already counts once."""
        points: dict[str, tuple[str, list[str]]] = {}
        for value in answer.json(self.form)["knowledge"]:
            point = " ".join(value["point"].split())
            if not point:
                raise MalformedAnswerError("a knowledge point is blank")
            points.setdefault(same_words(point), (point, names_of(value["subtopics"])))
        doc.metadata[KNOWLEDGE] = [[point, subtopics] for point, subtopics in points.values()]
        doc.metadata["tree_teacher"] = answer.model
        yield doc


class ReadTrees(Generator):
    """Give the leaves of trees that an earlier build saved.

    Args:
        trees: as `read_trees` gives them.
    """

    name = "read_trees"

    def __init__(self, trees: Sequence[Tree]) -> None:
        super().__init__()
        self.trees = list(trees)

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give every leaf number `rank` modulo `world_size`."""
        leaves = ((number, place) for number, tree in enumerate(self.trees) for place in range(len(tree.leaves)))
        for index, (number, place) in enumerate(leaves):
            if index % world_size != rank:
                continue
            tree, leaf = self.trees[number], self.trees[number].leaves[place]
            known = {
                ASKED_OF: content_id("top_down", tree.title),
                "title": tree.title,
                "order": [number, place],
                "languages": [tree.language] if tree.language else [],
                "natural_language": tree.natural_language,
                "scenario": tree.field or "top_down",
                PATH: list(leaf.path),
                KNOWLEDGE: [[point, list(subtopics)] for point, subtopics in leaf.knowledge],
                "tree_teacher": ", ".join(tree.teachers),
            }
            yield Document(leaf.path[-1], leaf.id, metadata=known)


class RecordLeaves(Step):
    """Write the leaves that pass, from which the trees are put together when all are there.

    Args:
        folder (`Path`): where; a file per rank.
    """

    name = "record_leaves"
    only_in_builds = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)
        self._file: IO[bytes] | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Open the file of this rank."""
        self._path = Path(self.folder) / f"{rank:05d}.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = temporary_name(self._path).open("wb")

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Note a leaf."""
        assert self._file is not None
        known = doc.metadata
        names = ("order", PATH, KNOWLEDGE, "title", "languages", "natural_language", "scenario", "tree_teacher")
        self._file.write(to_line([known[name] for name in names]))
        yield doc

    def finish(self) -> Iterable[Outcome]:
        """Complete the file."""
        assert self._file is not None
        self._file.close()
        temporary_name(self._path).replace(self._path)
        return ()

    def end(self) -> None:
        """Drop a file that was not completed."""
        if self._file:
            self._file.close()
            temporary_name(self._path).unlink(missing_ok=True)
        self._file = None


def recorded_trees(folder: Path) -> list[Tree]:
    """Return the trees of the leaves that `RecordLeaves` wrote, in the order of titles and leaves."""
    rows: list[list[Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as lines:
            rows += map(of_line, lines)
    trees: dict[str, Tree] = {}
    for _, path, knowledge, title, languages, natural_language, field, teacher in sorted(rows, key=lambda row: row[0]):
        tree = trees.setdefault(title, Tree(title, (languages or [""])[0], natural_language, field))
        tree.leaves.append(Leaf(path, [(point, subtopics) for point, subtopics in knowledge]))
        if teacher and teacher not in tree.teachers:
            tree.teachers.append(teacher)
    return list(trees.values())


class ExtractPaths(Step):
    """Give the paths of a leaf: from every subtopic, or knowledge point without any, to the book.

    Args:
        fraction (`float`): share of the paths that is kept, by their ids.
        extra_topics_fraction (`float`): share of the paths whose problems draw on further topics.
        seed (`int`): of both choices.

    Source: paper 2.4.2.
    """

    name = "extract_paths"
    arity: Arity = "1:n"

    def __init__(self, fraction: float, extra_topics_fraction: float, seed: int) -> None:
        super().__init__()
        self.fraction, self.extra_topics_fraction, self.seed = fraction, extra_topics_fraction, seed

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per path."""
        place = doc.metadata[PATH]
        known = {key: value for key, value in doc.metadata.items() if key not in (PATH, KNOWLEDGE, "order")}
        for path in Leaf(place, doc.metadata[KNOWLEDGE]).paths():
            identifier = content_id(*path)
            chance = Random(f"{self.seed}:{identifier}")
            is_drawn, has_extra = chance.random() < self.fraction, chance.random() < self.extra_topics_fraction
            found = known | {
                ASKED_OF: identifier,
                PLACE: len(place),
                "knowledge_path": path,
                "topic": path[-1],
                "has_extra_topics": has_extra,
            }
            made = Document(described(path, len(place)), identifier, metadata=found)
            yield made if is_drawn else Removed(made, "not_drawn")


class WriteProblems(Ask):
    """Let a teacher write problems about a path; what says the same as another is removed.

    Args:
        asking (`Asking`): who is asked.
        num_problems (`int`): of a path.

    Source: paper 2.4.2: problems based on paths, with additional topics for more challenging ones.
    """

    name = "write_problems"
    arity: Arity = "1:n"
    expected_prompt_tokens = 350
    expected_answer_tokens = 500
    template = prompt("write_problems")
    clauses: Mapping[bool, Template] = {True: prompt("extra_topics"), False: prompt("no_extra_topics")}

    def __init__(self, asking: Asking, num_problems: int) -> None:
        super().__init__(asking)
        self.num_problems = num_problems
        self.expected_outputs = num_problems
        self.form = problems_form(num_problems)

    def teacher_key(self, doc: Document) -> str:
        """Return the path: the problems of one book are spread over the teachers."""
        return str(doc.metadata[ASKED_OF])

    def request(self, doc: Document) -> Request:
        """Show the path."""
        content = self.template.substitute(
            num_problems=self.num_problems,
            path=doc.text,
            extra_clause=self.clauses[doc.metadata["has_extra_topics"]].template,
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
        """Give a document per problem."""
        made = []
        for number, value in enumerate(answer.json(lenient(self.form, "problems"))["problems"]):
            problem = value["problem"].strip()
            if not problem:
                raise MalformedAnswerError("a problem is blank")
            topics = [doc.metadata["topic"], *(" ".join(topic.split()) for topic in value["extra_topics"])]
            known = doc.metadata | {"instruction_teacher": answer.model, "topic": "; ".join(topics)}
            made.append(Document(problem, content_id(doc.id, str(number)), metadata=known))
        return counted(doc, made, self.num_problems)
