"""Section 2.4: questions to a database in words, with the query that answers them and queries that do not."""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from string import Template

from datasets_builders.building.identity import content_id
from datasets_builders.synthesis.sql.database import FIRST_DAY, NUM_DAYS, make_database
from datasets_builders.synthesis.sql.domains import Domain, Shape

PROMPT_FILE = Path(__file__).with_name("prompts") / "sql_query.txt"
KIND = "sql_query"
SAMPLE_ROWS = 3
_CLAUSE = re.compile(r" (?=(?:FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|JOIN|LEFT JOIN|SELECT)\b)")


# Short names that queries give to other things, and words of the language.
_TAKEN = frozenset(["o", "m", "c", "t", "r", "p", "s", "k", "as", "by", "in", "is", "on", "or", "do", "if", "no"])


@dataclass(frozen=True)
class SqlQuestion:
    """A question before its queries have been run.

    `setup` makes the database that is shown, `second_setup` one with the same tables and other rows.
    """

    domain: str
    shape: Shape
    prompt: str
    schema: str
    setup: str
    second_setup: str
    query: str
    same: str
    wrong: tuple[str, ...]

    @property
    def cluster(self) -> str:
        """What is asked, of which world: questions that share it are alike."""
        return f"{self.domain}/{self.shape.name}"

    @property
    def content(self) -> str:
        """The answer as the assistant gives it."""
        return f"```sql\n{self.query};\n```"

    @property
    def mid(self) -> str:
        """Content hash, 32 hex digits."""
        return content_id(KIND, self.prompt, self.content)


@cache
def _prompts() -> tuple[Template, ...]:
    return tuple(Template(part.strip("\n")) for part in PROMPT_FILE.read_text(encoding="utf-8").split("\n---\n"))


def draw_parameters(domain: Domain, rng: Random) -> dict[str, str]:
    """Return values for the placeholders that questions and queries of a world share.

    Args:
        domain (`Domain`): the world.
        rng (`Random`): draws them.
    """
    state, other_state = rng.sample(domain.event["states"], 2)
    low, high = domain.event["amounts"]
    day = FIRST_DAY + datetime.timedelta(days=rng.randrange(NUM_DAYS))
    start = day.replace(day=1)
    end = (start + datetime.timedelta(days=32)).replace(day=1)
    return {
        "category": rng.choice(domain.entity["categories"]),
        "state": state,
        "other_state": other_state,
        "n": str(rng.randint(3, 7)),
        "count": str(rng.randint(3, 6)),
        "limit": str(low + (high - low) * rng.randint(3, 8) // 10),
        "year": str(start.year),
        "month": f"{start.month:02d}",
        "month_name": f"{start:%B}",
        "year_month": f"{start:%Y-%m}",
        "month_start": start.isoformat(),
        "month_end": end.isoformat(),
    }


def draw_question(domain: Domain, shape: Shape, seed: str) -> SqlQuestion:
    """Return one question to a random database of a world.

    Args:
        domain (`Domain`): the world.
        shape (`Shape`): what is asked.
        seed (`str`): decides everything that is drawn.
    """
    rng = Random(seed)
    database, second = (make_database(domain, Random(f"{seed}/rows{n}"), Random(f"{seed}/schema")) for n in (1, 2))
    values = domain.words | draw_parameters(domain, rng)

    def filled(text: str) -> str:
        return Template(text).substitute(values)

    def query(text: str) -> str:
        return in_lines(with_aliases(filled(text), domain))

    question = filled(rng.choice(shape.questions))
    schema = database.schema
    if rng.random() < 0.5:
        schema += f"\n\n{database.sample(SAMPLE_ROWS)}"
    prompt = rng.choice(_prompts()).substitute(schema=schema, question=question[0].upper() + question[1:])
    return SqlQuestion(
        domain=domain.name,
        shape=shape,
        prompt=prompt,
        schema=database.schema,
        setup=database.setup,
        second_setup=second.setup,
        query=query(shape.sql),
        same=query(shape.same),
        wrong=tuple(query(text) for text in shape.wrong),
    )


def in_lines(query: str) -> str:
    """Return a query with each clause on a line of its own, those of a WITH table indented."""
    breaks = {found.start() for found in _CLAUSE.finditer(query)}
    named = {found.end() - 1 for found in re.finditer(r"\w+ AS \(", query)} if query.startswith("WITH ") else set()
    text, depth, inside = "", 0, False
    for place, character in enumerate(query):
        depth += (character == "(") - (character == ")")
        if place in named and depth == 1:
            text, inside = f"{text}(\n    ", True
        elif inside and character == ")" and depth == 0:
            text, inside = f"{text}\n)", False
        elif place in breaks and depth == int(inside):
            text += "\n    " if inside else "\n"
        elif character == " " and text.endswith("\n),"):
            text += "\n"
        else:
            text += character
    return text.replace("LEFT\n    JOIN", "LEFT JOIN").replace("LEFT\nJOIN", "LEFT JOIN")


def with_aliases(query: str, domain: Domain) -> str:
    """Return a query whose short names for tables are taken from the tables' names, as people choose them."""
    aliases: dict[str, str] = {}
    for letter, part in (("v", domain.event), ("e", domain.entity), ("g", domain.group), ("i", domain.item)):
        table = part["table"]
        choices = (table[:length] for length in range(1, len(table)))
        aliases[letter] = next(text for text in choices if text not in aliases.values() and text not in _TAKEN)
    # What is in quotes is a value, and stays.
    parts = re.split(r"('[^']*')", query)
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(
            r"\b([vegi])(?=\.)|(?<= AS )([vegi])\b", lambda found: aliases[found[1] or found[2]], parts[number]
        )
    return "".join(parts)


def split_of(cluster: str, validation_fraction: float, seed: int) -> str:
    """Return the split of all questions alike: "validation" for about this part of the clusters."""
    digest = hashlib.sha256(f"{seed}\0{cluster}".encode()).digest()
    return "validation" if int.from_bytes(digest[:8], "big") < validation_fraction * 2**64 else "train"
