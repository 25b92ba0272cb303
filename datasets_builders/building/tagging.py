"""Section 2.1: tagged datasets: all rows stay, with the verdicts of the filters and what they measured as columns.

`mode: tag` has the filters of a builder note what they would remove, and why; `select` then applies limits to what was
measured, without the sources. Both change the builder's list of steps, which stays the only one:

    filter   reader, license, rules, ...,            exact_dedup, near_dedup, ...   -> rows that stay
    tag      reader, license, rules, ..., snapshot,  exact_dedup, near_dedup, ..., tag_columns   -> all rows
    select   read_tagged, license, rules, ...,       exact_dedup, near_dedup, ...   -> rows that stay

Filters of one document judge every row, also one that another filter rejects. What compares documents (deduplication,
limits by language) looks at those alone that no filter before has rejected, as in a build that filters; so it is run
anew by `select`, and its limits may be any. A builder that joins documents is tagged up to there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datatrove.data import Document

from datasets_builders.building.atomic import write_json
from datasets_builders.building.card import without_own_folders
from datasets_builders.building.config import FIELDS_WITHOUT_EFFECT, BuilderConfig
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.building.json_lines import of_line, to_line
from datasets_builders.building.ledger import StepCounts
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import TAGS, Outcome, Reader, Removed, Step, tag_of

if TYPE_CHECKING:
    from datasets import Features

FILTER, TAG = MODES = ("filter", "tag")
TAGGED_FILE = "tagged.json"
ROW_ID = "row_id"
REMOVED_BY = "removed_by"
SNAPSHOT = "document"  # column with what `select` goes on from


@dataclass
class TaggingFields(BuilderConfig):
    """Whether rows are filtered or tagged, and where tagged ones are taken from."""

    mode: str = field(
        default=FILTER,
        metadata={"help": "filter, or tag: all rows stay, and columns say which step would remove each, and why"},
    )
    tagged: str = field(
        default="",
        metadata={"help": "folder of a dataset built with mode=tag: its rows are filtered, and the sources not read"},
    )

    # What may be other than it was when the dataset was tagged: limits on what was measured, and all that comes later.
    selectable: ClassVar[frozenset[str]] = frozenset(
        (
            *("mode", "tagged", "num_shards", "num_tasks", "language", "seed", "config_per_language"),
            *("license_types", "allowed_licenses", "rule_limits", "skipped_rules", "toxicity_limits"),
            *("min_quality", "quality_limits", "near_dedup_threshold", "released_before", "language_limits"),
        )
    )
    # Parts of such fields that decided what was measured.
    not_selectable: ClassVar[Mapping[str, str]] = {"toxicity_limits": "probability"}

    def validate(self) -> None:
        """Check the mode."""
        super().validate()
        if self.mode not in MODES:
            raise ConfigError(f"mode is {self.mode!r}; known: {', '.join(MODES)}")
        if self.tagged and self.mode == TAG:
            raise ConfigError("mode is tag, but rows of a tagged dataset are tagged already; leave one of them out")


def is_tagging(config: BuilderConfig) -> bool:
    """Return whether a build tags."""
    return isinstance(config, TaggingFields) and config.mode == TAG


def selected_from(config: BuilderConfig) -> TaggingFields | None:
    """Return the config of a build that selects from a tagged dataset, None of another."""
    return config if isinstance(config, TaggingFields) and config.tagged else None


class Snapshot(Step):
    """Keep what the document is behind the filters that judge it alone, for `select` to go on from."""

    name = "snapshot"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Write it down."""
        metadata = {name: value for name, value in doc.metadata.items() if name != TAGS}
        doc.metadata[SNAPSHOT] = to_line([doc.id, metadata, doc.metadata.get(TAGS, {})]).decode().strip()
        yield doc


class TagColumns(Step):
    """Make columns of the tags, and an id of each row: equal documents are several rows here.

    Args:
        filters (sequence of `Step`): in the order in which they judged.
        id_column (`str`): gets what was the document's id.
        columns (sequence of `str`): null where a document has nothing of that name.
    """

    name = "tag_columns"

    def __init__(self, filters: Sequence[Step], id_column: str, columns: Sequence[str]) -> None:
        super().__init__()
        self.columns_of = {step.name: list(step.measures) for step in filters}
        self.id_column, self.columns = id_column, list(columns)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Fill in the columns."""
        tags = {name: tag_of(doc, name) for name in self.columns_of}
        known: dict[str, Any] = {**dict.fromkeys(self.columns), **doc.metadata}
        known.pop(TAGS)
        known[REMOVED_BY] = next((name for name, tag in tags.items() if tag["reasons"]), None)
        for name, tag in tags.items():
            known |= {f"{name}_reasons": tag["reasons"], f"{name}_detail": tag["detail"] or None}
            known |= {f"{name}_{measure}": tag["measures"].get(measure) for measure in self.columns_of[name]}
        known[self.id_column] = doc.id
        doc.id, doc.metadata = content_id(known[SNAPSHOT]), known
        yield doc


class ReadTagged(Reader):
    """Read the rows of a tagged dataset, as they came out of the filters that judge documents one by one.

    Args:
        folder (`Path` or `str`): the dataset.
        text_column (`str`): with the text.
    """

    name = "read_tagged"

    def __init__(self, folder: Path | str, text_column: str) -> None:
        super().__init__()
        self.folder, self.text_column = str(folder), text_column

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """Give every `world_size`-th row."""
        for number, row in enumerate(DatasetFolder(self.folder).rows([self.text_column, SNAPSHOT])):
            if number % world_size == rank:
                identifier, metadata, tags = of_line(row[SNAPSHOT].encode())
                yield Document(row[self.text_column], identifier, metadata=metadata | {TAGS: tags})

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the row on."""
        yield doc


class Judged(Step):
    """Remove rows of a tagged dataset that a filter does not want, by what it had noted of them.

    Args:
        filter (`Step`): that noted it, with the limits that hold now.
        is_last (`bool`): whether the tags are needed no more.
    """

    def __init__(self, filter: Step, is_last: bool) -> None:
        super().__init__()
        self.name, self.filter, self.is_last = filter.name, filter, is_last
        self.only_kinds = filter.only_kinds

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a row that the filter wants."""
        broken = self.filter.verdict(doc, tag_of(doc, self.name))
        yield Removed(doc, *broken) if broken else doc

    def _answers(self, batch: list[Document], counts: StepCounts) -> Iterator[Outcome]:
        for outcome in super()._answers(batch, counts):
            if self.is_last and isinstance(outcome, Document):
                del outcome.metadata[TAGS]
            yield outcome


def split_at_comparison(stages: Sequence[Stage]) -> tuple[list[Stage], list[Stage]]:
    """Return the stages before and from the first step that compares or joins filtered documents, which may cut one."""
    is_filtered = False
    for number, stage in enumerate(stages):
        for place, step in enumerate(stage.pipeline):
            if is_filtered and isinstance(step, Step) and step.arity == "n:1":
                before = [replace(stage, pipeline=stage.pipeline[:place])] if place else []
                behind = replace(stage, pipeline=stage.pipeline[place:])
                return [*stages[:number], *before], [behind, *stages[number + 1 :]]
            is_filtered = is_filtered or (isinstance(step, Step) and step.is_filter)
    return list(stages), []


def steps_of(stages: Sequence[Stage]) -> list[Step]:
    """Return the steps of stages, in order."""
    return [step for stage in stages for step in stage.pipeline if isinstance(step, Step)]


def tagged_part(stages: Sequence[Stage]) -> tuple[list[Stage], list[Stage]]:
    """Return the stages whose filters judge documents one by one, and those that choose among the ones that are left.

    The latter end where documents are joined to others.
    """
    alone, behind = split_at_comparison(stages)
    choosing: list[Stage] = []
    for stage in behind:
        if any(step.arity == "n:1" and not step.is_filter for step in steps_of([stage])):
            break
        choosing.append(stage)
    return alone, choosing


def tagging_stages(stages: Sequence[Stage], id_column: str, columns: Sequence[str]) -> list[Stage]:
    """Return the stages of a builder as they tag what they would remove.

    Args:
        stages (sequence of `Stage`): of the builder, new ones.
        id_column (`str`): of its dataset.
        columns (sequence of `str`): of the tagged dataset, but for those of the tags.
    """
    alone, choosing = tagged_part(stages)
    for step in steps_of(alone):
        step.tagging()
    for step in steps_of(choosing):
        step.tagging(passes_rejected=True)
    filters = [step for step in steps_of([*alone, *choosing]) if step.is_filter]
    alone[-1] = replace(alone[-1], pipeline=[*alone[-1].pipeline, Snapshot()])
    tagged = _joined([*alone, *choosing])
    last = tagged[-1]
    tagged[-1] = replace(last, pipeline=[*last.pipeline, TagColumns(filters, id_column, columns)])
    return tagged


def selecting_stages(stages: Sequence[Stage], folder: Path | str, text_column: str) -> list[Stage]:
    """Return the stages of a builder as they start from a tagged dataset.

    Args:
        stages (sequence of `Stage`): of the builder, new ones.
        folder (`Path` or `str`): the tagged dataset.
        text_column (`str`): with its texts.
    """
    alone, behind = split_at_comparison(stages)
    filters = [step for step in steps_of(alone) if step.is_filter]
    judged = [Judged(step, is_last=step is filters[-1]) for step in filters]
    return [Stage("select", [ReadTagged(folder, text_column), *judged], tasks=alone[-1].tasks), *behind]


def _joined(stages: Sequence[Stage]) -> list[Stage]:
    """Return stages of which two halves of one are one again."""
    joined: list[Stage] = []
    for stage in stages:
        if joined and joined[-1].name == stage.name:
            joined[-1] = replace(stage, pipeline=[*joined[-1].pipeline, *stage.pipeline], before=joined[-1].before)
        else:
            joined.append(stage)
    return joined


def tag_descriptions(stages: Sequence[Stage]) -> dict[str, str]:
    """Return the columns of the tags with what they hold.

    Args:
        stages (sequence of `Stage`): of the builder.
    """
    told = {
        REMOVED_BY: "the first step that would remove or merge the row; null: it stays",
        SNAPSHOT: "what `select` goes on from, as JSON",
    }
    for step in filters_of(stages):
        told[f"{step.name}_reasons"] = f"why the step {step.name} would remove the row; empty: it would not"
        told[f"{step.name}_detail"] = "what it says beside the first of them; of a merged row the id that stays"
        told |= {f"{step.name}_{measure}": text for measure, text in step.measures.items()}
    return told


def filters_of(stages: Sequence[Stage]) -> list[Step]:
    """Return the filters whose verdicts a tagged dataset has."""
    alone, choosing = tagged_part(stages)
    return [step for step in steps_of([*alone, *choosing]) if step.is_filter]


def tag_features(stages: Sequence[Stage]) -> "Features":
    """Return the types of the columns of the tags.

    Args:
        stages (sequence of `Stage`): of the builder.
    """
    from datasets import Features, List, Value

    types = {"string": Value("string"), "numbers": List(Value("float64")), "strings": List(Value("string"))}
    columns: dict[str, Any] = {REMOVED_BY: Value("string")}
    for step in filters_of(stages):
        columns |= {f"{step.name}_reasons": List(Value("string")), f"{step.name}_detail": Value("string")}
        for measure in step.measures:
            columns[f"{step.name}_{measure}"] = types.get(step.other_measures.get(measure, ""), Value("float64"))
    return Features(columns | {SNAPSHOT: Value("string")})


def tagged_card(parts: CardParts, stages: Sequence[Stage], columns: Sequence[str]) -> CardParts:
    """Return what the card of a tagged dataset says.

    Args:
        parts (`CardParts`): of the dataset that would be filtered.
        stages (sequence of `Stage`): of the builder.
        columns (sequence of `str`): of the tagged dataset.
    """
    told = {ROW_ID: "of the row; equal documents are several rows"} | parts.columns | tag_descriptions(stages)
    return replace(
        parts,
        title=f"{parts.title}, tagged",
        description=(
            "All rows, also those that a step would remove: `removed_by` says which, and is null for those that "
            f"stay; limits are those of the config below. Of what stays: {parts.description} To filter by other "
            "limits: `python -m datasets_builders select FOLDER output_dir=... field=value`."
        ),
        columns={name: told[name] for name in columns if name in told},
    )


def write_tagged_file(folder: Path, builder: str, config: BuilderConfig) -> None:
    """Write beside the card, with which it is published, how the dataset was tagged."""
    write_json(folder / TAGGED_FILE, {"builder": builder, "config": _shown(config.fields_with_effect())})


def _shown(value: Any) -> Any:
    """Return a value of a config without the paths of the working folder and of the home, as on the card."""
    return json.loads(without_own_folders(json.dumps(value)))


def read_tagged_file(folder: Path | str) -> tuple[str, dict[str, Any]]:
    """Return the builder that tagged a dataset, and the fields of its config.

    Raises:
        ConfigError: it was not tagged.
    """
    path = Path(folder).expanduser() / TAGGED_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["builder"]), dict(found["config"])
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is no tagged dataset ({TAGGED_FILE} is missing); build one with mode=tag"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def check_selection(config: TaggingFields, builder: str) -> None:
    """Check that a config differs from that of the tagged dataset only in what can be applied to it.

    Raises:
        ConfigError: a field differs that decided what was read or measured.
    """
    name, tagged = read_tagged_file(config.tagged)
    if name != builder:
        raise ConfigError(f"{config.tagged} was tagged by {name}, not by {builder}")
    for field_ in fields(config):
        now, then = _shown(getattr(config, field_.name)), _shown(tagged.get(field_.name))
        part = config.not_selectable.get(field_.name)
        if part and (now or {}).get(part) != (then or {}).get(part):
            raise ConfigError(
                f"{field_.name}: {part} decided what was measured in {config.tagged}; tag anew to change it"
            )
        if now != then and field_.name not in config.selectable | FIELDS_WITHOUT_EFFECT:
            raise ConfigError(
                f"{field_.name} is {now!r}, but {config.tagged} was tagged with {then!r}, and it decides what is read "
                "or measured; leave it as it was, or tag anew"
            )
