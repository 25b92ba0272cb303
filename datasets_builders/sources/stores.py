"""Section 2.1: tables in object stores, streamed through fsspec: S3, Google Cloud, Azure, buckets of the Hub, HTTP.

Keys and endpoints are those that the store's own library finds: environment variables, its files, fsspec's
configuration. None stands in a config, so that none gets into a dataset's card.
"""

import posixpath
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.hub import BLOCK_BYTES
from datasets_builders.sources.table_rows import TableFile, is_table

PROTOCOLS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hf", "https", "http", "memory")
# What changes when the content does, by the names that stores have for it.
_IDENTITY = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "blob_id",
    "xet_hash",
    "last_modified",
    "LastModified",
    "mtime",
    "created",
)


def is_in_store(address: str) -> bool:
    """Return whether an address is one in a store that can be read."""
    return address.partition("://")[0] in PROTOCOLS


def store_tables(address: str) -> tuple[str, list[TableFile]]:
    """Return a name and the tables at an address: a file, a pattern with `*`, or a folder with all that lies below it.

    Args:
        address (`str`): such as `s3://bucket/rows/*.parquet`.

    Raises:
        ConfigError: the store's library is missing, it cannot be reached, or no table lies there.
    """
    import fsspec

    protocol = address.partition("://")[0]
    if "@" in urlsplit(address).netloc:
        raise ConfigError(f"{protocol}://: keys and passwords do not belong into addresses, which the card shows")
    try:
        system, path = fsspec.core.url_to_fs(address)
        if "*" in path:
            paths = system.glob(path)
        else:
            paths = [path] if is_table(path) else system.find(path)
        found = [(path, system.info(path)) for path in sorted(paths) if is_table(path)]
    except ImportError as error:
        raise ConfigError(f"{address}: {error}") from None
    except Exception as error:  # of the store's library: no such bucket, no permission, no connection
        raise ConfigError(f"{address} cannot be reached: {type(error).__name__}: {str(error)[:300]}") from None
    if not found:
        raise ConfigError(f"{address}: no Parquet, JSON Lines or CSV file lies there")
    tables = [_table(f"{protocol}://{path.removeprefix(f'{protocol}://').lstrip('/')}", info) for path, info in found]
    if len(found) == 1:
        return PurePosixPath(found[0][0]).name.partition(".")[0], tables
    folder = posixpath.commonpath([str(PurePosixPath(path).parent) for path, _ in found])
    return PurePosixPath(folder).name, tables


def _table(address: str, info: dict[str, Any]) -> TableFile:
    identity = [address, info.get("size"), *(str(info[name]) for name in _IDENTITY if info.get(name))]
    return TableFile(address, partial(_open, address), identity)


def _open(address: str) -> BinaryIO:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)
    return cast(BinaryIO, system.open(path, "rb", block_size=BLOCK_BYTES))
