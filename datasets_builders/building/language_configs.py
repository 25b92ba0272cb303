"""Section 2.2.1: a config per language: `load_dataset(name, "Python")` fetches the files of that language alone.

Rows of a language lie in files of their own, `data/train_00000_of_00004.Python.parquet`, all in one folder, so that
who reads `data/*.parquet` has them all. A language has as many of a split's `num_shards` files as its share of the
bytes, and at least one: 300 languages add less than 300 files. The files of a dataset of one language bear no name of
it. Which value a config has, how its files are called and how many there are is told by the rows alone, so that they
are the same for any number of workers.
"""

import hashlib
import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

LANGUAGE_COLUMN = "language"
DEFAULT_CONFIG = "default"  # all languages
DEFAULT_SPLIT = "train"
OTHER_LABEL = "other"  # of rows whose value cannot name a config
MAX_NAME_BYTES = 80  # names of files end at 255, and a config's stands beside a split's and a number
# What `datasets` takes for the names of other things, and what it refuses in a name.
_RESERVED = frozenset({DEFAULT_CONFIG, "all", OTHER_LABEL})
_NO_CONFIG = OTHER_LABEL  # in the names of buckets
_REFUSED = re.compile(r'[<>:/\\|?*"\x00-\x1f\x7f]')


@dataclass(frozen=True)
class ShardPlace:
    """Which file of `data/` a shard is, and which rows it holds.

    Args:
        split (`str`): of its rows.
        number, num_shards (`int`): among the split's shards with the label.
        label (`str`): of a language's files; empty where there is one language.
        config (`str`, *optional*): the one of its rows; None where they have none of their own.
    """

    split: str
    number: int
    num_shards: int
    label: str = ""
    config: str | None = None

    @property
    def path(self) -> str:
        """The file, as the released datasets name theirs (section 1, Figure 1a)."""
        label = f".{self.label}" if self.label else ""
        return f"{self.split}_{self.number:05d}_of_{self.num_shards:05d}{label}.parquet"


@dataclass(frozen=True)
class PlannedShard:
    """A shard, the buckets of the last stage that it holds, and their bytes."""

    place: ShardPlace
    buckets: tuple[str, ...]
    num_bytes: int = 0


def config_of(value: object) -> str | None:
    """Return the config of a row by its value, None where that cannot name one."""
    if not isinstance(value, str) or not value or value != value.strip():
        return None
    if value.casefold() in _RESERVED or value.startswith(".") or _REFUSED.search(value):
        return None
    try:
        return value if len(value.encode("utf-8")) <= MAX_NAME_BYTES else None
    except UnicodeEncodeError:
        return None


def labels_of(configs: Iterable[str]) -> dict[str, str]:
    """Return what the files of each config are called, as The Stack v2 writes it: `C-Sharp`, `Jupyter_Notebook`, `C++`.

    Two names that would share a label, also where capitals are not told apart, carry a hash each.
    """
    labels = {name: _label(name) for name in configs}
    meant: dict[str, int] = {}
    for label in labels.values():
        meant[label.casefold()] = meant.get(label.casefold(), 0) + 1
    return {
        name: label if meant[label.casefold()] == 1 else f"{label}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        for name, label in labels.items()
    }


def _label(name: str) -> str:
    # No dots: what stands between two of them is a whole label.
    return re.sub(r"[^A-Za-z0-9+_-]", "-", name.replace("#", "-Sharp").replace(" ", "_"))


def bucket_name(config: str | None, split: str, number: int) -> str:
    """Return the folder in which the last stage keeps what a shard is written from."""
    return f"{_NO_CONFIG if config is None else quote(config, safe='')}/{split}-{number:05d}"


def planned_shards(stage_folder: Path, num_shards: int) -> list[PlannedShard]:
    """Return the shards of a dataset.

    Args:
        stage_folder (`Path`): of the last stage, complete.
        num_shards (`int`): of the train split; the other splits have one in each folder.
    """
    sizes: dict[str, dict[str, int]] = {}  # by split and config
    held_bytes: dict[str, int] = {}
    for bucket in sorted(stage_folder.glob("*/*")):
        of_split = sizes.setdefault(bucket.name.rpartition("-")[0], {})
        num_bytes = sum(path.stat().st_size for path in bucket.glob("*.jsonl"))
        of_split[bucket.parent.name] = of_split.get(bucket.parent.name, 0) + num_bytes
        held_bytes[f"{bucket.parent.name}/{bucket.name}"] = num_bytes
    names = sorted({name for of_split in sizes.values() for name in of_split}) or [_NO_CONFIG]
    sizes.setdefault(DEFAULT_SPLIT, {names[0]: 0})  # a dataset always has one
    configs = {name: None if name == _NO_CONFIG else unquote(name) for name in names}
    labels = labels_of(config for config in configs.values() if config)
    shards = []
    for split, of_split in sorted(sizes.items()):
        num_buckets = num_shards if split == DEFAULT_SPLIT else 1
        total = max(sum(of_split.values()), 1)
        for name, num_bytes in of_split.items():
            config = configs[name]
            share = max(1, round(num_buckets * num_bytes / total)) if len(names) > 1 else num_buckets
            label = "" if len(names) == 1 else OTHER_LABEL if config is None else labels[config]
            for number in range(share):
                held = range(-(-number * num_buckets // share), -(-(number + 1) * num_buckets // share))
                place = ShardPlace(split, number, share, label, config)
                buckets = tuple(f"{name}/{split}-{bucket:05d}" for bucket in held)
                shards.append(PlannedShard(place, buckets, sum(held_bytes.get(bucket, 0) for bucket in buckets)))
    return shards


def shared_out(shards: Iterable[PlannedShard], num_ranks: int) -> list[list[PlannedShard]]:
    """Spread shards over ranks, the largest first, each to the rank that has least: a small one is worth no process."""
    ranks: list[list[PlannedShard]] = [[] for _ in range(num_ranks)]
    held = [(0, rank) for rank in range(num_ranks)]
    for shard in sorted(shards, key=lambda shard: (-shard.num_bytes, shard.place.path)):
        num_bytes, rank = heapq.heappop(held)
        ranks[rank].append(shard)
        heapq.heappush(held, (num_bytes + shard.num_bytes, rank))
    return [rank for rank in ranks if rank]
