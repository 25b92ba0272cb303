"""Section 2.1: tables of a Hub dataset, streamed: a row group is fetched when its rows are wanted."""

import fnmatch
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, cast

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.table_rows import TableFile, is_table
from modeling_ling.hub_reading import read_failure

SCHEME = "hf://datasets/"
BLOCK_BYTES = 8 << 20


def hub_tables(address: str, is_wanted: Callable[[str], bool] = is_table) -> tuple[str, list[TableFile]]:
    """Return the dataset's name and its tables, pinned to the commit that the address names now.

    Args:
        address (`str`): `hf://datasets/ORG/NAME[@REVISION][/PATTERN]`; without a pattern, all Parquet and JSON Lines
            files. A `*` in the pattern also matches slashes.
        is_wanted (function): of a file's name; by default whether it is Parquet or JSON Lines.

    Raises:
        ConfigError: the dataset cannot be reached, or no file fits.
    """
    from huggingface_hub import HfApi

    rest = address.removeprefix(SCHEME)
    organisation, _, rest = rest.partition("/")
    name, _, pattern = rest.partition("/")
    name, _, revision = name.partition("@")
    if not organisation or not name:
        raise ConfigError(f"{address}: write hf://datasets/ORG/NAME, and after it a revision or a pattern")
    repo_id = f"{organisation}/{name}"
    try:
        info = HfApi().dataset_info(repo_id, revision=revision or None)
        if info.gated:  # its list of files is open to all
            HfApi().auth_check(repo_id, repo_type="dataset")
        paths = HfApi().list_repo_files(repo_id, repo_type="dataset", revision=info.sha)
    except Exception as error:  # huggingface_hub, httpx and OS errors: all mean that it cannot be reached
        raise ConfigError(f"{address} cannot be read: {read_failure(error)}") from None
    wanted = sorted(path for path in paths if is_wanted(path) and fnmatch.fnmatchcase(path, pattern or "*"))
    if not wanted:
        raise ConfigError(f"{address}: none of the {len(paths)} files is a Parquet or JSON Lines file that fits")
    return repo_id, [
        TableFile(
            f"{SCHEME}{repo_id}@{info.sha}/{path}",
            partial(_open, repo_id, str(info.sha), path),
            [path, info.sha],
        )
        for path in wanted
    ]


def _open(repo_id: str, revision: str, path: str) -> BinaryIO:
    from huggingface_hub import HfFileSystem

    address = f"datasets/{repo_id}@{revision}/{path}"
    return cast(BinaryIO, HfFileSystem().open(address, "rb", block_size=BLOCK_BYTES))
