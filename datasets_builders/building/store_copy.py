"""Section 1 (released datasets): a finished dataset copied to an object store, or to any place that fsspec writes to.

A copied file counts when the store says that it has its size; it is noted then, with its SHA-256, in `.build/copies/`,
so that a copy which was cut goes on where it was. `SHA256SUMS` lies beside the files, for `sha256sum --check`, and is
written last: where it is, all else is.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from datasets_builders.building.atomic import write_json
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.identity import digest, file_sha256
from datasets_builders.building.state import BuildState
from datasets_builders.building.verdicts import ABLATION_FILE, refusals
from modeling_ling.hub_branch import CARD_FILE, stale_files
from modeling_ling.publishing import DEFAULT_IGNORE, files_to_publish

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

SUMS_FILE = "SHA256SUMS"
NOT_WRITTEN_TO = {
    "http": "HTTP only reads",
    "https": "HTTP only reads",
    "hf": "to the Hub goes `push FOLDER --push-to ORG/NAME`",
}


@dataclass(frozen=True)
class CopyResult:
    """What a copy did: the address, files copied, files that were there already, and files of before removed."""

    address: str
    num_copied: int
    num_there: int
    removed: list[str]


def check_address(address: str) -> None:
    """Raise `ConfigError` when an address cannot be written to; the store is not asked."""
    protocol, separator, rest = address.partition("://")
    if not separator or not rest.strip("/"):
        raise ConfigError(f"--to is {address!r}, but must be an address such as s3://bucket/folder or file:///folder")
    if protocol in NOT_WRITTEN_TO:
        raise ConfigError(f"--to is {address!r}: {NOT_WRITTEN_TO[protocol]}")
    if "@" in urlsplit(address).netloc and protocol not in ("abfs", "abfss"):  # where a container stands before the @
        raise ConfigError("--to: keys and passwords do not belong into addresses; the store's library finds its own")


def copy_dataset(
    folder: Path,
    address: str,
    *,
    verify: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> CopyResult:
    """Copy what `push` would publish, and remove shards of an earlier copy that the dataset no longer has.

    Args:
        folder (`Path`): what a builder wrote.
        address (`str`): of a folder in the store.
        verify (`bool`): read all files again and compare their SHA-256.
        force (`bool`): copy it although a verdict (inspection, ablation study) refused it.
        report (function): told of each file.

    Raises:
        ConfigError: the address cannot be written to, or there is no dataset.
        BuildError: a verdict refuses the dataset, the store failed, or a file there is not what was sent; a second call
            goes on.
    """
    check_address(address)
    DatasetFolder(folder).check()
    if (refused := refusals(folder)) and not force:
        raise BuildError(refused[0])
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(address.rstrip("/"))
    except (ImportError, ValueError) as error:  # the store's library is missing; a protocol that nobody knows
        raise ConfigError(f"--to {address}: {error}") from None
    names = [path.relative_to(folder).as_posix() for path in files_to_publish(folder, DEFAULT_IGNORE)]
    names = [name for name in names if name not in (ABLATION_FILE, CARD_FILE)] + [CARD_FILE]
    try:
        return _copy(folder, address, names, system, root, verify, report)
    except (BuildError, ConfigError):
        raise
    except Exception as error:  # of the store's library: no bucket, no permission, no connection
        told = f"{type(error).__name__}: {str(error)[:300]}"
        raise BuildError(f"{address}: {told}. What is copied is noted; run the same command again to go on") from error


def _copy(
    folder: Path,
    address: str,
    names: list[str],
    system: "AbstractFileSystem",
    root: str,
    verify: bool,
    report: Callable[[str], None],
) -> CopyResult:
    notes = folder / ".build" / "copies" / f"{digest(address.rstrip('/'))}.json"
    noted: dict[str, str] = BuildState.read(notes) or {}
    system.makedirs(root, exist_ok=True)
    there = {path.removeprefix(root).lstrip("/"): info["size"] for path, info in _files(system, root).items()}
    sums = {name: file_sha256(folder / name) for name in names}
    stale = stale_files("dataset", there=there, ours=noted.keys(), new=names)
    if SUMS_FILE in there and (stale or any(noted.get(name) != sums[name] for name in names)):
        system.rm_file(f"{root}/{SUMS_FILE}")
    for name in stale:
        system.rm_file(f"{root}/{name}")
    num_copied = 0
    for name in names:
        size = (folder / name).stat().st_size
        if noted.get(name) == sums[name] and there.get(name) == size:
            continue
        report(f"{name} ({size / 1e6:,.1f} MB)")
        _put(system, folder / name, f"{root}/{name}")
        num_copied += 1
        noted = {known: value for known, value in noted.items() if known not in stale} | {name: sums[name]}
        notes.parent.mkdir(parents=True, exist_ok=True)
        write_json(notes, noted)
    if verify:
        _verify(system, root, sums, notes, noted)
    lines = "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))
    system.pipe_file(f"{root}/{SUMS_FILE}", lines.encode())
    return CopyResult(address, num_copied, len(names) - num_copied, stale)


def _files(system: "AbstractFileSystem", root: str) -> dict[str, dict[str, int]]:
    system.invalidate_cache()
    found: dict[str, dict[str, int]] = system.find(root, detail=True)
    return found


def _put(system: "AbstractFileSystem", path: Path, target: str) -> None:
    """Write a file to the store and ask the store for its size."""
    system.makedirs(target.rpartition("/")[0], exist_ok=True)
    system.put_file(str(path), target)
    system.invalidate_cache()
    size, wanted = system.info(target)["size"], path.stat().st_size
    if size != wanted:
        raise BuildError(f"{target} has {size} bytes in the store, not {wanted}; run the same command again")


def _verify(system: "AbstractFileSystem", root: str, sums: dict[str, str], notes: Path, noted: dict[str, str]) -> None:
    """Read all files of the store and compare; what differs is noted no more, so that a second run copies it."""
    wrong = []
    for name, value in sums.items():
        with system.open(f"{root}/{name}", "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != value:
                wrong.append(name)
    if wrong:
        write_json(notes, {name: value for name, value in noted.items() if name not in wrong})
        raise BuildError(
            f"{', '.join(wrong)}: another SHA-256 in the store; run the same command again to copy them anew"
        )
