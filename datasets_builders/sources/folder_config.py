"""Section 2.2.1: which folder of code is read, and what of it is left out by default."""

import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.license_notices import near_license
from datasets_builders.sources.licenses import is_expression

# Left out wherever they lie: not written by the project's authors, or not source.
ALWAYS_EXCLUDED = [".*", "__pycache__", "node_modules", "site-packages", "dist-packages", "venv", "*.egg-info"]
# With `hidden_files` of names that start with a dot those alone that nobody writes.
HIDDEN = ".*"
HIDDEN_AND_NEVER_READ = [".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".*_cache", ".eggs", ".ipynb_checkpoints"]
# Of the standard library also its test suites: they are data for the interpreter, half a library again in size, and
# lib2to3's hold Python 2. The build folder (config-*) holds the configuration of one machine.
STDLIB_EXCLUDED = ["test", "tests", "idle_test", "config-*", "lib-dynload", "ensurepip/_bundled"]


@dataclass
class FolderConfig(BuilderConfig):
    """Fields of the builders that read a folder of code."""

    input_dir: str = field(
        default="", metadata={"help": "folder with code; empty: the standard library of the running interpreter"}
    )
    exclude: list[str] = field(
        default_factory=list,
        metadata={"help": "more patterns to leave out: a name (tests) or a path below the folder (docs/*.md)"},
    )
    max_bytes: int = field(default=1_000_000, metadata={"help": "larger files are removed unread"})
    hidden_files: bool = field(
        default=False,
        metadata={"help": "read files and folders whose names start with a dot too, such as .github and .config"},
    )
    repository: str = field(default="", metadata={"help": "name of the code in the rows; empty: the folder's"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        if self.max_bytes < 1:
            raise ConfigError(f"max_bytes is {self.max_bytes}, but must be at least 1")
        if self.license and not is_expression(self.license):
            near = near_license(self.license)
            hint = f"did you mean {near}?" if near else "write one such as MIT, or LicenseRef-NAME for your own"
            raise ConfigError(f"license: {self.license!r} is no SPDX expression; {hint}")


def input_folder(config: FolderConfig) -> Path:
    """Return the folder that is read."""
    return Path(config.input_dir or sysconfig.get_path("stdlib")).expanduser().absolute()


def always_excluded(config: FolderConfig) -> list[str]:
    """Return the patterns of what is left out of every source."""
    if not config.hidden_files:
        return list(ALWAYS_EXCLUDED)
    return [*HIDDEN_AND_NEVER_READ, *(pattern for pattern in ALWAYS_EXCLUDED if pattern != HIDDEN)]


def exclusions(config: FolderConfig, output_folder: Path) -> list[str]:
    """Return all patterns that leave something out; a dataset built inside its own input is never read back."""
    patterns = [*always_excluded(config), *(() if config.input_dir else STDLIB_EXCLUDED), *config.exclude]
    root = input_folder(config).resolve()
    output = output_folder.resolve()
    if output.is_relative_to(root) and output != root:
        relative = output.relative_to(root).as_posix()
        patterns.append(relative if "/" in relative else f"/{relative}")
    return patterns


def check_folder(config: FolderConfig, output_folder: Path) -> None:
    """Raise `ConfigError` when there is no folder to read."""
    root = input_folder(config)
    if "://" in config.input_dir:
        raise ConfigError(f"input_dir is {config.input_dir}, but only local folders are read; fetch it first")
    if not root.exists():
        raise ConfigError(f"input_dir {root} does not exist")
    if not root.is_dir():
        raise ConfigError(f"input_dir {root} is a file; name the folder that holds the code")
    if (root / "ledger.json").is_file() and (root / "data").is_dir():
        raise ConfigError(f"input_dir {root} is a dataset that a builder wrote; name the folder that holds the code")
    if output_folder.resolve() == root.resolve():
        raise ConfigError(f"output_dir and input_dir are the same folder, {root}; name another output_dir")


def folder_source(config: FolderConfig, output_folder: Path) -> FolderSource:
    """Return the folder as a source."""
    patterns = exclusions(config, output_folder)
    return FolderSource(input_folder(config), patterns, repository_name(config), license_name(config))


def repository_name(config: FolderConfig) -> str:
    """Return the name of the code: as configured, else the interpreter's or the folder's."""
    if config.repository:
        return config.repository
    if not config.input_dir:
        return f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    return input_folder(config).resolve().name


def license_name(config: FolderConfig) -> str:
    """Return the licence of the input as configured, else the standard library's; empty: what its files say."""
    if config.license:
        return config.license
    return "" if config.input_dir else "PSF-2.0"
