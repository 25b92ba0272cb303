"""The dataset card: YAML metadata for the Hub, schema, counts, the ledger with its reasons, and the lineage."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from huggingface_hub import DatasetCardData

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.columns import (
    CAPTION,
    CLUSTERS_HEADER,
    PICTURE,
    PROFILE_HEADER,
    profile,
    varied,
)
from datasets_builders.building.dataset_folder import UNKNOWN_LICENSE, Shard
from datasets_builders.building.description import (
    MAX_COUNTED_VALUES,
    SEVERAL_LICENSES,
    UNPUBLISHED,
    DatasetDescription,
)
from datasets_builders.building.identity import digest, file_sha256
from datasets_builders.building.language_configs import DEFAULT_CONFIG, DEFAULT_SPLIT
from datasets_builders.building.ledger import Ledger
from evals.report.charts import as_png, histograms
from modeling_ling.hub_branch import CARD_FILE

if TYPE_CHECKING:
    from datasets import Features

# Licence identifiers that the Hub knows and that our inputs have; any other is written as `other` with its name.
HUB_LICENSES = frozenset(
    (
        *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "zlib", "bsl-1.0", "unknown"),
        *("cc", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0"),
        *("agpl-3.0", "mpl-2.0", "epl-2.0", "artistic-2.0", "openrail", "bigscience-openrail-m"),
    )
)
PAPER = "2503.17793"
ORIGIN = (
    f"Built by `ling-coder-recipes`, after [Every Sample Matters](https://arxiv.org/abs/{PAPER}). The ledger below "
    "says what became of every input."
)
SEVERAL = "several"  # `license_name` of rows that have not one licence alone, and so of what is built from them
MAX_EXAMPLE_CHARACTERS = 600
MAX_EXAMPLE_ITEMS = 4
SIZE_CATEGORIES = [
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"),
    (1_000_000_000_000, "100B<n<1T"),
]


def write_card(
    dataset: DatasetDescription, ledger: Ledger, splits: list[str], lineage: dict[str, Any], summaries: dict[str, str]
) -> dict[str, int]:
    """Write README.md from the finished shards.

    Args:
        dataset (`DatasetDescription`): the dataset.
        ledger (`Ledger`): of the whole build.
        splits (`list[str]`): in the order of the card.
        lineage (dict): the build's fingerprint.
        summaries (dict): a line on each step.

    Returns:
        dict: rows per split, as counted in the shards.
    """
    parts = dataset.parts
    num_rows, counted = _count(dataset, splits)
    hashes = {shard.path: file_sha256(shard.path) for shard in dataset.rows.shards}
    blocks = [f"# {parts.title}", parts.description.strip(), ORIGIN, _usage(dataset), *_example_row(dataset)]
    blocks.append(_schema_table(dataset))
    blocks.append(_table("Rows", ["split", "rows"], [[split, f"{count:,}"] for split, count in num_rows.items()]))
    if counted:
        blocks.append(_count_table(dataset, counted))
    blocks += [f"## {heading}\n\n{text.strip()}" for heading, text in parts.sections.items()]
    blocks += [
        *_columns(dataset),
        _ledger_tables(ledger, summaries, dataset.counted_column),
        _lineage(dataset, lineage, hashes),
    ]
    metadata = _metadata(dataset, num_rows, hashes)
    front = DatasetCardData(**metadata).to_yaml()
    with written_whole(dataset.folder / CARD_FILE) as temporary:
        temporary.write_text(f"---\n{front}\n---\n\n" + "\n\n".join(blocks) + "\n", encoding="utf-8")
    return num_rows


def _metadata(dataset: DatasetDescription, num_rows: dict[str, int], hashes: dict[Path, str]) -> dict[str, Any]:
    parts = dataset.parts
    # The Hub knows GPL-3.0-only and GPL-3.0-or-later as gpl-3.0.
    license_id = parts.license.lower().removesuffix("-only").removesuffix("-or-later")
    metadata: dict[str, Any] = {"pretty_name": parts.title}
    metadata["license"] = license_id if license_id in HUB_LICENSES else "other"
    if metadata["license"] == "other":
        several = parts.license == SEVERAL_LICENSES
        # The Hub takes an id: no blanks, brackets or capital letters.
        metadata["license_name"] = SEVERAL if several else re.sub(r"[^a-z0-9.]+", "-", license_id).strip("-")
        metadata["license_link"] = _license_link(parts.license)
    total = sum(num_rows.values())
    metadata["language"] = [language.strip() for language in dataset.language.split(",")]
    metadata["task_categories"] = parts.task_categories
    metadata["tags"] = [*parts.tags, f"arxiv:{PAPER}", "ling-coder-recipes"]
    metadata["size_categories"] = [next((name for limit, name in SIZE_CATEGORIES if total < limit), "n>1T")]
    everything, *languages = _configs(dataset)
    metadata["configs"] = [_entry(config, hashes) for config in (everything, *languages)]
    info = _dataset_info(everything, dataset.features)
    # The columns of a language are those of all, and need not be written hundreds of times.
    infos = [{"config_name": config.name} | _dataset_info(config, None) for config in languages]
    metadata["dataset_info"] = [{"config_name": everything.name} | info, *infos] if infos else info
    return metadata


@dataclass(frozen=True)
class _Config:
    """What `load_dataset(dataset, name)` loads: the files with the label, or all."""

    name: str
    label: str
    shards: list[Shard]

    @property
    def splits(self) -> list[str]:
        return sorted({shard.split for shard in self.shards}, key=lambda split: (split != DEFAULT_SPLIT, split))

    @property
    def num_rows(self) -> int:
        return sum(shard.num_rows for shard in self.shards)


def _configs(dataset: DatasetDescription) -> list[_Config]:
    """Return the config of all rows, then one per language."""
    shards = dataset.rows.shards
    configs = [_Config(DEFAULT_CONFIG, "", shards)]
    for name, label in sorted(dataset.configs.items()):
        configs.append(_Config(name, label, [shard for shard in shards if label in ("", shard.label)]))
    return configs


def _entry(config: _Config, hashes: dict[Path, str]) -> dict[str, Any]:
    """Return what tells `load_dataset` where the files of a config are."""
    # datasets keys its cache by this entry, not by the folder's path or content: without the digest of the shards,
    # two folders of one name, or one folder built twice, would load as the rows that were seen first.
    build = digest([hashes[shard.path] for shard in config.shards])
    label = f".{config.label}" if config.label else ""
    files = [{"split": split, "path": f"data/{split}_*{label}.parquet"} for split in config.splits]
    return {"config_name": config.name, "description": f"build {build}", "data_files": files}


def _license_link(license: str) -> str:
    """Return where the text of a licence is read; of several, where the rows say theirs."""
    is_one = license not in (SEVERAL_LICENSES, SEVERAL, UNKNOWN_LICENSE) and re.fullmatch(r"[A-Za-z0-9.+-]+", license)
    return f"https://spdx.org/licenses/{license}.html" if is_one else CARD_FILE


def _dataset_info(config: _Config, features: "Features | None") -> dict[str, Any]:
    """Return what the Hub and `load_dataset` read of columns and sizes without opening a shard."""
    from datasets import DatasetInfo
    from datasets.splits import SplitDict, SplitInfo

    splits = SplitDict()
    for split in config.splits:
        of_split = [shard for shard in config.shards if shard.split == split]
        num_bytes = sum(shard.num_bytes for shard in of_split)
        splits[split] = SplitInfo(split, num_bytes=num_bytes, num_examples=sum(shard.num_rows for shard in of_split))
    info = DatasetInfo(
        features=features,
        splits=splits,
        download_size=sum(shard.path.stat().st_size for shard in config.shards),
        dataset_size=sum(split.num_bytes for split in splits.values()),
    )
    written: dict[str, Any] = info._to_yaml_dict()
    return written


def _count(dataset: DatasetDescription, splits: list[str]) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Count rows per split, and rows and text bytes per value of the counted column, over the shards."""
    import pyarrow as pa
    import pyarrow.compute as pc

    num_rows: dict[str, int] = {}
    counted: dict[str, tuple[int, int]] = {}
    column, text = dataset.counted_column, dataset.text_column
    for split in splits:
        num_rows[split] = sum(shard.num_rows for shard in dataset.rows.shards_of(split))
        if column is None:
            continue
        for batch in dataset.rows.batches([column] + ([text] if text else []), split):
            sizes = pc.binary_length(batch.column(text)) if text else pa.repeat(0, batch.num_rows)
            groups = pa.table({"value": batch.column(column), "size": sizes}).group_by("value")
            for row in groups.aggregate([([], "count_all"), ("size", "sum")]).to_pylist():
                rows, total = counted.get(row["value"], (0, 0))
                counted[row["value"]] = (rows + row["count_all"], total + row["size_sum"])
    return num_rows, dict(sorted(counted.items(), key=lambda item: (-item[1][0], item[0])))


def _count_table(dataset: DatasetDescription, counted: dict[str, tuple[int, int]]) -> str:
    # Rows of messages have no one text whose bytes could be counted.
    num_columns = 3 if dataset.text_column else 2
    shown = [[name, f"{rows:,}", f"{size:,}"] for name, (rows, size) in list(counted.items())[:MAX_COUNTED_VALUES]]
    left = list(counted.values())[MAX_COUNTED_VALUES:]
    if left:
        rows, size = map(sum, zip(*left, strict=True))
        shown.append([f"{len(left)} more", f"{rows:,}", f"{size:,}"])
    header = [dataset.counted_column or "", "rows", "bytes"][:num_columns]
    return _table(f"Rows per {dataset.counted_column}", header, [row[:num_columns] for row in shown])


def _columns(dataset: DatasetDescription) -> list[str]:
    """Describe the numeric columns, draw them beside the card, and name the largest clusters."""
    values = dataset.numeric_values
    blocks = []
    if values:
        rows = [[_shown(cell) for cell in row] for row in profile(values)]
        blocks.append(_table("What the rows are like", list(PROFILE_HEADER), rows))
    if drawn := varied(values):
        picture = dataset.folder / PICTURE
        with written_whole(picture) as temporary:
            temporary.write_bytes(as_png(histograms(drawn)))
        blocks.append(f"![{CAPTION}]({PICTURE})")
    if largest := dataset.largest_clusters:
        rows = [[f"{size:,}", _plain(repository), f"`{_plain(path)}`"] for size, repository, path in largest]
        blocks.append(_table("Largest clusters of near-duplicates", list(CLUSTERS_HEADER), rows))
    return blocks


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell.is_integer() or abs(cell) >= 1_000 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else f"`{cell}`"


def _usage(dataset: DatasetDescription) -> str:
    load = f'dataset = load_dataset("{UNPUBLISHED}")'
    lines = ["from datasets import load_dataset", "", load, *dataset.parts.usage.strip().splitlines()]
    languages = _configs(dataset)[1:]
    values = list(dataset.rows.counts("language")) if "language" in dataset.features and not languages else []
    if languages:
        name = json.dumps(max(languages, key=lambda config: config.num_rows).name, ensure_ascii=False)
        lines += ["", f'one_language = load_dataset("{UNPUBLISHED}", {name})']
    elif len(values) > 1:
        wanted = f'filters=[("language", "==", {json.dumps(values[0], ensure_ascii=False)})]'
        # The counts of dataset_info are those of all rows.
        unchecked = 'verification_mode="no_checks"'
        lines += ["", f'one_language = load_dataset("{UNPUBLISHED}", {wanted}, {unchecked})']
    return "\n".join(["```python", *lines, "```"])


def _example_row(dataset: DatasetDescription) -> list[str]:
    """Return the first row, long texts cut, as a reader sees it before all tables."""
    row = next(dataset.rows.rows(), None)
    if row is None:
        return []
    text = json.dumps(_cut(row), indent=2, ensure_ascii=False, default=str)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return [f"## A row\n\n{fence}json\n{text}\n{fence}"]


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner) for inner in value[:MAX_EXAMPLE_ITEMS]]
    if isinstance(value, str) and len(value) > MAX_EXAMPLE_CHARACTERS:
        return f"{value[:MAX_EXAMPLE_CHARACTERS]} ... ({len(value):,} characters)"
    return value


def _schema_table(dataset: DatasetDescription) -> str:
    told = dataset.parts.columns
    rows = [[f"`{name}`", _type_of(kind), told.get(name, "")] for name, kind in dataset.features.items()]
    return _table("Columns", ["column", "type", "what it holds"], rows)


def _type_of(kind: Any) -> str:
    if isinstance(kind, dict):
        return "{" + ", ".join(f"{name}: {_type_of(inner)}" for name, inner in kind.items()) + "}"
    if isinstance(kind, list):
        return f"list of {_type_of(kind[0])}"
    inner = getattr(kind, "feature", None)
    return f"list of {_type_of(inner)}" if inner is not None else str(getattr(kind, "dtype", kind))


def _ledger_tables(ledger: Ledger, summaries: dict[str, str], counted_column: str | None = None) -> str:
    numbers = ("input", "created", "removed", "merged", "output", "bytes_in", "bytes_out")
    steps = [
        [step.name, *(f"{getattr(step, key):,}" for key in numbers), _plain(summaries.get(step.name, ""))]
        for step in ledger.steps
    ]
    heading = ["step", "input", "created", "removed", "merged", "output", "bytes in", "bytes out", "what it does"]
    reasons = [
        [
            step.name,
            reason,
            f"{count:,}",
            ", ".join(f"`{_plain(example)}`" for example in step.examples.get(reason, [])),
        ]
        for step in ledger.steps
        for reason, count in sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    text = _table("Ledger: what became of every input", heading, steps)
    text += "\n\nEach step holds `input + created = output + removed + merged`."
    names, groups = ledger.by_group()
    if len(names) > 1:
        rows = [[_plain(name), *(f"{count:,}" for count in counts)] for name, counts in groups]
        text += "\n\n" + _table(f"What each step passed on, by {counted_column}", [counted_column or "", *names], rows)
    if reasons:
        text += "\n\n" + _table("Why documents ended", ["step", "reason", "documents", "examples"], reasons)
    mended = [[step.name, kind, f"{count:,}"] for step in ledger.steps for kind, count in step.mended.items()]
    if mended:
        text += "\n\n" + _table("Values that were converted or made null", ["step", "what", "values"], mended)
    replaced = [
        [step.name, kind, f"{count:,}", f"{step.replaced_in[kind]:,}"]
        for step in ledger.steps
        for kind, count in step.replaced.items()
    ]
    if replaced:
        text += "\n\n" + _table("What was replaced, by kind", ["step", "kind", "values", "documents"], replaced)
    changes = [[step, kind, *(f"`{_plain(text)}`" for text in texts)] for step, kind, *texts in ledger.changes()]
    if changes:
        text += "\n\n" + _table("What was changed, by example", ["step", "kind", "before", "after"], changes)
        text += "\n\nWhat was replaced is masked: `x` for a letter, `0` for a digit."
    return text


def _lineage(dataset: DatasetDescription, lineage: dict[str, Any], hashes: dict[Path, str]) -> str:
    license = dataset.parts.license
    rows = [["builder", f"`python -m datasets_builders {dataset.builder}`"]]
    rows += [["input", without_own_folders(_plain(line))] for line in dataset.inputs]
    rows.append(["licence of the input", "several" if license == SEVERAL_LICENSES else license])
    rows.append(["config", f"`{digest(lineage['config'])}`"])
    rows.append(["input hash", f"`{digest(lineage['inputs'])}`"])
    rows.append(["code", f"`{lineage['code'][:16]}`, commit `{_commit()}`"])
    rows.append(["versions", ", ".join(f"{name} {number}" for name, number in lineage["versions"].items())])
    data = dataset.folder / "data"
    rows += [[f"sha256 of {path.relative_to(data).as_posix()}", f"`{sha256}`"] for path, sha256 in hashes.items()]
    text = _table("Lineage", ["what", "value"], rows)
    config = without_own_folders(yaml.safe_dump(lineage["config"], sort_keys=True))
    return f"{text}\n\n```yaml\n{config}```"


def _commit() -> str:
    """Return the commit of this code when it runs from a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def without_own_folders(text: str) -> str:
    """Return text without the paths of the working folder and of the home: a card is published, these need not be."""
    for folder, shown in ((f"{Path.cwd()}/", ""), (str(Path.home()), "~")):
        if folder.strip("/"):  # in a container either may be the root
            text = text.replace(folder, shown)
    return text


def _plain(text: str) -> str:
    """Return text that cannot break out of a table cell or a code span."""
    # Two backslashes before a pipe would stand for one, and the pipe would end the cell: one alone is left.
    return re.sub(r"\\*\|", r"\\|", " ".join(text.split()).replace("`", "'"))


def _table(title: str, heading: list[str], rows: list[list[str]]) -> str:
    rules = ["---:" if rows and all(_is_number(row[place]) for row in rows) else "---" for place in range(len(heading))]
    lines = [f"## {title}", "", "| " + " | ".join(heading) + " |", "| " + " | ".join(rules) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.,]+(e[-+]\d+)?", cell) is not None
