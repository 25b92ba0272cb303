"""Section 2.4: random databases as one meets them: extra tables and columns, missing and untidy values, namesakes.

Everything follows from the random generator given: there is no clock and no default seed.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from random import Random
from typing import Any

from datasets_builders.synthesis.sql.domains import Domain

Value = str | int | None

FIRST_NAMES = [
    "Ada",
    "Amir",
    "Bela",
    "Chloe",
    "Dario",
    "Elif",
    "Femi",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Keiko",
    "Lea",
    "Milan",
    "Nora",
    "Omar",
    "Petra",
    "Rosa",
    "Sam",
    "Tomas",
]
LAST_NAMES = [
    "Abel",
    "Brandt",
    "Cruz",
    "Dahl",
    "Ekwe",
    "Fischer",
    "Gray",
    "Haddad",
    "Ito",
    "Jansen",
    "Kaya",
    "Lind",
    "Moreau",
    "Novak",
    "Okafor",
    "Park",
    "Quist",
    "Rossi",
]
PLACES = [
    "Amber",
    "Anchor",
    "Aurora",
    "Basalt",
    "Beacon",
    "Birch",
    "Cedar",
    "Comet",
    "Coral",
    "Delta",
    "Ember",
    "Falcon",
    "Granite",
    "Harrier",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lantern",
    "Maple",
    "Nimbus",
    "Onyx",
    "Pioneer",
    "Quartz",
    "Raven",
    "Sparrow",
    "Tundra",
    "Umber",
    "Vesper",
    "Willow",
    "Zephyr",
]
NOTES = ["ok", "late", "see mail", "checked", "n/a", "new", "moved", "urgent", "twice", "by hand"]
_NUMBER_COLUMNS = frozenset(
    ["watts", "total", "price", "bytes", "wind", "cost", "pieces", "litres", "seats", "fee_cents", "downtime_min"]
)
MISSING_FRACTION, UNTIDY_FRACTION, NAMESAKE_FRACTION = 0.08, 0.3, 0.15
FIRST_DAY = datetime.date(2019, 1, 1)
NUM_DAYS = 900


@dataclass(frozen=True)
class Table:
    """A table: its columns as SQL defines them, and its rows."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def definition(self) -> str:
        """The CREATE TABLE statement."""
        columns = ",\n".join(f"    {name} {kind}" for name, kind in self.columns)
        return f"CREATE TABLE {self.name} (\n{columns}\n);"

    @property
    def insertion(self) -> str:
        """The INSERT statement of all rows."""
        rows = ",\n".join(f"({', '.join(map(literal, row))})" for row in self.rows)
        return f"INSERT INTO {self.name} VALUES\n{rows};"


def literal(value: Value) -> str:
    """Return a value as SQL writes it."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True)
class Database:
    """The tables of one world."""

    tables: tuple[Table, ...]

    @property
    def schema(self) -> str:
        """The CREATE TABLE statements."""
        return "\n".join(table.definition for table in self.tables)

    @property
    def setup(self) -> str:
        """The script that makes and fills the tables."""
        return "\n".join(f"{table.definition}\n{table.insertion}" for table in self.tables)

    def sample(self, num_rows: int) -> str:
        """Return the first rows of every table, as SQL comments."""
        lines = []
        for table in self.tables:
            lines.append(f"-- {table.name}: {', '.join(name for name, _ in table.columns)}")
            lines += [f"--   {', '.join(map(literal, row))}" for row in table.rows[:num_rows]]
        return "\n".join(lines)


def make_database(domain: Domain, rng: Random, schema_rng: Random) -> Database:
    """Return a random database of a world.

    Args:
        domain (`Domain`): the world.
        rng (`Random`): draws the rows.
        schema_rng (`Random`): draws order of tables, extra columns and extra tables; the same one makes the same
            schema, whatever the rows.
    """
    group, entity, item, event = domain.group, domain.entity, domain.item, domain.event
    extras = {
        part["table"]: [name for name in part.get("extra", []) if schema_rng.random() < 0.6] for part in (entity, event)
    }
    num_entities, num_events = rng.randint(12, 22), rng.randint(50, 90)
    groups = list(range(1, len(group["labels"]) + 1))
    tables = [
        Table(
            group["table"],
            ((group["key"], "INTEGER PRIMARY KEY"), (group["label"], "TEXT NOT NULL")),
            tuple(zip(groups, group["labels"], strict=True)),
        ),
        _entities(domain, rng, num_entities, groups, extras[entity["table"]]),
        Table(
            item["table"],
            ((item["key"], "INTEGER PRIMARY KEY"), (item["label"], "TEXT NOT NULL")),
            tuple(enumerate(item["labels"], 1)),
        ),
        _events(domain, rng, num_entities, num_events, extras[event["table"]]),
    ]
    for distractor in schema_rng.sample(domain.distractors, schema_rng.randint(1, len(domain.distractors))):
        tables.append(_distractor(distractor, rng))
    schema_rng.shuffle(tables)
    return Database(tuple(tables))


def _entities(domain: Domain, rng: Random, num_rows: int, groups: list[int], extras: list[str]) -> Table:
    part, group = domain.entity, domain.group
    columns = [
        (part["key"], "INTEGER PRIMARY KEY"),
        (part["label"], "TEXT NOT NULL"),
        (group["key"], f"INTEGER REFERENCES {group['table']}"),
        (part["category"], "TEXT"),
        (part["number"], "INTEGER"),
        *((name, "TEXT") for name in extras),
    ]
    labels: list[str] = []
    rows: list[tuple[Value, ...]] = []
    for number in range(1, num_rows + 1):
        if labels and rng.random() < NAMESAKE_FRACTION:
            label = rng.choice(labels)
        elif part["labels"] == "people":
            label = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        else:
            label = f"{rng.choice(PLACES)} {rng.randint(1, 9)}"
        labels.append(label)
        rows.append(
            (
                number,
                label,
                _or_missing(rng, rng.choice(groups)),
                _or_missing(rng, _untidy(rng, rng.choice(part["categories"]))),
                _or_missing(rng, rng.randint(*part["numbers"])),
                *(_or_missing(rng, rng.choice(NOTES)) for _ in extras),
            )
        )
    return Table(part["table"], tuple(columns), tuple(rows))


def _events(domain: Domain, rng: Random, num_entities: int, num_rows: int, extras: list[str]) -> Table:
    part, entity, item = domain.event, domain.entity, domain.item
    columns = [
        (part["key"], "INTEGER PRIMARY KEY"),
        (entity["key"], f"INTEGER REFERENCES {entity['table']}"),
        (item["key"], f"INTEGER REFERENCES {item['table']}"),
        (part["date"], "TEXT NOT NULL"),
        (part["amount"], "INTEGER"),
        (part["state"], "TEXT NOT NULL"),
        *((name, "TEXT") for name in extras),
    ]
    # Some entities have many events, some have none.
    weights = [rng.choice((0, 1, 1, 2, 4)) for _ in range(num_entities)]
    weights[rng.randrange(num_entities)] = 5
    keys = sorted(rng.sample(range(1, 3 * num_rows), num_rows))
    rows: list[tuple[Value, ...]] = []
    for key in keys:
        if rows and rng.random() < 0.06:
            rows.append((key, *rows[-1][1:]))  # entered twice
            continue
        owner = rng.choices(range(1, num_entities + 1), weights)[0]
        rows.append(
            (
                key,
                _or_missing(rng, owner),
                rng.randint(1, len(item["labels"])),
                _day(rng),
                _or_missing(rng, rng.randint(*part["amounts"])),
                rng.choice(part["states"]),
                *(_or_missing(rng, rng.choice(NOTES)) for _ in extras),
            )
        )
    return Table(part["table"], tuple(columns), tuple(rows))


def _distractor(table: dict[str, Any], rng: Random) -> Table:
    columns = tuple((name, "INTEGER" if _is_number(name) else "TEXT") for name in table["columns"])
    rows = tuple(tuple(_unasked(name, rng) for name, _ in columns) for _ in range(rng.randint(3, 6)))
    return Table(table["table"], columns, rows)


def _is_number(column: str) -> bool:
    return column.endswith(("_id", "_cents", "_mm", "_gb", "_min")) or column in _NUMBER_COLUMNS


def _unasked(column: str, rng: Random) -> Value:
    if _is_number(column):
        return rng.randint(1, 60)
    if column.endswith("_on") or column in ("day", "since"):
        return _day(rng)
    return rng.choice(NOTES)


def _day(rng: Random) -> str:
    return (FIRST_DAY + datetime.timedelta(days=rng.randrange(NUM_DAYS))).isoformat()


def _or_missing(rng: Random, value: Value) -> Value:
    return None if rng.random() < MISSING_FRACTION else value


def _untidy(rng: Random, text: str) -> str:
    """Return a text as different hands type it."""
    if rng.random() >= UNTIDY_FRACTION:
        return text
    return rng.choice((text.upper(), text.title(), f" {text}", f"{text} ", f" {text.capitalize()} "))
