"""Section 2.1, security sanitisation: repositories and owners that asked to be left out."""

from dataclasses import dataclass, field
from pathlib import Path

from datasets_builders.building.errors import ConfigError


@dataclass(frozen=True)
class OptOuts:
    """Names that are left out, in small letters: `owner/name` for a repository, `owner` for all of an owner's.

    Source: the Stack's opt-out process (StarCoder2 2.1).
    """

    names: frozenset[str] = field(default_factory=frozenset)

    def covers(self, repository: str) -> bool:
        """Return whether a repository or its owner is on the list."""
        if not self.names:
            return False
        name = repository.lower()
        return name in self.names or name.partition("/")[0] in self.names


def read_opt_outs(path: Path) -> OptOuts:
    """Read a list with a name per line; `#` starts a comment, addresses such as https://github.com/a/b are accepted.

    Raises:
        ConfigError: there is no such file, or a line is no name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"opt_out_file {path} cannot be read: {error}") from None
    names = set()
    for number, line in enumerate(lines, 1):
        name = line.partition("#")[0].strip().lower().rstrip("/")
        if "://" in name:
            name = name.partition("://")[2].partition("/")[2]
        name = name.removesuffix(".git")
        if not name:
            continue
        if name.count("/") > 1 or any(character.isspace() for character in name):
            raise ConfigError(f"opt_out_file {path}, line {number}: {line.strip()!r} is neither owner nor owner/name")
        names.add(name)
    return OptOuts(frozenset(names))
